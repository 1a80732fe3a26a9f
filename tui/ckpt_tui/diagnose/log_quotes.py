"""Lines of a log as engines, test tools and people quote them, brought back to CRIU's own form."""

from __future__ import annotations

import html
import re

_ESCAPED = re.compile(r"(?<!\\)\\++(?:r\\++)?n")
"""An escaped line end. A run of backslashes is tried once, so that a long one costs no more."""
_QUOTE_END = re.compile(r'"[\s},]*$')
_WRITTEN_BY_ENGINE = re.compile(r'msg="|\{"|: *"|level=', re.ASCII)
_ENTITY = re.compile(r"&(?:gt|lt|amp|quot|apos|nbsp|#\d{1,5}|#x[0-9a-f]{1,4});", re.IGNORECASE)
_TYPOGRAPHY = str.maketrans("\u2018\u2019\u201c\u201d\u00a0", "''\"\" ")
_PYTHON_BYTES = re.compile(r"""^(.{0,80}?)\bb(?P<quote>["'])(.*)(?P=quote)\s*$""")
_GLUED = re.compile(
    r"(?<![\s:])(?<!\d\)) {1,12}(?=\(\d{2,9}\.\d{6}\) |(?:\(\d{1,9}\.\d{4,6}\) ?)?(?:pie: ?)?"
    r"(?: {0,12}\d{1,10}: )?(?:Error|Warn) {0,2}\([\w./+-]{1,80}:\d)|"
    r"(?<=[a-z])(?=\(\d{2,9}\.\d{6}\) |(?:Error|Warn) {0,2}\([\w./+-]{1,80}:\d)",
    re.ASCII,
)
"""The space before a line of CRIU that goes on in the same line, not that behind its time; or
nothing, where CRIU forgot the line end."""

_MARKUP = re.compile(r"^\s*(?:>\s*)*(\*\*|`)")


def quoted_lines(text: str) -> list[str]:
    r"""Return the lines inside of one that an engine wrote.

    runc and podman log `msg="criu failed: …\nlog file: …"`, Docker answers in JSON: what CRIU
    wrote is in there with its line ends escaped. runc also quotes CRIU's log line by line, as
    `msg="123:(00.1) Error …"`.
    """
    if text.startswith("(") or not _WRITTEN_BY_ENGINE.search(text):
        return _unglued(text)
    parts = _ESCAPED.split(text) if "\\n" in text else [text]
    whole = (_QUOTE_END.sub("", p.replace('\\"', '"').replace("\\t", "\t")) for p in parts)
    return [line for part in whole for line in _unglued(part)]


def _unglued(text: str) -> list[str]:
    """Take apart lines whose ends were lost, as in titles and events."""
    if text.count("Error (") + text.count("Warn ") < 2:
        return [text]
    return _GLUED.split(text)


def unquoted(text: str) -> str:
    """Return a line without what a web page, a word processor, Markdown or Python put into it."""
    if not text.isascii():
        text = text.translate(_TYPOGRAPHY)
    if "&" in text and _ENTITY.search(text):
        text = html.unescape(text)
    if text.endswith(("'", '"')) and (quoted := _PYTHON_BYTES.match(text)):
        inside = quoted[3].replace("\\t", "\t").replace(f"\\{quoted['quote']}", quoted["quote"])
        return quoted[1] + inside
    if text.endswith(("`", "*")) and (markup := _MARKUP.match(text)):
        text = text.removesuffix(markup[1])
    return text
