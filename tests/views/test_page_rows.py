"""The first page, the card, mounts, files and errors in words."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from ckpt_tui.checkpoint.model import Checkpoint, Mount, Note, OpenFile
from ckpt_tui.checkpoint.openfiles import Files
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.errors import CkptError
from ckpt_tui.views.facts import Section
from ckpt_tui.views.isolation import namespace_rows
from ckpt_tui.views.overview import (
    age,
    component_parts,
    format_line,
    overview_sections,
    short_reference,
    title_line,
)
from ckpt_tui.views.problem import problem_sections
from ckpt_tui.views.table import plain
from ckpt_tui.views.tables import (
    delta_rows,
    file_rows,
    mount_rows,
    socket_rows,
)
from crafted import ARCHIVES, DATA, IMAGES, loaded

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def web() -> Checkpoint:
    return loaded(DATA / "demo-web/web.tar.zst")


@pytest.fixture(scope="module")
def sockets() -> Checkpoint:
    return loaded(IMAGES / "sockets")


def texts(sections: list[Section]) -> dict[str, list[str]]:
    return {s.title: [f"{f.label}: {plain(f.value)}" for f in s.facts] for s in sections}


def test_the_first_page_answers_what_where_and_how_big(web: Checkpoint) -> None:
    found = texts(overview_sections(web, NOW))
    assert "name: web" in found["Container"]
    assert "command: sh /programs/web.sh" in found["Container"]
    assert "format: podman archive, zstd, legacy" in found["Dump"]
    assert any(line.startswith(": 4 processes") for line in found["Inside"])
    assert any("--tcp-established" in line for line in found["Inside"])
    assert found["Notes"] == []


def test_notes_beyond_a_few_are_counted(web: Checkpoint) -> None:
    notes = tuple(Note(f"x{i}\x1b", "bad") for i in range(20))
    found = texts(overview_sections(dataclasses.replace(web, notes=notes), NOW))["Notes"]
    assert len(found) == 9
    assert found[0] == ": ▲ x0\\x1b: bad"
    assert found[-1] == ": and 12 more"


def test_secrets_in_the_command_are_covered_on_the_first_page(web: Checkpoint) -> None:
    container = dataclasses.replace(web.container, command=("app", "--password", "hunter2"))
    found = texts(overview_sections(dataclasses.replace(web, container=container), NOW))
    assert "command: app --password ••••••" in found["Container"]


def test_ages_are_told_with_the_time() -> None:
    assert age(NOW - timedelta(hours=3), NOW) == "3 h ago (2026-12-01 09:00:00 UTC)"
    assert age(NOW + timedelta(hours=1), NOW) == "2026-12-01 13:00:00 UTC"
    assert age(None, NOW) == ""


def test_digests_in_references_are_cut() -> None:
    digest = "sha256:" + "ab" * 32
    assert short_reference(f"host/app@{digest}") == "host/app@abababababab"
    assert short_reference("host/app:1") == "host/app:1"


def test_the_title_fits_its_width(web: Checkpoint) -> None:
    named = dataclasses.replace(web, source="/a/very/long/path/" * 20 + "web\x1b.tar")
    for width in (40, 80, 120):
        line = title_line(named, None, width)
        assert line.plain.isprintable()
        assert width < 60 or line.width <= width
    assert "web\\x1b.tar" in title_line(named, None, 120).plain
    assert "checking …" in title_line(named, None, 120).plain


def test_components_have_their_colours(web: Checkpoint) -> None:
    parts = component_parts(web)
    assert [p.meaning for p in parts] == [p.label.replace("devshm", "volumes") for p in parts]
    assert sum(p.amount for p in parts) == web.sizes.plain


def test_the_format_is_one_line() -> None:
    assert format_line(loaded(ARCHIVES / "cri-crio.tar")) == "CRI-O archive, plain, legacy"


def test_mounts_stand_below_what_they_lie_on(web: Checkpoint) -> None:
    rows = mount_rows(web)
    cells = [str(row.cells[0]) for row in rows]
    assert cells[0] == "/"
    assert cells[1] == "  /dev"
    below_dev = cells[2 : cells.index("  /etc/hostname")]
    assert below_dev == ["    /dev/mqueue", "    /dev/pts", "    /dev/shm"]
    assert len(cells) == len(web.mounts)


def test_mounts_that_lie_on_each_other_are_each_shown_once(web: Checkpoint) -> None:
    def mount(number: int, parent: int) -> Mount:
        return Mount(number, parent, 1, f"/{number}", "/", "", "tmpfs")

    mounts = (mount(1, 2), mount(2, 1), mount(3, 3))
    shown = mount_rows(dataclasses.replace(web, mounts=mounts))
    assert sorted(row.key.ids[1] for row in shown) == [1, 2, 3]  # type: ignore[attr-defined]


def test_files_name_flags_and_how_many_share_them(
    web: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = OpenFile(1, 3, "regular", "/a\x1b", ("O_RDWR", "O_LARGEFILE"), deleted=True, sharers=70)
    monkeypatch.setattr(Files, "make", lambda _files, _number: one)
    row = file_rows(web)[0]
    assert [plain(cell) for cell in row.cells] == [
        *("1", "3", "regular", "/a\\x1b (deleted)", "+70", "RDWR"),
    ]


def test_sockets_name_their_other_end(sockets: Checkpoint) -> None:
    rows = {row.key: [plain(cell) for cell in row.cells] for row in socket_rows(sockets)}
    assert rows[Ref.socket(1, 4)][2:6] == [
        *("TCP", "ESTABLISHED", "127.0.0.1:37084", "127.0.0.1:8080"),
    ]
    assert rows[Ref.socket(1, 9)][5] == "1 fd 10"
    assert rows[Ref.socket(1, 10)][6] == "6 B"


def test_changes_and_namespaces_are_told(web: Checkpoint) -> None:
    changes = [[plain(cell).strip() for cell in row.cells] for row in delta_rows(web)]
    assert all(cells[0] == "+" for cells in changes)
    deleted = loaded(ARCHIVES / "cri-podman.tar")
    gone = [row for row in delta_rows(deleted) if plain(row.cells[1]) == "/etc/motd"]
    assert [plain(cell) for cell in gone[0].cells] == ["−", "/etc/motd", "", "", "deleted"]
    kinds = {str(r.cells[0]): str(r.cells[2]) for r in namespace_rows(web)}
    assert kinds["mnt"] == "dumped"
    assert kinds["user"] == "the host"


def test_an_error_is_three_sentences() -> None:
    error = CkptError("It\x1b failed.", "The disk is full.", "Make room.")
    found = texts(problem_sections(error))[""]
    assert found == [": ✖ It\\x1b failed.", ": The disk is full.", ": Make room."]
    assert len(texts(problem_sections(CkptError("x")))[""]) == 1
