"""The App: themes, the first screens, the palette. Everything else is in the screens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.screen import Screen

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.config import Config
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.text import printable
from ckpt_tui.ui import collector
from ckpt_tui.ui.commands import bound, palette
from ckpt_tui.ui.opening import ShowCheckpoint, ShowComparison, ShowLog
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.theme import DARK, ThemedApp

PALETTE_ROWS = 8
"""Rows that the list of commands needs: Textual's fails on a page of no rows."""


class ScreensApp(ThemedApp[None]):
    """Shows what its screens ask for."""

    def action_command_palette(self) -> None:
        if self.size.height >= PALETTE_ROWS:
            super().action_command_palette()

    def on_resize(self, event: events.Resize) -> None:
        if event.size.height < PALETTE_ROWS and isinstance(self.screen, CommandPalette):
            self.screen.dismiss()

    @on(ShowCheckpoint)
    def _show_checkpoint(self, message: ShowCheckpoint) -> None:
        self.open_target(message.target, message.tab, message.ref)

    @on(ShowComparison)
    def _show_comparison(self, message: ShowComparison) -> None:
        self.compare_targets(message.targets)

    @on(ShowLog)
    def _show_log(self, message: ShowLog) -> None:
        from ckpt_tui.formats.logs import open_log
        from ckpt_tui.ui.screens.view import ViewScreen

        try:
            window = open_log(message.path)
        except CkptError as error:
            self.notify(printable(str(error)), severity="error", markup=False)
            return
        self.push_screen(ViewScreen(message.path, window), lambda _: window.close())

    def open_target(self, target: str, tab: str = "Overview", ref: Ref | None = None) -> None:
        """Open one checkpoint, or a log, over what is shown; `tab` and `ref` as in
        `ShowCheckpoint`."""
        from ckpt_tui.formats.log_files import holds_log
        from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
        from ckpt_tui.ui.screens.log import LogScreen, log_file

        if holds_log(target, quiet()):
            self.push_screen(LogScreen(target, log_file(target)))
            return
        self.push_screen(CheckpointScreen(target, tab, ref))

    def compare_targets(self, targets: Sequence[str]) -> None:
        """Show two checkpoints beside each other, more of them as a time line."""
        from ckpt_tui.ui.screens.chain import ChainScreen
        from ckpt_tui.ui.screens.compare import CompareScreen

        self.push_screen(CompareScreen(*targets) if len(targets) == 2 else ChainScreen(targets))


class CkptApp(ScreensApp):
    """`targets` are opened one over the other; without any the browser is shown."""

    TITLE = "ckpt-tui"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bound("", "quit palette", "quit")

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual types it

    def __init__(
        self,
        targets: Sequence[str] = (),
        folder: Path | None = None,
        label: str = "",
        settings: Config | None = None,
        compared: Sequence[str] = (),
    ) -> None:
        """`folder` is what the browser shows first, and `label` what it calls it there;
        `settings` must have been checked; two or more targets are `compared` over all that."""
        super().__init__(settings.theme if settings and settings.theme else DARK.name)
        self.own_keys = dict(settings.keys) if settings else {}
        """The user's own keys by the id of a command."""
        self.set_keymap(self.own_keys)
        self._targets = tuple(targets)
        self._compared = tuple(compared)
        self._folder = folder
        self._label = label

    def on_mount(self) -> None:
        self._collector_before = collector.spare_the_screen()
        self.push_screen(BrowseScreen(self._folder, self._label))
        for target in reversed(self._targets):
            self.open_target(target)
        if self._compared:
            self.compare_targets(self._compared)

    def on_unmount(self) -> None:
        collector.restore(self._collector_before)

    def action_read_log(self) -> None:
        """Ask for a log and show why it failed; its lines can be pasted without asking."""
        from ckpt_tui.ui.screens.log import LogScreen, log_file
        from ckpt_tui.ui.screens.pick import AskScreen

        def read(path: str | None) -> None:
            if path:
                self.push_screen(LogScreen(path, log_file(path)))

        self.push_screen(AskScreen("log", "a file; lines can be pasted without this"), read)

    def on_paste(self, event: events.Paste) -> None:
        """Show what was pasted where no line is being typed."""
        from ckpt_tui.ui.screens.log import PASTED, LogScreen, pasted_log

        if getattr(self.screen, "name_in_commands", ""):
            event.stop()
            self.push_screen(LogScreen(PASTED, pasted_log(event.text)))

    def action_show_help(self) -> None:
        """Show the keys of the present screen."""
        from ckpt_tui.ui.screens.help import HelpScreen

        name = getattr(self.screen, "name_in_commands", "")
        if name:
            self.push_screen(HelpScreen(name))

    def action_export_view(self) -> None:
        """Ask for a file and save what is shown."""
        from ckpt_tui.ui.export import ask_to_export

        ask_to_export(self)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        if getattr(screen, "name_in_commands", ""):
            yield from palette(screen)
        yield SystemCommand(
            "Change the theme", "Dark, light or the terminal's own", self.search_themes
        )
