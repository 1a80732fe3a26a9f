"""bbolt, containerd's database, read without its library: buckets of keys, values and buckets.

After go.etcd.io/bbolt: internal/common (page.go, meta.go, inode.go) and bucket.go. The lock of the
program that owns the file is not taken, so that a page may be written anew while it is read.
Whatever contradicts itself is damage, and reading again may go well.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.window import ByteWindow

MAX_PAGE = 16 << 20
"""Bytes of a page with those that it runs on into; a page holds keys and values of some KiB."""

MAX_READ = 256 << 20
"""Bytes of pages read, beside four times all of them: each is of one bucket, looked at a few times.
"""

MAX_PAGES = 1 << 20
"""Pages of one bucket: 4 GiB of them."""

PAGE_SIZES = tuple(1024 << power for power in range(15))
"""Sizes of a page: that of the machine's memory where the file was made (db.go, `Open`)."""

_MAGIC = 0xED0CDAED
_VERSION = 2
_META = struct.Struct("<IIIIQQQQQQ")
"""Magic, version, page size, flags, root page, sequence, freelist, pages, transaction, checksum."""

_HEADER = struct.Struct("<QHHI")
"""Number of the page, flags, elements, pages that it runs on into."""
_BRANCH, _LEAF = 0x01, 0x02

_BRANCH_ELEMENT = struct.Struct("<IIQ")
"""Place of the key after the element, its size, page below."""
_LEAF_ELEMENT = struct.Struct("<IIII")
"""Flags, place of the key, its size, size of the value behind it."""
_IS_BUCKET = 0x01

_BUCKET = struct.Struct("<QQ")
"""Root page, 0 where the bucket's only page follows here; sequence."""


class Bolt:
    """A database as its latest whole transaction left it."""

    def __init__(self, window: ByteWindow, name: str) -> None:
        """`name` is what errors call it.

        Raises:
            DamagedInput: it is no such database.
        """
        self._window = window
        self._name = name
        self._page_size, self._pages, root = self._meta()
        self._left = 4 * window.size + MAX_READ
        self.root = Bucket(self, root)

    def page(self, number: int) -> bytes:
        """Return a page with those that it runs on into."""
        if not 2 <= number < self._pages:
            raise self.damaged(0, f"it names page {number:,}, which it does not have.")
        at = number * self._page_size
        head = self._window.read(at, _HEADER.size)
        if len(head) < _HEADER.size:
            raise self.damaged(at, "it ends before a page of it.")
        own, _, _, more = _HEADER.unpack(head)
        size = (more + 1) * self._page_size
        if own != number or size > MAX_PAGE:
            raise self.damaged(at, "a page of it is invalid.")
        self._left -= size
        if self._left < 0:
            raise self.damaged(at, "many of its buckets name the same pages.")
        data = self._window.read(at, size)
        if len(data) < size:
            raise self.damaged(at, "it ends before a page of it.")
        return data

    def damaged(self, offset: int, problem: str) -> DamagedInput:
        return DamagedInput(self._name, offset, problem)

    def _meta(self) -> tuple[int, int, int]:
        """Return page size, pages and root page of the newer of the two meta pages that is whole.

        The first two pages are written in turn, so that one of them is always whole.
        """
        found = []
        for size in PAGE_SIZES:
            for number in (0, 1):
                data = self._window.read(number * size + _HEADER.size, _META.size)
                if len(data) < _META.size:
                    continue
                magic, version, page_size, _, root, _, _, pages, transaction, checksum = (
                    _META.unpack(data)
                )
                is_whole = (magic, version, page_size) == (_MAGIC, _VERSION, size)
                if is_whole and checksum == _fnv64a(data[: _META.size - 8]):
                    found.append((transaction, size, pages, root))
        if not found:
            raise self.damaged(0, "it is not a bbolt database, or both its meta pages are damaged.")
        _, size, pages, root = max(found)
        return size, min(pages, self._window.size // size), root


class Bucket:
    """The keys of a bucket in their order, each with its value or the bucket behind it."""

    def __init__(self, bolt: Bolt, root: int, inline: bytes = b"") -> None:
        """`inline` is the bucket's only page where it lies in the bucket above."""
        self._bolt = bolt
        self._root = root
        self._inline = inline

    def __iter__(self) -> Iterator[tuple[bytes, bytes | Bucket]]:
        if self._inline:
            yield from self._leaf(self._inline)
            return
        seen: set[int] = set()
        waiting = [self._root]
        while waiting:
            number = waiting.pop()
            if number in seen or len(seen) >= MAX_PAGES:
                raise self._bolt.damaged(0, "its pages lead in a circle.")
            seen.add(number)
            data = self._bolt.page(number)
            flags = _HEADER.unpack_from(data)[1]
            if flags & _BRANCH:
                waiting += reversed([page for _, page in self._elements(data, _BRANCH_ELEMENT)])
            else:
                yield from self._leaf(data)

    def value(self, key: str) -> bytes:
        """Return the value of a key, b"" where there is none."""
        found = self._find(key)
        return found if isinstance(found, bytes) else b""

    def bucket(self, *path: str) -> Bucket | None:
        """Return the bucket behind a path of keys, None where there is none."""
        at: Bucket = self
        for key in path:
            found = at._find(key)
            if not isinstance(found, Bucket):
                return None
            at = found
        return at

    def buckets(self) -> Iterator[tuple[str, Bucket]]:
        """Yield the buckets in this one by their names."""
        for key, value in self:
            if isinstance(value, Bucket):
                yield key.decode("utf-8", "surrogateescape"), value

    def _find(self, key: str) -> bytes | Bucket | None:
        wanted = key.encode("utf-8", "surrogateescape")
        return next((value for found, value in self if found == wanted), None)

    def _leaf(self, data: bytes) -> Iterator[tuple[bytes, bytes | Bucket]]:
        if not _HEADER.unpack_from(data)[1] & _LEAF:
            raise self._bolt.damaged(0, "a page of it holds neither keys nor pages.")
        for at, flags in self._elements(data, _LEAF_ELEMENT):
            _, place, key_size, value_size = _LEAF_ELEMENT.unpack_from(data, at)
            start = at + place
            key = data[start : start + key_size]
            value = data[start + key_size : start + key_size + value_size]
            yield key, self._below(value) if flags & _IS_BUCKET else value

    def _elements(self, data: bytes, element: struct.Struct) -> Iterator[tuple[int, int]]:
        """Yield of each element of a page where it is, and its page below or its flags.

        Keys and values have to lie one behind the other, as they are written: a page is read once.
        """
        count = _HEADER.unpack_from(data)[2]
        free = _HEADER.size + count * element.size
        for at in range(_HEADER.size, free, element.size) if free <= len(data) else ():
            if element is _BRANCH_ELEMENT:
                place, size, found = element.unpack_from(data, at)
            else:
                found, place, key_size, value_size = element.unpack_from(data, at)
                size = key_size + value_size
            if at + place < free or at + place + size > len(data):
                raise self._bolt.damaged(0, "a key of it does not lie in its page.")
            free = at + place + size
            yield at, found
        if free > len(data):
            raise self._bolt.damaged(0, "a page of it is too short for its keys.")

    def _below(self, value: bytes) -> Bucket:
        if len(value) < _BUCKET.size:
            raise self._bolt.damaged(0, "a bucket of it is too short.")
        root, _ = _BUCKET.unpack_from(value)
        inline = value[_BUCKET.size :]
        if not root and len(inline) < _HEADER.size:
            raise self._bolt.damaged(0, "a bucket of it is too short.")
        return Bucket(self._bolt, root, b"" if root else inline)


def _fnv64a(data: bytes) -> int:
    summed = 0xCBF29CE484222325
    for byte in data:
        summed = (summed ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return summed
