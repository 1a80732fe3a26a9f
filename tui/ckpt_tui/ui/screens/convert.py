"""Convert: the plan first, then the work, then what was written and how to restore it."""

from __future__ import annotations

import dataclasses
import time
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from ckpt_tui.convert.plan import Plan
from ckpt_tui.convert.request import Prepared, Request, prepare
from ckpt_tui.convert.run import Result, run
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import printable
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import CONVERT, bindings_for
from ckpt_tui.ui.jobs import JobCancelled, JobDone, JobFailed
from ckpt_tui.ui.opening import OpenTarget
from ckpt_tui.ui.screens.fetching import AsksToFetch
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.lines import Lines
from ckpt_tui.views.conversion import next_commands, plan_sections, result_sections
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.problem import problem_sections
from ckpt_tui.views.table import fit

_WITH_THE_PLAN = ("start", "change_target", "change_base", "change_repository", "keep_delta")
"""Actions that end when the result is there."""
_WITH_THE_RESULT = ("open_result", "copy")
"""Actions that begin then."""


class Heading(Lines):
    """The first line, shortened to the width of the screen."""

    def __init__(self, heading: str, *, id: str) -> None:
        super().__init__(id=id)
        self._heading = heading

    def lines(self, width: int) -> list[Text]:
        return [Text(f" {fit(self._heading, max(width - 2, 0), shrink='middle')}", no_wrap=True)]


class ConvertScreen(AsksToFetch[bool]):
    """Returns whether something was written."""

    CSS_PATH = "convert.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(CONVERT)]
    name_in_commands = CONVERT

    def __init__(self, target: str, destination: str = "") -> None:
        """`destination` is as in a `Request`."""
        super().__init__()
        self._request = Request(target, destination)
        self._prepared: Prepared | None = None
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._asked = ""

    def compose(self) -> ComposeResult:
        yield Heading(f"Convert {printable(self._request.target)}", id="title")
        with Vertical(classes="panel"):
            yield Facts(empty="")
        yield Input(id="asked", compact=True)
        yield JobBar()
        yield KeyLine(CONVERT)

    def on_mount(self) -> None:
        self.query_one(Input).display = False
        self._make_plan()

    def on_unmount(self) -> None:
        self._close_plan()

    @property
    def finished(self) -> bool:
        """Whether the result is shown."""
        return self._result is not None

    def _close_plan(self) -> None:
        if self._prepared is not None:
            self._prepared.close()
            self._prepared = None

    def _make_plan(self) -> None:
        # the job has it while it runs: who stops it and leaves does not wait for its end
        before, self._prepared = self._prepared, None
        self._plan = self._result = None
        request = self._request
        self._title("Plan")

        def plan(progress: Progress) -> Prepared:
            if before is not None:
                return before.again(request, progress)
            return prepare(request, progress, before_fetching=self.before_fetching)

        self.start_job("Planning", plan, Prepared.close)

    @on(JobDone)
    def _done(self, message: JobDone) -> None:
        if isinstance(message.result, Prepared):
            self._prepared = message.result
            self._plan = message.result.plan
            self._show(plan_sections(self._plan))
        elif isinstance(message.result, tuple):
            self._result, seconds = message.result
            self._title("Done")
            if self._plan is not None and self._result is not None:
                self._show(result_sections(self._plan, self._result, seconds))
        self.query_one(Facts).focus()
        self.refresh_bindings()

    @on(JobFailed)
    def _failed(self, message: JobFailed) -> None:
        if self.ask_to_fetch(message.error, self._make_plan, lambda: self.dismiss(False)):
            return
        self._title("It did not work")
        again = Section("", [Fact("", "Nothing was left behind. The source was not touched.")])
        self._show([*problem_sections(message.error), again])
        self.refresh_bindings()

    @on(JobCancelled)
    def _cancelled(self) -> None:
        if self._plan is None:
            self.dismiss(False)
            return
        self._title("Stopped")
        stopped = "Stopped; nothing was left behind. Enter plans it again."
        self._show([Section("", [Fact("", stopped)])])
        self.refresh_bindings()

    def _title(self, text: str) -> None:
        self.query_one(".panel").border_title = text

    def _show(self, sections: list[Section]) -> None:
        self.query_one(Facts).show(sections)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        if action in _WITH_THE_RESULT:
            return self.finished
        if action not in _WITH_THE_PLAN:
            return True
        if self.finished:
            return False
        ready = action != "start" or (self._plan is not None and not self._plan.problems)
        return True if ready and not self.job_running else None

    def action_start(self) -> None:
        if self.job_running or self._result is not None:
            return
        # from here on it is the job's to close
        prepared, self._prepared = self._prepared, None
        if prepared is None:
            self._make_plan()
            return

        def work(progress: Progress) -> tuple[Result, float]:
            start = time.monotonic()
            try:
                return run(prepared.plan, progress), time.monotonic() - start
            finally:
                prepared.close()

        self._title("Writing")
        self.start_job("Converting", work)
        self.refresh_bindings()

    def action_change_target(self) -> None:
        self._ask(
            "destination",
            "oci:DIR[:TAG], oci-archive:FILE or docker://HOST/REPO[:TAG]; empty: the own store",
        )

    def action_change_base(self) -> None:
        self._ask(
            "base", "the base image: oci:DIR[:TAG], oci-archive:FILE, containers-storage:NAME"
        )

    def action_change_repository(self) -> None:
        self._ask("repository", "HOST/REPO in which it will live; empty: localhost/NAME")

    def action_keep_delta(self) -> None:
        kept = self._request.keep_delta_tar
        self._request = dataclasses.replace(self._request, keep_delta_tar=not kept)
        self._make_plan()

    def _ask(self, name: str, placeholder: str) -> None:
        self._asked = name
        asked = self.query_one(Input)
        asked.placeholder = placeholder
        asked.value = getattr(self._request, name)
        asked.display = True
        asked.focus()

    @on(Input.Submitted)
    def _answered(self, message: Input.Submitted) -> None:
        message.stop()
        answer = message.value.strip()
        if self._asked == "destination":
            self._request = dataclasses.replace(self._request, destination=answer)
        elif self._asked == "base":
            self._request = dataclasses.replace(self._request, base=answer)
        else:
            self._request = dataclasses.replace(self._request, repository=answer)
        self._end_asking()
        self._make_plan()

    def _end_asking(self) -> None:
        self.query_one(Input).display = False
        self.query_one(Facts).focus()

    async def action_copy(self) -> None:
        if self._plan is not None and self._result is not None:
            commands = "\n".join(next_commands(self._plan, self._result))
            await send_to_clipboard(self.app, commands, "the commands")

    def action_open_result(self) -> None:
        if self._result is not None:
            self.app.post_message(OpenTarget(self._result.name))
            self.dismiss(True)

    def action_back(self) -> None:
        if self.query_one(Input).display:
            self._end_asking()
        elif not self.cancel_job():
            self.dismiss(self._result is not None)

    def action_leave(self) -> None:
        self.action_back()
