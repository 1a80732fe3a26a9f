"""Convert: the plan first, then the work, then what was written and how to restore it."""

from __future__ import annotations

import dataclasses
import time
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from ckpt_tui.convert.plan import Plan
from ckpt_tui.convert.request import Prepared, Request, prepare
from ckpt_tui.convert.run import ConvertedImage, run
from ckpt_tui.core.config import load_config
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import printable
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import CONVERT, bound
from ckpt_tui.ui.opening import ShowCheckpoint
from ckpt_tui.ui.screens.fetching import AsksToFetch
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.title_line import TitleLine
from ckpt_tui.views.conversion import next_commands, plan_sections, result_sections
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.problem import problem_sections

_WITH_THE_PLAN = (
    *("start", "change_target", "change_base", "change_repository"),
    *("keep_delta", "keep_devices", "encrypt"),
)
"""Actions that end when the result is there."""
_WITH_THE_RESULT = ("open_result", "copy")
"""Actions that begin then."""


class ConvertScreen(AsksToFetch[bool]):
    """Returns whether something was written."""

    CSS_PATH = "convert.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bound(
        "start open-result target base repository keep-delta keep-devices encrypt copy"
    )
    name_in_commands = CONVERT
    leaves_at_once = False

    def __init__(self, target: str, destination: str = "") -> None:
        """`destination` is as in a `Request`."""
        super().__init__()
        self._request = Request(target, destination)
        self._prepared: Prepared | None = None
        self._plan: Plan | None = None
        self._result: ConvertedImage | None = None

    def compose(self) -> ComposeResult:
        yield TitleLine(f"Convert {printable(self._request.target)}")
        with Vertical(classes="panel"):
            yield Facts(empty="")
        yield JobBar()
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(Facts).focus()
        self._make_plan()

    def on_unmount(self) -> None:
        if self._prepared is not None:
            self._prepared.close()

    @property
    def outcome(self) -> bool:
        return self._result is not None

    def _make_plan(self) -> None:
        # the running job has it: leaving the screen does not wait for the end of the job
        before, self._prepared = self._prepared, None
        self._plan = self._result = None
        request = self._request
        self._show("Plan")

        def plan(progress: Progress) -> Prepared:
            if before is not None:
                return before.again(request, progress)
            return prepare(request, progress, before_fetching=self.before_fetching)

        self.run_opening("Planning", plan, self._planned, Prepared.close, failed=self._fail)

    def _planned(self, prepared: Prepared) -> None:
        self._prepared, self._plan = prepared, prepared.plan
        self._show("Plan", *plan_sections(self._plan))

    def _fail(self, error: CkptError) -> None:
        said = "Nothing was left behind on this machine. The source is unchanged."
        again = Section("", [Fact("", said)])
        self._show("Conversion failed", *problem_sections(error), again)

    def _show(self, title: str, *sections: Section) -> None:
        """Show what is being done or was done; without sections leave the panel as it is."""
        self.query_one(".panel").border_title = title
        if sections:
            self.query_one(Facts).show(sections)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        if action in _WITH_THE_RESULT:
            return self.outcome
        if action not in _WITH_THE_PLAN:
            return True
        if self.outcome:
            return False
        ready = action != "start" or (self._plan is not None and not self._plan.problems)
        return True if ready and not self.job_running else None

    def action_start(self) -> None:
        if self.job_running or self._result is not None:
            return
        # the job closes it from here on
        prepared, self._prepared = self._prepared, None
        if prepared is None:
            self._make_plan()
            return

        def work(progress: Progress) -> tuple[ConvertedImage, float]:
            start = time.monotonic()
            try:
                return run(prepared.plan, prepared.inputs, progress), time.monotonic() - start
            finally:
                prepared.close()

        def written(result: tuple[ConvertedImage, float]) -> None:
            self._result = result[0]
            self._show("Done", *result_sections(prepared.plan, *result))

        def stopped() -> None:
            said = "Stopped; nothing was left behind on this machine. Enter plans it again."
            self._show("Stopped", Section("", [Fact("", said)]))

        self.run("Converting", work, written, failed=self._fail, stopped=stopped)
        self._show("Writing")

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
        self._change("keep_delta_tar", not self._request.keep_delta_tar)

    def action_keep_devices(self) -> None:
        self._change("keep_devices", not self._request.keep_devices)

    def action_encrypt(self) -> None:
        recipients = load_config().recipients
        if self._request.encrypt_to:
            self._change("encrypt_to", ())
        elif recipients:
            self._change("encrypt_to", recipients)
        else:
            self.app.push_screen(
                AskScreen(
                    "encrypt to", "jwe:FILE of a public key; several with blanks between", ""
                ),
                lambda text: self._change("encrypt_to", tuple(text.split())) if text else None,
            )

    def _ask(self, field: str, placeholder: str) -> None:
        """Ask for a field of the request, and plan anew."""

        def answered(text: str | None) -> None:
            if text is not None:
                self._change(field, text.strip())

        asked = AskScreen(field, placeholder, getattr(self._request, field))
        self.app.push_screen(asked, answered)

    def _change(self, field: str, value: Any) -> None:
        self._request = dataclasses.replace(self._request, **{field: value})
        self._make_plan()

    async def action_copy(self) -> None:
        if self._plan is not None and self._result is not None:
            commands = "\n".join(next_commands(self._plan, self._result))
            await send_to_clipboard(self.app, commands, "the commands")

    def action_open_result(self) -> None:
        if self._result is not None:
            self.app.post_message(ShowCheckpoint(self._result.name))
            self.dismiss(True)
