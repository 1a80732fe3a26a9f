"""What tabs that show stacks have in common."""

from __future__ import annotations

from types import MappingProxyType

from ckpt_tui.views.process_tree import Stacks


class ShowsStacks:
    """Mixed into a tab: has the stacks that were read by now."""

    stacks: Stacks = MappingProxyType({})
    reads_stacks = False
    """Whether more of them are on their way."""

    def take_stacks(self, stacks: Stacks, *, reading: bool) -> None:
        """Show other stacks; while `reading` more are on their way."""
        self.stacks, self.reads_stacks = stacks, reading
