"""What went wrong between here and a registry, as errors that a person understands."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress

import requests
import urllib3

from ckpt_tui.core.document import parse_document, text_at, value_at
from ckpt_tui.core.errors import CkptError, SourceUnreachable
from ckpt_tui.sources.credentials import Login

FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What requests and urllib3 raise when a connection or an answer fails."""

MAX_TOLD = 300
"""Characters of a registry's own words that are repeated."""


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
