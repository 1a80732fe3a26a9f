"""The delta layer as it is written: from a tar that streams by, or from an upper folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from ckpt_tui.archive.layers import is_whiteout
from ckpt_tui.archive.names import ROOT
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.delta_stream import write_delta
from ckpt_tui.convert.filetree import Content
from ckpt_tui.convert.inputs import Inputs
from ckpt_tui.convert.layer_writer import LayerWriter, WrittenLayer, pass_through
from ckpt_tui.convert.plan import Plan
from ckpt_tui.convert.record import DeltaRecord, FromLayer
from ckpt_tui.convert.roles import DELETED_FILES, DELTA, DIFF_TAR
from ckpt_tui.convert.seal import unsealed
from ckpt_tui.convert.staging import Staging
from ckpt_tui.convert.upper import UpperFolder, deleted_names, write_upper
from ckpt_tui.convert.verify import check_contents, check_delta
from ckpt_tui.core.progress import Progress


class DeltaOutput:
    """Writes the delta of one conversion and checks it."""

    def __init__(self, plan: Plan, inputs: Inputs, staging: Staging, progress: Progress) -> None:
        self._plan = plan
        self._upper = inputs.source.upper
        self._base = inputs.base
        self._staging = staging
        self._progress = progress
        self._digests: Mapping[int, str] = {}
        self._contents: Sequence[Content] = ()
        self.layer: WrittenLayer | None = None
        """None: there is no delta."""
        self.record: DeltaRecord | None = None
        """How rootfs-diff.tar is made again."""
        self.legacy: dict[str, Member] = {}
        """Members by which an archive says what lies in an upper folder: there were none."""
        self.deleted_files = b""
        """Content of the one of them that names deletions."""

    def take(self, pieces: Iterable[bytes]) -> None:
        """Write the layer from the bytes of rootfs-diff.tar."""
        plan = self._plan
        if plan.diff.compression != "plain":
            self.layer = pass_through(self._staging, pieces, DELTA, self._progress)
            size, digest = self.layer.descriptor.size, self.layer.plain_digest
            self.record = DeltaRecord(size, digest, whole_blob=True)
        elif plan.delta is None:
            with LayerWriter(self._staging, DELTA) as writer:
                for piece in pieces:
                    writer.write(piece)
                self.layer = writer.finish(end=False)
            size, digest = self.layer.plain_size, self.layer.diff_id
            self.record = DeltaRecord(size, digest, pieces=(FromLayer(0, size),))
        else:
            self._write(pieces)

    def finish(self) -> None:
        """Write a delta of deletions alone, or one that lies in a folder."""
        if self._upper:
            self._write_upper(self._upper)
        elif self._plan.optimized and not self._plan.diff.has_tar:
            self._write(())
            self.record = None

    def check(self) -> None:
        """Compare base + layer, as it lies on disk, with what it is to mean.

        Raises:
            CkptError: they differ.
        """
        plan, progress = self._plan, self._progress
        if self._base is None or plan.delta is None or self.layer is None:
            return
        progress.start("comparing the delta with its layer", None)
        base = self._base.tree
        with self._staging.window(self.layer.descriptor.digest) as stored:
            layer = unsealed(stored, self.layer.key)
            if self._upper:
                check_contents(base, self._contents, layer, progress)
            else:
                entries, deleted = plan.diff.entries, plan.diff.deleted
                check_delta(base, entries, deleted, self._digests, layer, progress)

    def _write(self, pieces: Iterable[bytes]) -> None:
        plan = self._plan
        if plan.delta is None:
            return
        if not plan.delta.parts:
            self.record, _ = write_delta(plan.delta, (), pieces, len)
            return
        with LayerWriter(self._staging, DELTA) as writer:
            self.record, digests = write_delta(
                plan.delta,
                plan.diff.entries,
                pieces,
                writer.write,
                writer.end_frame,
                self._staging.new_digest,
            )
            self.layer = writer.finish(end=False)
        self._digests = digests.found()

    def _write_upper(self, upper: UpperFolder) -> None:
        """Write the layer, and record what makes a legacy delta of it on the way back."""
        self._progress.start(f"reading {upper.path}", sum(m.size for m in upper.members.values()))
        base = self._base
        if base is None or len(upper.members) < 2:  # the root alone
            return
        with LayerWriter(self._staging, DELTA) as writer:
            self._contents = write_upper(upper, writer)
            self.layer = writer.finish()
        marks = tuple(name for name in upper.members if is_whiteout(name))
        self.record = DeltaRecord(0, "", exact=False, synthetic=(ROOT, *marks))
        self.legacy[DIFF_TAR] = Member(DIFF_TAR, MemberKind.FILE, 0, mode=0o600)
        if deleted := deleted_names(upper, base.tree):
            self.deleted_files = json.dumps(deleted).encode()
            self.legacy[DELETED_FILES] = Member(
                DELETED_FILES, MemberKind.FILE, len(self.deleted_files), mode=0o600
            )
