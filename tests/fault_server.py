"""A registry on the loopback that works, and misbehaves where a test says so."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from ckpt_tui.core.progress import quiet
from ckpt_tui.sources.access import Access
from ckpt_tui.sources.credentials import Login
from ckpt_tui.sources.registry import RegistryClient
from ckpt_tui.sources.registry_http import Timeouts

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int = 0
    """That the client sent it from: one for each connection."""


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """Content-Length where it is not that of the body."""
    hang: bool = False
    """After the body, keep the connection open until the server is closed."""


Rule = Callable[[Seen], Answer | None]


class FaultServer:
    """Serves `blobs`, `manifests` and `tags`; `rules` see each request first."""

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.tags: dict[str, list[str]] = {}
        self.uploads: dict[str, bytes] = {}
        self._names = itertools.count()
        self.rules: list[Rule] = []
        self.seen: list[Seen] = []
        self.ranges = True
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"faults": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Give `answers` one after another to requests whose path matches, then serve again."""
        waiting = list(answers)

        def rule(seen: Seen) -> Answer | None:
            if seen.method == method and re.search(path, seen.path) and waiting:
                return waiting.pop(0)
            return None

        self.rules.append(rule)

    def always(self, method: str, path: str, answer: Answer) -> None:
        """Give `answer` to every request whose path matches."""
        self.rules.append(
            lambda seen: answer if seen.method == method and re.search(path, seen.path) else None
        )

    def add_blob(self, repository: str, data: bytes) -> dict[str, object]:
        """Store a blob; return its descriptor but for the media type."""
        digest = sha256(data)
        self.blobs[repository, digest] = data
        return {"digest": digest, "size": len(data)}

    def add_manifest(
        self, repository: str, tag: str, document: object, media_type: str = MANIFEST
    ) -> dict[str, object]:
        """Store a manifest under its digest and, unless it is empty, a tag."""
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        for name in filter(None, (tag, sha256(data))):
            self.manifests[repository, name] = (media_type, data)
        if tag:
            self.tags.setdefault(repository, []).append(tag)
        return {"mediaType": media_type, "digest": sha256(data), "size": len(data)}

    def paths(self, method: str = "") -> list[str]:
        """Return the paths that were asked for."""
        return [seen.path for seen in self.seen if method in ("", seen.method)]

    def answer(self, seen: Seen) -> Answer:
        for rule in self.rules:
            if found := rule(seen):
                return found
        url = urlsplit(seen.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == "/v2/":
            return Answer()
        if url.path == "/v2/_catalog":
            names = sorted({name for name, _ in self.manifests})
            return Answer(body=json.dumps({"repositories": names}).encode())
        if match := re.fullmatch(r"/v2/(.+)/tags/list", url.path):
            tags = self.tags.get(match[1])
            body = json.dumps({"name": match[1], "tags": tags}).encode()
            return Answer(body=body) if tags is not None else _error(404, "NAME_UNKNOWN")
        if match := re.fullmatch(r"/v2/(.+)/manifests/(.+)", url.path):
            return self._manifest(seen, match[1], match[2])
        if match := re.fullmatch(r"/v2/(.+)/blobs/uploads/(.*)", url.path):
            return self._upload(seen, match[1], match[2], query)
        if match := re.fullmatch(r"/v2/(.+)/blobs/(.+)", url.path):
            return self._blob(seen, match[1], match[2])
        return Answer(404, b"404 page not found\n")

    def _manifest(self, seen: Seen, repository: str, name: str) -> Answer:
        if seen.method == "PUT":
            kind = seen.headers.get("Content-Type", "")
            tag = "" if ":" in name else name
            self.add_manifest(repository, tag, seen.body, kind)
            return Answer(201)
        found = self.manifests.get((repository, name))
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN")
        headers = {"Content-Type": found[0], "Docker-Content-Digest": sha256(found[1])}
        return Answer(200, found[1], headers)

    def _blob(self, seen: Seen, repository: str, digest: str) -> Answer:
        data = self.blobs.get((repository, digest))
        if data is None:
            return _error(404, "BLOB_UNKNOWN")
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", seen.headers.get("Range", ""))
        if not match or not self.ranges:
            return Answer(200, data)
        start, end = int(match[1]), int(match[2] or len(data) - 1)
        part = data[start : end + 1]
        content_range = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
        return Answer(206, part, {"Content-Range": content_range})

    def _upload(self, seen: Seen, repository: str, name: str, query: dict[str, str]) -> Answer:
        if seen.method == "POST":
            mounted = self.blobs.get((query.get("from", ""), query.get("mount", "")))
            if mounted is not None:
                self.blobs[repository, query["mount"]] = mounted
                return Answer(201)
            name = f"u{next(self._names)}"
            self.uploads[name] = b""
        elif name not in self.uploads:
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        self.uploads[name] += seen.body
        location = {"Location": f"/v2/{repository}/blobs/uploads/{name}?state=1"}
        if seen.method != "PUT":
            return Answer(202, headers=location)
        data = self.uploads.pop(name)
        if sha256(data) != query["digest"]:
            return _error(400, "DIGEST_INVALID")
        self.blobs[repository, query["digest"]] = data
        return Answer(201)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults: FaultServer

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(self.command, self.path, dict(self.headers), body, self.client_address[1])
        self.faults.seen.append(seen)
        answer = self.faults.answer(seen)
        self.send_response(answer.status)
        length = len(answer.body) if answer.length is None else answer.length
        for name, value in {"Content-Length": str(length), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
            self.wfile.flush()
        if answer.hang:
            self.faults.closing.wait()
        if answer.length is not None:
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client has seen enough
            super().handle()

    def log_message(self, *args: object) -> None:
        """Be quiet."""


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _error(status: int, code: str) -> Answer:
    body = {"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}
    return Answer(status, json.dumps(body).encode())


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@contextmanager
def client_for(
    server: FaultServer,
    clock: Clock | None = None,
    login: Login | Callable[[str, str], Login | None] | None = None,
    timeouts: Timeouts | None = None,
) -> Iterator[RegistryClient]:
    """Give a client of `server` that never sleeps."""
    clock = clock or Clock()
    client = RegistryClient(
        server.host,
        access=Access(),
        login=login if callable(login) else lambda host, repository: login,
        timeouts=timeouts,
        sleep=clock.sleep,
        clock=clock,
    )
    client.http.prefix = "http"
    client.ping(quiet())
    server.seen.clear()
    try:
        yield client
    finally:
        client.close()
