"""Putting blobs into a registry: mounted from another repository, or uploaded as a stream.

After the OCI distribution specification, "Pushing blobs". A broken upload begins its blob again:
registries take up a broken one only at the edge of a chunk, if at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from ckpt_tui.core.errors import DamagedInput, SourceUnreachable
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import short_digest
from ckpt_tui.sources.base import Descriptor, checked_digest
from ckpt_tui.sources.reference import checked_repository
from ckpt_tui.sources.registry import RegistryClient
from ckpt_tui.sources.registry_auth import pull_scope, push_scope
from ckpt_tui.sources.registry_errors import Refused, checked_address, header_of
from ckpt_tui.sources.registry_http import RegistryHttp, stated_number

ATTEMPTS = 3
"""Times that a blob is begun before a broken connection counts."""

CHUNK = 16 << 20
"""Bytes of a chunk, where a registry or what is before it does not take the whole blob at once."""

MAX_CHUNK = 64 << 20
"""Bytes of a chunk that a registry may ask for as the least; a chunk is in memory."""

TOO_LARGE = 413

LOST = (404, 416)
"""Answers to an upload that the registry does not know any more, or at another offset."""

Pieces = Callable[[], Iterator[bytes]]
"""Gives the bytes of a blob, from the start at each call."""


@dataclass(slots=True)
class _Body:
    """A body as it is sent: requests takes anything with a length and pieces."""

    size: int
    pieces: Pieces
    what: str

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        left = self.size
        for piece in self.pieces():
            left -= len(piece)
            if left < 0:
                break
            yield piece
        if left:
            raise DamagedInput(self.what, 0, "it does not have the size that its manifest says.")


def mount_blob(
    client: RegistryClient, repository: str, digest: str, source: str, progress: Progress
) -> bool:
    """Take a blob over from repository `source` of the same registry; False if it is not there."""
    checked_digest(digest, "the manifest")
    query = urlencode({"mount": digest, "from": checked_repository(source, source)})
    try:
        response = client.http.request(
            "POST",
            f"{_uploads(client, repository)}?{query}",
            progress,
            what=f"blob {short_digest(digest)} of {source}",
            scopes=(push_scope(repository), pull_scope(source)),
            expect=(201, 202),
        )
    except Refused as error:
        if error.status in (401, 403, 404, 405):  # not allowed to read there, or not offered
            return False
        raise
    client.http.finish(response)
    return response.status_code == 201


def upload_blob(
    client: RegistryClient, repository: str, blob: Descriptor, pieces: Pieces, progress: Progress
) -> None:
    """Upload a blob: in one request, or in chunks where that is too large for the registry.

    Raises:
        DamagedInput: `pieces` gives more or fewer bytes than the descriptor says.
        SourceUnreachable: the registry does not take it.
    """
    chunk = 0
    before = progress.done
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _upload(client, repository, blob, pieces, chunk, progress)
        except Refused as error:
            if error.status == TOO_LARGE and not chunk:
                chunk = CHUNK
            elif (error.status < 500 and error.status not in LOST) or attempt == ATTEMPTS:
                raise
        except SourceUnreachable:
            if attempt == ATTEMPTS:
                raise
        else:
            return
        progress.tick(before - progress.done)


def _upload(
    client: RegistryClient,
    repository: str,
    blob: Descriptor,
    pieces: Pieces,
    chunk: int,
    progress: Progress,
) -> None:
    what = f"blob {short_digest(blob.digest)} in repository {repository}"
    upload = _Upload(client.http, push_scope(repository), what, progress)
    begun = upload.send("POST", _uploads(client, repository))
    if chunk:
        least = stated_number(begun, "OCI-Chunk-Min-Length") or 0
        upload.send_chunks(pieces(), max(chunk, min(least, MAX_CHUNK)))
    upload.finish(blob, None if chunk else pieces)


def _uploads(client: RegistryClient, repository: str) -> str:
    return f"//{client.http.container(repository).upload_blob_url()}"


class _Upload:
    """One upload session; the registry says with each answer where to go on."""

    def __init__(self, http: RegistryHttp, scope: str, what: str, progress: Progress) -> None:
        self._http = http
        self._scope = scope
        self._what = what
        self._progress = progress
        self._location = ""

    def send(
        self,
        method: str,
        url: str,
        data: _Body | bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        response = self._http.request(
            method,
            url,
            self._progress,
            data=data,
            headers=headers,
            what=self._what,
            scopes=(self._scope,),
            expect=(200, 201, 202, 204),
            attempts=1 if data is not None else 3,
        )
        self._http.finish(response)
        self._follow(response)
        return response

    def send_chunks(self, pieces: Iterable[bytes], size: int) -> None:
        """Send all bytes in chunks of `size`, the last one shorter."""
        start = 0
        for data in _joined(pieces, size):
            self.send(
                "PATCH",
                self._location,
                data,
                {
                    "Content-Type": "application/octet-stream",
                    "Content-Range": f"{start}-{start + len(data) - 1}",
                },
            )
            start += len(data)
            self._progress.tick(len(data))

    def finish(self, blob: Descriptor, pieces: Pieces | None) -> None:
        """Send the bytes, unless chunks were, and the digest that they have to have."""
        separator = "&" if urlsplit(self._location).query else "?"
        url = f"{self._location}{separator}{urlencode({'digest': blob.digest})}"
        body = _Body(blob.size, self._counted(pieces), self._what) if pieces and blob.size else b""
        self.send("PUT", url, body, {"Content-Type": "application/octet-stream"})

    def _counted(self, pieces: Pieces) -> Pieces:
        def counted() -> Iterator[bytes]:
            for piece in pieces():
                self._progress.tick(len(piece))
                yield piece

        return counted

    def _follow(self, response: requests.Response) -> None:
        location = header_of(response, "Location")
        if not location:
            return
        base = urljoin(self._http.base, self._location)
        self._location = checked_address(self._http.host, base, location)
        scheme = urlsplit(self._location).scheme
        if scheme not in (("https",) if self._http.prefix == "https" else ("https", "http")):
            raise SourceUnreachable(
                f"{self._http.host} sends us elsewhere, without TLS.",
                f"It names {urlsplit(self._location).netloc}.",
            )


def _joined(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield `pieces` joined and cut to `size` bytes, the last one shorter."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= size:
            yield bytes(memoryview(buffer)[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)
