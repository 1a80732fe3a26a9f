"""The connections to a registry: no cookies, no logins of ~/.netrc, none for another host."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from ckpt_tui.core.errors import SourceUnreachable, UsageError
from ckpt_tui.core.text import shortened
from ckpt_tui.sources.link import chosen_link, reached_at
from ckpt_tui.sources.registry_errors import MAX_TOLD, checked_address, header_of

MAX_REDIRECTS = 8
"""Places that an answer may send us on to, one after another."""


class _Session(requests.Session):
    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Drop the login on the way to another host; requests would add one from ~/.netrc."""
        url, target = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(url, target):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        header_of(resp, "Location")
        try:
            target = super().get_redirect_target(resp)
        except UnicodeError as error:
            raise SourceUnreachable(
                f"{urlsplit(resp.url).netloc} names an invalid address.", f"{error}."
            ) from error
        if target and resp.url.startswith("https:") and target.lower().startswith("http:"):
            raise SourceUnreachable(
                f"{urlsplit(resp.url).netloc} sends us elsewhere, without TLS.",
                f"It names {shortened(target, MAX_TOLD)}.",
            )
        if target:
            checked_address(urlsplit(resp.url).netloc, resp.url, target)
        return target


_Pool = TypeVar("_Pool", bound=HTTPConnectionPool)


class _ThroughLink:
    """A connection through the link that was chosen; in headers and certificates the name stays
    that of the registry."""

    _dns_host: str
    port: int

    def _new_conn(self) -> socket.socket:
        there = self._dns_host, self.port
        self._dns_host, self.port = reached_at(*there)
        try:
            return super()._new_conn()  # type: ignore[misc,no-any-return]
        finally:
            self._dns_host, self.port = there


class _Plain(_ThroughLink, HTTPConnection): ...


class _Secure(_ThroughLink, HTTPSConnection): ...


class _Pieces(io.RawIOBase):
    """What comes on a connection; in vain after a deadline, until that is taken away."""

    def __init__(self, raw: io.RawIOBase, seconds: float) -> None:
        super().__init__()
        self._raw = raw
        self._end: float | None = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self._end is not None and time.monotonic() > self._end:
            raise TimeoutError("the headers do not end")
        return self._raw.readinto(buffer)

    def lift(self) -> None:
        """Let everything come that is left."""
        self._end = None

    def close(self) -> None:
        self._raw.close()
        super().close()


def _answer_within(seconds: float) -> type[http.client.HTTPResponse]:
    """Return the class of answers whose headers have to be there after so many seconds."""

    class Answer(http.client.HTTPResponse):
        def begin(self) -> None:
            pieces = _Pieces(self.fp.detach(), seconds)
            self.fp = io.BufferedReader(pieces)
            super().begin()
            pieces.lift()

    return Answer


class _Adapter(HTTPAdapter):
    """Connections whose answers may not trickle: each byte would begin the time to read anew."""

    def __init__(self, headers_s: float) -> None:
        self._headers_s = headers_s
        super().__init__(pool_maxsize=8)

    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        super().init_poolmanager(*given, **more)
        answer = _answer_within(self._headers_s)
        through = _Plain, _Secure
        plain, secure = through if chosen_link() else (HTTPConnection, HTTPSConnection)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, plain, answer),
            "https": _pool(HTTPSConnectionPool, secure, answer),
        }


def _pool(
    pool: type[_Pool], connection: type[HTTPConnection], answer: type[http.client.HTTPResponse]
) -> type[_Pool]:
    made = type("Connection", (connection,), {"response_class": answer})
    return type("Pool", (pool,), {"ConnectionCls": made})


def new_session(headers_s: float) -> requests.Session:
    """Return a session without cookies, and without the logins of ~/.netrc; the headers of an
    answer may take `headers_s` seconds."""
    session = _Session()
    session.max_redirects = MAX_REDIRECTS
    session.auth = _nothing_added
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("https://", _Adapter(headers_s))
    session.mount("http://", _Adapter(headers_s))
    return session


def _nothing_added(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Be the session's login, so that requests does not look into ~/.netrc."""
    return request


def checked_ca(path: str) -> str:
    """Return `path` if authorities can be read from it; requests would blame the registry."""
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            why = error.strerror or getattr(error, "reason", None) or error
            raise UsageError(f"{path} names no authorities to trust.", f"{why}.") from error
    return path
