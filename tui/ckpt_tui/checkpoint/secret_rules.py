"""What a secret looks like: the table secret_rules.tsv, read once.

A rule has an anchor, by which memory is passed over quickly, and an expression that has to match
around it; its first group is the value, all of it where it has none. Many random characters alone
are no secret: each rule wants a form or a name beside.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from ckpt_tui.core.linear import byte_options

Confidence = Literal["high", "medium", "low"]

REACH = 4096
"""Bytes that a secret may have; of a longer one that much is taken."""

BEFORE = 96
"""Bytes before an anchor in which a secret may begin."""

_MEMORY = 64 << 20
"""Bytes that RE2 may take for all anchors together."""

PLACEHOLDERS = (
    *(b"example", b"changeme", b"change_me", b"placeholder", b"dummy", b"redacted", b"xxxx"),
    *(b"****", b"....", b"your", b"${", b"$(", b"{{", b"%s", b"%(", b"<", b"none", b"null"),
)
"""What a value that stands for a secret has in it."""

WORDS = frozenset(
    (b"password", b"passwd", b"pass", b"pwd", b"secret", b"token", b"user", b"username", b"test")
)
"""Values that are no secret."""


@dataclass(frozen=True, slots=True)
class SecretRule:
    """One kind of secret."""

    id: str
    confidence: Confidence
    entropy: float
    """Bits for each character that a value has at least; below it is a placeholder."""
    title: str
    anchor: str
    pattern: Any
    """As RE2 compiled it."""

    def match(self, buffer: bytes, start: int, anchor: int) -> Match | None:
        """Return the secret around an anchor, from `start` on."""
        for found in self.pattern.finditer(buffer, start, anchor + REACH):
            first, last = found.span()
            if first > anchor:
                return None
            if last > anchor:
                value = found.span(1) if self.pattern.groups else (first, last)
                return Match(first, last, value, self) if self.accepts(buffer, value) else None
        return None

    def accepts(self, buffer: bytes, value: tuple[int, int]) -> bool:
        """Return whether a value is more than a placeholder."""
        data = buffer[value[0] : value[1]]
        if is_placeholder(data):
            return False
        check = CHECKS.get(self.id)
        if check is not None and not check(buffer, value):
            return False
        return entropy(data) >= self.entropy


@dataclass(frozen=True, slots=True)
class Match:
    """A secret in a buffer."""

    first: int
    last: int
    value: tuple[int, int]
    rule: SecretRule


def is_placeholder(value: bytes) -> bool:
    """Return whether a value only stands for a secret."""
    lower = value[:256].lower()
    return lower in WORDS or any(word in lower for word in PLACEHOLDERS)


def entropy(data: bytes) -> float:
    """Return Shannon's entropy of bytes, bits for each."""
    counts = Counter(data).values()
    return -sum(n / len(data) * math.log2(n / len(data)) for n in counts)


def _is_web_token(buffer: bytes, value: tuple[int, int]) -> bool:
    header = buffer[value[0] : value[1]].partition(b".")[0]
    try:
        document = json.loads(base64.urlsafe_b64decode(header + b"=" * (-len(header) % 4)))
    except (ValueError, RecursionError, binascii.Error):
        return False
    return isinstance(document, dict) and "alg" in document


def _is_login(buffer: bytes, value: tuple[int, int]) -> bool:
    try:
        return b":" in base64.b64decode(buffer[value[0] : value[1]])
    except binascii.Error:
        return False


def _is_of_connection(buffer: bytes, value: tuple[int, int]) -> bool:
    before = buffer[max(0, value[0] - 200) : value[0]].rpartition(b"\0")[2].lower()
    return any(name in before for name in (b"host=", b"server=", b"data source=", b"user", b"uid="))


CHECKS = {
    "jwt": _is_web_token,
    "registry-auth": _is_login,
    "dsn-password": _is_of_connection,
}
"""What no expression can tell, by the id of a rule."""

_RANK = {name: number for number, name in enumerate(get_args(Confidence))}


@cache
def secret_rules() -> tuple[SecretRule, ...]:
    """Return the rules of the table."""
    import re2  # 7 ms; only who looks for secrets needs it

    options = byte_options(8 << 20)
    lines = Path(__file__).with_name("secret_rules.tsv").read_text().splitlines()[1:]
    rules = []
    for line in lines:
        name, confidence, least, title, anchor, pattern = line.split("\t")
        made = re2.compile(pattern.encode(), options)
        sure = cast("Confidence", confidence)
        rules.append(SecretRule(name, sure, float(least), title, anchor, made))
    return tuple(rules)


class SecretFinder:
    """Finds what looks like a secret in bytes."""

    reach = REACH

    def __init__(self) -> None:
        import re2

        self._rules = secret_rules()
        anchors = "|".join(f"(?:{rule.anchor})" for rule in self._rules)
        self._anchors = re2.compile(anchors.encode(), byte_options(_MEMORY, never_capture=True))
        each = byte_options(8 << 20)
        self._each = [re2.compile(rule.anchor.encode(), each) for rule in self._rules]
        self._known: dict[bytes, tuple[SecretRule, ...]] = {}

    def spans(self, buffer: bytes, start: int) -> Iterator[tuple[int, int, object]]:
        """Yield where secrets are, each with its `Match`."""
        if not buffer.strip(b"\0"):
            return
        end = start
        for found in self._anchors.finditer(buffer, start):
            at = found.start()
            if at < end:
                continue
            best = self._best(buffer, max(end, at - BEFORE), at, found[0])
            if best is not None:
                yield best.first, best.last, best
                end = best.last

    def _best(self, buffer: bytes, start: int, at: int, anchor: bytes) -> Match | None:
        """Return the match around an anchor of which the rule is the surest."""
        matches = [rule.match(buffer, start, at) for rule in self._of(anchor)]
        found = [match for match in matches if match is not None]
        inner = [m for match in found for m in self._inside(buffer, match)]
        return min([*found, *inner], key=lambda m: _RANK[m.rule.confidence], default=None)

    def _inside(self, buffer: bytes, outer: Match) -> Iterator[Match]:
        """Yield the secrets that a value has in it, which say better what it is."""
        if outer.rule.confidence == "high":
            return
        first, last = outer.value
        for found in self._anchors.finditer(buffer, first, last):
            for rule in self._of(found[0]):
                match = rule.match(buffer, first, found.start())
                if match is not None and rule is not outer.rule:
                    yield match

    def _of(self, anchor: bytes) -> tuple[SecretRule, ...]:
        """Return the rules that have an anchor; there are few different ones."""
        known = self._known.get(anchor)
        if known is None:
            pairs = zip(self._rules, self._each, strict=True)
            known = tuple(rule for rule, own in pairs if own.match(anchor))
            if len(self._known) < REACH:
                self._known[anchor] = known
        return known
