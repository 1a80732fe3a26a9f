"""The connections to a registry: no cookies, no logins of ~/.netrc, none for another host."""

from __future__ import annotations

import socket
import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from ckpt_tui.core.errors import SourceUnreachable, UsageError
from ckpt_tui.core.text import shortened
from ckpt_tui.sources.link import chosen_link, reached_at
from ckpt_tui.sources.registry_errors import MAX_TOLD, checked_address, header_of


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
        target = super().get_redirect_target(resp)
        if target and resp.url.startswith("https:") and target.lower().startswith("http:"):
            raise SourceUnreachable(
                f"{urlsplit(resp.url).netloc} sends us elsewhere, without TLS.",
                f"It names {shortened(target, MAX_TOLD)}.",
            )
        if target:
            checked_address(urlsplit(resp.url).netloc, resp.url, target)
        return target


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


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _LinkAdapter(HTTPAdapter):
    def init_poolmanager(self, *words: Any, **options: Any) -> None:
        super().init_poolmanager(*words, **options)
        manager: Any = self.poolmanager
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


def new_session() -> requests.Session:
    """Return a session without cookies, and without the logins of ~/.netrc."""
    session = _Session()
    session.auth = _nothing_added
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _LinkAdapter if chosen_link() else HTTPAdapter
    session.mount("https://", adapter(pool_maxsize=8))
    session.mount("http://", adapter(pool_maxsize=8))
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
