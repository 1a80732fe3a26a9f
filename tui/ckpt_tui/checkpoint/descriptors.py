"""The records of all fdinfo images in columns, and who shares an open file.

An id that stands in several descriptor tables is one open file description, shared by dup or fork
(CRIU's images/fdinfo.proto).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from ckpt_tui.checkpoint.filetable import FileTable
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import Process
from ckpt_tui.checkpoint.slots import Slots
from ckpt_tui.core.progress import Progress

MAX_DESCRIPTORS = 4_000_000
"""Descriptors kept, at some 25 bytes each; processes can name one table many times."""

MAX_SHARERS = 64
"""Other holders listed with a descriptor; more are counted."""

Thing = int
"""What descriptors can share: the id of a file, or that of a pipe, inverted."""


def shared_thing(table: FileTable, file_id: int) -> Thing:
    """Return what the holders of one open file, or of both ends of a pipe, have in common."""
    if table.objects.type_of(file_id) in ("PIPE", "FIFO"):
        return ~int(table.objects[file_id].message.pipe_id)
    return file_id


class Descriptors:
    """The descriptors of all processes, process by process."""

    def __init__(self) -> None:
        self._pids = array("I")
        self._fds = array("I")
        self.file_ids = array("I")
        self.flags = bytearray()
        """The lowest byte of `fdinfo_entry.flags`."""
        self._of: dict[int, slice] = {}
        self._holders = Slots()
        """Numbers of descriptors by what they share."""

    def __len__(self) -> int:
        return len(self._fds)

    def add(self, pid: int, fd: int, file_id: int, flags: int, thing: Thing) -> None:
        """Add a descriptor; those of a process come one behind the other."""
        self._holders.add(thing, len(self._fds))
        self._pids.append(pid)
        self._fds.append(fd)
        self.file_ids.append(file_id)
        self.flags.append(flags & 0xFF)

    def end_process(self, pid: int, start: int) -> None:
        """Say that all from the number `start` are those of a process."""
        self._of[pid] = slice(start, len(self._fds))

    def fds_from(self, start: int) -> Sequence[int]:
        """Return the descriptors from the number `start` on as their processes know them."""
        return self._fds[start:]

    def key(self, number: int) -> tuple[int, int]:
        """Return pid and number in the process of a descriptor."""
        return self._pids[number], self._fds[number]

    def of(self, pid: int) -> slice:
        """Return where the descriptors of a process are."""
        return self._of.get(pid, slice(0, 0))

    def number(self, pid: int, fd: int) -> int | None:
        """Return where a descriptor of a process is."""
        part = self.of(pid)
        place = bisect_left(self._fds, fd, part.start, part.stop)
        if place < part.stop and self._fds[place] == fd:
            return place
        try:  # they need not rise
            return self._fds.index(fd, part.start, part.stop)
        except (ValueError, OverflowError):
            return None

    def leading_to(self, table: FileTable, file_id: int) -> Sequence[int]:
        """Return the numbers of the descriptors that lead to one open file, rising."""
        sharing = self._holders.of(shared_thing(table, file_id))
        return [n for n in sharing if self.file_ids[n] == file_id]

    def sharing(self, thing: Thing, but: int | None) -> Sequence[int]:
        """Return the numbers of all holders of something but one of them, rising."""
        holders = self._holders.of(thing)
        place = bisect_left(holders, but) if but is not None else len(holders)
        return array("I", holders[:place]) + array("I", holders[place + 1 :])

    def others(self, number: int, thing: Thing) -> tuple[tuple[tuple[int, int], ...], int]:
        """Return the first other holders of what a descriptor shares, and how many there are.
        Lists of all for each would grow with their square."""
        holders = self._holders.of(thing)
        some = [n for n in holders[: MAX_SHARERS + 1] if n != number][:MAX_SHARERS]
        return tuple(map(self.key, some)), len(holders) - 1


class _Numbers:
    """The descriptors of one table, to tell the first that comes again."""

    def __init__(self) -> None:
        self._greatest = -1
        self._seen: set[int] | None = None
        """Mostly they rise, and none is made."""
        self._is_told = False

    def add(self, fd: int, found: Descriptors, start: int) -> bool:
        """Add one, those before being the ones of `found` from the number `start` on; return False
        for the first that comes again."""
        if fd > self._greatest:
            self._greatest = fd
        elif not self._is_told:
            if self._seen is None:
                self._seen = set(found.fds_from(start))
            self._is_told = fd in self._seen
            if self._is_told:
                return False
        if self._seen is not None:
            self._seen.add(fd)
        return True


def read_descriptors(
    images: ImageDirectory,
    table: FileTable,
    processes: tuple[Process, ...],
    progress: Progress,
) -> Descriptors:
    """Read the table of every process."""
    found = Descriptors()
    for process in processes:
        start = len(found)
        if process.files_id is not None:
            name = f"fdinfo-{process.files_id}.img"
            numbers = _Numbers()
            lost, first_lost = 0, 0
            for info, _, offset in images.records(name, progress):
                if len(found) >= MAX_DESCRIPTORS:
                    text = f"Only the first {MAX_DESCRIPTORS:,} descriptors are looked at, not from"
                    images.note(name, f"{text} number {len(found) - start:,} of its own on.")
                    break
                if not numbers.add(info.fd, found, start):
                    images.note(name, f"Descriptor {info.fd} is listed again at byte {offset:,}.")
                if not table.objects.type_of(info.id):
                    lost, first_lost = lost + 1, first_lost or offset
                thing = shared_thing(table, info.id)
                found.add(process.pid, info.fd, info.id, info.flags, thing)
            if lost:
                lead = "descriptor leads" if lost == 1 else "descriptors lead"
                text = f"{lost:,} {lead} to no file, the first at byte {first_lost:,}."
                images.note(name, text)
        found.end_process(process.pid, start)
    return found
