"""Finding the few lines of a log that matter, at the speed of a memory search.

A log of CRIU's highest verbosity has ten thousands of lines, one of a restore that spins has
hundreds of millions; only lines that hold one of a few words are ever taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ckpt_tui.diagnose.log_lines import without_colours

LOOK_AROUND = 16 << 10
"""Bytes kept before the present line, for its context, and wanted behind it, for a wrapped rest."""

LONGEST_LINE = 1 << 20
"""Bytes without a line end after which a line is taken as ended: damage, or no log at all."""

START = b"\n(00.0000"
"""How the first lines of an attempt begin, and its next few hundred."""

_RARE = (b"Version: ", b"finished successfully", b"to clean ghosts")
_NEEDLES = (b"Error", b"Warn", b".img image", *_RARE)
"""What a line that starts with a time must hold to be looked at. Each costs a pass over the log."""

_MILESTONES = (b" FAILED", START, *_RARE)
"""What a line that is never passed over holds."""

_CROWD = 40
"""Lines that may matter in `_SAMPLE` bytes that make it worth asking whether any is new."""

SPINS = (b"`- returned 0", b"Advanced iov 0 bytes")
"""What a restore writes that reads past the end of a pages image, millions of times."""

_SAMPLE = 64 << 10
"""Bytes of a chunk's end that tell what the chunk is like: a restore that spins, a flood."""

_RAW = re.compile(rb"\n(?:[^(p\n]|p(?!ie: )|" + re.escape(START[1:]) + b")")
"""The start of a line that CRIU did not write, wrote without a time, or at the very start; those of
the code inside of tasks are looked at for their words."""


_VERSION = re.compile(rb"(?:^|\) )Version: \d")


def tells_version(line: bytes) -> bool:
    """Tell whether CRIU says its version in a line, which it does once, before its work."""
    return _VERSION.search(line[:200]) is not None


class Buffer:
    """A run of whole lines with what lies around them.

    A line starts behind the newline at its offset; the buffer begins with one.
    """

    def __init__(self) -> None:
        self.data = b"\n"
        self._done = 0
        self.line_count = 0
        """Lines looked at so far."""
        self._counted = 0
        """Offset up to which newlines are in `line_count`."""

    def feed(
        self,
        chunk: bytes,
        *,
        is_last: bool,
        found: Callable[[int], None],
        wanted: Callable[[bytes], int | None],
    ) -> int:
        """Add `chunk`, and call `found(offset)` for each line that may matter, in order.

        `offset` is that of the newline before the line. Where they are many, `wanted` is asked how
        many of the last of these lines matter, milestones apart; None: all. Returns how many lines
        of a spinning restore there were at its end.
        """
        kept_from = self.data.rfind(b"\n", 0, max(self._done - LOOK_AROUND, 0) + 1)
        kept_from = max(kept_from, 0)
        self.data = self.data[kept_from:] + without_colours(chunk)
        self._done -= kept_from
        self._counted = self._done
        end = self._end(is_last)
        if end <= self._done:
            return 0
        spins = self._spins(end, is_last=is_last)
        start = self._start_of_present(end)
        if self._is_crowd(end) and (last := wanted(self.data[start:end])) is not None:
            start = max(start, self._start_of_last(last, end))
        offsets = {*self._offsets(self._done, start, _MILESTONES)}
        offsets |= {*self._offsets(start, end, _NEEDLES), *self._raw(start, end)}
        for offset in sorted(offsets | {*self._spinning(end)} if spins else offsets):
            found(offset)
        self.number(end)
        self._done = end
        return spins

    def number(self, offset: int) -> int:
        """Return the number of the line at `offset`, counted from 1; not before one asked for."""
        self.line_count += self.data.count(b"\n", self._counted, offset)
        self._counted = offset
        return self.line_count + 1

    def _spins(self, end: int, *, is_last: bool) -> int:
        start = self._done if is_last else max(self._done, end - _SAMPLE)
        if all(self.data.find(spin, start, end + 1) < 0 for spin in SPINS):
            return 0
        return sum(self.data.count(spin, start, end + 1) for spin in SPINS)

    def _end(self, is_last: bool) -> int:
        """Return the offset of the newline behind the last line to look at."""
        if is_last:
            self.data += b"" if self.data.endswith(b"\n") else b"\n"
            return len(self.data) - 1
        end = self.data.rfind(b"\n", 0, max(len(self.data) - LOOK_AROUND, 0))
        if end <= self._done and len(self.data) - self._done > LONGEST_LINE:
            self.data = self.data[: self._done + LOOK_AROUND] + self.data[-LOOK_AROUND:]
            end = self.data.rfind(b"\n", 0, max(len(self.data) - LOOK_AROUND, 0))
        return end

    def _is_crowd(self, end: int) -> bool:
        start = max(self._done, end - _SAMPLE)
        lines = self.data.count(b"\n", start, end) - self.data.count(b"\n(", start, end)
        lines -= self.data.count(b"\npie: ", start, end)
        return lines + self.data.count(b"rror", start, end) > _CROWD

    def _start_of_present(self, end: int) -> int:
        """Return an offset before which all is of attempts that are over.

        CRIU tells its version once, so the last attempt begins behind the last version but one.
        """
        at = end
        for _ in range(2):
            told = self.data.rfind(b"Version: ", self._done, at)
            at = self.data.rfind(b"\n", self._done, max(told, 0))
            if at < 0 or not tells_version(self.line(at)):
                return self._done
        return at

    def _start_of_last(self, count: int, end: int) -> int:
        """Return the offset of the newline before the last `count` lines of those up to `end`."""
        at = end
        for _ in range(count):
            at = max(self.data.rfind(b"\n", self._done, at), self._done)
        return at

    def _offsets(self, start: int, end: int, needles: tuple[bytes, ...]) -> Iterator[int]:
        for needle in needles:
            at = self.data.find(needle, start, end)
            while at >= 0:
                yield at if needle is START else self.data.rfind(b"\n", 0, at)
                at = self.data.find(needle, self.next_line(at + 1), end)

    def _spinning(self, end: int) -> Iterator[int]:
        for spin in SPINS:
            if (at := self.data.find(spin, self._done, end + 1)) >= 0:
                yield self.data.rfind(b"\n", 0, at)

    def _raw(self, start: int, end: int) -> Iterator[int]:
        return (match.start() for match in _RAW.finditer(self.data, start, end))

    def next_line(self, at: int) -> int:
        """Return the offset of the newline that ends the line in which `at` lies."""
        found = self.data.find(b"\n", at)
        return len(self.data) if found < 0 else found

    def line(self, offset: int, limit: int = LOOK_AROUND) -> bytes:
        """Return the line behind the newline at `offset`, cut to `limit` bytes."""
        return self.data[offset + 1 : min(self.next_line(offset + 1), offset + 1 + limit)]

    def line_before(self, offset: int) -> bytes:
        """Return the line before the one at `offset`; nothing where it is empty or not kept."""
        return self.data[self.data.rfind(b"\n", 0, offset) + 1 : offset]

    def before(self, offset: int, count: int) -> list[bytes]:
        """Return up to `count` lines before the line at `offset`, as far as they are kept, empty
        ones included."""
        kept = self.data[max(0, offset - LOOK_AROUND) : offset]
        lines = kept.split(b"\n")
        return lines[1:][-count:]

    def after(self, offset: int, length: int = LOOK_AROUND) -> bytes:
        """Return what follows the line at `offset`, up to `length` bytes."""
        start = self.next_line(offset + 1)
        return self.data[start : start + length]
