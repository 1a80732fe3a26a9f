"""Writes a checkpoint as podman exports it, of any size: always the same bytes, in some seconds.

It is that of the counter with more memory and a larger delta. Of the memory a third each is zeros,
lines of text and noise; the files of the delta are noise.
"""

from __future__ import annotations

import io
import random
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zstandard

import crafted

MIB = 1 << 20
PAGE = 4096

LEVEL = 3
"""Of zstd, podman's own."""

PATTERN = 48
"""MiB after which the bytes come again, many times farther than zstd looks back."""

HEAP = 0x20
"""Bit of vma_entry.status (criu/include/image.h)."""

DELTA_FILE = 8
"""MiB of each file of the delta."""

FREE_ADDRESS = 0x1000000000
"""Where the process has nothing mapped: between its heap and its stack."""

PAGES, DIFF = "checkpoint/pages-1.img", "rootfs-diff.tar"
PAGE_MAP, MAPPINGS = "checkpoint/pagemap-1.img", "checkpoint/mm-1.img"


class Repeated(io.RawIOBase):
    """A file: some bytes, then a pattern, again and again, for `size` bytes, then other bytes.

    Every 64th page of the pattern begins with `mark`, so that files with other marks differ there.
    """

    def __init__(self, first: bytes, pattern: bytes, size: int, last: bytes, mark: int) -> None:
        marked = bytearray(pattern)
        marked[0 : len(marked) : 64 * PAGE] = bytes([mark]) * -(-len(marked) // (64 * PAGE))
        self._rest = memoryview(first)
        self._pattern = memoryview(bytes(marked))
        self._left = size
        self._last: bytes | None = last

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest and self._left:
            self._rest = self._pattern[: self._left]
            self._left -= len(self._rest)
        elif not self._rest and self._last is not None:
            self._rest, self._last = memoryview(self._last), None
        length = min(len(buffer), len(self._rest))
        buffer[:length] = self._rest[:length]
        self._rest = self._rest[length:]
        return length


def memory_like(chosen: random.Random) -> bytes:
    """Return the pattern of the memory."""
    parts = []
    for _ in range(PATTERN // 3):
        lines = [b"GET /item/%d HTTP/1.1 200\n" % chosen.randrange(10**8) for _ in range(MIB // 30)]
        parts += [bytes(MIB), b"".join(lines).ljust(MIB)[:MIB], chosen.randbytes(MIB)]
    return b"".join(parts)


def delta(chosen: random.Random, size_mib: int) -> bytes:
    """Return a rootfs-diff.tar with so many MiB of files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number in range(size_mib // DELTA_FILE):
            info = tarfile.TarInfo(f"data/file{number:02}")
            info.size = DELTA_FILE * MIB
            tar.addfile(info, io.BytesIO(chosen.randbytes(info.size)))
    return out.getvalue()


def _grown(like: dict[str, bytes], count: int) -> tuple[bytes, bytes, int]:
    """Return the page map and the mappings with so many pages more, and the pages before these."""
    before = 0

    def more_pages(messages: list[Any]) -> list[Any]:
        nonlocal before
        head, *runs = messages
        low = [run for run in runs if run.vaddr < FREE_ADDRESS]
        before = sum(run.nr_pages for run in low)
        added = type(runs[0])()
        added.CopyFrom(runs[0])
        added.vaddr, added.nr_pages = FREE_ADDRESS, count
        return [head, *low, added, *runs[len(low) :]]

    def more_mapped(messages: list[Any]) -> None:
        mappings = messages[0].vmas
        heap = next(vma for vma in mappings if vma.status & HEAP)
        added = mappings.add()
        added.CopyFrom(heap)
        added.status &= ~HEAP
        added.start, added.end = FREE_ADDRESS, FREE_ADDRESS + count * PAGE
        mappings.sort(key=lambda vma: vma.start)

    with tempfile.TemporaryDirectory() as folder:
        images = []
        for name, change in ((PAGE_MAP, more_pages), (MAPPINGS, more_mapped)):
            images.append(Path(folder) / Path(name).name)
            images[-1].write_bytes(like[name])
            crafted.rewrite(images[-1], change)
        return images[0].read_bytes(), images[1].read_bytes(), before


def _members(like: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    with (
        like.open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        for member in tar:
            content = tar.extractfile(member)
            yield member, content.read() if content else b""


@contextmanager
def _written(target: Path) -> Iterator[tarfile.TarFile]:
    """Give the archive to fill: plain if it is called .tar."""
    if target.suffix == ".tar":
        with tarfile.open(target, "w") as tar:
            yield tar
        return
    packer = zstandard.ZstdCompressor(LEVEL, write_checksum=True, threads=-1)
    with (
        target.open("wb") as out,
        packer.stream_writer(out) as stream,
        tarfile.open(fileobj=stream, mode="w|") as tar,
    ):
        yield tar


def write_huge(target: Path, memory_gib: int) -> None:
    """Write a plain archive with so much memory, all zeros and none of them on disk."""
    size = memory_gib << 30
    members = [*_members(crafted.ARCHIVES / "counter.tar.zst")]
    page_map, mappings, before = _grown({m.name: c for m, c in members}, size // PAGE)
    changed = {PAGE_MAP: page_map, MAPPINGS: mappings}
    at = before * PAGE
    with target.open("wb") as out:
        for member, content in members:
            content = changed.get(member.name, content)
            hole = size if member.name == PAGES else 0
            member.size = len(content) + hole
            out.write(member.tobuf(tarfile.PAX_FORMAT) + (content[:at] if hole else content))
            out.seek(hole, io.SEEK_CUR)
            out.write((content[at:] if hole else b"") + bytes(-member.size % tarfile.BLOCKSIZE))
        out.write(bytes(2 * tarfile.BLOCKSIZE))


def write_archive(target: Path, memory_mib: int, delta_mib: int, mark: int = 0) -> None:
    """Write the archive, packed with zstd unless it is called .tar; those of two marks differ in
    every 64th page."""
    chosen = random.Random(1)
    pattern = memory_like(chosen)
    members = [*_members(crafted.ARCHIVES / "counter.tar.zst")]
    size = memory_mib * MIB
    page_map, mappings, before = _grown({m.name: c for m, c in members}, size // PAGE)
    changed = {PAGE_MAP: page_map, MAPPINGS: mappings, DIFF: delta(chosen, delta_mib)}
    with _written(target) as tar:
        for member, content in members:
            content = changed.get(member.name, content)
            member.size = len(content)
            file: Any = io.BytesIO(content)
            if member.name == PAGES:
                at = before * PAGE
                filled = Repeated(content[:at], pattern, size, content[at:], mark)
                file, member.size = io.BufferedReader(filled, MIB), len(content) + size
            tar.addfile(member, file)
