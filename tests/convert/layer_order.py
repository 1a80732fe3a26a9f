"""The order of a layer's entries that every engine copes with."""

from __future__ import annotations

from collections.abc import Sequence

from ckpt_tui.archive.layers import WHITEOUT
from ckpt_tui.archive.names import ROOT, parent_of
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.delta_names import ancestors


def faults(layer: Sequence[Member]) -> list[str]:
    """Return how a layer breaks that order; empty if it does not."""
    found: list[str] = []
    seen: set[str] = set()
    with_children: set[str] = set()
    for member in layer:
        name, last = member.name, member.name.rpartition("/")[2]
        if name in seen:
            found.append(f"{name} comes twice")
        if name in with_children:
            found.append(f"{name} comes after what it holds")
        if last.startswith(WHITEOUT) and parent_of(name) in with_children:
            found.append(f"{name} comes after its siblings")
        if member.kind is MemberKind.HARDLINK and member.link not in seen:
            found.append(f"{name} comes before its target {member.link}")
        for folder in ancestors(name):
            if folder != ROOT and folder not in seen:
                found.append(f"{name} comes without its folder {folder}")
            if not last.startswith(WHITEOUT):
                with_children.add(folder)
        seen.add(name)
    return found
