"""Copy an image: asks whereto, shows blob by blob what moves, says what was there already."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from ckpt_tui.convert.copying import Result, copy
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, human_count, printable, short_digest
from ckpt_tui.sources.transfer import BlobStep
from ckpt_tui.ui.commands import COPY, bindings_for
from ckpt_tui.ui.jobs import JobCancelled, JobDone, JobFailed, JobHost
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.problem import problem_sections

WHERETO = "docker://HOST/REPO[:TAG], oci:DIR[:TAG] or oci-archive:FILE[:TAG]"


class CopyScreen(JobHost, Screen[bool]):
    """Returns whether something was copied."""

    CSS_PATH = "convert.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(COPY)]
    name_in_commands = COPY

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self._steps: dict[str, BlobStep] = {}
        self._copied = False

    def compose(self) -> ComposeResult:
        yield Static(f" Copy {printable(self._target)}", id="title", markup=False)
        with Vertical(classes="panel"):
            yield Facts([Section("", [Fact("whereto", WHERETO)])])
        yield Input(id="asked", compact=True, placeholder=WHERETO)
        yield JobBar()
        yield KeyLine(COPY)

    def on_mount(self) -> None:
        self.query_one(".panel").border_title = "Whereto"
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _answered(self, message: Input.Submitted) -> None:
        message.stop()
        destination = message.value.strip()
        if not destination:
            return
        self.query_one(Input).display = False
        self.query_one(Facts).focus()
        self._steps = {}
        target = self._target

        def told(step: BlobStep) -> None:
            self.app.call_later(self._step, step)

        def work(progress: Progress) -> Result:
            return copy(target, destination, progress, told)

        self.query_one(".panel").border_title = f"Copying to {printable(destination)}"
        self.start_job("Copying", work)

    def _step(self, step: BlobStep) -> None:
        self._steps[step.blob.digest] = step
        if not self.job_running:  # the last ones come after the end
            return
        ordered = sorted(self._steps.values(), key=lambda step: step.number)
        self.query_one(Facts).show([Section("Blobs", list(map(_line, ordered)))])

    @on(JobDone)
    def _done(self, message: JobDone) -> None:
        result = message.result
        assert isinstance(result, Result)
        self._copied = True
        facts = [
            Fact("", signed("good", "Copied, every byte checked against its digest")),
            Fact("to", printable(result.destination)),
            Fact("digest", result.copied.digest),
        ]
        facts += [
            Fact(state, f"{human_count(count, 'blob')}, {human_bytes(result.copied.bytes[state])}")
            for state, count in result.copied.blobs.items()
        ]
        if result.moved:
            facts.append(Fact("", "config.dump names the repository that the image is in"))
        self.query_one(".panel").border_title = "Done"
        self.query_one(Facts).show(
            [Section("", facts), Section("Blobs", list(map(_line, self._steps.values())))]
        )

    @on(JobFailed)
    def _failed(self, message: JobFailed) -> None:
        self.query_one(".panel").border_title = "It did not work"
        again = Fact("", "What was copied stays; a second try moves only what is missing.")
        self.query_one(Facts).show([*problem_sections(message.error), Section("", [again])])
        self.query_one(Input).display = True
        self.query_one(Input).focus()

    @on(JobCancelled)
    def _cancelled(self) -> None:
        self.dismiss(self._copied)

    def action_back(self) -> None:
        if not self.cancel_job():
            self.dismiss(self._copied)

    def action_leave(self) -> None:
        self.action_back()


def _line(step: BlobStep) -> Fact:
    size = human_bytes(step.blob.size)
    if step.state == "copying" and step.done:
        size = f"{human_bytes(step.done)} of {size}"
    return Fact(short_digest(step.blob.digest), f"{size}  {step.state}")
