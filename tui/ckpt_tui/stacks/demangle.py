"""Names of functions as they are in the source: Rust and C++."""

from __future__ import annotations

from ckpt_tui.stacks.itanium import demangled_cpp
from ckpt_tui.stacks.mangled import OddName
from ckpt_tui.stacks.rust import demangled_rust

MAX_NAME = 4096
"""Characters of a name that is looked at."""


def demangled(name: str) -> str:
    """Return a name as it is in the source; `name` itself where it is not mangled or too odd."""
    if not name.startswith(("_Z", "_R")) or len(name) > MAX_NAME:
        return name
    try:
        return demangled_rust(name) or demangled_cpp(name)
    except (OddName, RecursionError):
        return name
