"""What screens with a job have in common: how they are left."""

from __future__ import annotations

from textual.screen import Screen, ScreenResultType

from ckpt_tui.ui.jobs import JobHost


class JobScreen(JobHost, Screen[ScreenResultType]):
    """A screen that runs jobs, and returns nothing when it is left."""

    def action_back(self) -> None:
        """Stop the job; without one go back."""
        if not self.cancel_job():
            self.dismiss()

    def action_leave(self) -> None:
        """Stop the job and go back."""
        self.abandon_job()
        self.dismiss()
