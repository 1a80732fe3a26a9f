"""Asks before much comes over the wire, for screens that open checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import printable
from ckpt_tui.formats.fetching import TooMuchUnasked, raise_unasked
from ckpt_tui.ui.jobs import JobHost
from ckpt_tui.ui.screens.pick import ConfirmScreen


class AsksToFetch(JobHost):
    """Mixed into a screen in place of `JobHost`. A target is asked about once, however often it is
    opened again."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._to_fetch: set[str] = set()

    def before_fetching(self, target: str, size: int) -> None:
        """Be the `BeforeFetching` of a job: raise, unless a person has said yes."""
        if target not in self._to_fetch:
            raise_unasked(target, size)

    def ask_to_fetch(
        self, error: CkptError, again: Callable[[], object], leave: Callable[[], object]
    ) -> bool:
        """Ask, if that is why a job failed, and return whether it is; then comes one of the two."""
        if not isinstance(error, TooMuchUnasked):
            return False
        target = error.target

        def answered(yes: bool | None) -> None:
            if yes:
                self._to_fetch.add(target)
                again()
            else:
                leave()

        sentences = [printable(error.what), "", error.why]
        self.app.push_screen(ConfirmScreen("Fetch it?", sentences, "fetches it"), answered)
        return True
