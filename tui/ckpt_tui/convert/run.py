"""Does what a plan says: one pass over the source, nothing under its name before it is checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.base_image import BaseImage
from ckpt_tui.convert.delta_output import DeltaOutput
from ckpt_tui.convert.destination import sink_of, writing
from ckpt_tui.convert.digest import hashed
from ckpt_tui.convert.inputs import Inputs
from ckpt_tui.convert.jsonedit import with_values
from ckpt_tui.convert.layer_writer import (
    NESTED,
    LayerWriter,
    OwnLayer,
    WrittenLayer,
    compress_layer,
    copy_blob,
    write_own_layer,
)
from ckpt_tui.convert.manifests import (
    BASE_DIGEST,
    CHECKPOINT_ROLE,
    ROOTFS_ROLE,
    add_index,
    add_manifest,
    bare_config,
    base_image_values,
    checkpoint_config,
    container_name,
    rootfs_config,
    rootfs_tag,
    timestamp,
)
from ckpt_tui.convert.plan import Plan
from ckpt_tui.convert.record import Record, SourceRecord
from ckpt_tui.convert.roles import (
    CONFIG_DUMP,
    CRIU_PARENT,
    DELETED_FILES,
    DELTA,
    DIFF_TAR,
    METADATA,
    PAGES,
    RECORD,
    PlannedLayer,
    role_of,
)
from ckpt_tui.convert.source import members_of
from ckpt_tui.convert.spool import MemberSpool
from ckpt_tui.convert.staging import BlobSink
from ckpt_tui.core.document import value_at
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import chunks
from ckpt_tui.formats.frame_digests import FRAMES, encode
from ckpt_tui.sources.base import BASE_NAME, Descriptor


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """A layer of the result."""

    role: str
    """One of the roles, or "base"."""
    names: tuple[str, ...]
    layer: WrittenLayer


@dataclass(frozen=True, slots=True)
class ConvertedImage:
    """What was written and where."""

    name: str
    """What to call it: oci:DIR:TAG, oci-archive:FILE:TAG or docker://HOST/REPOSITORY:TAG."""
    tag: str
    repository: str
    digest: str
    """Of what the tag names: the index, or in the half step the checkpoint image."""
    checkpoint: str
    """Digest of the checkpoint image's manifest."""
    rootfs: str
    """Digest of the rootfs image's manifest; empty in the half step."""
    layers: tuple[ImageLayer, ...]
    exact: bool
    """Whether rootfs-diff.tar can be made again byte for byte."""

    @property
    def stored_size(self) -> int:
        """Bytes that have to be stored beside the base image's own."""
        return sum(w.layer.descriptor.size for w in self.layers if w.role != "base")


def run(plan: Plan, inputs: Inputs, progress: Progress) -> ConvertedImage:
    """Convert `inputs` as `plan` says, which was made of them.

    Raises:
        UsageError: the plan has problems.
        CkptError: the source is damaged or changed, or the target cannot be written.
        Cancelled: the job was cancelled. As with every error, nothing is left behind.
    """
    if plan.problems:
        raise UsageError("This cannot be converted:", plan.problems[0])
    with writing(plan.destination.named(plan.tag)), ExitStack() as closing:
        sink = inputs.first.sink if inputs.first else None
        sink = sink or closing.enter_context(
            sink_of(plan.destination, progress, plan.options.recipients)
        )
        try:
            return _Conversion(plan, inputs, sink, progress).run()
        except BaseException as error:
            sink.abandon(error)
            raise


class _Conversion:
    def __init__(self, plan: Plan, inputs: Inputs, sink: BlobSink, progress: Progress) -> None:
        self._plan = plan
        self._source = inputs.source
        self._base = inputs.base
        self._first = inputs.first
        self._sink = sink
        self._progress = progress
        self._spool = MemberSpool(sink.scratch_folder)
        self._alone = {layer.members[-1].name: layer for layer in plan.layers if layer.alone}
        self._written: dict[str, OwnLayer] = dict(self._first.written) if self._first else {}
        """By the name of the file in it."""
        self._members: dict[str, Member] = {}
        self._digests: dict[str, str] = {}
        self._delta = DeltaOutput(plan, inputs, sink, progress)

    def run(self) -> ConvertedImage:
        base = self._base.reference if self._base else ""
        try:
            self._sink.begin([self._source.container.image, base])
            base_layers = self._copy_base()
            self._read_source()
            self._delta.finish()
            self._source.check()
            self._members |= self._delta.legacy
            return self._write_images(base_layers)
        finally:
            self._spool.close()

    def _copy_base(self) -> list[WrittenLayer]:
        base = self._base
        if base is None:
            return []
        self._progress.start("copying the base image", sum(layer.size for layer in base.layers))
        found = []
        for layer in base.layers:
            if not layer.digest:
                made = compress_layer(self._sink, layer.blob, layer.diff_id, self._progress)
                found.append(made)
                continue
            descriptor = Descriptor(layer.media_type, layer.digest, layer.size)
            copy_blob(self._sink, descriptor, layer.blob, self._progress)
            found.append(WrittenLayer(descriptor, layer.diff_id, 0))
        return found

    def _read_source(self) -> None:
        source = self._source
        expected = source.tree.members
        plain_size = sum(member.size for member in expected.values())
        total = source.stored_size if source.compression else plain_size
        self._progress.start(f"converting {source.kind}", total)
        if self._first:
            feed = members_of(source.tree, self._progress)
        else:
            feed = source.feed(self._progress)
        for member, pieces in feed:
            there = expected.get(member.name)
            if there is None or there.kind is not member.kind:
                raise CkptError(f"{source.label} changed while it was read:", f"{member.name}.")
            twice = self._members.pop(member.name, None) is not None
            if twice and (member.name in self._alone or member.name == DIFF_TAR):
                raise CkptError(
                    f"{source.label} cannot be converted:", f"{member.name} comes twice."
                )
            self._members[member.name] = member
            if member.kind is MemberKind.FILE:
                self._take(member, pieces)
        missing = next((name for name in expected if name not in self._members), None)
        if missing is not None:
            raise CkptError(f"{source.label} changed while it was read:", f"{missing} is gone.")

    def _take(self, member: Member, pieces: Iterable[bytes]) -> None:
        """Send the bytes of one file where they belong."""
        name = member.name
        if name == DIFF_TAR and self._plan.optimized:
            self._delta.take(pieces)
            return
        planned = self._alone.get(name)
        if planned:
            if name not in self._written:
                plain = self._is_plain(planned)
                own = write_own_layer(self._sink, planned, pieces, plain=plain)
                self._written[name] = own
            self._digests[name] = self._written[name].digest
        elif role_of(name) in NESTED:
            digest = self._sink.new_digest()
            self._spool.add(name, hashed(pieces, digest))
            self._digests[name] = digest.value()
        else:
            self._spool.add(name, pieces)

    def _is_plain(self, planned: PlannedLayer) -> bool:
        return planned.role in (PAGES, CRIU_PARENT) and self._plan.options.plain_pages

    def _write_images(self, base_layers: Sequence[WrittenLayer]) -> ConvertedImage:
        base = self._base
        rootfs = self._add_rootfs_image(base, base_layers) if base else None
        layers = self._write_layers(self._metadata_changes(rootfs))
        checkpoint = self._add_checkpoint_image(layers)
        root = checkpoint
        if rootfs:
            manifests = (checkpoint, rootfs.manifest)
            root = add_index(self._sink, manifests, self._plan.annotations)
            if rootfs.tag:
                self._sink.other_names.append((rootfs.manifest, rootfs.tag))
        self._delta.check()  # the blobs are being read again, or sent, meanwhile
        self._sink.check(self._progress)
        self._sink.publish(root, self._plan.tag, self._progress)
        written = [ImageLayer("base", (), layer) for layer in base_layers]
        if self._delta.layer:
            written.append(ImageLayer(DELTA, (), self._delta.layer))
        written += [
            ImageLayer(planned.role, tuple(m.name for m in planned.members), layer)
            for planned, layer in zip(self._plan.layers, layers, strict=True)
        ]
        return ConvertedImage(
            self._plan.destination.named(self._plan.tag),
            self._plan.tag,
            self._plan.repository,
            root.digest,
            checkpoint.digest,
            rootfs.manifest.digest if rootfs else "",
            tuple(written),
            self._delta.record is None or self._delta.record.exact,
        )

    def _add_rootfs_image(self, base: BaseImage, base_layers: Sequence[WrittenLayer]) -> _Rootfs:
        plan = self._plan
        container = self._source.container
        config = rootfs_config(
            base.document,
            self._delta.layer,
            _command(plan, base),
            timestamp(container.checkpointed),
            "" if plan.options.minimal_annotations else container_name(container),
        )
        layers = [*base_layers, *([self._delta.layer] if self._delta.layer else [])]
        manifest = add_manifest(
            self._sink,
            config,
            [layer.descriptor for layer in layers],
            _base_annotations(container.image, base),
            {},
            ROOTFS_ROLE,
        )
        delta = self._delta.layer
        tag = rootfs_tag(manifest.digest) if delta and delta.key else ""
        return _Rootfs(manifest, "sha256:" + hashlib.sha256(config).hexdigest(), tag)

    def _metadata_changes(self, rootfs: _Rootfs | None) -> dict[str, bytes]:
        """Return the members of the metadata layer that differ from the source's."""
        plan = self._plan
        has_config = CONFIG_DUMP in self._members
        originals = {CONFIG_DUMP: self._spool.content(CONFIG_DUMP)} if has_config else {}
        changes: dict[str, bytes] = {}
        if rootfs:
            own_name = f":{rootfs.tag}" if rootfs.tag else f"@{rootfs.manifest.digest}"
            reference = f"{plan.repository}{own_name}"
            values = base_image_values(self._source.engine, reference, rootfs.config_digest)
            config = originals.get(CONFIG_DUMP) or bare_config(self._source.container)
            changes[CONFIG_DUMP] = with_values(config, values, CONFIG_DUMP)
            if DELETED_FILES in self._members:
                made = self._delta.deleted_files
                originals[DELETED_FILES] = made or self._spool.content(DELETED_FILES)
        source = self._source
        changes[RECORD] = Record(
            SourceRecord(source.kind, source.engine, source.compression, source.digest()),
            tuple(self._members.values()),
            originals,
            {name: digest for name, digest in self._digests.items() if digest},
            self._delta.record,
            rootfs.manifest.digest if rootfs and rootfs.tag else "",
        ).encode()
        return changes

    def _write_layers(self, changes: Mapping[str, bytes]) -> list[WrittenLayer]:
        """Write the layers of small files, the metadata last, which has the digests of the frames
        of the others; return all of the checkpoint image in order."""
        metadata: list[int] = []
        written: dict[int, WrittenLayer] = {}
        for number, planned in enumerate(self._plan.layers):
            if planned.alone:
                written[number] = self._written[planned.members[-1].name].layer
            elif planned.role == METADATA:
                metadata.append(number)
            else:
                written[number] = self._write_small(planned, changes)
        frames = encode((la.diff_id, la.frames) for la in written.values() if la.frames)
        for number in metadata:
            planned = self._plan.layers[number]
            written[number] = self._write_small(planned, {**changes, FRAMES: frames})
        return [written[number] for number in range(len(written))]

    def _write_small(self, planned: PlannedLayer, changes: Mapping[str, bytes]) -> WrittenLayer:
        plain = self._is_plain(planned)
        with LayerWriter(self._sink, planned.role, plain=plain) as writer:
            for member in planned.members:
                name = member.name
                self._progress.tick(0)
                if member.kind is not MemberKind.FILE:
                    writer.add(member, ())
                elif name in changes:
                    writer.add(replace(member, size=len(changes[name])), (changes[name],))
                else:
                    writer.add(member, chunks(self._spool.window(name)))
            return writer.finish()

    def _add_checkpoint_image(self, layers: Sequence[WrittenLayer]) -> Descriptor:
        plan = self._plan
        created = timestamp(self._source.container.checkpointed)
        return add_manifest(
            self._sink,
            checkpoint_config(layers, plan.architecture, created),
            [layer.descriptor for layer in layers],
            plan.annotations,
            {"os": "linux", "architecture": plan.architecture},
            CHECKPOINT_ROLE,
        )


@dataclass(frozen=True, slots=True)
class _Rootfs:
    manifest: Descriptor
    config_digest: str
    tag: str
    """The name of its own that it has; empty: it is named by its digest."""


def _command(plan: Plan, base: BaseImage) -> tuple[str, ...]:
    """Return the command of the rootfs image, which CRI-O wants and nothing runs: that of the dump,
    but where layers are encrypted no argument of the container, for configs are not."""
    if not plan.options.recipients:
        return plan.command
    own = value_at(base.document, "config", "Entrypoint") or value_at(
        base.document, "config", "Cmd"
    )
    return () if own else ("checkpoint",)


def _base_annotations(name: str, base: BaseImage) -> dict[str, str]:
    """Name the base as the engine did, not by where this copy of it was found."""
    found = {BASE_NAME: name, BASE_DIGEST: base.digests[-1] if base.digests else ""}
    return {key: value for key, value in found.items() if value}
