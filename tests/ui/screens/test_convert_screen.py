"""Converting: the plan, the work, the result; and leaving each of them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from demo import screen_text
from driving import UI, press, settle
from textual.widgets import Input

from ckpt_tui.convert.request import Prepared
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.ui.app import ScreensApp
from ckpt_tui.ui.screens import convert
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.convert import ConvertScreen
from ckpt_tui.ui.widgets.key_line import KeyLine, chosen
from crafted import ARCHIVES, loaded
from keys import pair

DEMO = UI.parent / "demo"


class ConvertDemo(ScreensApp):
    """Plans the conversion of `target` at once, and keeps what the screen returned."""

    CSS_PATH = UI / "app.tcss"

    def __init__(self, target: str | Path, destination: str = "") -> None:
        super().__init__()
        self._target = str(target)
        self._destination = destination
        self.returned: list[bool | None] = []

    def on_mount(self) -> None:
        self.push_screen(ConvertScreen(self._target, self._destination), self.returned.append)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a checkpoint and the image that its container ran from."""
    monkeypatch.chdir(tmp_path)
    here = Path("here")
    here.mkdir()
    for name in ("web.tar.zst", "base-bb.oci.tar"):
        shutil.copy(DEMO / name, here / name)
    return here


@pytest.fixture
def store(folder: Path) -> Path:
    return Path("store")


def app_for(folder: Path, store: Path) -> ConvertDemo:
    return ConvertDemo(folder / "web.tar.zst", f"oci:{store}:web")


def key_line(app: ConvertDemo) -> list[str]:
    line = app.screen.query_one(KeyLine)
    return [key.word for key in chosen(line.keys(), 78)]


class Gate:
    """Holds the conversion until the test lets it go, or it hears that nobody wants it."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.ended = threading.Event()

        self.deaf = False
        """Whether it takes until the gate opens that it hears."""

    def wait(self, progress: Progress) -> None:
        self.entered.set()
        while not self.open.wait(0.005):
            if not self.deaf:
                progress.tick(0)
        self.ended.set()


async def reached(pilot: Any, gate: Gate) -> None:
    """Wait until the job stands at the gate."""
    while not gate.entered.is_set():
        await pilot.pause(0.01)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """The conversion waits at the gate."""
    gate = Gate()
    real = convert.run

    def slow(plan: Any, inputs: Any, progress: Progress) -> Any:
        gate.wait(progress)
        return real(plan, inputs, progress)

    monkeypatch.setattr(convert, "run", slow)
    yield gate
    gate.open.set()


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) if folder.exists() else []


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_plan_says_what_where_and_from_which_base(
    folder: Path, store: Path, size: tuple[int, int]
) -> None:
    app = app_for(folder, store)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        text = screen_text(app)
        for words in ("web.tar.zst", "the image of the dump", "Layers", "pages", "delta"):
            assert words in text
        assert not store.exists()


async def test_enter_writes_and_the_result_opens(folder: Path, store: Path) -> None:
    app = app_for(folder, store)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        text = screen_text(app)
        assert "✔ Written and verified in" in text
        assert "sha256:" in text
        assert key_line(app) == ["open it", "copy", "back", "help"]
        await press(pilot, "o")
        assert app.returned == [True]
        assert isinstance(app.screen, CheckpointScreen)
        assert "optimized" in screen_text(app)
        await press(pilot, "escape")
        assert not isinstance(app.screen, ConvertScreen)
    written, legacy = loaded(f"oci:{store}:web"), loaded(folder / "web.tar.zst")
    assert written.format.optimized
    assert written.processes == legacy.processes


async def test_escape_leaves_the_plan_and_nothing_is_written(folder: Path, store: Path) -> None:
    app = app_for(folder, store)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "escape")
        assert app.returned == [False]
    assert files_in(store) == []


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_stopping_the_work_leaves_nothing_behind(
    folder: Path, store: Path, running: Gate, key: str
) -> None:
    app = app_for(folder, store)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await reached(pilot, running)
        await pilot.pause()
        assert "esc cancels" in screen_text(app)
        await pilot.press(key)
        await settle(pilot)
        said = "Stopped; nothing was left behind on this machine. Enter plans it again."
        assert said in screen_text(app)
        assert files_in(store) == []
        await press(pilot, "escape")
        assert app.returned == [False]


async def test_a_stopped_conversion_can_be_planned_again(
    folder: Path, store: Path, running: Gate
) -> None:
    app = app_for(folder, store)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await reached(pilot, running)
        await pilot.press("escape")
        await settle(pilot)
        running.open.set()
        await press(pilot, "enter")
        assert "Layers" in screen_text(app)
        await press(pilot, "enter")
        assert "✔ Written and verified" in screen_text(app)


async def test_leaving_at_once_closes_the_source_only_when_the_work_has_ended(
    folder: Path, store: Path, running: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, after_the_work = threading.Event(), []
    real = convert.prepare

    def close() -> None:
        after_the_work.append(running.ended.is_set())
        closed.set()

    def watched(*words: Any, **more: Any) -> Prepared:
        prepared = real(*words, **more)
        prepared._with_source.callback(close)
        return prepared

    monkeypatch.setattr(convert, "prepare", watched)
    running.deaf = True
    app = app_for(folder, store)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await reached(pilot, running)
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert app.returned == [False]
        running.open.set()
        assert closed.wait(10)
    assert after_the_work == [True]
    assert files_in(store) == []


async def test_a_failure_while_writing_is_told_in_words(
    folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise CkptError("The disk is full.", "There is no room for 3 MiB.", "Make room.")

    monkeypatch.setattr(convert, "run", fail)
    app = app_for(folder, store)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        text = screen_text(app)
        for words in ("✖ The disk is full.", "There is no room", "Make room.", "Nothing was left"):
            assert words in text
        await press(pilot, "escape")
        assert app.returned == [False]


async def test_what_cannot_be_planned_says_why_and_can_be_left(tmp_path: Path) -> None:
    app = ConvertDemo(tmp_path / "nowhere.tar")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert "nowhere.tar cannot be read." in text
        await press(pilot, "enter")
        await press(pilot, "escape")
        assert app.returned == [False]


async def test_without_a_base_it_cannot_start_but_the_half_step_can(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lonely = tmp_path / "alone"
    lonely.mkdir()
    shutil.copy(DEMO / "web.tar.zst", lonely / "web.tar.zst")
    app = ConvertDemo(lonely / "web.tar.zst", f"oci:{store}:web")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "Cannot convert" in screen_text(app)
        await press(pilot, "enter")
        assert files_in(store) == []
        await press(pilot, "k")
        text = screen_text(app)
        assert "Cannot convert" not in text
        assert "not needed: no delta becomes a layer" in text
        await press(pilot, "enter")
        assert "✔ Written and verified" in screen_text(app)


async def test_target_base_and_repository_are_asked_for(folder: Path, tmp_path: Path) -> None:
    app = ConvertDemo(folder / "web.tar.zst")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "t", f"text:oci:{tmp_path}/there:x", "enter")
        assert f"oci:{tmp_path}/there:x" in screen_text(app).replace("\n", "")
        await press(pilot, "f", "text:registry.example/app/web", "enter")
        assert "registry.example/app/web" in screen_text(app)
        await press(pilot, "b", "text:/nowhere", "enter")
        assert "/nowhere cannot be read." in screen_text(app)
        await press(pilot, "t", "text:nonsense", "enter")
        assert "nonsense is not a place to write an image to." in screen_text(app)
        await press(pilot, "t")
        assert app.screen.query_one(Input).value == "nonsense"
        await press(pilot, "escape")
        assert isinstance(app.screen, ConvertScreen)


async def test_an_optimized_image_is_refused_in_words() -> None:
    app = ConvertDemo(DEMO / "counter-optimized.oci.tar")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "is in the optimized format already." in screen_text(app)


async def test_a_checkpoint_of_another_engine_is_planned(tmp_path: Path, store: Path) -> None:
    app = ConvertDemo(ARCHIVES / "cri-crio.tar", f"oci:{store}:x")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "CRI-O archive" in screen_text(app)


async def test_the_box_is_ticked_with_a_key_and_the_result_is_encrypted(
    folder: Path, store: Path, tmp_path: Path
) -> None:
    one = pair(tmp_path)
    app = ConvertDemo(folder / "web.tar.zst", f"oci:{store}:web")
    async with app.run_test(size=(120, 50)) as pilot:
        await settle(pilot)
        assert "[ ] no" in screen_text(app)
        await press(pilot, "E", f"text:{one.recipient}", "enter")
        text = screen_text(app)
        assert "[x]" in text
        assert "Stays readable" in text
        await press(pilot, "E")
        assert "[ ] no" in screen_text(app)
        await press(pilot, "E", f"text:{one.recipient}", "enter", "enter")
        assert "✔ Written and verified" in screen_text(app)
    stored = b"".join(path.read_bytes() for path in (store / "blobs/sha256").iterdir())
    assert b"+encrypted" in stored
