"""An error in a panel: what failed, why, and what to try."""

from __future__ import annotations

from ckpt_tui.core.errors import CkptError, notes_of
from ckpt_tui.core.text import printable
from ckpt_tui.views.facts import Section, known
from ckpt_tui.views.meanings import signed


def problem_sections(error: CkptError) -> list[Section]:
    """Return the three sentences of an error as sections."""
    notes = [("", printable(note)) for note in notes_of(error)]
    what = signed("fails", printable(error.what))
    return [
        Section(
            "", known(("", what), ("", printable(error.why)), ("", printable(error.hint)), *notes)
        )
    ]
