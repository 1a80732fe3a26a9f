"""The tabs of a checkpoint: loaded, empty, filtered, followed, searched, saved."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from demo import screen_text
from driving import NAMESPACES, RECOVERED, TABS, press, shown
from textual.widgets import ContentSwitcher, Input

from ckpt_tui.checkpoint.items import Recovered
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.known_values import COVER
from ckpt_tui.core.progress import Progress
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.commands import active
from ckpt_tui.ui.panes.list_pane import ListPane
from ckpt_tui.ui.panes.memory import MemoryPane
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.panes.recovered import RecoveredPane
from ckpt_tui.ui.panes.table import TABS as PANE_TABS
from ckpt_tui.ui.panes.table import pane_number
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.pick import PickScreen
from ckpt_tui.ui.screens.view import ViewScreen
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views import choice
from ckpt_tui.views.links import Lead, users
from ckpt_tui.views.table import Row
from crafted import copied, first, rewrite


def screen(pilot: object) -> CheckpointScreen:
    found = pilot.app.screen  # type: ignore[attr-defined]
    assert isinstance(found, CheckpointScreen)
    return found


def pane(pilot: object) -> Pane:
    found = screen(pilot).pane
    assert found is not None
    return found


async def test_g_follows_a_link_and_escape_comes_back(data: Path) -> None:
    async with shown(data / "images/sockets", "4", "down", "g") as pilot:
        assert isinstance(pilot.app.screen, PickScreen)
        assert "TCP 127.0.0.1:8080 → 127.0.0.1:37084" in screen_text(pilot.app)
        await press(pilot, "enter")
        assert pane(pilot).current_key == Ref.socket(1, 5)
        await press(pilot, "g", "down", "enter")
        assert pane(pilot).current_key == Ref.file(1, 5)
        await press(pilot, "escape", "escape")
        assert pane(pilot).current_key == Ref.socket(1, 4)


async def test_a_pick_list_can_be_left(data: Path) -> None:
    async with shown(data / "images/sockets", "4", "down", "g", "escape") as pilot:
        assert pane(pilot).current_key == Ref.socket(1, 4)


async def test_links_among_very_many_descriptors_are_found_in_a_job(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def watched(*words: Any) -> Sequence[Lead]:
        threads.append(threading.current_thread())
        return users(*words)

    monkeypatch.setattr("ckpt_tui.ui.panes.pane.AT_ONCE", 10)
    monkeypatch.setattr("ckpt_tui.ui.panes.pane.users", watched)
    async with shown(data / "images/sockets", "4", "down", "u") as pilot:
        assert isinstance(pilot.app.screen, PickScreen)
        assert threads[0] is not threading.main_thread()
        await press(pilot, "enter")
        assert pane(pilot).current_key == Ref.socket(1, 5)


async def test_nobody_is_said_in_words(data: Path) -> None:
    async with shown(data / "images/sockets", "4", "u") as pilot:
        assert "No other object in this checkpoint refers to it." in pilot.app.said


async def test_a_filter_leaves_some_rows_and_says_how_many(data: Path) -> None:
    async with shown(data / "images/kinds", "3", "f", "text:memfd") as pilot:
        assert "4 of 52" in screen_text(pilot.app)
        await press(pilot, "enter", "down")
        assert pane(pilot).current_key == Ref.file(9, 10)
        await press(pilot, "escape")
        assert pane(pilot).current_key == Ref.file(9, 10)


async def test_a_link_into_a_filtered_list_drops_the_filter(data: Path) -> None:
    async with shown(data / "images/kinds", "3", "f", "text:memfd", "enter", "2", "down") as pilot:
        await press(pilot, "g")
        await press(pilot, *["down"] * 3, "enter")
        key = pane(pilot).current_key
        assert isinstance(key, Ref)
        assert key.kind == "file"


async def test_long_lists_are_chosen_in_a_job(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckpt_tui.ui.widgets.list_view.MANY", 10)
    assert choice.MANY > 10
    async with shown(data / "images/kinds", "3", "f", "text:memfd", "enter", "s", "S") as pilot:
        shown_pane = pane(pilot)
        assert isinstance(shown_pane, ListPane)
        assert [row.key for row in map(shown_pane.list_view.table.rows.__getitem__, range(4))] == [
            Ref.file(pid, 10) for pid in (11, 10, 9, 1)
        ]


async def test_what_a_long_filter_has_found_is_shown_meanwhile(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, seen, row_text = Event(), [], choice.row_text

    def waiting(row: Row) -> str:
        seen.append(row)
        if len(seen) > 20:
            allowed.wait(30)
        return row_text(row)

    async with shown(data / "images/kinds", "3", "f") as pilot:
        monkeypatch.setattr("ckpt_tui.ui.widgets.list_view.MANY", 10)
        monkeypatch.setattr("ckpt_tui.ui.widgets.list_view.FOUND_S", 0.05)
        monkeypatch.setattr(choice, "row_text", waiting)
        line = pilot.app.focused
        assert isinstance(line, Input)
        line.value = "memfd"
        async with asyncio.timeout(60):
            while "1 so far" not in screen_text(pilot.app):
                await pilot.pause(0.01)
        table = pane(pilot).query_one("#rows", VirtualTable)
        assert table.rows[0].key == Ref.file(1, 10)
        allowed.set()
        await press(pilot)
        assert "4 of 52" in screen_text(pilot.app)
        assert len(table.rows) == 4


async def test_search_goes_to_the_next_row_with_every_word(data: Path) -> None:
    async with shown(data / "images/kinds", "3", "slash", "text:eventfd", "enter") as pilot:
        assert pane(pilot).current_key == Ref.file(1, 3)
        await press(pilot, "n")
        assert pane(pilot).current_key == Ref.file(9, 3)
        await press(pilot, "N", "N")
        assert pane(pilot).current_key == Ref.file(11, 3)


async def test_problems_only_is_offered_in_every_list(data: Path) -> None:
    async with shown(data / "images/kinds", "2", "z") as pilot:
        assert "1 …" not in screen_text(pilot.app)
        assert len(screen(pilot).query_one("#pane-2 #rows").rows) > 0  # type: ignore[attr-defined]
        await press(pilot, "7", "z")
        assert "No problem here" in screen_text(pilot.app)
        await press(pilot, "9")
        assert "problems" not in active(screen(pilot))


async def test_every_key_that_is_offered_is_answered(data: Path) -> None:
    async with shown(data / "images/kinds") as pilot:
        for number, key in enumerate(TABS, 1):
            await press(pilot, key)
            shown_one = screen(pilot).query_one(ContentSwitcher).current
            assert shown_one == f"pane-{pane_number(PANE_TABS[number - 1])}"
            here = pane(pilot)
            assert pilot.app.focused in here.walk_children(), (
                "the keys of a tab work where the focus is"
            )
            for command, binding in active(screen(pilot)).items():
                name = binding.binding.action.removeprefix("app.").partition("(")[0]
                is_of_app = binding.binding.action.startswith("app.")
                kind = CkptApp if is_of_app else type(binding.node)
                assert hasattr(kind, f"action_{name}"), (here, command)


async def test_a_region_shows_its_bytes_and_what_is_missing(data: Path) -> None:
    async with shown(data / "images/counter", "5") as pilot:
        assert "addresses" in screen_text(pilot.app)
        await press(pilot, "end", "enter")
        text = screen_text(pilot.app)
        assert "not dumped" in text
        assert "KIND" not in text
        await press(pilot, "escape")
        assert "KIND" in screen_text(pilot.app)


async def test_memory_is_searched_and_matches_are_shown(data: Path) -> None:
    async with shown(data / "images/counter", "5", "slash", "text:PATH=", "enter") as pilot:
        here = pane(pilot)
        assert isinstance(here, MemoryPane)
        assert here.has_class("-found")
        assert "CONTEXT" in screen_text(pilot.app)
        assert "PATH=/" in screen_text(pilot.app)
        first = here.bytes.place
        await press(pilot, "n", "enter")
        assert here.has_class("-hex")
        assert here.bytes.has_focus
        assert first is not None
        await press(pilot, "escape", "escape")
        assert not here.has_class("-found")


async def test_secrets_in_memory_are_covered_until_r(data: Path) -> None:
    keys = ("5", "slash", "text:*SECRET_TOKEN", "enter", "enter")
    async with shown(data / "demo-web/web.tar.zst", *keys) as pilot:
        here = pane(pilot)
        assert isinstance(here, MemoryPane)
        assert "54 4f 4b 45 4e 3d •• ••" in screen_text(pilot.app)
        lines = [line for line in here.page_lines() if "TOKEN=" in line]
        assert lines
        assert "hunter" not in "".join(lines)
        await press(pilot, "r")
        assert "54 4f 4b 45 4e 3d 68 75" in screen_text(pilot.app)
        assert "TOKEN=hunter2-de" in screen_text(pilot.app)


async def test_a_search_in_vain_leaves_what_was_found_before(data: Path) -> None:
    keys = ("5", "slash", "text:*TOKEN", "enter")
    async with shown(data / "demo-web/web.tar.zst", *keys) as pilot:
        memory = pane(pilot)
        assert isinstance(memory, MemoryPane)
        before = len(memory.found.table.rows)
        assert before > 1
        await press(pilot, "slash", "text:*zzzzqqq", "enter")
        assert "no place in" in pilot.app.said
        await press(pilot, "down")
        assert len(memory.found.table.rows) == before
        assert memory.found.table.cursor == 1
        await press(pilot, "n")
        assert memory.found.table.cursor == 2


async def test_a_search_that_is_none_is_said(data: Path) -> None:
    async with shown(data / "images/counter", "5", "slash", "text:re:(", "enter") as pilot:
        assert "Invalid regular expression" in pilot.app.said
        await press(pilot, "slash", "text:nowhere to be found", "enter")
        assert "no place in" in pilot.app.said


@pytest.mark.parametrize(
    ("name", "key", "image", "field"),
    [
        ("Mounts", Ref.mount(13, 57), "mountpoints-13.img", "options"),
        ("Namespaces and cgroups", Ref.namespace("uts", 12), "utsns-12.img", "nodename"),
    ],
)
async def test_secrets_of_mounts_and_namespaces_are_covered_until_r(
    tmp_path: Path, name: str, key: tuple[object, ...], image: str, field: str
) -> None:
    images = copied("counter", tmp_path)
    rewrite(images / image, first(lambda one: setattr(one, field, "me,password=mellon")))
    async with shown(images) as pilot:
        screen(pilot).action_show_pane(pane_number(name), key)
        await press(pilot)
        assert pane(pilot).current_key == key
        assert f"password={COVER}" in screen_text(pilot.app)
        assert "mellon" not in screen_text(pilot.app)
        await press(pilot, "r")
        assert "password=mellon" in screen_text(pilot.app)


async def test_an_address_is_gone_to(data: Path) -> None:
    async with shown(data / "images/counter", "5") as pilot:
        here = pane(pilot)
        assert isinstance(here, MemoryPane)
        region = here.checkpoint.memory[0].regions[5]
        await press(pilot, "a", f"text:{region.start + 0x40:x}", "enter")
        assert here.current_key == Ref.region(region.pid, region.start)
        assert here.bytes.place == 0x40
        await press(pilot, "a", "text:3", "enter")
        assert "No region of process" in pilot.app.said


async def test_recovered_data_is_viewed_as_text_and_saved(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "saved"
    async with shown(data / "images/kinds", *RECOVERED) as pilot:
        assert "/tmp/ghost" in screen_text(pilot.app)
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, ViewScreen)
        assert "gone but opengone" in screen_text(pilot.app)
        await press(pilot, "x")
        assert pilot.app.screen.query_one(HexView).has_focus
        await press(pilot, "escape", "w", f"text:{target}", "enter")
        assert target.read_bytes() == b"gone but open" * 100
        assert "SHA-256" in pilot.app.said
        await press(pilot, "w", f"text:{target}", "enter")
        assert "is there already" in pilot.app.said


async def test_recovered_leads_to_who_holds_it(data: Path) -> None:
    async with shown(data / "images/kinds", *RECOVERED, "g", "enter") as pilot:
        assert pane(pilot).current_key == Ref.file(1, 12)


async def test_recovered_tells_who_uses_it(data: Path) -> None:
    async with shown(data / "images/kinds", *RECOVERED, "u") as pilot:
        assert "Used by (4)" in screen_text(pilot.app)
        await press(pilot, "enter")
        assert pane(pilot).current_key == Ref.file(1, 12)


async def test_a_deleted_file_leads_to_what_was_in_it(data: Path) -> None:
    async with shown(data / "images/kinds", "3", "/", "text:ghost", "enter", "g") as pilot:
        assert "its contents, from ghost-file-1.img" in screen_text(pilot.app)
        await press(pilot, "enter")
        here = pane(pilot)
        assert isinstance(here, RecoveredPane)
        assert here.item is not None
        assert here.item.source == "ghost-file-1.img"
        await press(pilot, "escape")
        assert pane(pilot).current_key == Ref.file(1, 12)
        await press(pilot, "g", "enter")
        assert pane(pilot) is here


async def test_what_is_gone_to_before_it_is_found_is_shown_once_it_is(data: Path) -> None:
    async with shown(data / "images/kinds") as pilot:
        screen(pilot).action_show_pane(
            pane_number("Recovered"), Ref.recovered("pagemap-shmem-2046.img")
        )
        await press(pilot)
        here = pane(pilot)
        assert isinstance(here, RecoveredPane)
        assert here.item is not None
        assert here.item.source == "pagemap-shmem-2046.img"
    async with shown(data / "images/kinds") as pilot:
        screen(pilot).action_show_pane(pane_number("Recovered"), Ref.recovered("ghost-file-99.img"))
        await press(pilot)
        assert "not among what was found" in pilot.app.said


async def test_nothing_recovered_is_said_in_words(data: Path) -> None:
    async with shown(data / "images/counter", *RECOVERED) as pilot:
        assert "No data outside of memory" in screen_text(pilot.app)


async def test_looking_can_be_stopped_and_begun_anew(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def endless(*arguments: object) -> Recovered:
        asked.append(arguments)
        progress = arguments[-1]
        assert isinstance(progress, Progress)
        while len(asked) == 1:
            progress.tick()
        return Recovered()

    monkeypatch.setattr("ckpt_tui.ui.panes.recovered.recover", endless)
    async with shown(data / "images/counter") as pilot:
        await press(pilot, "3")
        await pilot.press("right_square_bracket")
        while not asked:
            await pilot.pause(0.01)
        await pilot.press("escape")
        await press(pilot)
        assert "Stopped" in screen_text(pilot.app)
        await press(pilot, "1", "3")
        assert "No data outside of memory" in screen_text(pilot.app)


async def test_a_changed_file_is_shown(data: Path) -> None:
    async with shown(data / "archives/counter.tar.zst", "6") as pilot:
        here = pane(pilot)
        number = next(
            n for n, e in enumerate(here.checkpoint.delta.entries) if e.path == "/tmp/count"
        )
        here.go_to(Ref.delta(number))
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, ViewScreen)
        assert "/tmp/count" in screen_text(pilot.app)
        await press(pilot, "escape")
        assert pane(pilot) is here


async def test_a_hard_link_shows_the_bytes_of_its_target(data: Path) -> None:
    async with shown(data / "archives/rootfs.tar.zst", "6") as pilot:
        here = pane(pilot)
        number, entry = next(
            (n, e) for n, e in enumerate(here.checkpoint.delta.entries) if e.kind == "hard link"
        )
        here.go_to(Ref.delta(number))
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, ViewScreen)
        assert pilot.app.screen._window.size > 0, entry


async def test_an_image_without_records_is_shown_in_lines(data: Path) -> None:
    async with shown(data / "images/kinds", "8") as pilot:
        here = pane(pilot)
        here.go_to(Ref.image("descriptors.json"))
        await press(pilot)
        assert '"/dev/null",' in screen_text(pilot.app)
        here.go_to(Ref.image("pages-2.img"))
        await press(pilot)
        assert "enter says whose" in screen_text(pilot.app)
        await press(pilot, "enter")
        assert "a shared object, pagemap-shmem-2045.img" in screen_text(pilot.app)
        here.go_to(Ref.image("tmpfs-dev-50.tar.gz.img"))
        await press(pilot)
        assert "stdin -> /proc/self" in screen_text(pilot.app)


async def test_secrets_are_covered_until_r(data: Path) -> None:
    async with shown(data / "demo-web/web.tar.zst", "2", "down", "enter") as pilot:
        here = pane(pilot)
        process = next(p for p in here.checkpoint.processes if p.env)
        here.go_to(process.pid)
        await press(pilot)
        covered = [line for line in here.page_lines() if "••••••" in line]
        assert covered
        await press(pilot, "r")
        assert not [line for line in here.page_lines() if "••••••" in line]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_no_tab_is_empty(data: Path, size: tuple[int, int]) -> None:
    async with shown(data / "images/counter", size=size) as pilot:
        for key in TABS:
            await press(pilot, key)
            lines = screen_text(pilot.app).split("\n")
            body = "".join(lines[2:-1]).replace("│", "").strip()
            assert len(body) > 20, key


async def test_namespaces_lead_to_who_is_in_them_and_back(data: Path) -> None:
    async with shown(data / "images/kinds", *NAMESPACES) as pilot:
        assert "root in cgroup2" in screen_text(pilot.app)
        await press(pilot, "f", "text:uts", "enter")
        assert pane(pilot).current_key == Ref.namespace("uts", 12)
        assert "nodename" in screen_text(pilot.app)
        await press(pilot, "g", "down", "enter")
        assert pane(pilot).current_key == Ref.process(9)
        await press(pilot, "u", "escape", "escape")
        assert pane(pilot).current_key == Ref.namespace("uts", 12)


async def test_a_tab_shows_the_list_that_was_shown_there_last(data: Path) -> None:
    async with shown(data / "images/kinds", "7") as pilot:
        assert "Namespaces and cgroups" in screen_text(pilot.app)
        assert pane(pilot).id == f"pane-{pane_number('Mounts')}"
        await press(pilot, "right_square_bracket", "1", "7")
        assert pane(pilot).id == f"pane-{pane_number('Namespaces and cgroups')}"
        await press(pilot, "left_square_bracket", "left_square_bracket")
        assert pane(pilot).id == f"pane-{pane_number('Seccomp filters')}"
        await press(pilot, "2", "right_square_bracket")
        assert pane(pilot).id == f"pane-{pane_number('Processes')}", (
            "a tab with one list has no other"
        )


async def test_seccomp_filters_lead_to_their_processes(data: Path) -> None:
    async with shown(data / "images/kinds", "7", "left_square_bracket") as pilot:
        rows = pane(pilot).list_view.table.rows
        assert len(rows) >= 1
        assert "system call" in screen_text(pilot.app)
        await press(pilot, "u", "enter")
        key = pane(pilot).current_key
        assert isinstance(key, Ref)
        assert key.kind in ("process", "image")
