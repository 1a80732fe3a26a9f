"""Damages bytes: the same generator of random numbers damages them in the same way."""

from __future__ import annotations

from random import Random

MAX_SIZE = 70_000
"""Bytes of an input, unless it begins as a larger one."""

_NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 511, 512, 4095, 65535, 65536)
_EDGES = (1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 32, 1 << 60, (1 << 63) - 1, (1 << 64) - 1)
_TEXTS = (
    *(b"\0", b"\n", b"\r\n", b"/", b"..", b"../../x", b"/etc/passwd", b"\xff", b"\xed\xb2\x80"),
    *(b"\\ud800", b"1e999", b"-1", b"Infinity", b"NaN", b"9" * 40, b"0" * 30, b"[" * 600, b"{}"),
    *(
        b"null",
        b"[]",
        b'""',
        b"true",
        b"sha256:" + b"0" * 64,
        b"http://169.254.169.254/",
        b":99999",
    ),
    *(b"\x1b[2J", b"A" * 300, b" " * 300, b"=", b",", b'"', b"%2e%2e"),
)


def mutated(data: bytes, others: list[bytes], words: tuple[bytes, ...], chance: Random) -> bytes:
    """Return `data` damaged in one to eight places; `words` are what its format is made of."""
    found = bytearray(data)
    for _ in range(1 << chance.randrange(4)):
        _damage(found, others, words, chance)
    return bytes(found[: max(MAX_SIZE, len(data))])


def _damage(data: bytearray, others: list[bytes], words: tuple[bytes, ...], chance: Random) -> None:
    at = chance.randrange(len(data) + 1)
    size = 1 << chance.randrange(11)
    match chance.randrange(9):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1 if at < len(data):
            data[at] = chance.randrange(256)
        case 2:
            del data[at : at + chance.randrange(1, size + 1)]
        case 3:
            data[at:at] = data[at : at + size] * chance.randrange(1, 4)
        case 4:
            width = chance.choice((1, 2, 4, 8))
            order = chance.choice(("little", "big"))
            number = chance.choice(_NUMBERS + _EDGES) & ((1 << 8 * width) - 1)
            data[at : at + width] = number.to_bytes(width, order)  # type: ignore[arg-type]
        case 5:
            word = chance.choice(_TEXTS + words)
            data[at : at + chance.choice((0, len(word)))] = word
        case 6:
            other = chance.choice(others)
            start = chance.randrange(len(other) + 1)
            data[at : at + size] = other[start : start + size]
        case 7:
            del data[at:]
        case _:
            _other_number(data, at, chance)


def _other_number(data: bytearray, at: int, chance: Random) -> None:
    """Replace the next decimal number by another one."""
    start = next((i for i in range(at, min(len(data), at + 200)) if 48 <= data[i] < 58), None)
    if start is None:
        return
    end = start
    while end < len(data) and 48 <= data[end] < 58:
        end += 1
    data[start:end] = b"%d" % chance.choice(_NUMBERS + _EDGES)
