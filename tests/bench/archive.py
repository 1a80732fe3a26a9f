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

DELTA_FILE = 8
"""MiB of each file of the delta."""

FREE_ADDRESS = 0x10000000
"""Where the process has nothing mapped."""

PAGES, DIFF = "checkpoint/pages-1.img", "rootfs-diff.tar"


class Repeated(io.RawIOBase):
    """A file that begins with some bytes and goes on with a pattern, again and again."""

    def __init__(self, first: bytes, pattern: bytes) -> None:
        self._rest = memoryview(first)
        self._pattern = memoryview(pattern)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or self._pattern
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


def _more_pages(count: int) -> Any:
    def change(messages: list[Any]) -> list[Any]:
        last = messages[-1]
        added = type(last)()
        added.CopyFrom(last)
        added.vaddr, added.nr_pages = FREE_ADDRESS, count
        return [messages[0], added, *messages[1:]]

    return change


def _with_pages(pagemap: bytes, count: int) -> bytes:
    """Return a page map with so many pages more, the first of all."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "pagemap-1.img"
        image.write_bytes(pagemap)
        crafted.rewrite(image, _more_pages(count))
        return image.read_bytes()


def _members(like: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    with (
        like.open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        for member in tar:
            content = tar.extractfile(member)
            yield member, content.read() if content else b""


def write_archive(target: Path, memory_mib: int, delta_mib: int) -> None:
    """Write the archive."""
    chosen = random.Random(1)
    pattern = memory_like(chosen)
    packer = zstandard.ZstdCompressor(LEVEL, write_checksum=True, threads=-1)
    with (
        target.open("wb") as out,
        packer.stream_writer(out) as stream,
        tarfile.open(fileobj=stream, mode="w|") as tar,
    ):
        for member, content in _members(crafted.ARCHIVES / "counter.tar.zst"):
            file: Any = io.BytesIO(content)
            if member.name == PAGES:
                file = io.BufferedReader(Repeated(content, pattern), MIB)
                member.size += memory_mib * MIB
            elif member.name == "checkpoint/pagemap-1.img":
                content = _with_pages(content, memory_mib * MIB // PAGE)
                file, member.size = io.BytesIO(content), len(content)
            elif member.name == DIFF:
                content = delta(chosen, delta_mib)
                file, member.size = io.BytesIO(content), len(content)
            tar.addfile(member, file)
