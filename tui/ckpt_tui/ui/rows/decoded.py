"""A decoded image as rows: one for each record, its fields below it where it is open."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from rich.text import Text

from ckpt_tui.core.text import printable
from ckpt_tui.criu.decode import DecodedImage, Entry
from ckpt_tui.criu.render import FieldView, fields, summary
from ckpt_tui.ui.rows.meanings import OPEN, SHUT
from ckpt_tui.ui.rows.table import Column, Row

COLUMNS = (
    Column("FIELD", share=2, shrink="middle"),
    Column("VALUE", share=3),
    Column("TYPE", width=8, optional=True),
)

OPEN_AT_FIRST = 40
"""Records of an image that are shown open; with more of them only the first is."""

Path = tuple[int, ...]
"""Which record, then which field in each message on the way down."""


class DecodedRows:
    """The rows of one image. Only open records have rows for their fields."""

    def __init__(self, image: DecodedImage) -> None:
        self.image = image
        many = len(image.entries) > OPEN_AT_FIRST
        self._open: set[Path] = {(i,) for i in range(1 if many else len(image.entries))}
        self._lines: list[tuple[Path, Row]] = []
        self._places: dict[Hashable, int] = {}
        self._refill()

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int, /) -> Row:
        return self._lines[index][1]

    def index_of(self, key: Hashable, /) -> int | None:
        return self._places.get(key)

    def toggle(self, key: Hashable) -> None:
        """Open or close the record or message of a row."""
        if isinstance(key, tuple):
            self._open ^= {key}
            self._refill()

    def entry_of(self, key: Hashable) -> Entry | None:
        """Return the record that a row belongs to."""
        return self.image.entries[key[0]] if isinstance(key, tuple) else None

    def _refill(self) -> None:
        self._lines = list(self._walk())
        self._places = {path: i for i, (path, _) in enumerate(self._lines)}

    def _walk(self) -> Iterator[tuple[Path, Row]]:
        for index, entry in enumerate(self.image.entries):
            path = (index,)
            yield path, self._record(path, entry)
            if path in self._open and entry.message is not None:
                yield from self._fields(path, fields(entry.message))

    def _fields(self, path: Path, views: tuple[FieldView, ...]) -> Iterator[tuple[Path, Row]]:
        for index, view in enumerate(views):
            below = (*path, index)
            yield below, self._field(below, view)
            if below in self._open:
                yield from self._fields(below, view.children)

    def _record(self, path: Path, entry: Entry) -> Row:
        if entry.message is None:
            text: Text | str = Text(printable(entry.problem) or "not decoded", "fails")
        else:
            text = printable(summary(entry.message))
        mark = OPEN if path in self._open else SHUT
        extra = f", and {entry.extra[1]} bytes of its own" if entry.extra[1] else ""
        name = type(entry.message).__name__ if entry.message is not None else "bytes"
        label = Text.assemble(f"{mark} ", (f"{path[0]}", "heading"))
        return Row(key=path, cells=(label, text if not extra else f"{text}{extra}", name))

    def _field(self, path: Path, view: FieldView) -> Row:
        branch = view.kind == "message"
        mark = (f"{OPEN} " if path in self._open else f"{SHUT} ") if branch else "  "
        label = "  " * (len(path) - 1) + mark + printable(view.name)
        meaning = "unknown" if view.kind == "unknown" else ""
        return Row(key=path, cells=(label, printable(view.value_text), view.kind), meaning=meaning)
