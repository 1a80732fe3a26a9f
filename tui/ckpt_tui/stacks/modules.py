"""The programs and libraries of a process: which file is mapped where, and where its bytes are.

A file is taken from the changes of the container, from its base image, or, where neither has it,
from memory. One whose build id differs from the one in the checkpoint is not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ckpt_tui.archive.layers import WHITEOUT
from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.checkpoint.model import Region
from ckpt_tui.checkpoint.validated import ValidatedFile
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.stacks.address_space import AddressSpace, CachedWindow, MappedWindow
from ckpt_tui.stacks.cfi import FrameTable, Row
from ckpt_tui.stacks.elf import ElfFile, NotElf
from ckpt_tui.stacks.go_table import GoTable, go_table
from ckpt_tui.stacks.symbols import Symbol, SymbolTable

MAX_LINKS = 8
"""Hard links followed to a file."""


class RootFiles:
    """The files that a container sees: its changes, and below them the base image."""

    def __init__(
        self,
        base: Tree | None,
        changes: Tree | None,
        recorded: Sequence[ValidatedFile] = (),
    ) -> None:
        """`recorded` is what the checkpoint says of files. Neither tree is closed here."""
        self._trees = [tree for tree in (changes, base) if tree is not None]
        self._recorded: Mapping[str, ValidatedFile] = {one.path: one for one in recorded}
        self._opened: dict[str, ByteWindow | None] = {}
        self.problems: dict[str, str] = {}
        """Why a file is not used, a sentence by its path."""
        self.has_base = base is not None

    def open(self, path: str) -> ByteWindow | None:
        """Return the bytes of a file that the process had mapped, None where it is not at hand."""
        if path not in self._opened:
            try:
                self._opened[path] = self._checked(path)
            except CkptError as error:
                self.problems[path] = str(error)
                self._opened[path] = None
        return self._opened[path]

    def _checked(self, path: str) -> ByteWindow | None:
        window = self._found(path)
        if window is None:
            where = (
                "in the base image" if self.has_base else "available: the base image was not found"
            )
            self.problems[path] = f"{path} is not {where}."
            return None
        window, recorded = CachedWindow(window), self._recorded.get(path)
        if recorded is None:
            return window
        if recorded.build_id:
            try:
                found = ElfFile(window).build_id
            except NotElf:
                found = b""
            if found != recorded.build_id:
                self.problems[path] = (
                    f"{path} is another build: the process ran {recorded.build_id.hex()}, here is "
                    f"{found.hex() or 'one without a build id'}."
                )
                return None
        elif recorded.size not in (None, window.size):
            self.problems[path] = (
                f"{path} is another file: the process had one of {recorded.size:,} bytes, here it "
                f"has {window.size:,}."
            )
            return None
        return window

    def _found(self, path: str) -> ByteWindow | None:
        name = path.lstrip("/")
        folder, _, last = name.rpartition("/")
        whiteout = f"{folder}/{WHITEOUT}{last}".lstrip("/")
        for tree in self._trees:
            if whiteout in tree.members:
                return None
            for _ in range(MAX_LINKS):
                member = tree.members.get(name)
                if member is None or member.kind is not MemberKind.HARDLINK:
                    break
                name = member.link
            if member is not None and member.kind is MemberKind.FILE:
                return tree.window(name)
        return None


@dataclass(frozen=True)
class Module:
    """One file that is mapped, or the vdso; addresses are those of the process."""

    name: str
    """Its path, or `[vdso]`."""
    elf: ElfFile | None
    bias: int
    """What its addresses were moved by."""

    @cached_property
    def _frames(self) -> FrameTable | None:
        return FrameTable(self.elf) if self.elf else None

    @cached_property
    def _symbols(self) -> SymbolTable | None:
        return SymbolTable(self.elf) if self.elf else None

    @cached_property
    def _go(self) -> GoTable | None:
        return go_table(self.elf) if self.elf else None

    def function_at(self, place: int) -> Symbol | None:
        """Return the function at an address before it was moved, None where no symbol says so.

        Raises:
            CkptError: the file cannot be read.
        """
        found = self._go.function_at(place) if self._go else None
        if found is None and self._symbols:
            found = self._symbols.at(place)
        return found

    def row(self, place: int, *, is_innermost: bool) -> Row | None:
        """Return how to unwind from an address before it was moved, None without an entry for it.

        Raises:
            BadTable: the entry contradicts itself.
            CkptError: the file cannot be read.
        """
        found = self._go.row(place, is_innermost=is_innermost) if self._go else None
        if found is None and self._frames:
            found = self._frames.row(place)
        return found


class Modules:
    """The modules of one process."""

    def __init__(self, memory: AddressSpace, files: RootFiles) -> None:
        self._memory = memory
        self._files = files
        self._known: dict[int, Module | None] = {}
        """By the start of a region."""
        self._opened: dict[str, ElfFile | None] = {}
        self._by_place: dict[tuple[str, int], Module] = {}

    def at(self, address: int) -> Module | None:
        """Return what is mapped at an address, None for memory that is of no file."""
        region = self._memory.region_at(address)
        if region is None:
            return None
        if region.start not in self._known:
            self._known[region.start] = self._of_region(region)
        return self._known[region.start]

    def all(self) -> list[Module]:
        """Return every module that has code."""
        found = (self.at(r.start) for r in self._memory.regions if r.protection[2:3] == "x")
        return list(dict.fromkeys(one for one in found if one is not None))

    def _of_region(self, region: Region) -> Module | None:
        if region.kind not in ("file", "vdso"):
            return None
        name = region.path if region.kind == "file" else "[vdso]"
        elf = self._elf(name, region)
        place = elf.address_of(region.offset) if elf else None
        bias = region.start - (region.offset if place is None else place)
        key = name, bias
        if key not in self._by_place:
            self._by_place[key] = Module(name, elf, bias)
        return self._by_place[key]

    def _elf(self, name: str, region: Region) -> ElfFile | None:
        """Return the ELF file of a region: the file, else what is in memory of it."""
        if name not in self._opened:
            window = self._files.open(name) if region.kind == "file" else None
            self._opened[name] = _elf(window) if window else self._in_memory(name, region)
        return self._opened[name]

    def _in_memory(self, name: str, region: Region) -> ElfFile | None:
        if region.kind == "vdso":
            parts: Sequence[Region] = (region,)
        else:
            parts = [one for one in self._memory.regions if one.path == name]
        start = min((one.start for one in parts if not one.offset), default=0)
        return _elf(MappedWindow(self._memory, parts), start)


def _elf(window: ByteWindow, moved: int = 0) -> ElfFile | None:
    try:
        return ElfFile(window, moved)
    except (NotElf, CkptError):
        return None
