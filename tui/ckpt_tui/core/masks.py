"""Values that look like secrets, covered until they are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ckpt_tui.core.known_values import COVER, known_values, merged

BLOT = "•"
"""In place of one character, where the others must stay in their places."""

_WORDS = "secret|token|passw|passphrase|credential|api[_-]?key|private[_-]?key|access[_-]?key|auth"

_NAMES = re.compile(f"({_WORDS}|(?<![a-z])pass$)", re.IGNORECASE)
"""Words in the name of a variable that make its value a secret."""

_VALUES = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
    r"|(?<![\w-])eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+\."
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}+"
    r"|://[^/\s:@]++:[^/\s:@]++@"
)
"""Private keys, JSON web tokens, keys of well-known clouds, a password in an address."""


def _pairs(words: str) -> re.Pattern[str]:
    """Return what finds a name that tells, and what follows it: `--password=…`, `"token": "…"`,
    `Authorization: …`."""
    return re.compile(
        rf"(?i)(?:{words}|(?<![a-z])pass(?==))"
        r"[\w.-]{0,60}[\"'\])]{0,3}\s{0,8}[=:]\s{0,8}[\"']?((?:(?:basic|bearer)\s{1,8})?[^\s\"',;&]+)"
    )


class _Chosen:
    """What the settings add; it holds for the whole program."""

    words: tuple[str, ...] = ()
    pairs = _pairs(_WORDS)


def choose_masks(words: Sequence[str]) -> None:
    """From now on take for secrets, too, what has one of these words in its name."""
    _Chosen.words = tuple(word.lower() for word in words)
    _Chosen.pairs = _pairs("|".join((_WORDS, *map(re.escape, _Chosen.words))))


def is_secret(name: str, value: str) -> bool:
    """Return whether the value of a variable looks like a key, token or password."""
    if not value:
        return False
    known = _NAMES.search(name) or _VALUES.search(value)
    return bool(known) or any(word in name.lower() for word in _Chosen.words)


_KEYS = re.compile(
    r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
    r"|(?<![\w-])eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_.-]++"
)
"""A whole private key, a whole web token. Here as above every repetition is bounded, or takes
what it matches out of the running: the text is foreign and may be long."""


_OPTION = re.compile(rf"--?[a-z0-9-]{{0,40}}(?:{_WORDS})[a-z0-9-]{{0,40}}", re.IGNORECASE)
"""An option that takes a secret as the next argument."""


def secret_spans(text: str) -> list[tuple[int, int]]:
    """Return where running text has what looks like a secret, in ascending order."""
    spans = [found.span(1) for found in _Chosen.pairs.finditer(text)]
    spans += [found.span() for found in _KEYS.finditer(text)]
    spans += [found.span() for found in _VALUES.finditer(text)]
    return merged(spans)


def secrets_in(text: str) -> list[str]:
    """Return what looks like a secret in running text."""
    return [text[start:stop] for start, stop in secret_spans(text)]


def secrets_of(name: str, value: str) -> list[str]:
    """Return the value of something with a name if that makes it a secret, else those in it."""
    return [value] if is_secret(name, value) else secrets_in(value)


def secret_arguments(arguments: Sequence[str]) -> list[str]:
    """Return what looks like a secret in arguments, the word behind `--password` too."""
    found = [secret for argument in arguments for secret in secrets_in(argument)]
    return found + [arguments[number] for number in _behind_options(arguments)]


def _behind_options(arguments: Sequence[str]) -> Iterator[int]:
    """Yield the numbers of the arguments that are the value of an option such as `--password`."""
    for number, argument in enumerate(arguments[:-1], 1):
        if _OPTION.fullmatch(argument) and not arguments[number].startswith("-"):
            yield number


_STRINGS = re.compile(rb"[\t\n\r\x20-\x7e]{4,}")

_WIDE = (
    (re.compile(rb"(?:[\t\n\r\x20-\x7e]\x00){4,}"), slice(0, None, 2)),
    (re.compile(rb"(?:\x00[\t\n\r\x20-\x7e]){4,}"), slice(1, None, 2)),
)
"""Strings in UTF-16, little-endian and big-endian, and where their letters are."""


def secret_byte_spans(data: bytes) -> list[tuple[int, int]]:
    """Return where bytes have what looks like a secret: in a string, which anything but ASCII
    ends, or in the one behind an option such as `--password`; in UTF-16 of both orders as well.
    Beside that, where they have a known value."""
    spans = _spans_of(_STRINGS, data, slice(None)) + known_values().spans(data)
    for strings, letters in _WIDE:
        spans += _spans_of(strings, data, letters)
    return merged(spans)


def _spans_of(strings: re.Pattern[bytes], data: bytes, letters: slice) -> list[tuple[int, int]]:
    """Return the secrets in strings whose letters are so many bytes apart."""
    width = letters.step or 1
    spans: list[tuple[int, int]] = []
    option_end = -2 * width
    for found in strings.finditer(data):
        text, start = found[0][letters].decode("ascii"), found.start()
        if start == option_end + width and not text.startswith("-"):
            spans.append(found.span())
        elif len(text) >= _SHORTEST:
            spans += [(start + a * width, start + b * width) for a, b in secret_spans(text)]
        option_end = found.end() if _OPTION.fullmatch(text) else -2 * width
    return spans


def masked_bytes(data: bytes, reveal: bool, blot: bytes = b"*") -> bytes:
    """Return bytes, as many, in which each one of what looks like a secret is a blot."""
    if reveal:
        return data
    shown = bytearray(data)
    for start, stop in secret_byte_spans(data):
        shown[start:stop] = blot * (stop - start)
    return bytes(shown)


_SHORTEST = len("auth=x")
"""Characters of the shortest string that can have a secret in it."""


def masked(text: str, reveal: bool) -> str:
    """Return running text in which what looks like a secret is covered."""
    if reveal:
        return text
    text = known_values().cover(text)
    parts, end = [], 0
    for start, stop in secret_spans(text):
        parts.append(text[end:start] + COVER)
        end = stop
    return "".join(parts) + text[end:]


def masked_value(name: str, value: str, reveal: bool) -> str:
    """Return the value of something with a name: covered as a whole where the name says that it is
    a secret, else as running text."""
    return COVER if not reveal and is_secret(name, value) else masked(value, reveal)


def masked_values(values: Mapping[str, str], reveal: bool) -> dict[str, str]:
    """Return values by their names, each as `masked_value` has it."""
    return {name: masked_value(name, value, reveal) for name, value in values.items()}


def masked_arguments(arguments: Sequence[str], reveal: bool) -> list[str]:
    """Return arguments with what looks like a secret covered, the word behind `--password` too."""
    shown = [masked(argument, reveal) for argument in arguments]
    for number in () if reveal else _behind_options(arguments):
        shown[number] = COVER
    return shown


def covered(variable: str, reveal: bool) -> str:
    """Return `NAME=value`, with the value covered if it looks like a secret. A variable without
    `=` is shown as it is unless its text alone looks like one."""
    name, equals, value = variable.partition("=")
    if reveal or not is_secret(name if equals else "", value if equals else name):
        return variable
    return f"{name}={COVER}" if equals else COVER
