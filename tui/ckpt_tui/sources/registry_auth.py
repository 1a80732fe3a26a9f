"""Answers a registry's demand for a login: basic, or a bearer token for a scope.

After RFC 9110 (11.6.1) and distribution's token authentication (docs, spec/auth/token.md and
oauth.md).
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from ckpt_tui.core.document import parse_document, text_at, value_at
from ckpt_tui.core.errors import SourceUnreachable
from ckpt_tui.core.text import shortened
from ckpt_tui.sources.access import is_loopback
from ckpt_tui.sources.credentials import Login
from ckpt_tui.sources.registry_errors import MAX_TOLD, checked_address

CATALOG_SCOPE = "registry:catalog:*"

TOKEN_LIFE_S = 60
"""Seconds that a token holds if the answer does not say (token.md, "Token Response Fields")."""

TOKEN_MARGIN_S = 10
"""Seconds before its end from which a token is not used any more: requests take time."""

MAX_TOKEN_LIFE_S = 86400
"""Seconds after which a token is replaced, however long it is said to hold."""

_CLIENT = "ckpt-tui"


def pull_scope(repository: str) -> str:
    """Return the scope for reading a repository."""
    return f"repository:{repository}:pull"


def push_scope(repository: str) -> str:
    """Return the scope for writing to a repository."""
    return f"repository:{repository}:pull,push"


def delete_scope(repository: str) -> str:
    """Return the scope for removing from a repository."""
    return f"repository:{repository}:delete"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request to the service that gives out tokens; `form` is posted, without it it is a GET."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    login: Login | None = None
    """What it is made with, for errors."""


Fetch = Callable[[TokenRequest], bytes]
"""Sends such a request; raises `SourceUnreachable` where it is not answered with 200."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    good_until: float


class Authorizer:
    """The Authorization header for one registry, and for no other host.

    `find_login` is asked once for each repository, when the registry first demands a login.
    """

    def __init__(
        self,
        host: str,
        find_login: Callable[[str, str], Login | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._find_login = find_login
        self._clock = clock
        self._logins: dict[str, Login | None] = {}
        self._tokens: dict[tuple[str, ...], _Token] = {}
        self._basic = False
        self._lock = threading.Lock()

    def header(self, scopes: tuple[str, ...]) -> str:
        """Return the header for a request of these scopes, "" as long as none was demanded."""
        with self._lock:
            if self._basic:
                return _basic(self.login(scopes))
            token = self._tokens.get(scopes)
            return f"Bearer {token.value}" if token and self._clock() < token.good_until else ""

    def login(self, scopes: tuple[str, ...]) -> Login | None:
        """Return the login for what `scopes` name first."""
        kind, _, rest = (scopes or ("",))[0].partition(":")
        repository = rest.rpartition(":")[0] if kind == "repository" else ""
        if repository not in self._logins:
            self._logins[repository] = self._find_login(self._host, repository)
        return self._logins[repository]

    def answer(
        self, challenge: str, scopes: tuple[str, ...], sent: str, fetch: Fetch, secure: bool
    ) -> bool:
        """Take up a demand for a login; tell whether the request is worth sending again.

        `sent` is the header that was refused, `secure` whether the registry is reached by TLS.

        Raises:
            SourceUnreachable: the service that gives out tokens refuses, or does not answer.
        """
        with self._lock:
            challenges = dict(_challenges(challenge))
            if "bearer" in challenges:
                self._tokens[scopes] = self._fetched(challenges["bearer"], scopes, fetch, secure)
                return True
            self._basic = "basic" in challenges and self.login(scopes) is not None
            return self._basic and not sent

    def _fetched(
        self, asked: Mapping[str, str], scopes: tuple[str, ...], fetch: Fetch, secure: bool
    ) -> _Token:
        realm = asked.get("realm", "")
        url = urlsplit(checked_address(self._host, realm, ""))
        login = self.login(scopes)
        is_here = url.scheme == "http" and is_loopback(url.netloc)
        safe = url.scheme == "https" or (url.scheme == "http" and not secure)
        if login and login.identity_token:
            named_safely = secure or is_loopback(self._host)
            safe = named_safely and (url.scheme == "https" or (is_here and not secure))
        if not safe or not url.netloc:
            raise SourceUnreachable(
                f"{self._host} asks for a login that is not safe.",
                f"It names {shortened(realm, MAX_TOLD) or 'nothing'} as the place to get a token "
                "from.",
            )
        wanted = list(scopes) or asked.get("scope", "").split()
        answer = parse_document(
            fetch(_token_request(realm, asked.get("service", ""), wanted, login)),
            f"the token of {self._host}",
        )
        token = text_at(answer, "token") or text_at(answer, "access_token")
        if not token or not token.isascii() or not token.isprintable():
            raise SourceUnreachable(
                f"{self._host} gives no token.", f"{realm} answers without one."
            )
        life = value_at(answer, "expires_in")
        life = min(life, MAX_TOKEN_LIFE_S) if isinstance(life, int) and life > 0 else TOKEN_LIFE_S
        return _Token(token, self._clock() + max(life - TOKEN_MARGIN_S, life / 2))


def _token_request(
    realm: str, service: str, scopes: list[str], login: Login | None
) -> TokenRequest:
    if login and login.identity_token:
        form = {
            "grant_type": "refresh_token",
            "client_id": _CLIENT,
            "service": service,
            "scope": " ".join(scopes),
            "refresh_token": login.identity_token,
        }
        return TokenRequest(realm, form={k: v for k, v in form.items() if v}, login=login)
    query = [("service", service)] if service else []
    query += [("scope", scope) for scope in scopes]
    separator = "&" if urlsplit(realm).query else "?"
    url = f"{realm}{separator}{urlencode(query)}" if query else realm
    headers = {"Authorization": _basic(login)} if login else {}
    return TokenRequest(url, headers, login=login)


def _basic(login: Login | None) -> str:
    if login is None:
        return ""
    pair = f"{login.username}:{login.password}".encode("utf-8", "replace")
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def _challenges(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the schemes of a WWW-Authenticate header with their parameters."""
    scheme, parameters = "", dict[str, str]()
    for item in _items(header):
        name, equals, value = item.partition("=")
        words = name.split()
        if len(words) > bool(equals):
            if scheme:
                yield scheme, parameters
            scheme, parameters = words[0].lower(), {}
        if equals and words:
            parameters[words[-1].lower()] = value.strip().strip('"')
    yield scheme, parameters


def _items(header: str) -> Iterator[str]:
    """Yield what is between commas that are not in quotes."""
    start, is_quoted = 0, False
    for place, character in enumerate(header):
        if character == '"':
            is_quoted = not is_quoted
        elif character == "," and not is_quoted:
            yield header[start:place]
            start = place + 1
    yield header[start:]
