"""What went wrong between here and a registry, as errors that a person understands."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from ckpt_tui.core.document import parse_document, text_at, value_at
from ckpt_tui.core.errors import CkptError, SourceUnreachable
from ckpt_tui.core.text import shortened
from ckpt_tui.sources.credentials import Login

FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What requests and urllib3 raise when a connection or an answer fails."""

NONSENSE = (
    requests.TooManyRedirects,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
"""Those of them that come of what a registry says, and come again."""

MAX_TOLD = 300
"""Characters of a registry's own words that are repeated."""


MAX_HEADER = 8 << 10
"""Characters of a header that is looked into; RFC 9110 asks for no more."""


def header_of(response: requests.Response, name: str) -> str:
    """Return a header of an answer, "" where there is none.

    Raises:
        SourceUnreachable: it has more than `MAX_HEADER` characters.
    """
    text: str = response.headers.get(name, "")
    if len(text) > MAX_HEADER:
        raise SourceUnreachable(
            f"{urlsplit(response.url).netloc} answers with an invalid header.",
            f"{name} has {len(text):,} characters.",
        )
    return text


def checked_address(host: str, base: str, given: str) -> str:
    """Return the address that `host` gave, which may be relative to `base`.

    Raises:
        SourceUnreachable: it is not an address, or one on the link that only leads to services of
            the machine (RFC 3927) and that the registry does not have itself.
    """
    try:
        address = urljoin(base, given)
        url = urlsplit(address)
        _ = url.port
    except ValueError as error:
        raise SourceUnreachable(
            f"{host} names an invalid address.",
            f"{shortened(given or base, MAX_TOLD)}: {error}.",
        ) from None
    own = urlsplit(f"//{host}").hostname
    if url.hostname and url.hostname != own and _is_link_local(url.hostname):
        raise SourceUnreachable(
            f"{host} names an address that is not safe.",
            f"{shortened(url.netloc, MAX_TOLD)} leads to services of this machine.",
        )
    return address


def _is_link_local(hostname: str) -> bool:
    """Tell whether a host is such an address in any form that a resolver takes (inet_aton)."""
    with suppress(OSError, UnicodeError, ValueError):
        return ipaddress.IPv4Address(socket.inet_aton(hostname)).is_link_local
    with suppress(ValueError):
        found = ipaddress.IPv6Address(hostname)
        return found.is_link_local or bool(found.ipv4_mapped and found.ipv4_mapped.is_link_local)
    return False


class Refused(SourceUnreachable):
    """A registry answered with a status that says no."""

    def __init__(self, status: int, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what, why, hint)
        self.status = status


class TooManyRequests(Refused):
    """A registry wants fewer requests for a while."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it wraps: requests and urllib3 nest theirs in several ways."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def is_untrusted(error: BaseException) -> bool:
    """Tell whether a certificate was refused."""
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in causes(error))


def is_no_connection(error: BaseException) -> bool:
    """Tell whether nothing was sent: there was no connection at all."""
    kinds = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    return any(isinstance(one, (*kinds, ssl.SSLError)) for one in causes(error))


def connection_error(host: str, error: BaseException) -> CkptError:
    """Return the error for a connection that failed."""
    found = [*causes(error)]
    for one in found:
        if isinstance(one, ssl.SSLCertVerificationError):
            return SourceUnreachable(
                f"{host} cannot be trusted.",
                f"Its certificate was refused: {one.verify_message.rstrip('.')}.",
                "Give the authority that signed it with --ca-file FILE, or take any certificate "
                "with --tls-verify=false.",
            )
    return SourceUnreachable(f"{host} cannot be reached.", *_reason(found))


_TIMEOUTS = (urllib3.exceptions.TimeoutError, requests.Timeout, TimeoutError)


def _reason(found: list[BaseException]) -> tuple[str, str]:
    def of(*kinds: type[BaseException]) -> BaseException | None:
        return next((one for one in found if isinstance(one, kinds)), None)

    # The narrow kinds first: urllib3 counts a refused connection as one that took too long.
    if of(socket.gaierror, urllib3.exceptions.NameResolutionError):
        return "There is no host of that name.", "Check the name, and the network."
    if of(ConnectionRefusedError):
        return "Nothing listens there.", "Check the port, and whether the registry runs."
    if failure := of(ssl.SSLError):
        told = getattr(failure, "reason", None) or str(failure)
        return f"It does not speak TLS: {told}.", "For plain HTTP, say --tls-verify=false."
    if of(urllib3.exceptions.IncompleteRead):
        return "The answer breaks off.", "Try again."
    system = next((one for one in found if isinstance(one, OSError) and one.strerror), None)
    if system is None and of(*_TIMEOUTS):
        return "It does not answer in time.", "Check the network, or try again later."
    why = (system and system.strerror) or str(found[0])[:MAX_TOLD]
    return f"{why.rstrip('.')}.", "Try again."


def status_error(
    host: str,
    what: str,
    status: int,
    body: bytes,
    login: Login | None,
    retry_after: int | None = None,
) -> Refused:
    """Return the error for an answer; `what` is what was asked for ("repository app/bb")."""
    told = _told(body)
    if status == 401 and login is not None:
        why = f"The login from {login.origin} is not accepted."
        return Refused(status, f"{host} refuses the login.", why, f"Try `podman login {host}`.")
    if status == 401:
        why = f"Without one it gives no {what}." if what else ""
        return Refused(status, f"{host} asks for a login.", why, f"Try `podman login {host}`.")
    if status == 403:
        why = told or "The login does not allow it." if login else told
        return Refused(status, f"{host} denies access to {what}.", why, "")
    if status == 404:
        return Refused(status, f"{host} has no {what}.", told)
    if status == 429:
        wait = f"It asks to wait {retry_after} s." if retry_after is not None else told
        return TooManyRequests(status, f"{host} wants fewer requests.", wait, "Try again later.")
    hint = "Try again later." if status >= 500 else ""
    return Refused(status, f"{host} answers {status} to a request for {what}.", told, hint)


def _told(body: bytes) -> str:
    """Return what the registry says (distribution-spec, "Error Codes"), as a sentence."""
    with suppress(CkptError):
        errors = value_at(parse_document(body, "the answer"), "errors")
        first = errors[0] if isinstance(errors, list) and errors else None
        text = text_at(first, "message") or text_at(first, "code")
        return f"It says: {text[:MAX_TOLD].rstrip('.')}." if text else ""
    return ""
