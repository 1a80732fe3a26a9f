"""Objects of CPython in the memory of a process: texts, numbers, and of the others their type.

Nothing is followed from one object into the next, so that objects in circles end, too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ckpt_tui.stacks.address_space import AddressSpace
from ckpt_tui.stacks.python_layout import Layout

MAX_TEXT = 1024
"""Characters of a text, and bytes of a bytes object, that are read."""

MAX_CONTENTS = 256 << 10
"""Bytes of a line table."""

MAX_DIGITS = 64
"""Digits of 30 bits of a number that is shown."""

MAX_LOCALS = 500
"""Local variables of a frame."""

UNKNOWN = "unknown"
"""Value of what cannot be read."""


@dataclass(frozen=True, slots=True)
class Local:
    """A local variable of a Python function."""

    name: str
    type: str
    """Name of its type, empty where it cannot be read."""
    value: str
    """As Python writes it; of a container the number of its items, of other objects nothing."""


class PythonObjects:
    """The objects of one interpreter."""

    def __init__(self, memory: AddressSpace, layout: Layout) -> None:
        self._memory = memory
        self._layout = layout
        self._types: dict[int, str] = {}
        self._names: dict[int, tuple[str, ...]] = {}
        """Of local variables, by the code that has them."""
        of_items = dict.fromkeys(("list", "tuple", "dict"), self._items)
        of_items |= dict.fromkeys(("set", "frozenset"), self._members)
        self._shown: dict[str, Callable[[int], str]] = {
            "NoneType": lambda _: "None",
            "bool": lambda address: str(self._integer(address) != "0"),
            "int": self._integer,
            "float": self._float,
            "str": lambda address: repr(self.text(address)),
            "bytes": lambda address: repr(self.contents(address, MAX_TEXT)),
            **of_items,
        }

    def pointer(self, address: int, offset: int) -> int:
        """Return a pointer, without the bits in which 3.14 says whose it is; 0 where it cannot be
        read."""
        return (self._memory.word(address + offset) or 0) & ~7

    def contents(self, address: int, most: int = MAX_CONTENTS) -> bytes:
        """Return what a bytes object has, `most` bytes of it; nothing where it cannot be read."""
        start = self._layout.bytes_start
        size = self._memory.word(address + start - 16) if address else None
        return self._memory.read(address + start, min(size, most)) or b"" if size else b""

    def text(self, address: int) -> str:
        """Return a string of the kinds that Python has since 3.3 (PEP 393); empty for no string."""
        layout = self._layout
        raw = self._memory.read(address + layout.string_state, 4) if address else None
        length = self._memory.word(address + layout.string_length) if address else None
        if raw is None or not length:
            return ""
        state = int.from_bytes(raw, "little")
        # two bits say how it is interned, or a byte or two where there is no GIL; kinds follow
        shift = next((n for n in (2, 8, 16) if state >> n & 15 in (9, 10, 12)), None)
        if shift is None:
            return ""
        size, is_ascii = state >> shift & 7, state >> shift + 4
        start = address + (layout.ascii_size if is_ascii & 1 else layout.compact_size)
        data = self._memory.read(start, size * min(length, MAX_TEXT))
        encoding = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[size]
        text = "" if data is None else data.decode(encoding, "replace")
        return text + "…" * (length > MAX_TEXT)

    def locals_of(self, frame: int, code: int) -> Iterator[Local]:
        """Yield the local variables of a frame that have a value, those of closures, too."""
        if code not in self._names:
            self._names[code] = tuple(self._names_of(code))
        for number, name in enumerate(self._names[code]):
            value = self.pointer(frame, self._layout.locals + 8 * number)
            if value and self.type_of(value) == "cell":
                value = self.pointer(value, self._layout.head)
            if value:
                yield self._local(name, value)

    def type_of(self, address: int) -> str:
        """Return the name of the type of an object, empty where it cannot be read."""
        kind = self.pointer(address, self._layout.head - 8)
        if kind not in self._types:
            place = self._memory.word(kind + self._layout.head + 8) if kind else None
            self._types[kind] = self._c_text(place) if place else ""
        return self._types[kind]

    def _c_text(self, place: int) -> str:
        found = b""
        while len(found) < MAX_TEXT and b"\0" not in found:
            piece = self._memory.read(place + len(found), 32 - (place + len(found)) % 32)
            if piece is None:
                return ""
            found += piece
        return found.split(b"\0")[0].decode("utf-8", "replace").rpartition(".")[2]

    def _names_of(self, code: int) -> Iterator[str]:
        left = MAX_LOCALS
        for offset in self._layout.local_names:
            names = self.pointer(code, offset)
            count = self._count(names) or 0 if names else 0
            for number in range(min(count, left)):
                yield self.text(self.pointer(names, self._layout.tuple_start + 8 * number))
            left -= min(count, left)

    def _local(self, name: str, address: int) -> Local:
        kind = self.type_of(address)
        if not kind:
            return Local(name, "", UNKNOWN)
        show = self._shown.get(kind)
        return Local(name, kind, show(address) if show else "")

    def _count(self, address: int) -> int | None:
        return self._memory.word(address + self._layout.head)

    def _items(self, address: int) -> str:
        count = self._count(address)
        return UNKNOWN if count is None else f"{count:,} item{'s' * (count != 1)}"

    def _members(self, address: int) -> str:
        return self._items(address + 8)  # before it the table says how full it is

    def _float(self, address: int) -> str:
        raw = self._memory.read(address + self._layout.head, 8)
        return UNKNOWN if raw is None else repr(struct.unpack("<d", raw)[0])

    def _integer(self, address: int) -> str:
        head = self._layout.head
        size = self._count(address)
        if size is None:
            return UNKNOWN
        if self._layout.version >= (3, 12):  # the sign is in the low bits: 0, 1 for zero, 2
            count = 0 if size & 3 == 1 else size >> 3
            is_negative = size & 3 == 2
        else:
            is_negative = bool(size >> 63)
            count = (1 << 64) - size if is_negative else size
        if count > MAX_DIGITS:
            return f"a number of {count:,} digits of 30 bits"
        raw = self._memory.read(address + head + 8, 4 * count)
        if raw is None:
            return UNKNOWN
        digits = struct.unpack(f"<{count}I", raw)
        value = sum(digit << 30 * place for place, digit in enumerate(digits))
        return str(-value if is_negative else value)
