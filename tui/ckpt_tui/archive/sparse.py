"""Sparse files in tar archives: maps of which bytes are stored, and windows that fill the holes.

Four dialects, described in the GNU tar manual, appendix D.2: a map in the header (`S`), and PAX
versions 0.0 and 0.1 (map in the records) and 1.0 (map before the data).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ckpt_tui.core.window import CHUNK, ByteWindow

MAX_RUNS = 1 << 16
"""Runs of one file; a map of that length says that the file is not worth being sparse."""

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Fragment:
    """Stored bytes of a sparse file; between the runs are zeros."""

    offset: int
    """In the file."""
    stored: int
    """In the stored bytes."""
    length: int


def gnu_runs(
    block: bytes, read: Callable[[int], bytes], stored: int
) -> tuple[tuple[Fragment, ...], int]:
    """Return the map and the real size by a GNU `S` header; reads the blocks that continue it.

    Raises:
        ValueError: the map contradicts itself.
    """
    real_size = _octal(block[483:495])
    pairs = _octal_pairs(block[386:482], 4)
    more = block[482]
    while more:
        block = read(_BLOCK)
        if len(block) < _BLOCK or len(pairs) > MAX_RUNS:
            raise ValueError("it does not end")
        pairs += _octal_pairs(block[:504], 21)
        more = block[504]
    return _checked(pairs, real_size, stored), real_size


def pax_runs(
    records: list[tuple[str, str]], read: Callable[[int], bytes], stored: int
) -> tuple[tuple[Fragment, ...] | None, int]:
    """Return the map and the real size by PAX records; None for a file that is not sparse.

    Raises:
        ValueError: the map contradicts itself.
    """
    pax = dict(records)
    if pax.get("GNU.sparse.major") == "1":
        numbers, map_size = _stored_map(read, stored)
        stored -= map_size
    elif "GNU.sparse.map" in pax:
        numbers = [_decimal(number) for number in pax["GNU.sparse.map"].split(",")]
    elif "GNU.sparse.size" in pax:
        wanted = ("GNU.sparse.offset", "GNU.sparse.numbytes")
        numbers = [_decimal(value) for key, value in records if key in wanted]
    else:
        return None, stored
    real_size = _decimal(pax.get("GNU.sparse.realsize", pax.get("GNU.sparse.size", "")))
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    return _checked(pairs, real_size, stored), real_size


def _stored_map(read: Callable[[int], bytes], stored: int) -> tuple[list[int], int]:
    """Read a version 1.0 map, one number a line, padded to whole blocks."""
    lines: list[bytes] = []
    rest, size, wanted = b"", 0, 1
    while len(lines) < wanted:
        block = read(_BLOCK)
        size += _BLOCK
        if len(block) < _BLOCK or size > stored:
            raise ValueError("it does not end")
        *complete, rest = (rest + block).split(b"\n")
        lines += complete
        if lines:
            wanted = 1 + 2 * min(_decimal(lines[0].decode("ascii", "replace")), MAX_RUNS + 1)
        if len(rest) > 2 * _BLOCK:
            raise ValueError("it is not a list of numbers")
    return [_decimal(line.decode("ascii", "replace")) for line in lines[1:wanted]], size


def _checked(pairs: Iterable[tuple[int, int]], real_size: int, stored: int) -> tuple[Fragment, ...]:
    runs = []
    end = position = 0
    for offset, length in pairs:
        if offset < end or length < 0 or offset + length > real_size:
            raise ValueError("its runs overlap or pass the end")
        if length:
            runs.append(Fragment(offset, position, length))
        end, position = offset + length, position + length
        if len(runs) > MAX_RUNS:
            raise ValueError(f"it has more than {MAX_RUNS:,} runs")
    if position > stored or real_size >= 1 << 63:
        raise ValueError("it wants more bytes than are stored")
    return tuple(runs)


def _octal_pairs(data: bytes, count: int) -> list[tuple[int, int]]:
    fields = (data[24 * number : 24 * number + 24] for number in range(count))
    return [(_octal(pair[:12]), _octal(pair[12:])) for pair in fields if pair[:1] != b"\0"]


def _octal(data: bytes) -> int:
    if data[0] & 0x80:
        return int.from_bytes(data[1:], "big")
    digits = data.strip(b" \0")
    return int(digits, 8) if digits else 0


def _decimal(text: str) -> int:
    if not (len(text) <= 20 and text.isascii() and text.isdigit()):
        raise ValueError("it holds something else than a number")
    return int(text)


class SparseWindow:
    """The whole content of a sparse file, holes as zeros."""

    def __init__(self, stored: ByteWindow, runs: tuple[Fragment, ...], size: int) -> None:
        self._stored = stored
        self._runs = runs
        self._starts = [run.offset for run in runs]
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + max(length, 0), self._size)
        parts = []
        while offset < end:
            part = self._piece(offset, end - offset)
            parts.append(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _piece(self, offset: int, length: int) -> bytes:
        """Return bytes from one run or one hole; at least one."""
        number = bisect_right(self._starts, offset) - 1
        if number >= 0:
            run = self._runs[number]
            within = offset - run.offset
            if within < run.length:
                wanted = min(length, run.length - within)
                # What was cut off reads as zeros, too: the member's note tells of it.
                return self._stored.read(run.stored + within, wanted).ljust(wanted, b"\0")
        following = self._starts[number + 1] if number + 1 < len(self._starts) else self._size
        return bytes(min(length, following - offset, CHUNK))
