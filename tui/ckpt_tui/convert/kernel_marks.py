"""What in a delta is an instruction to a kernel, and not data that the container had.

An engine unpacks a layer into the upper folder of an overlay mount or beside one. There, extended
attributes of overlayfs and fuse-overlayfs and character devices 0:0 hide, redirect or replace
other files (Documentation/filesystems/overlayfs.rst), and a device node opens a device of the host.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.filetree import XATTR
from ckpt_tui.convert.upper_marks import MARKS
from ckpt_tui.core.text import human_count

MAX_NAMED = 20
"""Names kept of each kind; the rest is counted."""

_ATTRIBUTES = (XATTR, "LIBARCHIVE.xattr.")
"""What PAX records that carry an extended attribute begin with (star, libarchive)."""

_SET_ID = 0o6000
_DEVICES = (MemberKind.CHARACTER, MemberKind.BLOCK)


@dataclass(slots=True)
class _Named:
    names: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.names) < MAX_NAMED:
            self.names.append(name)

    def __str__(self) -> str:
        more = self.count - len(self.names)
        return ", ".join(self.names) + (f" and {more:,} more" if more else "")


@dataclass(slots=True)
class KernelMarks:
    """What was found, in memory that does not grow with the delta."""

    marks: _Named = field(default_factory=_Named)
    """Entries with an attribute of overlayfs or fuse-overlayfs, and that attribute."""
    deletions: _Named = field(default_factory=_Named)
    """Devices 0:0."""
    blocks: _Named = field(default_factory=_Named)
    """Other block devices."""
    characters: _Named = field(default_factory=_Named)
    """Other character devices."""
    set_id: _Named = field(default_factory=_Named)
    """Files that run with the rights of their owner or group."""
    _shared: tuple[Mapping[str, str], str] = ({}, "")
    """Records that many members share, and the attribute found among them: looked at once."""

    def look_at(self, member: Member) -> None:
        """Note what a member of a layer is."""
        if attribute := self._mark_of(member.pax):
            self.marks.add(f"{member.name} ({attribute})")
        if member.kind in _DEVICES:
            self._device(member)
        elif member.kind is MemberKind.FILE and member.mode & _SET_ID:
            self.set_id.add(f"{member.name} ({member.mode:04o})")

    def _mark_of(self, pax: Mapping[str, str]) -> str:
        own, shared = (pax.maps[0], pax.maps[1]) if isinstance(pax, ChainMap) else ({}, pax)
        if shared is not self._shared[0]:
            self._shared = shared, _mark_in(shared)
        return _mark_in(own) or self._shared[1]

    def _device(self, member: Member) -> None:
        major, minor = member.device
        if (major, minor) == (0, 0):
            self.deletions.add(member.name)
        elif member.kind is MemberKind.BLOCK:
            self.blocks.add(f"{member.name} ({major}:{minor})")
        else:
            self.characters.add(f"{member.name} ({major}:{minor})")

    def problems(self, *, keep_devices: bool) -> list[str]:
        """Return why the delta cannot become a layer, a sentence each."""
        found = []
        if self.marks.count:
            found.append(f"The delta has attributes of an overlay mount: {self.marks}.")
        if self.deletions.count:
            found.append(f"The delta has devices 0:0, which delete in a layer: {self.deletions}.")
        if self.blocks.count and not keep_devices:
            found.append(
                f"The delta has block devices, which lead to disks of a host: {self.blocks}. "
                "`--keep-devices` converts them."
            )
        return found

    def warnings(self, *, keep_devices: bool) -> list[str]:
        """Return what a person has to know of the layer, a sentence each."""
        found = []
        if self.blocks.count and keep_devices:
            found.append(f"Block devices in the delta: {self.blocks}.")
        if self.characters.count:
            found.append(f"Character devices in the delta: {self.characters}.")
        if self.set_id.count:
            what = human_count(self.set_id.count, "file")
            found.append(f"Setuid or setgid, {what} of the delta: {self.set_id}.")
        return found


def kernel_marks(members: Iterable[Member]) -> KernelMarks:
    """Return what is in the members of a layer."""
    found = KernelMarks()
    for member in members:
        found.look_at(member)
    return found


def _mark_in(records: Mapping[str, str]) -> str:
    """Return the first attribute among PAX records that is an instruction, "" where none is."""
    for key in records:
        prefix = next((prefix for prefix in _ATTRIBUTES if key.startswith(prefix)), "")
        attribute = unquote(key.removeprefix(prefix)) if prefix else ""
        if attribute.startswith(MARKS):
            return attribute
    return ""
