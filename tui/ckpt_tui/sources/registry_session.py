"""The connections to a registry: no cookies, no logins of ~/.netrc, none for another host."""

from __future__ import annotations

import ssl
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from ckpt_tui.core.errors import SourceUnreachable, UsageError
from ckpt_tui.core.text import shortened
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


def new_session() -> requests.Session:
    """Return a session without cookies, and without the logins of ~/.netrc."""
    session = _Session()
    session.auth = _nothing_added
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("https://", HTTPAdapter(pool_maxsize=8))
    session.mount("http://", HTTPAdapter(pool_maxsize=8))
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
