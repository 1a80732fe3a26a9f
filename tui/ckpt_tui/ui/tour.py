"""The demonstration: the program on real checkpoints, and a walk through it with one key.

Every step drives the screens themselves and puts them into one state, wherever they were before;
so one can go back, look round, and go on. Nothing is shown that was not just worked out.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.config import Config
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.jobs import JobHost
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.widgets.key_line import KeyLine

if TYPE_CHECKING:  # these screens cost 200 ms, which the first frame need not wait for
    from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
    from ckpt_tui.ui.screens.convert import ConvertScreen

PATIENCE_S = 60.0
"""Seconds that a step waits for a screen to have worked out what it shows."""

PAUSE_S = 0.02
"""Seconds between two looks at whether it has."""

KEYS = " n next   p back   esc ends the tour "


class TourPanel(Widget):
    """What this step shows, above the key line."""

    DEFAULT_CSS = """
    TourPanel {
        height: auto; max-height: 4; background: $panel; padding: 0 1;
        border-top: heavy $accent; border-title-color: $accent; border-title-style: bold;
    }
    TourPanel Static { height: auto; color: $strong; }
    """

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._text = text
        self.border_title = Content.assemble(f"{title} ", (KEYS, "not bold $muted"))

    def compose(self) -> ComposeResult:
        yield Static(Content(self._text))


@dataclass(frozen=True, slots=True)
class Step:
    """One stop; `show` brings the screens there."""

    title: str
    text: str
    show: Callable[[DemoApp], Awaitable[None]]


class DemoApp(CkptApp):
    """The app on the bundled checkpoints, with the tour over it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,right", "tour(1)", "Next stop", show=False, priority=True),
        Binding("p,left", "tour(-1)", "Stop before", show=False, priority=True),
        Binding("escape", "end_tour", "End the tour", show=False, priority=True),
    ]

    def __init__(self, folder: Path, settings: Config | None = None) -> None:
        super().__init__((), folder, "demo checkpoints", settings)
        self.demo = folder
        self.stop = -1
        """Index of the step that is shown; -1 before the first and after the end."""
        self._made: tempfile.TemporaryDirectory[str] | None = None

    @property
    def made(self) -> Path:
        """Folder for what the tour converts; it goes with the program."""
        if self._made is None:
            self._made = tempfile.TemporaryDirectory(prefix="ckpt-tui-demo-")
        return Path(self._made.name)

    def on_mount(self) -> None:
        self.show_stop(0)  # Textual calls the handler of `CkptApp`, too

    def on_unmount(self) -> None:
        if self._made is not None:
            self._made.cleanup()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys to the screens when no tour is on, or a line is being typed."""
        if action in ("tour", "end_tour"):
            return self.stop >= 0 and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    async def action_tour(self, direction: int) -> None:
        number = self.stop + direction
        if number >= len(STEPS):
            await self.action_end_tour()
        elif number >= 0:
            self.stop = number  # the worker begins later: the next key counts from here
            self.show_stop(number)

    async def action_end_tour(self) -> None:
        """Take the panel away; everything stays where it is, to look round."""
        self.stop = -1
        self.workers.cancel_group(self, "tour")
        await self._remove_panels()
        self.notify("Look round: ? shows the keys, esc goes back, q quits.", markup=False)

    async def _remove_panels(self) -> None:
        for screen in self.screen_stack:
            await screen.query(TourPanel).remove()

    @work(exclusive=True, group="tour")
    async def show_stop(self, number: int) -> None:
        """Bring the screens to a step, then tell what is to be seen."""
        self.stop = number
        step = STEPS[number]
        await step.show(self)
        await self._remove_panels()
        lines = self.screen.query(KeyLine)
        title = f"{number + 1} of {len(STEPS)}  {step.title}"
        await self.screen.mount(
            TourPanel(title, step.text), before=lines.first() if lines else None
        )

    # What steps do

    async def browser(self) -> None:
        """Close everything over the browser."""
        await self.until(lambda: len(self.screen_stack) > 1 and self.screen.is_mounted)
        while len(self.screen_stack) > 2:
            await self.pop_screen()
        await self.idle()

    async def idle(self) -> None:
        """Wait until the present screen's jobs are done."""
        nodes = self.screen.walk_children(with_self=True)
        hosts = [node for node in nodes if isinstance(node, JobHost)]
        await self.until(lambda: not any(host.job_running for host in hosts))

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait for something, but not for ever."""
        for _ in range(int(PATIENCE_S / PAUSE_S)):
            if ready():
                return
            await asyncio.sleep(PAUSE_S)

    async def open(self, screen: Screen[Any]) -> None:
        """Show a screen over the browser alone."""
        await self.browser()
        await self.push_screen(screen)
        await self.idle()

    async def tab(self, name: str, tab: str, key: Hashable = None) -> CheckpointScreen:
        """Show a tab of one of the bundled checkpoints, which may be open already."""
        from ckpt_tui.ui.panes.table import pane_number
        from ckpt_tui.ui.screens.checkpoint import CheckpointScreen

        target = str(self.demo / name)
        while len(self.screen_stack) > 3:
            await self.pop_screen()
        screen: Screen[Any] = self.screen
        if not isinstance(screen, CheckpointScreen) or screen.target != target:
            screen = CheckpointScreen(target)
            await self.open(screen)
        await self.until(lambda: screen.pane is not None)
        await screen.action_show_pane(pane_number(tab), key).wait()
        await self.idle()
        return screen


async def _checkpoints(app: DemoApp) -> None:
    await app.browser()
    screen: Screen[Any] = app.screen
    if isinstance(screen, BrowseScreen):
        screen.put_cursor(str(app.demo / "web.tar.zst"))


async def _overview(app: DemoApp) -> None:
    await app.tab("web.tar.zst", "Overview")


async def _secret(app: DemoApp, *, reveal: bool = False) -> None:
    screen = await app.tab("web.tar.zst", "Processes", Ref.process(1))
    if screen.switcher.reveals != reveal:
        screen.switcher.action_reveal()
    if screen.pane is not None and screen.has_class("-narrow"):
        await screen.pane.run_action("open")


async def _revealed(app: DemoApp) -> None:
    await _secret(app, reveal=True)


async def _deleted_file(app: DemoApp) -> None:
    screen = await app.tab("web.tar.zst", "Recovered")
    pane = screen.pane
    assert pane is not None
    await app.until(lambda: not pane.list_view.job_running)
    await pane.run_action("open")
    await app.until(lambda: app.screen is not screen or pane.has_class("-detail"))


async def _diagnosis(app: DemoApp) -> None:
    await app.tab("web.tar.zst", "Diagnosis")


async def _ways(app: DemoApp) -> None:
    from ckpt_tui.ui.screens.formats import FormatsScreen

    screen = FormatsScreen(str(app.demo / "counter.tar.zst"))
    await app.open(screen)
    screen.action_measure()
    await app.until(lambda: not screen.job_running and not screen.measuring)


def _convert_screen(app: DemoApp) -> ConvertScreen:
    from ckpt_tui.ui.screens.convert import ConvertScreen

    return ConvertScreen(str(app.demo / "counter.tar.zst"), f"oci:{app.made}/store:counter")


async def _plan(app: DemoApp) -> None:
    await app.open(_convert_screen(app))


async def _converted(app: DemoApp) -> None:
    from ckpt_tui.ui.screens.convert import ConvertScreen

    screen: Screen[Any] = app.screen
    if not isinstance(screen, ConvertScreen) or screen.outcome:
        screen = _convert_screen(app)
        await app.open(screen)
    screen.action_start()
    await app.until(lambda: screen.outcome or not screen.job_running)


async def _before_and_after(app: DemoApp) -> None:
    from ckpt_tui.ui.screens.compare import CompareScreen

    converted = f"oci:{app.made}/store:counter"
    if not (app.made / "store").exists():
        await _converted(app)
    await app.open(CompareScreen(str(app.demo / "counter.tar.zst"), converted))
    await app.idle()


STEPS: tuple[Step, ...] = (
    Step(
        "Checkpoints",
        "Containers frozen with CRIU by podman, CRI-O or containerd, as archives or images. "
        "Beside each: what it is, where from, would it restore.",
        _checkpoints,
    ),
    Step(
        "What is in it",
        "A worker with a database connection. Its first line says that a restore has failed. "
        "The digits show the parts of it; no root, nothing is unpacked.",
        _overview,
    ),
    Step(
        "A secret in its environment",
        "Anyone who reads a checkpoint reads its secrets: SECRET_TOKEN was in the memory of "
        "this process. It is covered; the next step shows it.",
        _secret,
    ),
    Step(
        "… in the clear",
        "r shows what looks like a secret, r covers it again. Treat checkpoints like passwords.",
        _revealed,
    ),
    Step(
        "A deleted file, recovered",
        "The worker deleted /tmp/requests.log but kept it open. Its bytes are in the checkpoint; "
        "w saves them.",
        _deleted_file,
    ),
    Step(
        "Why its restore failed",
        "CRIU's log has hundreds of lines. This is the one that counts, what proves it in the "
        "images, and the command that cures it; y copies it.",
        _diagnosis,
    ),
    Step(
        "What restoring costs",
        "Every way to restore another one, timed here just now. Engines unpack it, unpack "
        "it again, copy it. In place nothing is moved.",
        _ways,
    ),
    Step(
        "Convert: the plan",
        "The same one as an image to mount: CRIU's images direct, changed files as an "
        "ordinary layer over the base. Nothing is written before enter.",
        _plan,
    ),
    Step(
        "Converted",
        "Written and verified: equal input gives equal digests, and the way back gives the same "
        "archive. podman, CRI-O and containerd restore it as they are.",
        _converted,
    ),
    Step(
        "Before and after",
        "The archive and the image beside each other: every process and every byte of memory is "
        "the same; only names and annotations differ. Thank you for looking.",
        _before_and_after,
    ),
)
"""At most ten; each text at most two lines of 78 cells."""
