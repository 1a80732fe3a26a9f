"""The way back: the archive that an engine wrote, made again from the optimized image.

Its members are equal in name, order, header and bytes. The archive as a file is not: tar headers
and compression leave a writer some freedom.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ckpt_tui.archive.compression import plain_pieces
from ckpt_tui.archive.tar import stream
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.convert.delta_stream import rebuild
from ckpt_tui.convert.header_writer import END, header, padding
from ckpt_tui.convert.layer_writer import LayerWriter
from ckpt_tui.convert.record import DeltaRecord, FromLayer, Record, read_record
from ckpt_tui.convert.roles import DIFF_TAR, RECORD, tar_size
from ckpt_tui.convert.staging import Staging
from ckpt_tui.core.document import MAX_DOCUMENT
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import ByteWindow, chunks


@dataclass(frozen=True, slots=True)
class RestoredArchive:
    """What was written."""

    path: Path
    size: int
    members: int
    exact: bool
    """Whether rootfs-diff.tar has the same bytes as the original; if not, the same content."""


def restore_archive(
    tree: Tree, delta: ByteWindow | None, target: Path, progress: Progress
) -> RestoredArchive:
    """Write the archive that `tree`, the merged tree of a checkpoint image, was made from.

    `delta` is the blob of the delta layer. The archive is compressed where the original was.

    Raises:
        CkptError: the image lacks what a conversion leaves in it, or its bytes are not those of
            the original.
        Cancelled: the job was cancelled. As with every error, no file is left.
    """
    if RECORD not in tree.members:
        raise CkptError("This is not a converted checkpoint:", f"it has no {RECORD}.")
    window = tree.window(RECORD)
    if window.size > MAX_DOCUMENT:
        raise DamagedInput(RECORD, 0, f"it has {window.size} bytes, more than one ever has.")
    record = read_record(window.read(0, window.size))
    progress.start("writing the archive", sum(member.size for member in record.members))
    plain = record.source.compression not in ("zstd", "gzip")
    try:
        with Staging(target.parent) as staging:
            with LayerWriter(staging, "", plain=plain) as out:
                exact = _Copy(record, tree, delta, out, progress).write()
                archive = out.finish().descriptor
            os.replace(staging.path(archive.digest), target)
    except OSError as error:
        raise CkptError(f"{target} cannot be written:", f"{error.strerror or error}.") from error
    return RestoredArchive(target, archive.size, len(record.members), exact)


class _Copy:
    def __init__(
        self,
        record: Record,
        tree: Tree,
        delta: ByteWindow | None,
        out: LayerWriter,
        progress: Progress,
    ) -> None:
        self._record = record
        self._tree = tree
        self._delta = delta
        self._out = out
        self._progress = progress

    def write(self) -> bool:
        """Write all members; return whether rootfs-diff.tar has its old bytes."""
        exact = True
        for member in self._record.members:
            delta = self._record.delta if member.name == DIFF_TAR else None
            if delta and not delta.exact:
                exact = False
                self._write_again(member, delta)
                continue
            self._out.write(header(member, owner_names=True))
            if member.kind is not MemberKind.FILE:
                continue
            expected = delta.digest if delta else self._record.digests.get(member.name, "")
            pieces = self._rebuilt(delta) if delta else self._pieces(member)
            self._out.add_data(member, self._checked(member.name, pieces, expected))
        return exact

    def _pieces(self, member: Member) -> Iterator[bytes]:
        original = self._record.originals.get(member.name)
        if original is not None:
            return iter((original,) if original else ())
        try:
            return chunks(self._tree.window(member.name))
        except KeyError:
            raise CkptError(
                f"{member.name} is missing:", "the image has not all that its record names."
            ) from None

    def _checked(self, name: str, pieces: Iterable[bytes], expected: str) -> Iterator[bytes]:
        found = hashlib.sha256()
        for piece in pieces:
            if expected:
                found.update(piece)
            self._progress.tick(len(piece))
            yield piece
        if expected and f"sha256:{found.hexdigest()}" != expected:
            raise DamagedInput(name, 0, f"it should have the digest {expected}.")

    def _rebuilt(self, delta: DeltaRecord) -> Iterator[bytes]:
        if self._delta is None:
            if any(isinstance(piece, FromLayer) for piece in delta.pieces) or delta.whole_blob:
                raise _no_delta()
            return rebuild(delta, ())
        if delta.whole_blob:
            return chunks(self._delta)
        return rebuild(delta, map(bytes, plain_pieces(self._delta, quiet(), "the delta layer")))

    def _write_again(self, member: Member, delta: DeltaRecord) -> None:
        """Write a tar of what the delta layer has, without what the conversion added to it."""
        if self._delta is None:
            raise _no_delta()
        name, left_out = "the delta layer", set(delta.synthetic)
        kept = [m for m, _ in stream(self._delta, name, quiet()) if m.name not in left_out]
        size = tar_size(kept)
        self._out.write(header(replace(member, size=size), owner_names=True))
        for part, reader in stream(self._delta, name, quiet()):
            if part.name not in left_out:
                self._progress.tick(part.size)
                self._out.add(part, reader.chunks())
        self._out.write(END + padding(size))


def _no_delta() -> CkptError:
    return CkptError("rootfs-diff.tar cannot be made again:", "the delta layer is not at hand.")
