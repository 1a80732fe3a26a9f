"""The first line of a checkpoint's screen."""

from __future__ import annotations

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.ui.widgets.lines import Lines
from ckpt_tui.views.overview import title_line


class Title(Lines):
    """The first line."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self.checkpoint: Checkpoint | None = None
        self.diagnosis: TargetDiagnosis | None = None
        self.waiting = "checking …"
        """Said until there is a diagnosis."""
        self._transferred: int | None = None

    def show_transferred(self, size: int | None) -> None:
        """Say how many bytes came over the wire; None: it is on this machine."""
        if size != self._transferred:
            self._transferred = size
            self.redraw()

    def lines(self, width: int) -> list[Styled]:
        if self.checkpoint is None:
            return [styled((f" {printable(self._target)}", "strong"))]
        fetched = ""
        if self._transferred is not None:
            came = human_bytes(self._transferred)
            fetched = f"  {came} fetched " if width >= 100 else f"  ↓{came} "
        left = title_line(self.checkpoint, self.diagnosis, width - len(fetched), self.waiting)
        return [styled(left, (fetched, "muted"))]
