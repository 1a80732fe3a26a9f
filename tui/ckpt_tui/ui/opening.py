"""What screens ask the app to show, so that none imports one that imports it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from ckpt_tui.checkpoint.ref import Ref


@dataclass
class OpenTarget(Message):
    """Show a checkpoint, at a tab or at the object that `key` refers to."""

    target: str
    tab: int = 1
    key: Ref | None = None


@dataclass
class CompareTargets(Message):
    """Show two checkpoints side by side, or more of them as a time line."""

    targets: tuple[str, ...]
