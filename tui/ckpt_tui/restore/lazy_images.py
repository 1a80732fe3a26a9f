"""A folder of images for `criu restore --lazy-pages`: everything but the pages that can wait.

Page maps are written anew, in the form that CRIU leaves behind when it migrates lazily: a run that
a page server has is LAZY and not PRESENT, and the page image holds the other runs only. A restore
without `--lazy-pages` finds too few pages in it and fails. Pages of earlier dumps of a chain are
taken from there, so the folder needs none of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.parallel import side_by_side
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow, chunks
from ckpt_tui.criu.frames import read_frames, read_head
from ckpt_tui.criu.kinds import kind_of
from ckpt_tui.criu.pages import PE_LAZY, PE_PRESENT, Memory, PageState, Span
from ckpt_tui.formats.opened import OpenCheckpoint

if TYPE_CHECKING:
    from ckpt_tui.criu.schema.memory_pb2 import pagemap_entry


AT_ONCE = 4 << 20
"""Bytes of one copy."""

SIDE_BY_SIDE = 8
"""Copies at the same time: the pages may be in a registry."""


@dataclass(frozen=True, slots=True)
class LazyImages:
    """What was written."""

    written: int
    """Bytes of the images in the folder."""
    lazy: int
    """Bytes of the pages that are left to the page server."""
    pids: tuple[int, ...]
    """Processes that have such pages."""


def write_lazy_images(
    opened: OpenCheckpoint, folder: Path, progress: Progress, *, is_lazy: bool = True
) -> LazyImages:
    """Write the images of a checkpoint into an empty folder, without its lazy pages; with them
    where it is not `is_lazy`.

    Progress counts bytes.

    Raises:
        CkptError: the folder is not empty or cannot be written, or pages are missing.
    """
    _make_empty(folder)
    progress.start("writing images")
    maps: list[tuple[int | None, _SplitMap]] = []
    small = 0
    try:
        for name in opened.images.names:
            try:
                window = opened.images.window(name)
            except KeyError:  # a link, such as `parent`
                continue
            if name in ("", ".", "..") or name in opened.images.page_images:
                continue
            memory, pid = _memory_of(opened, name)
            if memory is None:
                small += _copy(window, folder / name, progress)
            else:
                maps.append(
                    (pid, _SplitMap(window, name, memory, is_lazy=is_lazy and pid is not None))
                )
        copies = [copy for _, one in maps for copy in one.write(folder, progress)]
        side_by_side([copy.run for copy in copies], SIDE_BY_SIDE, progress)
    except OSError as error:
        raise CkptError(f"{folder} cannot be written.", f"{error.strerror or error}.") from error
    return LazyImages(
        small + sum(one.written for _, one in maps),
        sum(one.lazy for _, one in maps),
        tuple(pid for pid, one in maps if pid is not None and one.lazy),
    )


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise CkptError(f"{folder} cannot be used.", f"{error.strerror or error}.") from error
    if not is_empty:
        raise CkptError(
            f"{folder} is not empty.", "The images of one checkpoint belong there.", "Name another."
        )


def _memory_of(opened: OpenCheckpoint, name: str) -> tuple[Memory | None, int | None]:
    """Return the memory that a page map is of, and the process if it is one's own."""
    found = kind_of(name)
    if found is None or not name.startswith("pagemap-"):
        return None, None
    number = name.removesuffix(".img").rpartition("-")[2]
    if not number.isdecimal():
        return None, None
    if name == f"pagemap-{number}.img":
        return _readable(opened.memory.memory(int(number)), name), int(number)
    if name == f"pagemap-shmem-{number}.img":
        return _readable(opened.memory.shared(int(number), _page_size(opened)), name), None
    return None, None


def _readable(memory: Memory | None, name: str) -> Memory:
    problem = memory.pagemap.problem if memory else ""
    if memory is None or problem or memory.pagemap.pages_id is None:
        raise CkptError(f"{name} cannot be read.", problem, "See `ckpt-tui verify`.")
    return memory


def _page_size(opened: OpenCheckpoint) -> int:
    """Return the bytes of a page; a host has pages of one size."""
    pids = (name.removesuffix(".img").removeprefix("mm-") for name in opened.images.named("mm-"))
    return next((opened.memory.page_size(int(pid)) for pid in pids if pid.isdecimal()), 4096)


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _copy(window: ByteWindow, path: Path, progress: Progress) -> int:
    with _create(path) as file:
        for piece in chunks(window):
            file.write(piece)
            progress.tick(len(piece))
    return window.size


class _SplitMap:
    """One page map, split into what is written and what a page server has."""

    def __init__(self, window: ByteWindow, name: str, memory: Memory, *, is_lazy: bool) -> None:
        self.lazy = self.written = 0
        self._window = window
        self._name = name
        self._memory = memory
        self._is_lazy = is_lazy

    def write(self, folder: Path, progress: Progress) -> list[_Copy]:
        """Write the page map and make its page image; return what is to be copied into that."""
        kind, _ = kind_of(self._name) or (None, "")
        assert kind is not None
        pages = folder / f"pages-{self._memory.pagemap.pages_id}.img"
        byte_order = read_head(self._window, kind).byte_order
        copies: list[_Copy] = []
        size = 0
        with _create(folder / self._name) as file:
            for index, frame in enumerate(read_frames(self._window, self._name, kind, progress)):
                if not index:  # the magic and the head
                    file.write(self._window.read(0, frame.payload_offset + frame.size))
                    continue
                entry = cast("pagemap_entry", kind.message_class(index).FromString(frame.payload))
                for span, flags in self._split(index - 1):
                    if flags & PE_PRESENT:
                        copies += self._copies(span, pages, size)
                        size += span.end - span.start
                    _set_run(entry, span.start, (span.end - span.start) // self._page_size, flags)
                    message = entry.SerializeToString()
                    file.write(len(message).to_bytes(4, byte_order) + message)
            self.written = file.tell() + size
        with _create(pages) as file:
            file.truncate(size)
        return copies

    @property
    def _page_size(self) -> int:
        return self._memory.page_size

    def _split(self, index: int) -> Iterator[tuple[Span, int]]:
        """Yield the parts of a run that lie in one place, and their flags."""
        run = self._memory.pagemap.run(index)
        for span in self._memory.spans(run.start, run.start + run.pages * self._page_size):
            if span.state is not PageState.DATA:
                raise CkptError(
                    f"{self._name} leads to pages that cannot be served.",
                    f"The memory at {span.start:#x} is {span.state.value}.",
                    "Open the checkpoint together with the dumps before it.",
                )
            if self._is_lazy and self._flags_at(span) & PE_LAZY:
                self.lazy += span.end - span.start
                yield span, PE_LAZY
            else:
                yield span, PE_PRESENT

    def _flags_at(self, span: Span) -> int:
        """Return the flags of the run in the dump that has the pages."""
        pagemap = self._memory.dump(span.level).pagemap
        return pagemap.run(pagemap.first_after(span.start) - 1).flags

    def _copies(self, span: Span, pages: Path, start: int) -> Iterator[_Copy]:
        window = self._memory.dump(span.level).pages
        assert window is not None
        size = span.end - span.start
        for done in range(0, size, AT_ONCE):
            length = min(size - done, AT_ONCE)
            yield _Copy(window, span.offset + done, length, pages, start + done)


@dataclass(frozen=True, slots=True)
class _Copy:
    """Pages to be copied to a place in a page image."""

    window: ByteWindow
    offset: int
    size: int
    path: Path
    place: int

    def run(self, progress: Progress) -> None:
        contents = self.window.read(self.offset, self.size)
        if len(contents) < self.size:
            raise CkptError(f"{self.path.name} cannot be written.", "Pages of it are missing.")
        with self.path.open("r+b") as file:
            file.seek(self.place)
            file.write(contents)
        progress.tick(self.size)


def _set_run(entry: pagemap_entry, address: int, pages: int, flags: int) -> None:
    """Make a record that of another run, in the form that it has: CRIU v4.2 and later write the
    number of pages into a field of its own."""
    entry.vaddr = address
    if entry.HasField("nr_pages"):
        entry.nr_pages = pages
    else:
        entry.compat_nr_pages = pages
    entry.flags = flags
    entry.ClearField("in_parent")
