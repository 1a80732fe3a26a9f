"""Telling by its first bytes whether a file is a log of CRIU or an engine, or what else it is."""

from __future__ import annotations

import re

HEAD = 64 << 10
"""Bytes of a file's start that are looked at."""

_LOG_LINE = re.compile(
    rb"^(?:.{0,160}[^\w(])?(?:\(\d{1,9}\.\d{4,6}\) ?|"
    rb"(?:Error|Warn)\s{0,2}\([\w./+-]{1,80}:\d{1,6}\): |"
    rb"(?:time=\"[^\"]{1,40}\" )?level=\w{4,7} msg=)",
    re.MULTILINE,
)
"""A line as CRIU or an engine writes it, perhaps behind a time and a name of its own."""

_OTHERS = (
    (b"\x7fELF", "It is a program or a core dump."),
    (b"%PDF", "It is a PDF document."),
    (b"\x89PNG", "It is a picture; the text is wanted."),
    (b"\xff\xd8\xff", "It is a picture; the text is wanted."),
    (b"7z\xbc\xaf", "It is a 7z archive: unpack it first."),
    (b"\xfd7zXZ\x00", "It is compressed with xz: unpack it with `xz -d` first."),
    (b"BZh", "It is compressed with bzip2: unpack it with `bzip2 -d` first."),
)
_PACKED = (b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
_HTML = re.compile(rb"\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I)
_TEXT = bytes({7, 8, 9, 10, 12, 13, 27, *range(32, 256)})

_MOST_CONTROL = 0.05
"""The largest share of bytes that are no text in a log; some have NULs where a disk was full."""


def is_log(head: bytes) -> bool:
    """Tell whether a file that begins so has lines of CRIU or an engine."""
    return not why_no_log(head) and _LOG_LINE.search(head) is not None


def why_no_log(head: bytes) -> str:
    """Return a sentence about what a file that begins so is, nothing if it may be a log."""
    if not head.strip():
        return "It is empty." if not head else "It has blank lines only."
    for magic, why in _OTHERS:
        if head.startswith(magic):
            return why
    if _HTML.match(head[:1024]):
        return "It is a web page (HTML): save the plain text of the log."
    if head[257:262] == b"ustar" or head.startswith(
        (b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
    ):
        return "It is an archive in an archive: unpack it first."
    if len(head.translate(None, _TEXT)) > _MOST_CONTROL * len(head) and not _LOG_LINE.search(head):
        return "It is binary data and no text."
    return ""
