"""Names of members, made safe to use as paths below the root of a tree."""

from __future__ import annotations

ROOT = "."
"""Name of the root folder itself, where a tree has an entry for it (a layer does: `./`)."""


def clean_name(name: str) -> str | None:
    """Return `name` without leading `./` or `/`, doubled or trailing slashes and `.` steps.

    The root itself is `ROOT`. None for a name that may not be used: empty, with a NUL, or with a
    `..` step, which would lead outside of the tree or fool who reads it.
    """
    if not name or "\0" in name:
        return None
    if "//" not in name and "/." not in name and name[0] not in "./" and name[-1] != "/":
        return name  # as most are
    steps = [step for step in name.split("/") if step not in ("", ".")]
    if ".." in steps:
        return None
    return "/".join(steps) or ROOT


def parent_of(name: str) -> str:
    """Return the folder that a clean name is in; `ROOT` for names without one."""
    return name.rpartition("/")[0] or ROOT
