"""Bytes compared with the digest that they are named by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.text import short_digest
from ckpt_tui.sources.base import checked_digest


def check_bytes(data: bytes, digest: str, name: str) -> None:
    """Compare bytes with their digest; `name` is what an error names.

    Raises:
        DamagedInput: they are others, or `digest` is invalid.
    """
    for _ in verified((data,), digest, name):
        pass


def verified(pieces: Iterable[bytes], digest: str, name: str = "") -> Iterator[bytes]:
    """Yield `pieces`, and raise `DamagedInput` at their end if together they are not the blob."""
    name = name or f"blob {short_digest(digest)}"
    algorithm, _, digits = checked_digest(digest, name).partition(":")
    summed = hashlib.new(algorithm)
    for piece in pieces:
        summed.update(piece)
        yield piece
    if summed.hexdigest() != digits:
        raise DamagedInput(name, 0, "its bytes do not have the digest it is named by.")
