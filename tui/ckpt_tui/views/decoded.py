"""A decoded image as rows: one for each record, its fields below it where it is open."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterator

from ckpt_tui.core.masks import masked
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import human_count, printable
from ckpt_tui.criu.decode import DecodedImage, Entry
from ckpt_tui.criu.render import FieldView, fields, summary
from ckpt_tui.criu.values import ANY_HOST, Host
from ckpt_tui.views.field_text import value_text
from ckpt_tui.views.meanings import OPEN, SHUT
from ckpt_tui.views.table import Column, Row

COLUMNS = (
    Column("FIELD", share=2, shrink="middle"),
    Column("VALUE", share=3),
    Column("TYPE", width=8, optional=True),
)

OPEN_AT_FIRST = 40
"""Records of an image that are shown open; with more of them only the first is."""

LEFT_OUT = "left out"
"""Key of the row with the number of records that were left out."""

Path = tuple[int, ...]
"""Which record, then which field in each message on the way down."""


class DecodedRows:
    """The rows of one image, made when they are seen. Only open records have lines for their
    fields, so an image of any number of records costs what is open."""

    def __init__(self, image: DecodedImage, host: Host = ANY_HOST) -> None:
        self.image, self._host = image, host
        self.reveal = False
        """Whether what looks like a secret is shown."""
        many = len(image.entries) > OPEN_AT_FIRST
        self._open: set[Path] = {(i,) for i in range(1 if many else len(image.entries))}
        self._fields: dict[int, list[tuple[Path, FieldView]]] = {}
        """Lines of each open record."""
        self._opened: list[int] = []
        """The records in `_fields`, ascending, and in `_places` the line of each."""
        self._places: list[int] = []
        self._length = 0
        for (record,) in tuple(self._open):
            self._fields[record] = list(self._walk(record))
        self._arrange()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int, /) -> Row:
        at = bisect_right(self._places, index) - 1
        record, line = index, 0
        if at >= 0:
            record, line = self._opened[at], index - self._places[at]
            below = len(self._fields[record])
            if line > below:
                record, line = record + line - below, 0
        if record >= len(self.image.entries):
            return self._left_out()
        if line:
            return self._field(*self._fields[record][line - 1])
        return self._record(record, self.image.entries[record])

    def index_of(self, key: Hashable, /) -> int | None:
        if key == LEFT_OUT and self.image.left_out:
            return self._length - 1
        record = _record_of(key)
        if record is None or record >= len(self.image.entries):
            return None
        at = bisect_right(self._opened, record) - 1
        if at < 0:
            start = record
        else:
            last = self._opened[at]
            below = len(self._fields[last]) if last < record else 0
            start = self._places[at] + record - last + below
        if key == (record,):
            return start
        lines = self._fields.get(record, ())
        return next((start + i for i, (path, _) in enumerate(lines, 1) if path == key), None)

    def toggle(self, key: Hashable) -> None:
        """Open or close the record or message of a row."""
        record = _record_of(key)
        if record is None or not isinstance(key, tuple):
            return
        self._open ^= {key}
        if (record,) in self._open:
            self._fields[record] = list(self._walk(record))
        else:
            self._fields.pop(record, None)
        self._arrange()

    def entry_of(self, key: Hashable) -> Entry | None:
        """Return the record that a row belongs to."""
        record = _record_of(key)
        return None if record is None else self.image.entries[record]

    def _arrange(self) -> None:
        self._opened = sorted(self._fields)
        self._places, lines = [], 0
        for record in self._opened:
            self._places.append(record + lines)
            lines += len(self._fields[record])
        self._length = len(self.image.entries) + lines + (1 if self.image.left_out else 0)

    def _walk(self, record: int) -> Iterator[tuple[Path, FieldView]]:
        message = self.image.entries[record].message
        if message is not None:
            yield from self._below((record,), fields(message, self._host))

    def _below(self, path: Path, views: tuple[FieldView, ...]) -> Iterator[tuple[Path, FieldView]]:
        for index, view in enumerate(views):
            inner = (*path, index)
            yield inner, view
            if inner in self._open:
                yield from self._below(inner, view.children)

    def _left_out(self) -> Row:
        text = f"{self.image.left_out:,} more records are not decoded: the bytes below have them"
        return Row(key=LEFT_OUT, cells=("  …", text, ""), meaning="muted")

    def _record(self, record: int, entry: Entry) -> Row:
        path = (record,)
        if entry.message is None:
            text: Styled | str = styled((printable(entry.problem) or "not decoded", "fails"))
        else:
            said = printable(summary(entry.message, self._host), reveal=self.reveal)
            text = masked(said, self.reveal)
        if self.image.kind is None and entry.unknown:
            text = f"{human_count(entry.unknown, 'field')} without a name here"
        mark = OPEN if path in self._open else SHUT
        extra = f", and {human_count(entry.extra[1], 'byte')} of data" if entry.extra[1] else ""
        is_known = self.image.kind is not None and entry.message is not None
        name = type(entry.message).__name__ if is_known else "bytes"
        label = styled(f"{mark} ", (f"{record}", "heading"))
        return Row(key=path, cells=(label, text if not extra else f"{text}{extra}", name))

    def _field(self, path: Path, view: FieldView) -> Row:
        opened = f"{OPEN} " if path in self._open else f"{SHUT} "
        mark = opened if view.has_children else "  "
        label = "  " * (len(path) - 1) + mark + printable(view.name)
        meaning = "unknown" if view.kind == "unknown" else ""
        value = value_text(view, self.reveal)
        return Row(key=path, cells=(label, value, view.kind), meaning=meaning)


def _record_of(key: Hashable) -> int | None:
    """Return the number of the record that a row's key is in."""
    return key[0] if isinstance(key, tuple) and key and isinstance(key[0], int) else None
