"""Opening a checkpoint: while it loads, when it fails, when nobody wants it any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from demo import screen_text
from driving import CheckpointDemo, press, settle, shown

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats import opened as formats
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.panes.table import TABS, pane_number
from ckpt_tui.ui.screens import reading
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.widgets.job_bar import JobBar
from crafted import ARCHIVES, DATA

COUNTER = ARCHIVES / "counter.tar.zst"
WEB = DATA / "demo-web/web.tar.zst"


class Gate:
    """Holds a job until the test lets it go; then it hears whether it is still wanted."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()

    def wait(self, progress: Progress) -> None:
        self.entered.set()
        while not self.open.wait(0.005):
            progress.tick(0)


@pytest.fixture
def gate() -> Iterator[Gate]:
    found = Gate()
    yield found
    found.open.set()


@pytest.fixture
def opening(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Opening waits at the gate."""
    real = formats.open_checkpoint

    def slow(target: str, progress: Progress, **more: Any) -> Any:
        gate.wait(progress)
        return real(target, progress, **more)

    monkeypatch.setattr(reading, "open_checkpoint", slow)
    return gate


@pytest.fixture
def checking(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """The checks wait at the gate."""
    real = reading.diagnose_opened

    def slow(opened: Any, found: Any, progress: Progress, *more: Any) -> Any:
        gate.wait(progress)
        return real(opened, found, progress, *more)

    monkeypatch.setattr(reading, "diagnose_opened", slow)
    return gate


async def reached(pilot: Any, gate: Gate) -> None:
    """Wait until the job stands at the gate."""
    while not gate.entered.is_set():
        await pilot.pause(0.01)
    await pilot.pause()


def screen(pilot: Any) -> CheckpointScreen:
    found = pilot.app.screen
    assert isinstance(found, CheckpointScreen)
    return found


async def test_loading_shows_what_is_opened_and_how_to_stop_it(opening: Gate) -> None:
    app = CheckpointDemo(COUNTER)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "Opening" in text
        assert "esc cancels" in text
        assert app.screen.query_one(JobBar).display
        opening.open.set()
        await settle(pilot)
        assert "podman archive" in screen_text(app).split("\n")[0]


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_a_key_ends_the_opening_and_goes_back(opening: Gate, key: str) -> None:
    app = CkptApp([str(COUNTER)], ARCHIVES)
    async with app.run_test(size=(120, 40)) as pilot:
        await reached(pilot, opening)
        await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, BrowseScreen)
        await settle(pilot)
        assert isinstance(app.screen, BrowseScreen)


async def test_the_name_of_a_file_is_harmless_while_it_is_opened(opening: Gate) -> None:
    app = CheckpointDemo("/x\x1b]0;PWN\x07[red]")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert all(line.isprintable() for line in text.split("\n"))
        assert "[red]" in text.split("\n")[0]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_cannot_be_opened_is_told_in_words(size: tuple[int, int]) -> None:
    async with shown("/nowhere.tar", size=size) as pilot:
        text = screen_text(pilot.app)  # type: ignore[arg-type]
        assert "✖ /nowhere.tar cannot be read." in text
        assert "There is no such file or folder." in text
        for key in ("1", "0", "f", "s", "y", "r", "enter", "u", "question_mark", "escape"):
            await press(pilot, key)
        assert "Traceback" not in screen_text(pilot.app)  # type: ignore[arg-type]


async def test_escape_leaves_what_could_not_be_opened() -> None:
    app = CkptApp(["/nowhere.tar"], ARCHIVES)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "escape")
        assert isinstance(app.screen, BrowseScreen)


async def test_keys_1_to_0_show_the_tabs() -> None:
    async with shown(COUNTER) as pilot:
        for number in range(1, 11):
            await press(pilot, str(number % 10))
            pane = screen(pilot).pane
            assert pane is not None
            assert pane.id == f"pane-{pane_number(TABS[number - 1])}"
            assert TABS[number - 1] in screen_text(pilot.app)  # type: ignore[arg-type]


async def test_escape_in_the_first_tab_goes_back() -> None:
    app = CkptApp([str(COUNTER)], ARCHIVES)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "escape")
        assert isinstance(app.screen, BrowseScreen)


async def test_the_verdict_comes_when_the_checks_are_done(checking: Gate) -> None:
    app = CheckpointDemo(WEB)
    async with app.run_test(size=(120, 40)) as pilot:
        await reached(pilot, checking)
        await pilot.press("0")
        await pilot.pause()
        text = screen_text(app)
        assert "checking …" in text.split("\n")[0]
        assert "Checking …" in text
        checking.open.set()
        await settle(pilot)
        text = screen_text(app)
        assert "restore failed" in text.split("\n")[0]
        assert "It failed because" in text


async def test_checks_that_were_stopped_say_so(checking: Gate) -> None:
    app = CheckpointDemo(WEB)
    async with app.run_test(size=(120, 40)) as pilot:
        await reached(pilot, checking)
        await pilot.press("0")
        await pilot.pause()
        await pilot.press("escape")
        await settle(pilot)
        text = screen_text(app)
        assert "not checked" in text.split("\n")[0]
        assert "The checks were stopped" in text
        assert isinstance(app.screen, CheckpointScreen)


async def test_leaving_while_it_is_checked_goes_back_once(checking: Gate) -> None:
    app = CkptApp([str(WEB)], ARCHIVES)
    async with app.run_test(size=(120, 40)) as pilot:
        await reached(pilot, checking)
        await pilot.press("q")
        await settle(pilot)
        assert isinstance(app.screen, BrowseScreen)


async def test_checks_that_failed_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise CkptError("The disk is gone.", "It was pulled out.", "Put it back.")

    monkeypatch.setattr(reading, "diagnose_opened", fail)
    async with shown(WEB, "0") as pilot:
        text = screen_text(pilot.app)  # type: ignore[arg-type]
        assert "not checked" in text.split("\n")[0]
        assert "The disk is gone." in text


async def test_the_diagnosis_names_reason_proof_and_cure() -> None:
    async with shown(WEB, "0") as pilot:
        text = screen_text(pilot.app)  # type: ignore[arg-type]
        assert "It failed because" in text
        assert "tcp-established" in text
        await press(pilot, "y")
        assert "--tcp-established" in pilot.app.clipboard


async def test_a_checkpoint_without_faults_says_that_nothing_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "this_host", lambda: None)
    async with shown(COUNTER, "0") as pilot:
        text = screen_text(pilot.app)  # type: ignore[arg-type]
        assert "intact" in text.split("\n")[0]


async def test_the_first_page_says_what_it_is() -> None:
    async with shown(WEB) as pilot:
        text = screen_text(pilot.app)  # type: ignore[arg-type]
        for words in ("web", "localhost/bb:1", "podman archive, zstd", "4 processes", "x86_64"):
            assert words in text


async def test_help_shows_the_keys_and_escape_comes_back() -> None:
    app = CkptApp([str(COUNTER)], ARCHIVES)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "question_mark")
        assert "Sort by the next column" in screen_text(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, CheckpointScreen)


async def test_closing_lets_go_of_the_files() -> None:
    app = CkptApp([str(COUNTER)], ARCHIVES)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        opened = screen(pilot).opened
        assert opened is not None
        closed: list[bool] = []
        real = opened.close
        opened.close = lambda: closed.append(True) or real()  # type: ignore[method-assign, func-returns-value]
        await press(pilot, "q")
        assert closed == [True]
