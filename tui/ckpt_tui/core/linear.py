"""What patterns on foreign bytes have in common: RE2, which takes time in proportion to them."""

from __future__ import annotations

from typing import Any


def byte_options(memory: int, **settings: bool) -> Any:
    """Return RE2's options for patterns over bytes; a pattern may take `memory` bytes while it
    matches. `settings` are more of RE2's own, such as `dot_nl`."""
    # 7 ms; few commands search
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = memory
    for name, value in settings.items():
        setattr(options, name, value)
    return options


def as_bytes(text: str) -> bytes:
    """Return foreign text as the bytes that it was decoded from."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode("utf-8", "surrogatepass")
