"""Values that look like secrets, kept covered until somebody asks for them."""

from __future__ import annotations

import re

COVER = "••••••"

_NAMES = re.compile(
    r"(?i)(secret|token|passw|passphrase|credential|api_?key|private_?key|access_?key|auth)"
)
"""Words in the name of a variable that make its value a secret."""

_VALUES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\."
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|://[^/\s:@]+:[^/\s:@]+@"
)
"""Private keys, JSON web tokens, keys of well-known clouds, a password in an address."""


def is_secret(name: str, value: str) -> bool:
    """Return whether the value of a variable looks like a key, token or password."""
    return bool(value) and bool(_NAMES.search(name) or _VALUES.search(value))


_PAIRS = re.compile(
    r"(?i)([\w.-]*(?:secret|token|passw|passphrase|credential|api_?key|private_?key|access_?key"
    r"|auth)[\w.-]*[\"']?\s*[=:]\s*[\"']?)(?:(?:basic|bearer)\s+)?[^\s\"',;&]+"
)
"""A name that tells, and what follows it: `--password=…`, `"token": "…"`, `Authorization: …`."""

_KEYS = re.compile(
    r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+"
)
"""A whole private key, a whole web token."""


def masked(text: str, reveal: bool) -> str:
    """Return running text in which what looks like a secret is covered."""
    if reveal:
        return text
    text = _PAIRS.sub(lambda found: found[1] + COVER, text)
    return _VALUES.sub(COVER, _KEYS.sub(COVER, text))


def covered(variable: str, reveal: bool) -> str:
    """Return `NAME=value`, with the value covered if it looks like a secret. A variable without
    `=` is shown as it is unless its text alone looks like one."""
    name, equals, value = variable.partition("=")
    if reveal or not is_secret(name if equals else "", value if equals else name):
        return variable
    return f"{name}={COVER}" if equals else COVER
