"""A registry that answers every request with the same bytes, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from email.message import Message
from http.client import HTTPMessage
from io import BytesIO
from itertools import islice

import requests
import urllib3
from requests.adapters import BaseAdapter

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.sources.access import Access
from ckpt_tui.sources.base import Descriptor
from ckpt_tui.sources.credentials import Login
from ckpt_tui.sources.registry import RegistryClient
from ckpt_tui.sources.registry_http import Timeouts
from ckpt_tui.sources.registry_upload import mount_blob, upload_blob
from ckpt_tui.sources.remote_blob import BlockCache, RemoteBlob

DIGEST = "sha256:" + "0" * 64
MOST_NAMES = 500


class _Adapter(BaseAdapter):
    """Gives the answer that an input describes: status, headers, an empty line, body."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        head, _, self._body = data.partition(b"\n\n")
        status, _, lines = head.partition(b"\n")
        self._status = int(status[:3]) if status[:3].isdigit() else 200
        pairs = (line.decode("latin-1").partition(":") for line in lines.split(b"\n"))
        self._headers = {name.strip(): value.strip() for name, _, value in pairs if name.strip()}

    def send(self, request: requests.PreparedRequest, **more: object) -> requests.Response:
        if request.body is not None and not isinstance(request.body, bytes | str):
            list(request.body)
        message = HTTPMessage()
        for name, value in self._headers.items():
            Message.__setitem__(message, name, value)
        raw = urllib3.HTTPResponse(
            body=BytesIO(self._body),
            headers=self._headers,
            status=self._status,
            preload_content=False,
            request_url=request.url,
        )
        response = requests.Response()
        response.status_code = self._status
        response.headers = requests.structures.CaseInsensitiveDict(raw.headers)
        response.raw, response.url, response.request = raw, request.url or "", request
        return response

    def close(self) -> None:
        pass


def _logins() -> Mapping[str, Login | None]:
    return {"none": None, "basic": Login("f", "u", "p"), "token": Login("f", identity_token="t")}


def ask_for_everything(data: bytes) -> None:
    """Make every request of a client; each is answered with `data`."""
    for login in _logins().values():
        client = RegistryClient(
            "127.0.0.1:5000",
            access=Access(tls_verify=False),
            login=lambda host, repository, found=login: found,  # type: ignore[misc]
            timeouts=Timeouts(1, 1, 1),
            sleep=lambda seconds: None,
            clock=iter(range(0, 1 << 60, 20)).__next__,
        )
        adapter = _Adapter(data)
        client.http._session.mount("https://", adapter)
        client.http._session.mount("http://", adapter)
        _ask(client)


def _ask(client: RegistryClient) -> None:
    progress = quiet()
    blob = Descriptor("", DIGEST, 10)
    remote = RemoteBlob(client, "app", blob, BlockCache())
    larger = RemoteBlob(client, "app", Descriptor("", DIGEST, 5 << 20), BlockCache())
    for ask in (
        lambda: client.ping(progress),
        lambda: list(islice(client.catalog(progress), MOST_NAMES)),
        lambda: list(islice(client.tags("app", progress), MOST_NAMES)),
        lambda: client.head("app", "x", progress),
        lambda: client.manifest("app", "x", progress),
        lambda: client.put_manifest("app", "x", "m", b"{}", progress),
        lambda: client.referrers("app", DIGEST, progress),
        lambda: client.blob_size("app", DIGEST, progress),
        lambda: remote.read(0, 10),
        lambda: larger.read(0, 10),
        lambda: mount_blob(client, "app", DIGEST, "other", progress),
        lambda: upload_blob(client, "app", blob, lambda: iter((b"0123456789",)), progress),
    ):
        with suppress(CkptError):
            ask()
    remote.close()
    larger.close()
    client.close()
