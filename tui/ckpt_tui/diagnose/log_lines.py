"""One line of a log: its severity, source file, process and message, whatever wrote it.

The grammar is that of criu/log.c: `(seconds) pid: Error (file:line): subsystem: message`, where
every part but the message may be absent. Engines put their own text before or around it.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from ckpt_tui.diagnose.log_quotes import unquoted

LINE_LIMIT = 4096
"""Characters kept of a line; what CRIU writes is shorter than 1 KiB but for lists of options."""

_HEAD = re.compile(r"(?P<word>Error|Warn)\s{0,2}\((?P<file>[\w./+-]{1,80}):\d+\):?\s?", re.ASCII)
_BARE_HEAD = re.compile(
    r"(?:\(\d{1,9}\.\d+\) ?(?:pie: ?)?(?: *\d{1,10}: )?|^[\s>*`]*\d{1,10}: )"
    r"(?P<word>Error|Warn) ?: ",
    re.ASCII,
)
"""The head in builds that leave out the source file; without a time or pid it may be anyone's."""

_PID = re.compile(r"(\d{1,10}): +$", re.ASCII)
_INFO = re.compile(
    r"(?:.{0,160}?[^\w(])?\(\d{1,9}\.\d{4,6}\) ?(?:pie: ?)?"
    r"(?: *(?P<pid>\d{1,10}): )?",
    re.ASCII,
)
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])", re.ASCII)


class Severity(enum.Enum):
    """How CRIU marked a line; OTHER is what something else wrote."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log. The text is foreign, without colours, NULs and marks of quoting."""

    number: int
    """Counted from 1 in the file. Lines that an engine quoted in one line share its number."""
    text: str
    severity: Severity
    message: str
    """What follows the head, subsystem name included."""
    file: str = ""
    """Source file of CRIU, as the line names it."""
    pid: int | None = None
    """The process that wrote it, as it sees itself; the coordinator's lines have none."""


def parse_line(number: int, text: str) -> LogLine:
    """Take a line apart; never fails."""
    text = unquoted(text.replace("\x00", "").rstrip()[:LINE_LIMIT])
    head = _HEAD.search(text)
    if head is None and (head := _BARE_HEAD.search(text)) is None:
        return _parse_other(number, text)
    pid = _PID.search(text[: head.start("word")])
    return LogLine(
        number=number,
        text=text,
        severity=Severity.ERROR if head["word"] == "Error" else Severity.WARN,
        message=text[head.end() :],
        file=head.groupdict().get("file", ""),
        pid=int(pid[1]) if pid else None,
    )


def _parse_other(number: int, text: str) -> LogLine:
    info = _INFO.match(text)
    if info is None:
        return LogLine(number, text, Severity.OTHER, text)
    return LogLine(
        number=number,
        text=text,
        severity=Severity.INFO,
        message=text[info.end() :],
        pid=int(info["pid"]) if info["pid"] else None,
    )


def without_colours(data: bytes) -> bytes:
    """Return `data` without terminal control sequences; line ends stay where they are."""
    return _ANSI_BYTES.sub(b"", data) if b"\x1b" in data else data


_ANSI_BYTES = re.compile(_ANSI.pattern.encode("ascii"))
