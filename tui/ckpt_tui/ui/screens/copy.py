"""Copy an image: asks for the destination, shows the progress of each blob, sums up the result."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from ckpt_tui.convert.copying import CopiedImage, copy
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, human_count, printable, short_digest
from ckpt_tui.sources.transfer import BlobStep
from ckpt_tui.ui.commands import COPY
from ckpt_tui.ui.screens.job_screen import JobScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.title_line import TitleLine
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.problem import problem_sections

DESTINATIONS = "docker://HOST/REPO[:TAG], oci:DIR[:TAG] or oci-archive:FILE[:TAG]"


class CopyScreen(JobScreen[bool]):
    """Returns whether something was copied."""

    CSS_PATH = "convert.tcss"
    name_in_commands = COPY
    leaves_at_once = False

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self._steps: dict[str, BlobStep] = {}
        self._copied = False

    def compose(self) -> ComposeResult:
        yield TitleLine(f"Copy {printable(self._target)}")
        with Vertical(classes="panel"):
            yield Facts()
        yield Input(id="asked", compact=True, placeholder=DESTINATIONS)
        yield JobBar()
        yield KeyLine()

    def on_mount(self) -> None:
        self._ask("Destination", Section("", [Fact("destination", DESTINATIONS)]))

    @property
    def outcome(self) -> bool:
        return self._copied

    def _show(self, title: str, *sections: Section) -> None:
        self.query_one(".panel").border_title = title
        self.query_one(Facts).show(sections)

    def _ask(self, title: str, *sections: Section) -> None:
        self._show(title, *sections)
        self.query_one(Input).display = True
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
        self._show(f"Copying to {printable(destination)}")
        target = self._target

        def report(step: BlobStep) -> None:
            self.app.call_later(self._step, step)

        def work(progress: Progress) -> CopiedImage:
            return copy(target, destination, progress, report)

        def leave() -> None:
            self.dismiss(self._copied)

        self.run("Copying", work, self._done, failed=self._fail, stopped=leave)

    def _step(self, step: BlobStep) -> None:
        self._steps[step.blob.digest] = step
        if self.job_running:  # the last steps arrive after the end
            self.query_one(Facts).show([self._blobs()])

    def _blobs(self) -> Section:
        ordered = sorted(self._steps.values(), key=lambda step: step.number)
        return Section("Blobs", list(map(_line, ordered)))

    def _done(self, result: CopiedImage) -> None:
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
        self._show("Done", Section("", facts), self._blobs())

    def _fail(self, error: CkptError) -> None:
        again = Fact("", "Copied blobs are kept; a retry copies only the missing ones.")
        self._ask("Copy failed", *problem_sections(error), Section("", [again]))


def _line(step: BlobStep) -> Fact:
    size = human_bytes(step.blob.size)
    if step.state == "copying" and step.done:
        size = f"{human_bytes(step.done)} of {size}"
    return Fact(short_digest(step.blob.digest), f"{size}  {step.state}")
