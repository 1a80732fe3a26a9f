"""Foreign text made safe, and numbers made readable."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ckpt_tui.core.known_values import without_known

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_NUMBERS = re.compile(r"(\d{1,18})")


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as surrogateescape carries it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def printable(text: str | bytes, *, reveal: bool = False) -> str:
    r"""Return `text` with everything that could move a cursor or fool a reader escaped.

    C0, DEL and C1 controls become `\x1b`, bytes that are no UTF-8 become `\xe9`, bidirectional
    controls and lone surrogates `\u202e`. Newlines and tabs are escaped too: cells have one line.
    Known values that are secret are covered unless they are to be revealed.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    text = text if reveal else without_known(text)
    return _UNSAFE.sub(_escape, text) if not (text.isascii() and text.isprintable()) else text


def human_bytes(size: int | float) -> str:
    """Return a size in binary units with three digits: `1.46 GiB`, `297 KiB`, `12 B`."""
    value = float(size)
    for unit in _UNITS:
        if abs(value) < 999.5 or unit == _UNITS[-1]:
            break
        value /= 1024
    if unit == "B":
        return f"{int(value)} B"
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f} {unit}"


def exact_bytes(size: int) -> str:
    """Return a size in both ways: `1.46 KiB (1,498)`."""
    return f"{human_bytes(size)} ({size:,})"


def some_bytes(size: int | None, nothing: str = "") -> str:
    """Return a size, or `nothing` where it is 0 or not known."""
    return human_bytes(size) if size else nothing


def human_count(count: int, noun: str, plural: str = "") -> str:
    """Return `1 file`, `12,345 files`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(items: Iterable[str], most: int, separator: str = ", ") -> str:
    """Return the first items in one line, and how many more there are: `3, 4, 5 and 12 more`."""
    found = list(items)
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return separator.join(found[:most]) + more


def human_duration(seconds: float) -> str:
    """Return a span as a person says it: `0.42 s`, `3 s`, `5 min`, `7 h`, `12 d`."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    for limit, divisor, unit in ((100, 1, "s"), (5400, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def natural_key(text: str) -> list[tuple[bool, int, str]]:
    """Return a key for sorting that puts v9 before v10, in any case of letters."""
    parts = _NUMBERS.split(text.casefold())
    return [(p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts if p]


def short_digest(digest: str) -> str:
    """Return the first 12 hex digits of `sha256:…`; anything else as it is."""
    algorithm, _, digits = digest.partition(":")
    return digits[:12] if digits and algorithm.startswith("sha") else digest


def middle(text: str, width: int) -> str:
    """Shorten `text` to `width` characters from the middle, which says least in paths."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}" if width > 1 else text[:width]


def shortened(text: str, width: int) -> str:
    """Cut `text` to `width` characters at its end."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
