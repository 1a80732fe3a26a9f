"""Bytes that were read lately, up to a limit of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class ByteCache(Generic[K]):
    """The blocks used last, of at most `limit` bytes together; for several threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: OrderedDict[K, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> bytes | None:
        """Return a block; None if it is not here, or not any more."""
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
            return block

    def put(self, key: K, block: bytes) -> None:
        """Keep a block in place of those that were not used for longest."""
        with self._lock:
            self._size += len(block) - len(self._blocks.pop(key, b""))
            self._blocks[key] = block
            while self._size > self._limit:
                self._size -= len(self._blocks.popitem(last=False)[1])
