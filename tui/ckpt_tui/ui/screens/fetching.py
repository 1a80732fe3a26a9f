"""Confirm large downloads, for screens that open checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from textual.screen import ScreenResultType

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import printable
from ckpt_tui.formats.fetching import TooMuchUnasked, raise_unasked
from ckpt_tui.ui.jobs import Task
from ckpt_tui.ui.screens.job_screen import JobScreen
from ckpt_tui.ui.screens.pick import ConfirmScreen

ResultT = TypeVar("ResultT")


class AsksToFetch(JobScreen[ScreenResultType]):
    """A screen with a job that opens targets. Each is asked about once, however often it is opened
    again."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._to_fetch: set[str] = set()

    def before_fetching(self, target: str, size: int) -> None:
        """Be the `BeforeFetching` of a job: raise, unless the answer was yes before."""
        if target not in self._to_fetch:
            raise_unasked(target, size)

    def run_opening(
        self,
        name: str,
        task: Task[ResultT],
        then: Callable[[ResultT], object],
        let_go: Callable[[ResultT], object] | None = None,
        *,
        failed: Callable[[CkptError], object],
        stopped: Callable[[], object] | None = None,
    ) -> None:
        """Run a job that opens targets with `before_fetching`; after a yes it runs again. The
        screen is left after a no, and, without `stopped`, if the job is stopped."""

        def start() -> None:
            self.run(name, task, then, let_go, failed=fail, stopped=stopped or self._leave)

        def fail(error: CkptError) -> object:
            if not isinstance(error, TooMuchUnasked):
                return failed(error)
            asked, sentences = error.target, [printable(error.what), "", error.why]

            def answered(yes: bool | None) -> None:
                if yes:
                    self._to_fetch.add(asked)
                    start()
                else:
                    self._leave()

            return self.app.push_screen(
                ConfirmScreen("Download it?", sentences, "fetches it"), answered
            )

        start()

    def _leave(self) -> None:
        self.dismiss(self.outcome)
