"""Requests to one registry: time limits, retries, logins, TLS, and every byte counted.

The client is oras-py's, of which `do_request`, its one way out, is replaced: the original has no
time limits, keeps one token for all repositories and sends it to any host that an answer names.
"""

from __future__ import annotations

import itertools
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import oras.provider
import requests
from requests.adapters import HTTPAdapter

from ckpt_tui.core.errors import CkptError, DamagedInput, SourceUnreachable, UsageError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.sources.access import Access, access_for, is_loopback
from ckpt_tui.sources.credentials import Login, find_login
from ckpt_tui.sources.registry_auth import Authorizer, TokenRequest
from ckpt_tui.sources.registry_errors import (
    FAILURES,
    connection_error,
    is_no_connection,
    is_untrusted,
    status_error,
)

ATTEMPTS = 5
"""Times that a request is sent while the registry is busy or fails."""

BROKEN = 3
"""Times that a request is sent while its connection breaks; each may take the time to read."""

BACKOFF_S = 0.5
"""Seconds before the second attempt, doubled for each one after it."""

MAX_RETRY_AFTER_S = 30
"""Seconds that a registry may ask to wait; if it wants more, that is told instead."""

BUSY = (429, 500, 502, 503, 504)

NAP_S = 0.1
"""Seconds between looking for cancellation while waiting."""

PIECE = 256 << 10
"""Bytes taken from a connection at a time, at most."""

MAX_ANSWER = 16 << 20
"""Bytes of an answer other than a blob: a list of 100,000 tags."""

MAX_FAILURE = 64 << 10
"""Bytes of an answer that says no."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, between two pieces of an answer, and for all of a document."""

    connect: float = 5
    read: float = 30
    document: float = 120


class Body(Protocol):
    """What is sent: its length, and its pieces, from the start each time they are asked for."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class _Session(requests.Session):
    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Drop the login on the way to another host; requests would add one from ~/.netrc."""
        url, target = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(url, target):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target and resp.url.startswith("https:") and target.lower().startswith("http:"):
            raise SourceUnreachable(
                f"{urlsplit(resp.url).netloc} sends us elsewhere, without TLS.",
                f"It names {urlsplit(target).netloc}.",
            )
        return target


class RegistryHttp(oras.provider.Registry):  # type: ignore[misc] # oras has no types
    """One registry, and the connections to it. Never used for another host."""

    prefix: str
    """https, or http once that is known to be what is spoken."""

    def __init__(
        self,
        host: str,
        *,
        access: Access | None = None,
        login: Callable[[str, str], Login | None] = find_login,
        timeouts: Timeouts | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        found = access or access_for(host)
        verify = _checked_ca(found.ca_file) or found.tls_verify
        super().__init__(hostname=host, tls_verify=verify, auth_backend="basic")
        self.session = _Session()
        self.session.auth = _nothing_added
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.session.mount("https://", HTTPAdapter(pool_maxsize=8))
        self.session.mount("http://", HTTPAdapter(pool_maxsize=8))
        self.host = host
        self.received = 0
        """Bytes of answers over the wire, without their headers."""
        self._lock = threading.Lock()
        self._authorizer = Authorizer(host, login, clock)
        self._timeouts = timeouts or Timeouts()
        self._sleep = sleep
        self._clock = clock
        self._may_be_plain = not found.ca_file and (is_loopback(host) or not found.tls_verify)
        """Until the first answer: whether plain HTTP is tried where there is no TLS."""

    @property
    def base(self) -> str:
        """Scheme and host, to which paths are added."""
        return f"{self.prefix}://{self.host}"

    def close(self) -> None:
        self.session.close()

    def do_request(
        self,
        url: str,
        method: str = "GET",
        data: bytes | Body | None = None,
        headers: Mapping[str, str] | None = None,
        json: None = None,
        stream: bool = True,
        *,
        what: str = "",
        scopes: tuple[str, ...] = (),
        expect: tuple[int, ...] = (200,),
        attempts: int = ATTEMPTS,
        progress: Progress | None = None,
    ) -> requests.Response:
        """Send a request; `url` is a path, or an address that the registry gave.

        The body of the answer is not read: `document` or `pieces` do that. `what` is what errors
        say was asked for.

        Raises:
            Refused: the answer's status is not in `expect`; those that pass were tried again.
            SourceUnreachable: there is no answer.
            Cancelled: nobody wants it any more.
        """
        del json, stream

        def send() -> requests.Response:
            return self._authorized(method, url, data, headers or {}, scopes)

        is_safe = method in ("GET", "HEAD")
        response = self._persist(send, url, expect, attempts, is_safe, progress or quiet())
        if response.status_code not in expect:
            raise self._failure(response, what, scopes)
        return response

    def _persist(
        self,
        send: Callable[[], requests.Response],
        url: str,
        expect: tuple[int, ...],
        attempts: int,
        is_safe: bool,
        progress: Progress,
    ) -> requests.Response:
        """Send until there is an answer that will not change by asking again."""
        for attempt in itertools.count(1):
            progress.tick(0)
            tried = self.prefix
            try:
                response = send()
            except FAILURES as error:
                if self._fall_back(error, tried):
                    continue
                if not is_safe or is_no_connection(error) or attempt >= min(attempts, BROKEN):
                    raise connection_error(urlsplit(url).netloc or self.host, error) from error
                self._wait(attempt, None, progress)
                continue
            self._may_be_plain = False
            wait = stated_number(response, "Retry-After")
            passes = response.status_code in BUSY and response.status_code not in expect
            if not passes or attempt >= attempts or _is_too_long(wait):
                break
            self.finish(response)
            self._wait(attempt, wait, progress)
        return response

    def document(self, response: requests.Response, what: str, limit: int = MAX_ANSWER) -> bytes:
        """Return the body of an answer.

        Raises:
            DamagedInput: it has more than `limit` bytes.
            SourceUnreachable: it breaks off, or trickles.
        """
        deadline = self._clock() + self._timeouts.document
        stated = stated_number(response, "Content-Length") or 0
        size, parts = 0, []
        with response:
            if stated > limit:
                raise DamagedInput(what, 0, f"it has more than {limit:,} bytes.")
            for piece in self.pieces(response):
                size += len(piece)
                if size > limit:
                    raise DamagedInput(what, 0, f"it has more than {limit:,} bytes.")
                if self._clock() > deadline:
                    raise connection_error(self.host, TimeoutError())
                parts.append(piece)
        return b"".join(parts)

    def finish(self, response: requests.Response) -> None:
        """Take what is left of an answer, so that its connection can be used again."""
        with suppress(CkptError):
            if response.request.method == "HEAD":  # states the length of what it does not have
                next(self.pieces(response), b"")
            else:
                self.document(response, "the answer", MAX_FAILURE)

    def pieces(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the body of an answer as it comes, in at most `PIECE` bytes.

        Raises:
            SourceUnreachable: it breaks off.
        """
        raw: Any = response.raw
        try:
            while piece := raw.read1(PIECE, decode_content=False):
                with self._lock:
                    self.received += len(piece)
                yield piece
        except FAILURES as error:
            raise connection_error(self.host, error) from error

    def _authorized(
        self,
        method: str,
        url: str,
        data: bytes | Body | None,
        headers: Mapping[str, str],
        scopes: tuple[str, ...],
    ) -> requests.Response:
        """Send a request, and once more if a login is demanded. Only the registry gets one."""
        address = urljoin(self.base, url)
        own = _origin(address) == _origin(self.base)
        sent = self._authorizer.header(scopes) if own else ""
        response = self._send(method, address, data, headers, sent)
        if response.status_code != 401 or not own or _origin(response.url) != _origin(address):
            return response
        challenge = response.headers.get("WWW-Authenticate", "")
        secure = self.prefix == "https"
        try:
            again = self._authorizer.answer(challenge, scopes, sent, self._token, secure)
        except BaseException:
            response.close()
            raise
        if not again:
            return response
        self.finish(response)
        return self._send(method, address, data, headers, self._authorizer.header(scopes))

    def _send(
        self,
        method: str,
        address: str,
        data: bytes | Body | None,
        headers: Mapping[str, str],
        authorization: str,
    ) -> requests.Response:
        login = {"Authorization": authorization} if authorization else {}
        return self.session.request(
            method,
            address,
            data=data,
            headers={"Accept-Encoding": "identity", **headers, **login},
            timeout=(self._timeouts.connect, self._timeouts.read),
            allow_redirects=method in ("GET", "HEAD"),
            verify=self._tls_verify,
            stream=True,
        )

    def _token(self, request: TokenRequest) -> bytes:
        """Fetch a token, from whatever host gives them out."""
        host = urlsplit(request.url).netloc
        try:
            response = self.session.request(
                "POST" if request.form else "GET",
                request.url,
                data=dict(request.form) or None,
                headers={"Accept-Encoding": "identity", **request.headers},
                timeout=(self._timeouts.connect, self._timeouts.read),
                verify=self._tls_verify,
                stream=True,
            )
        except FAILURES as error:
            raise connection_error(host, error) from error
        if response.status_code == 200:
            return self.document(response, f"the token of {host}")
        body = self._failed(response)
        raise status_error(self.host, "token", response.status_code, body, request.login)

    def _fall_back(self, error: BaseException, tried: str) -> bool:
        """Turn to plain HTTP where that may be; tell whether to try again."""
        if tried == "http" or is_untrusted(error) or not is_no_connection(error):
            return False
        with self._lock:
            if self._may_be_plain:
                self.prefix = "http"
            self._may_be_plain = False
            return self.prefix == "http"  # perhaps since another thread found out

    def _wait(self, attempt: int, retry_after: int | None, progress: Progress) -> None:
        backoff = BACKOFF_S * 2 ** (attempt - 1)
        end = self._clock() + (backoff if retry_after is None else retry_after)
        while (left := end - self._clock()) > 0:
            progress.tick(0)
            self._sleep(min(left, NAP_S))

    def _failure(
        self, response: requests.Response, what: str, scopes: tuple[str, ...]
    ) -> CkptError:
        body = self._failed(response)
        host = urlsplit(response.url).netloc
        return status_error(
            self.host if host == urlsplit(self.base).netloc else host,
            what,
            response.status_code,
            body,
            self._authorizer.login(scopes),
            stated_number(response, "Retry-After"),
        )

    def _failed(self, response: requests.Response) -> bytes:
        """Return the body of an answer that says no, as far as it is there.

        That of 416 is not read: docker-registry announces the length of the blob with it.
        """
        if response.status_code == 416:
            response.close()
            return b""
        if response.request.method == "HEAD":
            self.finish(response)
            return b""
        try:
            return self.document(response, "the answer", MAX_FAILURE)
        except CkptError:
            return b""


def _nothing_added(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Be the session's login, so that requests does not look into ~/.netrc."""
    return request


def _checked_ca(path: str) -> str:
    """Return `path` if authorities can be read from it; requests would blame the registry."""
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            why = error.strerror or getattr(error, "reason", None) or error
            raise UsageError(f"{path} names no authorities to trust.", f"{why}.") from error
    return path


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts.scheme, parts.netloc.lower().removesuffix(default)


def _is_too_long(retry_after: int | None) -> bool:
    return retry_after is not None and retry_after > MAX_RETRY_AFTER_S


def stated_number(response: requests.Response, header: str) -> int | None:
    """Return the number in a header, None where there is none that makes sense."""
    text = response.headers.get(header, "")
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None
