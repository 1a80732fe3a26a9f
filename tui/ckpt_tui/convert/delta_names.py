"""Names inside a root filesystem: which may be used, and where symbolic links lead them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ckpt_tui.archive.layers import WHITEOUT
from ckpt_tui.archive.names import ROOT, parent_of
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.core.errors import CkptError

MAX_LINKS = 40
"""Symbolic links followed in one name before it counts as a loop: the kernel's own limit."""


def refusal(name: str) -> str:
    """Return why a layer cannot carry `name`, as half a sentence; empty if it can."""
    if "\0" in name:
        return "holds a NUL byte"
    parts = name.split("/")
    if ".." in parts:
        return "leads upwards with `..`"
    if any(part.startswith(WHITEOUT) for part in parts):
        return "begins with `.wh.`, which a layer reads as a deletion"
    return ""


def inside(folder: str, name: str) -> str:
    """Return the name of what is called `name` in `folder`."""
    return name if folder == ROOT else f"{folder}/{name}"


def ancestors(name: str) -> Iterator[str]:
    """Yield the folders above `name`, nearest first, ending with the root."""
    while name != ROOT:
        name = parent_of(name)
        yield name


def sort_key(name: str) -> tuple[bytes, ...]:
    """Order names bytewise, each folder right before what it holds."""
    return tuple(
        part.encode("utf-8", "surrogateescape") for part in name.split("/") if part != ROOT
    )


def real_name(lookup: Callable[[str], Member | None], name: str) -> str:
    """Follow the symbolic links among the folders above `name`, never the last part itself.

    `lookup` gives the member of a name. Targets count from the root, which `..` does not leave.

    Raises:
        CkptError: the links run in a circle.
    """
    found: list[str] = []
    waiting = name.split("/")[::-1]
    followed = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            del found[-1:]
            continue
        if part in ("", "."):
            continue
        member = lookup("/".join([*found, part])) if waiting else None
        if member is None or member.kind is not MemberKind.SYMLINK:
            found.append(part)
            continue
        followed += 1
        if followed > MAX_LINKS:
            raise CkptError(f"{name} cannot be placed:", "its symbolic links run in a circle.")
        if member.link.startswith("/"):
            found.clear()
        waiting.extend(reversed(member.link.split("/")))
    return "/".join(found) or ROOT
