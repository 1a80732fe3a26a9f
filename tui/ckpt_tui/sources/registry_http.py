"""Requests to one registry: time limits, retries, logins, TLS, and every byte counted.

Beneath is oras-py's client, for the scheme and the addresses of a registry. Its requests are not
used: they have no time limits, and its one token goes to any host that an answer names.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import oras.container
import oras.provider
import requests

from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.access import Access, is_loopback
from ckpt_tui.sources.credentials import Login
from ckpt_tui.sources.reference import checked_repository
from ckpt_tui.sources.registry_auth import Authorizer, TokenRequest
from ckpt_tui.sources.registry_errors import (
    FAILURES,
    NONSENSE,
    connection_error,
    header_of,
    is_no_connection,
    is_untrusted,
    status_error,
)
from ckpt_tui.sources.registry_session import checked_ca, new_session

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
    """Seconds: to connect, between two pieces of an answer, for all of its headers, and for all of
    a document."""

    connect: float = 5
    read: float = 30
    headers: float = 60
    document: float = 120


class Body(Protocol):
    """What is sent: its length, and its pieces, from the start each time they are asked for."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class RegistryHttp:
    """Requests to one registry, and the connections for them. Never used for another host."""

    def __init__(
        self,
        host: str,
        access: Access,
        login: Callable[[str, str], Login | None],
        timeouts: Timeouts,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._verify = checked_ca(access.ca_file) or access.tls_verify
        self._oras: Any = oras.provider.Registry(host, tls_verify=self._verify)
        self._oras.session = self._session = new_session(timeouts.headers)
        self.host = host
        self.received = 0
        """Bytes of answers over the wire, without their headers."""
        self._lock = threading.Lock()
        self._authorizer = Authorizer(host, login, clock)
        self._timeouts = timeouts
        self._sleep = sleep
        self._clock = clock
        self._may_be_plain = not access.ca_file and (is_loopback(host) or not access.tls_verify)
        """Until the first answer: whether plain HTTP is tried where there is no TLS."""

    @property
    def prefix(self) -> str:
        """https, or http once that is known to be what is spoken."""
        return str(self._oras.prefix)

    @prefix.setter
    def prefix(self, scheme: str) -> None:
        self._oras.prefix = scheme

    @property
    def base(self) -> str:
        """Scheme and host, to which paths are added."""
        return f"{self.prefix}://{self.host}"

    def close(self) -> None:
        self._session.close()

    def container(self, repository: str) -> oras.container.Container:
        """Return what knows the addresses of a repository, without their scheme.

        Raises:
            UsageError: it is not a name of a repository.
        """
        namespace, _, name = checked_repository(repository, repository).rpartition("/")
        # a first part with a dot would be taken for a host
        container = self._oras.get_container(name)
        container.namespace = namespace
        return container

    def request(
        self,
        method: str,
        url: str,
        progress: Progress,
        *,
        what: str,
        scopes: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        data: bytes | Body | None = None,
        expect: tuple[int, ...] = (200,),
        attempts: int = ATTEMPTS,
    ) -> requests.Response:
        """Send a request; `url` is a path, or an address, that of the registry without its scheme.

        The body of the answer is not read: `document` or `pieces` do that. `what` is what errors
        say was asked for.

        Raises:
            Refused: the answer's status is not in `expect`; those that pass were tried again.
            SourceUnreachable: there is no answer.
            Cancelled: the job was cancelled.
        """

        def send() -> requests.Response:
            return self._authorized(method, url, data, headers or {}, scopes)

        is_safe = method in ("GET", "HEAD")
        response = self._persist(send, url, expect, attempts, is_safe, progress)
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
                if isinstance(error, NONSENSE):
                    raise connection_error(urlsplit(url).netloc or self.host, error) from error
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

        def send(authorization: str) -> requests.Response:
            login = {"Authorization": authorization} if authorization else {}
            redirects = method in ("GET", "HEAD")
            return self._send(method, address, data, {**headers, **login}, redirects=redirects)

        sent = self._authorizer.header(scopes) if own else ""
        response = send(sent)
        if response.status_code != 401 or not own or _origin(response.url) != _origin(address):
            return response
        secure = self.prefix == "https"
        try:
            challenge = header_of(response, "WWW-Authenticate")
            again = self._authorizer.answer(challenge, scopes, sent, self._token, secure)
        except BaseException:
            response.close()
            raise
        if not again:
            return response
        self.finish(response)
        return send(self._authorizer.header(scopes))

    def _send(
        self,
        method: str,
        address: str,
        data: bytes | Body | dict[str, str] | None,
        headers: Mapping[str, str],
        *,
        redirects: bool,
    ) -> requests.Response:
        return self._session.request(
            method,
            address,
            data=data,
            headers={"Accept-Encoding": "identity", **headers},
            timeout=(self._timeouts.connect, self._timeouts.read),
            allow_redirects=redirects,
            verify=self._verify,
            stream=True,
        )

    def _token(self, request: TokenRequest) -> bytes:
        """Fetch a token, from whatever host gives them out; a login goes to that host alone."""
        host = urlsplit(request.url).netloc
        method, form = ("POST" if request.form else "GET"), dict(request.form) or None
        try:
            redirects = request.login is None
            response = self._send(method, request.url, form, request.headers, redirects=redirects)
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
        own = _origin(response.url) == _origin(self.base)
        return status_error(
            self.host if own else urlsplit(response.url).netloc,
            what,
            response.status_code,
            body,
            self._authorizer.login(scopes) if own else None,
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
