"""Requests of a screen to the app: show a checkpoint, a comparison or a log over it.

A screen that imports another one must not be shown by it in turn: what would be a circle goes
through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.message import Message

from ckpt_tui.checkpoint.ref import Ref


@dataclass
class ShowCheckpoint(Message):
    """Open a checkpoint at the tab of that name, or at what `ref` refers to."""

    target: str
    tab: str = "Overview"
    ref: Ref | None = None


@dataclass
class ShowComparison(Message):
    """Compare two checkpoints, or more as a time line."""

    targets: Sequence[str]


@dataclass
class ShowLog(Message):
    """Open a log of CRIU."""

    path: str
