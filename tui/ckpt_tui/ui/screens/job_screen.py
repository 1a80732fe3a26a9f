"""What screens with a job have in common: how they are left."""

from __future__ import annotations

from functools import partial
from typing import ClassVar
from weakref import ref

from textual.binding import BindingType
from textual.screen import Screen, ScreenResultType

from ckpt_tui.ui import collector
from ckpt_tui.ui.commands import EVERYWHERE, bound
from ckpt_tui.ui.jobs import JobHost
from ckpt_tui.ui.widgets.list_view import ListView


class JobScreen(JobHost, Screen[ScreenResultType]):
    """A screen that runs jobs."""

    BINDINGS: ClassVar[list[BindingType]] = [*bound("back"), *EVERYWHERE]
    leaves_at_once: ClassVar[bool] = True
    """Whether the key that leaves does so while a job runs, rather than only stop the job."""

    @property
    def outcome(self) -> ScreenResultType | None:
        """What the screen returns when it is left."""
        return None

    def back(self) -> bool:
        """Close what is open on the screen; return False if there is nothing to close."""
        return any(view.back() for view in self.query(ListView))

    def action_back(self) -> None:
        """Close what is open; with nothing open stop the job; without one go back."""
        if not (self.back() or self.cancel_job()):
            self.dismiss(self.outcome)

    def on_unmount(self) -> None:
        # set from the app's own handler: one set here would keep this screen as who started it
        give_back = partial(collector.give_back, self.app, ref(self))
        self.app.call_later(self.app.set_timer, collector.LEFT_S, give_back)

    def action_leave(self) -> None:
        """Stop the job and go back."""
        if self.leaves_at_once:
            self.abandon_job()
            self.dismiss(self.outcome)
        elif not self.cancel_job():
            self.dismiss(self.outcome)
