"""Decoded images as rows that are made when they are seen."""

from __future__ import annotations

import pytest

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu import decode
from ckpt_tui.criu.decode import DecodedImage, decode_image
from ckpt_tui.criu.render import FieldView
from ckpt_tui.criu.schema import mounts_pb2, process_pb2
from ckpt_tui.criu.values import Host
from ckpt_tui.views import decoded
from ckpt_tui.views.decoded import LEFT_OUT, DecodedRows
from ckpt_tui.views.field_text import value_text
from ckpt_tui.views.meanings import OPEN, SHUT
from ckpt_tui.views.table import plain
from crafted import IMAGES, image_of


def real(name: str) -> DecodedImage:
    path = IMAGES / name
    return decode_image(BytesWindow(path.read_bytes()), path.name, quiet())


def many(count: int) -> DecodedImage:
    entries = [process_pb2.pstree_entry(pid=pid, ppid=0, threads=[pid]) for pid in range(count)]
    return decode_image(BytesWindow(image_of("PSTREE", *entries)), "pstree.img", quiet())


def labels(rows: DecodedRows) -> list[str]:
    return [plain(rows[i].cells[0]).strip() for i in range(len(rows))]


def test_few_records_are_open_at_first() -> None:
    rows = DecodedRows(real("kinds/pstree.img"))
    found = labels(rows)
    assert found[0] == f"{OPEN} 0"
    assert found[1:5] == ["pid", "ppid", "pgid", "sid"]
    assert [label for label in found if label.startswith(OPEN)] == [
        f"{OPEN} 0",
        f"{OPEN} 1",
        f"{OPEN} 2",
        f"{OPEN} 3",
    ]


def test_a_record_of_an_unknown_kind_shows_its_fields() -> None:
    data = image_of("PSTREE", process_pb2.pstree_entry(pid=7, ppid=1))
    other = data[:4] + b"\x11\x22\x33\x44" + data[8:]
    rows = DecodedRows(decode_image(BytesWindow(other), "new-kind.img", quiet()))
    assert [plain(cell) for cell in rows[0].cells][1:] == ["2 fields without a name here", "bytes"]
    assert [plain(cell).strip() for cell in rows[1].cells] == ["#1", "7", "unknown"]


def test_every_row_is_where_its_key_says() -> None:
    for image in (real("kinds/core-1.img"), real("sockets/files.img"), many(100)):
        rows = DecodedRows(image)
        assert [rows.index_of(rows[i].key) for i in range(len(rows))] == list(range(len(rows)))


def test_of_many_records_only_the_first_is_open_until_it_is_asked_for() -> None:
    rows = DecodedRows(many(decoded.OPEN_AT_FIRST + 1))
    closed = len(rows)
    assert labels(rows)[:2] == [f"{OPEN} 0", "pid"]
    rows.toggle((7,))
    assert len(rows) > closed
    assert [rows.index_of(rows[i].key) for i in range(len(rows))] == list(range(len(rows)))
    index = rows.index_of((7,))
    assert index is not None
    assert plain(rows[index + 1].cells[1]) == "7"
    rows.toggle((7,))
    rows.toggle((0,))
    assert len(rows) == decoded.OPEN_AT_FIRST + 1
    assert all(label.startswith(SHUT) for label in labels(rows))


def test_a_message_in_a_record_opens_below_it() -> None:
    rows = DecodedRows(real("kinds/core-1.img"))
    key = rows[labels(rows).index(f"{SHUT} tc")].key
    before = len(rows)
    rows.toggle(key)
    index = rows.index_of(key)
    assert index is not None
    assert plain(rows[index + 1].cells[0]).strip() == "task_state"
    assert plain(rows[index + 1].cells[1]) == "running (1)"
    assert len(rows) > before
    entry = rows.entry_of(rows[index + 1].key)
    assert entry is rows.image.entries[0]
    rows.toggle(key)
    assert len(rows) == before


def test_a_program_opens_to_its_instructions() -> None:
    rows = DecodedRows(real("counter/seccomp.img"), Host(arch="x86_64"))
    for wanted in ("seccomp_filters[0]", "filter"):
        rows.toggle(rows[next(i for i, n in enumerate(labels(rows)) if n.endswith(wanted))].key)
    at = next(i for i, n in enumerate(labels(rows)) if n.strip() == f"{OPEN} filter")
    assert [plain(rows[at + i].cells[1]) for i in (0, 1)] == [
        "1,179 instructions",
        "A = architecture",
    ]
    assert plain(rows[at + 1].cells[2]) == "step"


def test_records_beyond_the_limit_are_counted_in_the_last_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decode, "MAX_KEPT_ENTRIES", 3)
    rows = DecodedRows(many(5))
    last = rows[len(rows) - 1]
    assert last.key == LEFT_OUT
    assert "2 more records" in plain(last.cells[1])
    assert rows.index_of(LEFT_OUT) == len(rows) - 1
    assert rows.entry_of(LEFT_OUT) is None
    rows.toggle(LEFT_OUT)


def test_a_key_of_another_image_is_nowhere() -> None:
    rows = DecodedRows(many(3))
    assert rows.index_of((99,)) is None
    assert rows.index_of(Ref.file(1, 2)) is None
    assert rows.index_of("x") is None


def test_fields_that_look_like_secrets_are_covered_until_revealed() -> None:
    mount = mounts_pb2.mnt_entry(options="rw,password=mellon,ro", mnt_id=7)
    rows = DecodedRows(
        decode_image(BytesWindow(image_of("MNTS", mount)), "mountpoints-1.img", quiet())
    )
    shown = "\n".join(plain(cell) for i in range(len(rows)) for cell in rows[i].cells)
    assert "password=••••••,ro" in shown
    assert "mellon" not in shown
    rows.reveal = True
    assert any("password=mellon,ro" in plain(rows[i].cells[1]) for i in range(len(rows)))


def test_bytes_that_look_like_secrets_are_covered_byte_by_byte() -> None:
    view = FieldView("raw", 1, b"token=abcd!".hex(" "), "bytes", data=b"token=abcd!")
    covered = value_text(view, reveal=False)
    assert covered == "74 6f 6b 65 6e 3d" + " ••" * 5
    assert value_text(view, reveal=True) == view.value_text
