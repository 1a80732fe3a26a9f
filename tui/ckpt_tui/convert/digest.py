"""SHA-256 beside the main thread: hashing memory takes about as long as compressing it."""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T", bytes, memoryview)

MAX_WAITING = 16
"""Pieces that wait to be hashed, of 1 MiB at most. What is slow to compress and what is slow to
hash come in runs; with a few pieces more no thread waits for the other."""

SMALL = 1 << 16
"""Bytes. Below it, handing a piece over costs more than hashing it."""


class Digest:
    """A digest whose large pieces `pool` hashes, which has one thread: their order counts.

    Without a pool the thread that adds bytes hashes them.
    """

    def __init__(self, pool: Executor | None = None, mac: hmac.HMAC | None = None) -> None:
        """`mac` takes the place of SHA-256 alone."""
        self._pool = pool
        self._hash = mac or hashlib.sha256()
        self._waiting: deque[Future[None]] = deque()

    def update(self, piece: bytes | memoryview) -> None:
        """Add bytes; they must not change any more."""
        if self._pool is None or len(piece) < SMALL:
            self._wait(0)
            self._hash.update(piece)
        else:
            self._waiting.append(self._pool.submit(self._hash.update, piece))
            self._wait(MAX_WAITING)

    def value(self) -> str:
        """Return sha256:… of all bytes."""
        return "sha256:" + self.hexdigest()

    def hexdigest(self) -> str:
        """Return the same without the name of the algorithm."""
        self._wait(0)
        return self._hash.hexdigest()

    def _wait(self, allowed: int) -> None:
        while len(self._waiting) > allowed:
            self._waiting.popleft().result()


class Known:
    """In place of a digest: one that is checked elsewhere."""

    def __init__(self, value: str) -> None:
        self._value = value

    def update(self, piece: bytes | memoryview) -> None:
        """Leave the bytes to them."""

    def value(self) -> str:
        return self._value


def hashed(pieces: Iterable[T], digest: Digest) -> Iterator[T]:
    """Pass bytes on, and their digest to `digest`."""
    for piece in pieces:
        digest.update(piece)
        yield piece
