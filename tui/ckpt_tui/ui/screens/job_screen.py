"""What screens with a job have in common: how they are left."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.screen import Screen, ScreenResultType

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

    def action_leave(self) -> None:
        """Stop the job and go back."""
        if self.leaves_at_once:
            self.abandon_job()
            self.dismiss(self.outcome)
        elif not self.cancel_job():
            self.dismiss(self.outcome)
