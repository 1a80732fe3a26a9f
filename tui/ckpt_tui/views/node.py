"""What the browser's card says of a line before anything of it is opened."""

from __future__ import annotations

from ckpt_tui.core.text import human_count, printable
from ckpt_tui.sources.reference import SCHEME
from ckpt_tui.views.browse import PREVIEW_LIMIT, Node
from ckpt_tui.views.facts import Fact, Section

NO_CHECKPOINTS = ("image", "index", "artifact", "?")
"""Kinds of images that are not looked into unless somebody opens them."""


def is_looked_into(node: Node) -> bool:
    """Tell whether the card opens what is under the cursor by itself."""
    return bool(node.opens) and node.what not in NO_CHECKPOINTS and node.size <= PREVIEW_LIMIT


def node_sections(node: Node) -> list[Section]:
    """Return what the card says of a line that was not looked into."""
    known = known_sections(node)
    if node.is_part:
        return known
    if not node.opens:
        place = [] if node.path == SCHEME else [Fact("", printable(node.path))]
        return [Section("", [*place, Fact("", _branch_text(node))])]
    if node.what in ("image", "index"):
        text = "Nothing on it says that it is a checkpoint: enter looks for one."
        return [Section("", [Fact("", text)]), *known]
    if node.size > PREVIEW_LIMIT:
        text = "Large: enter opens it, with progress and a way to stop."
        return [Section("", [Fact("", printable(node.label)), Fact("", text)]), *known]
    return known or [Section("", [Fact("", printable(node.label))])]


def known_sections(node: Node | None) -> list[Section]:
    """Return what is known of a line without opening it: digest, type and the like."""
    facts = node.facts if node else ()
    shown = [Fact(printable(label), printable(value)) for label, value in facts if value]
    return [Section("", shown)] if shown else []


def inside_sections(node: Node | None, key: str) -> list[Section]:
    """Return the way into an archive of images that does not open by itself."""
    if node is None or not node.holds_images:
        return []
    return [Section("", [Fact("", f"{key} lists the images in it.")])]


def _branch_text(node: Node) -> str:
    if node.note and node.children is not None:
        return printable(node.note)
    if node.children is None:
        return "Enter lists what is in it."
    count = human_count(len(node.children), "entry", "entries")
    return count if node.children else "No checkpoint in it."
