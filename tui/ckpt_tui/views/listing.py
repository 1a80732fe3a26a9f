"""Entries of the catalogue as rows: what `ls` prints and what the browser shows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from ckpt_tui.core.text import human_duration, printable, short_digest, some_bytes
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.views.table import Column, Row

PLACES = (Kind.FOLDER, Kind.LAYOUT, Kind.STORE)
"""Entries of a folder that only lead on, of which size and age say nothing."""

_WORDS = {Kind.LAYOUT: "OCI layout", Kind.CHECKPOINT: "CRIU images", Kind.STORE: "store"}


def what(entry: Entry) -> str:
    """Return what an entry is, in a word or two."""
    if entry.optimized or entry.content:
        return "optimized" if entry.optimized else entry.content
    if entry.problem:
        return "?"
    if entry.compression:
        return f"tar {entry.compression}".removesuffix(" plain")
    return _WORDS.get(entry.kind, "") if entry.parts is None else ""


def now() -> datetime:
    """Return what ages are counted from."""
    return datetime.now(UTC)


def age(entry: Entry, now: datetime) -> str:
    """Return how long ago it was created, empty where that is not known or to come."""
    if entry.created is None or entry.kind in PLACES:
        return ""
    seconds = (now - entry.created).total_seconds()
    return human_duration(seconds) if seconds >= 0 else ""


def digest(entry: Entry) -> str:
    return short_digest(entry.digest) if entry.digest else ""


def note(entry: Entry) -> str:
    """Return what is worth saying beside the name: the remark, or where it comes from."""
    if entry.problem is not None:
        return entry.problem.why or entry.problem.what
    if entry.note or entry.kind in (Kind.STORE, Kind.PART):
        return entry.note
    criu = f"CRIU {entry.criu}" if entry.criu else ""
    known = (entry.namespace, entry.engine, entry.container, entry.image, criu)
    return " ".join(part for part in dict.fromkeys(known) if part not in ("", entry.name))


Shown = tuple[Column, Callable[[Entry], str]]
"""One column of `ls`, and what it says of an entry."""


def _name(entry: Entry) -> str:
    return entry.name if entry.pod else f"{entry.namespace} {entry.name}".strip()


_NAME: Shown = (Column("NAME", share=2, least=12, shrink="middle"), _name)
_KIND: Shown = (Column("WHAT", width=17), lambda entry: entry.kind.value)
_WHAT: Shown = (Column("WHAT", width=10), what)
_ENGINE: Shown = (Column("ENGINE", width=10), lambda entry: entry.engine)
_CRIU: Shown = (Column("CRIU", width=7, optional=True), lambda entry: entry.criu)
_CONTAINER: Shown = (
    Column("CONTAINER", share=1, least=10, optional=True),
    lambda entry: entry.container,
)
_SIZE: Shown = (Column("SIZE", width=9, align="right"), lambda entry: some_bytes(entry.size))
_AGE: Shown = (
    Column("AGE", width=7, align="right", optional=True),
    lambda entry: age(entry, now()),
)
_DIGEST: Shown = (Column("DIGEST", width=12), digest)
_ROLE: Shown = (Column("ROLE", width=10), lambda entry: entry.role)
_TYPE: Shown = (Column("TYPE", share=1), lambda entry: entry.artifact_type)
_TARGET: Shown = (Column("TARGET", share=3, least=20, shrink="middle"), lambda entry: entry.target)

_POD: Shown = (Column("POD", share=1, least=8, optional=True), lambda entry: _pod(entry))
FOLDER = (_NAME, _WHAT, _ENGINE, _POD, _CONTAINER, _SIZE, _AGE)
IMAGES = (_NAME, _WHAT, _ENGINE, _CRIU, _CONTAINER, _SIZE, _AGE, _DIGEST)
STORE = (_NAME, _WHAT, _ENGINE, _CONTAINER, _SIZE, _AGE, _TARGET)
PARTS = (_DIGEST, _ROLE, _SIZE, _TYPE)
"""What `ls` shows of the entries of each kind of place."""


def _pod(entry: Entry) -> str:
    return f"{entry.namespace}/{entry.pod}".removesuffix("/").removeprefix("/")


def remark(entry: Entry) -> str:
    """Return why an entry is not described, or what is to be said of it."""
    return note(entry) if entry.problem or entry.note else ""


def said(verdicts: Sequence[str], entries: Sequence[Entry]) -> Shown:
    """Return the last column for entries of a folder: the verdicts, if they were checked, and what
    is to be said of the others."""
    texts = [text or remark(entry) for text, entry in zip(verdicts, entries, strict=True)]
    following = iter(texts)
    title = "VERDICT" if any(verdicts) else "NOTE" if any(texts) else ""
    return Column(title, share=2, least=12), lambda _entry: next(following)


def rows(shown: Iterable[Shown], entries: Iterable[Entry]) -> list[Row]:
    """Return a row for each entry."""
    texts = [text for _, text in shown]
    return [
        Row(number, tuple(printable(text(entry)) for text in texts))
        for number, entry in enumerate(entries)
    ]
