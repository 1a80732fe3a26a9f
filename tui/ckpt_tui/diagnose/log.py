"""Reading a dump.log or restore.log of any size in one pass, keeping what a diagnosis needs."""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, chunks
from ckpt_tui.diagnose.log_header import Header, read_header
from ckpt_tui.diagnose.log_lines import LogLine, Severity, parse_line
from ckpt_tui.diagnose.log_quotes import quoted_lines, unquoted
from ckpt_tui.diagnose.log_scan import LOOK_AROUND, START, Buffer, tells_version
from ckpt_tui.formats.log_files import LogBytes

CONTEXT_LINES = 20
"""Lines kept before an error that no rule may know."""

_HEADER_LINES = 150
_QUOTE_LIMIT = 256 << 10
"""Bytes of one line in which an engine quotes a whole log."""

_FIRST_LINES = 600
_LAST_LINES = 100
_SAME_LINES = 3
"""Lines kept that differ only in numbers: the first ones tell everything."""
_OTHER_LINES = 200
"""Lines of helpers and engines kept whatever they say; later ones only if they sound like it."""
_CONTEXTS = 8

_REST_LINES = 4
_REST_BYTES = 1024
_OWN_LINE = re.compile(r"\(\d{1,9}\.\d{4,6}\)|(?:Error|Warn) {0,2}\(|\bpie: |level=|^\s*$")
"""What shows that a line begins by itself."""

_TAIL = 4096
"""Bytes kept of the end, for the last line."""
_DROPPED_DIGITS = b"0123456789abcdefABCDEF"
_SEEN_OFTEN = 16
_KINDS = 4096
"""Kinds of lines counted before they are taken apart; a flood is of few kinds."""

MISSING_IMAGE = re.compile(
    r"No ((?:inventory|pstree|files|reg-files|seccomp|tmpfs(?:-dev)?-\d+\.tar\.gz|"
    r"(?:core|mm|pagemap|pagemap-shmem|pages|fs|ids|mountpoints|tcp-stream|ghost-file)-\w+)\.img)"
    " image"
)
"""An image without which no restore goes well; CRIU takes an absent one for an empty one."""

_START_TIME = re.compile(rb"\((\d+\.\d+)\)")
_TIME = re.compile(rb"\(\d{1,9}\.\d{4,6}\)")
"""What begins the lines of a log that has more than errors and warnings."""
_DIGITS = re.compile(r"(?<![0-9a-f])(?:0x)?(?=[a-f]*\d)[0-9a-f]+")
_SUCCESS = re.compile(r"^(Dumping|Pre-dumping|Restore) finished successfully")
_FAILURE = re.compile(
    r"^(?:(Pre-dumping|Dumping|Restoring) FAILED|Task \d+ is in unexpected state)"
)
"""Old versions call a restore a success before they let the tasks go, which can fail too."""
_ACTIONS = {
    "Dumping": "dump",
    "Pre-dumping": "pre-dump",
    "Restore": "restore",
    "Restoring": "restore",
}
_TELLING = re.compile(
    r"fail|rror|not |nnot|no CUDA|requires|CHAIN_|already|exist|missing|support|criu|CRIU|denied|"
    r"No such|deprecated|404|RTNETLINK|No [\w-]+\.img image"
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One dump or restore of those a log file holds; the last one is read."""

    header: Header
    action: str
    """dump, pre-dump, restore, or nothing where the log does not tell."""
    outcome: str
    """succeeded, failed, unfinished (no final line, so killed, cut, or still running), or unknown
    where the log is too quiet to have one."""
    first_line: int
    number: int
    count: int
    """Attempts in the file; `number` is counted from 1 and is the last one."""
    is_quiet: bool = False
    """Whether it has nothing but errors and warnings, as at CRIU's default verbosity."""


@dataclass(frozen=True, slots=True)
class LogReading:
    """What is left of a log after one pass."""

    attempt: Attempt
    lines: tuple[LogLine, ...]
    """Errors, warnings, helpers' and engines' lines and milestones of the attempt, in order."""
    contexts: dict[int, tuple[str, ...]]
    """Lines before some of the first errors, by line number."""
    rests: dict[int, tuple[str, ...]]
    """What may be the end of a line that a terminal broke: the lines behind it, by its number."""
    last_line: str
    line_count: int
    """Lines of the whole file."""
    spin_count: int
    """Lines of the attempt, of the last ones of each piece, in which a restore read nothing from a
    pages image."""
    has_criu_lines: bool
    """False for an excerpt or message without anything in CRIU's form."""

    def shown(self) -> tuple[tuple[int, str], ...]:
        """Return the lines that were kept with their numbers, in order, and between them what
        stands before the first errors: with the number 0, for empty lines are not counted there."""
        seen = {line.text for line in self.lines}
        placed = [(line.number, 1, line.number, line.text) for line in self.lines]
        for number, before in sorted(self.contexts.items()):
            placed += [(number, 0, 0, text) for text in before if text and text not in seen]
            seen.update(before)
        placed.sort(key=lambda place: place[:2])
        return tuple((number, text) for _, _, number, text in placed)


def _may_matter(kind: bytes) -> bool:
    """Tell whether lines of a kind, without hexadecimal digits, are looked at at all."""
    return not kind.startswith(b"(") or b"rror" in kind or b"Wrn" in kind or b".img im" in kind


class _Collector:
    """The lines of one attempt, bounded."""

    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.head = b""
        """Its first lines; read only of the last attempt."""
        self.lines: list[LogLine] = []
        self.last: deque[LogLine] = deque(maxlen=_LAST_LINES)
        self.contexts: dict[int, tuple[str, ...]] = {}
        self.rests: dict[int, tuple[str, ...]] = {}
        self.action = ""
        """Of its last lines; nothing where they do not tell."""
        self.outcome = "unfinished"
        self.version_seen = False
        self.has_criu_lines = False
        self.spin_count = 0
        self._same: dict[str, int] = {}
        self._seen: dict[bytes, int] = {}
        self._others = 0

    def is_flood(self, raw: bytes) -> bool:
        """Tell, cheaply, that many lines like this one were seen already."""
        kind = raw[:200].translate(None, _DROPPED_DIGITS)
        seen = self._seen.get(kind, 0)
        if seen or len(self._seen) < _KINDS:
            self._seen[kind] = seen + 1
        return seen >= _SEEN_OFTEN

    def wanted(self, lines: bytes) -> int | None:
        """Return how many of the last of many lines are worth a look, None for all of them.

        None is where each was seen often; the last ones do where there is room for no others.
        """
        if len(self.lines) >= _FIRST_LINES:
            return 2 * _LAST_LINES
        kinds = {*lines.translate(None, _DROPPED_DIGITS).split(b"\n")} - {b""}
        seen = (self._seen.get(k[:200], 0) >= _SEEN_OFTEN for k in kinds if _may_matter(k))
        return 0 if all(seen) else None

    def add(self, line: LogLine) -> bool:
        """Keep `line` if it is new and there is room; tell whether it was kept."""
        if line.severity is Severity.OTHER:
            self._others += 1
            if self._others > _OTHER_LINES and not _TELLING.search(line.text):
                return False
        else:
            self.has_criu_lines = True
        self._note_end(line)
        kind = f"{line.severity.value}{line.pid}{_DIGITS.sub('0', line.message[:160])}"
        count = self._same.get(kind, 0)
        if count >= _SAME_LINES:
            return False
        if count or len(self._same) < 2 * _FIRST_LINES:
            self._same[kind] = count + 1
        if len(self.lines) >= _FIRST_LINES:
            self.last.append(line)
        else:
            self.lines.append(line)
        return True

    def _note_end(self, line: LogLine) -> None:
        no_error = line.severity in (Severity.INFO, Severity.OTHER)
        if no_error and (end := _SUCCESS.match(line.message)):
            self.outcome, self.action = "succeeded", _ACTIONS[end[1]]
        elif line.severity is Severity.ERROR and (end := _FAILURE.match(line.message)):
            self.outcome, self.action = "failed", _ACTIONS.get(end[1], self.action)


class _Reader:
    """Follows the attempts in a buffer."""

    def __init__(self) -> None:
        self.buffer = Buffer()
        self.attempts = 1
        self.now = _Collector(1)
        self._started = False

    def feed(self, piece: bytes, *, is_last: bool = False) -> None:
        """Look at the next piece of the file."""
        spins = self.buffer.feed(
            piece, is_last=is_last, found=self.found, wanted=lambda lines: self.now.wanted(lines)
        )
        self.now.spin_count += spins

    def found(self, offset: int) -> None:
        """Look at the line at `offset` of the buffer."""
        raw = self.buffer.line(offset)
        may_start = raw.startswith(START[1:]) or b"Version: " in raw
        if may_start and self._is_start(offset, raw):
            self._begin(offset)
        elif self.now.is_flood(raw):
            return
        elif not self._started or self._is_late_version(raw):
            self._keep_head(offset)
        if len(raw) > 256 and (b"\\n" in raw or len(raw) == LOOK_AROUND):
            raw = self.buffer.line(offset, _QUOTE_LIMIT)
        text = self._with_wrapped_rest(offset, raw.decode("utf-8", "surrogateescape"))
        number = self.buffer.number(offset)
        for part in quoted_lines(text):
            self._take(parse_line(number, part), offset)

    def _take(self, line: LogLine, offset: int) -> None:
        if not line.message.strip():
            return
        if line.severity is Severity.INFO and not self._is_telling_info(line):
            return
        if not self.now.add(line):
            return
        if rest := self._rest(offset):
            self.now.rests[line.number] = rest
        if line.severity is not Severity.ERROR:
            return
        if len(self.now.contexts) < _CONTEXTS:
            before = self.buffer.before(offset, CONTEXT_LINES)
            self.now.contexts[line.number] = tuple(
                text.decode("utf-8", "surrogateescape").rstrip() for text in before
            )

    def _rest(self, offset: int) -> tuple[str, ...]:
        behind = self.buffer.after(offset, _REST_BYTES).decode("utf-8", "surrogateescape")
        lines = behind.split("\n")[1 : 1 + _REST_LINES]
        return tuple(takewhile(lambda text: text and not _OWN_LINE.search(text), lines))

    @staticmethod
    def _is_telling_info(line: LogLine) -> bool:
        if line.message.endswith(".img image"):
            return MISSING_IMAGE.match(line.message) is not None
        words = ("ailed", "finished succ", "no CUDA", "clean ghosts", "Error (")
        return any(word in line.text for word in (*words, "returned 0", "iov 0 bytes"))

    def _is_start(self, offset: int, raw: bytes) -> bool:
        """Tell whether an attempt begins with this line, another than the first one."""
        if tells_version(raw):
            again, self.now.version_seen = self.now.version_seen, True
            self.now.has_criu_lines = True
            return again
        if not raw.startswith(START[1:]):
            return False
        time, before = _time_of(raw), _time_of(self.buffer.line_before(offset))
        if before is None or time is None or before - time < 0.0001:
            return False
        return self.now.version_seen or before > 0.001

    def _begin(self, offset: int) -> None:
        has_version = tells_version(self.buffer.line(offset))
        if self.now.has_criu_lines:
            self.attempts += 1
            self.now = _Collector(self.buffer.number(offset))
        self.now.version_seen = self.now.has_criu_lines = has_version
        self._keep_head(offset)

    def _is_late_version(self, raw: bytes) -> bool:
        """Tell whether what was kept as the head was something before it."""
        return tells_version(raw) and b"Version: " not in self.now.head

    def _keep_head(self, offset: int) -> None:
        self._started = True
        self.now.head = self.buffer.line(offset) + self.buffer.after(offset)

    def _with_wrapped_rest(self, offset: int, text: str) -> str:
        """Join what the restorer wrote on: `>` ends a piece, the same task's next line goes on."""
        text = unquoted(text.rstrip("\r"))
        if not text.endswith(">") or "pie:" not in text:
            return text
        writer = re.search(r"pie: ?(\d+: )?", text)
        start = writer[0] if writer else "pie: "
        for raw in self.buffer.after(offset).split(b"\n")[1:]:
            line = unquoted(raw.decode("utf-8", "surrogateescape").rstrip("\r"))
            place = line.find(start)
            if place < 0 or place > 64:
                continue
            text = text[:-1] + line[place + len(start) :]
            if not text.endswith(">") or len(text) > 1024:
                break
        return text


def _time_of(raw: bytes) -> float | None:
    found = _START_TIME.match(raw[:32])
    return float(found[1]) if found else None


def _pieces(log: LogBytes) -> Iterator[bytes]:
    if isinstance(log, io.BufferedIOBase):
        while piece := log.read(CHUNK):
            yield piece
    else:
        yield from chunks(log)


def read_log(log: LogBytes, progress: Progress) -> LogReading:
    """Read a log from start to end in memory of a few MiB, whatever its length.

    Raises:
        Cancelled: the caller gave up.
        CkptError: the bytes behind the window are out of reach.
    """
    size = None if isinstance(log, io.BufferedIOBase) else log.size
    progress.start("reading the log", size)
    reader = _Reader()
    tail = b""
    for piece in _pieces(log):
        reader.feed(piece)
        tail = (tail + piece[-_TAIL:])[-_TAIL:]
        progress.tick(len(piece))
    reader.feed(b"", is_last=True)
    return _reading(reader, tail)


def _reading(reader: _Reader, tail: bytes) -> LogReading:
    now = reader.now
    head = now.head.decode("utf-8", "surrogateescape").split("\n")
    header = read_header(head[:_HEADER_LINES])
    is_quiet = not any(_TIME.search(text) for text in (now.head[:_TAIL], tail))
    attempt = Attempt(
        header=header,
        action=now.action or header.action,
        outcome="unknown" if is_quiet and now.outcome == "unfinished" else now.outcome,
        is_quiet=is_quiet and now.has_criu_lines,
        first_line=now.first_line,
        number=reader.attempts,
        count=reader.attempts,
    )
    ends = tail.decode("utf-8", "surrogateescape").rstrip().splitlines()
    return LogReading(
        attempt=attempt,
        lines=(*now.lines, *now.last),
        contexts=now.contexts,
        rests=now.rests,
        last_line=ends[-1] if ends else "",
        line_count=reader.buffer.line_count,
        spin_count=now.spin_count,
        has_criu_lines=now.has_criu_lines,
    )
