"""Checks a conversion before it gets a name: every blob, and the delta against its meaning."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ckpt_tui.archive.compression import decompressed, sniff
from ckpt_tui.archive.tar import Walk
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.filetree import Content, FileTree, apply_layer, apply_legacy, differences
from ckpt_tui.convert.unpacking import TarEntry
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, ByteWindow

MAX_NAMED = 5
"""Differences named in an error; one is enough to look, five show a pattern."""


def check_blob(path: Path, digest: str, progress: Progress) -> None:
    """Re-read a blob.

    Raises:
        CkptError: its bytes do not have its digest.
    """
    found = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK))  # one for all: the memory of a new one costs as much
    with path.open("rb", buffering=0) as file:
        while length := file.readinto(buffer):
            found.update(buffer[:length])
            progress.tick(length)
    if f"sha256:{found.hexdigest()}" != digest:
        raise CkptError(
            f"The blob {digest} was not written as it should be:",
            f"read again it has the digest sha256:{found.hexdigest()}.",
            "Check the disk, and convert again.",
        )


def check_delta(
    base: Mapping[str, Member],
    entries: Sequence[TarEntry],
    deleted: Sequence[str],
    digests: Mapping[int, str],
    layer: ByteWindow | None,
    progress: Progress,
) -> None:
    """Compare base + delta layer by OCI rules with what the legacy checkpoint means.

    `digests` are those of the files in rootfs-diff.tar by the index of their entry, `layer` is the
    blob as written.

    Raises:
        CkptError: they differ in path, kind, mode, owner, size, link, attributes or data.
    """
    tar = [
        (entry.member, digests.get(index, "") if entry.member.kind is MemberKind.FILE else "")
        for index, entry in enumerate(entries)
    ]
    expected = apply_legacy(base, tar, deleted, progress)
    known = {entry.member.name: entry.member for entry in entries}
    found = apply_layer(base, read_contents(layer, known, progress) if layer else ())
    _expect_same(
        expected,
        found,
        "The delta layer does not mean what the archive means:",
        "Keep the delta as it is with --keep-delta-tar, and report this.",
    )


def check_contents(
    base: Mapping[str, Member], written: Sequence[Content], layer: ByteWindow, progress: Progress
) -> None:
    """Compare base + a layer as it lies on disk with base + what was to be written.

    Raises:
        CkptError: they differ.
    """
    _expect_same(
        apply_layer(base, written),
        apply_layer(base, read_contents(layer, {}, progress)),
        "The delta layer was not written as it should be:",
        "Check the disk, and convert again.",
    )


def _expect_same(expected: FileTree, found: FileTree, what: str, hint: str) -> None:
    wrong = differences(expected, found)
    if wrong:
        named = "; ".join(f"{d.name}: {d.expected} became {d.found}" for d in wrong[:MAX_NAMED])
        raise CkptError(what, f"{len(wrong):,} names differ. {named}.", hint)


def read_contents(
    layer: ByteWindow, known: Mapping[str, Member], progress: Progress
) -> Iterator[Content]:
    """Yield the members of a layer with the digests of their data.

    A member that is equal to one of `known` is given as that one, which saves its memory.
    """
    stream = decompressed(layer, sniff(layer.read(0, 4)), progress, "the delta layer")
    members = Walk(stream, "the delta layer")
    for read, reader in members:
        there = known.get(read.name)
        member = there if there is not None and there == read else read
        if member.kind is not MemberKind.FILE:
            yield member, ""
            continue
        found = hashlib.sha256()
        for piece in reader.chunks():
            found.update(piece)
        yield member, found.hexdigest()
    if members.notes:
        raise CkptError("The delta layer cannot be read back:", " ".join(members.notes))
