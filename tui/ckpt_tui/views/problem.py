"""An error in a panel: what failed, why, and what to try."""

from __future__ import annotations

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import printable
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.meanings import signed


def problem_sections(error: CkptError) -> list[Section]:
    """Return the three sentences of an error as sections."""
    facts = [Fact("", signed("fails", printable(error.what)))]
    if error.why:
        facts.append(Fact("", printable(error.why)))
    if error.hint:
        facts.append(Fact("", printable(error.hint)))
    return [Section("", facts)]
