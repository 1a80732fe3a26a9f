"""Whether a checkpoint is intact: every byte of it is read, two blobs at a time.

A blob of an image is compared with its size and digest, a compressed layer or archive with the
checksums in it, and what has neither is decoded as far as its format can tell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ckpt_tui.archive.archive_tree import ArchiveTree
from ckpt_tui.archive.seekable import seek_table
from ckpt_tui.archive.soundness import Fault, check_archive, check_read
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.core.document import texts_at
from ckpt_tui.core.errors import CkptError, DamagedInput, KeyNeeded, NotACheckpoint
from ckpt_tui.core.parallel import side_by_side
from ckpt_tui.core.progress import Progress, counted
from ckpt_tui.core.text import human_count, listed, short_digest
from ckpt_tui.core.window import chunks
from ckpt_tui.diagnose.checks import run_checks
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.formats.fetching import ASK_ABOVE, BeforeFetching
from ckpt_tui.formats.images import LAYER_ROLE_KEY, ROLE_KEY
from ckpt_tui.formats.opened import checkpoint_in
from ckpt_tui.sources.base import (
    LAYER_PREFIX,
    Descriptor,
    Opened,
    OpenedImage,
    OpenedTree,
    RemoteStore,
)
from ckpt_tui.sources.containers import StoredImage
from ckpt_tui.sources.digests import verified
from ckpt_tui.sources.encrypted import decrypted_pieces, encrypted_window
from ckpt_tui.sources.key_wrap import is_encrypted, key_at_hand, key_ids
from ckpt_tui.sources.oci import (
    MAX_DEPTH,
    MAX_DESCRIPTORS,
    config_of,
    descriptors_of,
    image_config,
    is_index_type,
    is_manifest_type,
    open_image,
)
from ckpt_tui.sources.table import resolve
from ckpt_tui.sources.transfer import verified_pieces

AT_ONCE = 2
"""Blobs that are read at a time."""

NO_CHECKSUM = {
    "plain": "A plain tar has checksums of its headers only",
    "zstd": "The zstd frames have no checksum of their content",
    "directory": "Files of a directory have no checksum",
}
"""Why the content of an archive or a directory cannot be proven."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is damaged or missing."""

    where: str
    """Digest of a blob, name of an image or a member; of an archive its target."""
    text: str
    offset: int | None = None
    """Byte from the start of it, as stored; None where it is not known."""
    certain: bool = True
    """False: it may have another reason than damage."""


@dataclass(frozen=True, slots=True)
class Part:
    """One blob, archive or directory that was read."""

    name: str
    role: str
    """index, manifest, config, the role of a layer, archive or directory."""
    size: int
    proof: str = ""
    """What its bytes were compared with: digest, zstd, gzip; empty where there is no checksum."""


@dataclass(slots=True)
class Verification:
    """What was read, and what is wrong with it."""

    source: str
    parts: list[Part] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    """What no checksum covers, a sentence each."""
    has_checkpoint: bool = True
    """False for an image in which no checkpoint was found."""
    images: int = 0
    """CRIU images decoded."""
    bytes_read: int = 0
    transferred: int | None = None
    """Bytes that came over the wire; None where the target is on this machine."""

    @property
    def verdict(self) -> str:
        """Return the result in a few words."""
        certain = sum(problem.certain for problem in self.problems)
        if certain:
            return f"damaged: {human_count(certain, 'problem')}"
        if self.problems:
            return f"may be damaged: {human_count(len(self.problems), 'problem')}"
        return "no damage found, but not all can be proven" if self.unproven else "intact"


@dataclass(frozen=True, slots=True)
class _Blob:
    """A blob to be read. `diff_id` is the digest of a layer without its compression, where a store
    has it only so."""

    descriptor: Descriptor
    role: str
    diff_id: str = ""


def verify_target(
    target: str, progress: Progress, before_fetching: BeforeFetching | None = None
) -> Verification:
    """Read all of a checkpoint and return what is wrong with it.

    Raises:
        SourceUnreachable, UsageError: as `sources.table.resolve`.
        NotACheckpoint: it can be read, and is neither an image nor a checkpoint.
    """
    found = Verification(target)
    try:
        source = resolve(target, progress)
    except DamagedInput as error:
        found.problems.append(_problem(error.file, error))
        return found
    try:
        _verify(source, found, progress, before_fetching)
    finally:
        source.close()
    return found


def _verify(
    source: Opened, found: Verification, progress: Progress, before_fetching: BeforeFetching | None
) -> None:
    if isinstance(source, OpenedTree):
        _check_content(source, found, progress)
        progress.start("verifying", source.packed_size)
        _check_tree(source, found, progress)
        return
    blobs = [*_blobs(source, found, "index" if source.is_index else "manifest", 0)]
    total = sum(blob.descriptor.size for blob in blobs)
    remote = isinstance(source.store, RemoteStore)
    if remote and before_fetching is not None and total > ASK_ABOVE:
        before_fetching(source.target, total)
    _check_content(source, found, progress)
    progress.start("verifying", total)
    lock = threading.Lock()
    unique = {blob.descriptor.digest: blob for blob in reversed(blobs)}
    jobs = [_blob_job(source, blob, found, lock) for blob in reversed(unique.values())]
    side_by_side(jobs, AT_ONCE, progress)
    found.unproven += _locked(unique.values())
    found.problems.sort(key=lambda problem: not problem.where.startswith("sha"))
    if isinstance(source.store, RemoteStore):
        found.transferred = source.store.transferred


def _locked(blobs: Iterable[_Blob]) -> list[str]:
    """Return that some layers could not be looked into, if there are any."""
    layers = [b.descriptor for b in blobs if is_encrypted(b.descriptor)]
    locked = [layer for layer in layers if not key_at_hand(layer)]
    if not locked:
        return []
    asked = dict.fromkeys(one for layer in locked for one in key_ids(layer))
    count = human_count(len(locked), "layer is encrypted", "layers are encrypted")
    return [
        f"{count} and no key at hand opens them: only that their stored bytes are those of their "
        f"digests is known. They ask for {listed(asked, 4) or 'no key'}."
    ]


def _problem(where: str, error: CkptError) -> Problem:
    if isinstance(error, DamagedInput):
        return Problem(where, error.problem, error.offset or None)
    return Problem(where, " ".join(filter(None, (error.what, error.why))))


# -- images


def _blobs(
    image: OpenedImage, found: Verification, role: str, depth: int, name: str = ""
) -> Iterator[_Blob]:
    """Yield the blobs below a manifest or index, which was read and verified itself."""
    own = image.descriptor
    found.parts.append(Part(own.digest, name or role, len(image.data), "digest"))
    found.bytes_read += len(image.data)
    if own.size != len(image.data):
        found.problems.append(Problem(own.digest, _other_size(len(image.data), own.size)))
    try:
        children = descriptors_of(image.document, "manifests", "the index")
        layers = descriptors_of(image.document, "layers", "the manifest")
        config = None if image.is_index or not layers else config_of(image)
    except DamagedInput as error:
        found.problems.append(_problem(own.digest, error))
        return
    for child in children:
        if not is_index_type(child.media_type) and not is_manifest_type(child.media_type):
            yield _Blob(child, "blob")
            continue
        if depth > MAX_DEPTH or len(found.parts) > MAX_DESCRIPTORS:
            found.problems.append(Problem(own.digest, "Its indexes are nested without end."))
            return
        kind = "index" if is_index_type(child.media_type) else "manifest"
        try:
            inner = open_image(image.target, image.store, child)
        except CkptError as error:
            found.problems.append(_problem(child.digest, error))
            found.parts.append(Part(child.digest, kind, child.size))
            continue
        role = child.annotations.get(ROLE_KEY, "")
        yield from _blobs(inner, found, kind, depth + 1, f"{role} {kind}".strip())
    if config is not None:
        yield _Blob(config, "config")
    diff_ids = _diff_ids(image) if isinstance(image.store, StoredImage) else ()
    for number, layer in enumerate(layers):
        layer_role = layer.annotations.get(LAYER_ROLE_KEY, "layer")
        yield _Blob(layer, layer_role, diff_ids[number] if number < len(diff_ids) else "")


def _diff_ids(image: OpenedImage) -> tuple[str, ...]:
    try:
        return texts_at(image_config(image), "rootfs", "diff_ids")
    except CkptError:
        return ()  # a config that is damaged or missing is a problem of its own


def _other_size(there: int, named: int) -> str:
    return f"It has {there:,} bytes, and {named:,} by what names it."


def _blob_job(
    image: OpenedImage, blob: _Blob, found: Verification, lock: threading.Lock
) -> Callable[[Progress], None]:
    def run(own: Progress) -> None:
        digest = blob.descriptor.digest
        part = Part(digest, blob.role, blob.descriptor.size)
        problems: list[Problem] = []
        try:
            faults, proof = _read_blob(image, blob, own)
            part = replace(part, proof=proof)
            problems += [Problem(digest, fault.text, fault.offset) for fault in faults]
        except CkptError as error:
            problems.append(_problem(digest, error))
        with lock:
            found.parts.append(part)
            found.problems += problems
            found.bytes_read += own.done

    return run


def _read_blob(
    image: OpenedImage, blob: _Blob, progress: Progress
) -> tuple[tuple[Fault, ...], str]:
    """Read a blob; return what is wrong with it, and by what it was proven."""
    one, store = blob.descriptor, image.store
    name = f"blob {short_digest(one.digest)}"
    is_layer = one.media_type.startswith(LAYER_PREFIX)
    if is_layer and isinstance(store, StoredImage):
        return _read_unpacked(store, blob, progress), "digest"
    window = store.blob(one.digest)
    if window.size != one.size:
        return (Fault(_other_size(window.size, one.size)),), ""
    pieces = _Pieces(counted(verified_pieces(store, one, progress), progress))
    if is_layer and not is_encrypted(one):
        faults = check_archive(iter(pieces), one.size, name, seek_table(window)).faults
    elif is_layer and key_at_hand(one):
        plain = _Pieces(decrypted_pieces(iter(pieces), one))
        table = seek_table(encrypted_window(store, one))
        faults = check_archive(iter(plain), one.size, name, table).faults
        if plain.failure is not None and pieces.failure is None:
            faults = (*faults, Fault(plain.failure.problem))
    else:
        faults = check_read(iter(pieces), one.size).faults
    if pieces.failure is not None and not faults:  # a fault says where, the digest does not
        faults = (Fault(pieces.failure.problem),)
    return faults, "digest"


class _Pieces:
    """The pieces of a blob to their end; that it has another digest is kept, not raised."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.failure: DamagedInput | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except DamagedInput as error:
            self.failure = error


def _read_unpacked(store: StoredImage, blob: _Blob, progress: Progress) -> tuple[Fault, ...]:
    """Read a layer of which a store has the files alone, compared by its digest as a plain tar."""
    tar = store.layer_tar(blob.descriptor, progress)
    try:
        if not blob.diff_id:
            return (Fault("The config of the image has no digest of this layer."),)
        for piece in verified(chunks(tar), blob.diff_id):
            progress.tick(len(piece))
    finally:
        tar.close()
    return ()


# -- archives and directories


def _check_tree(source: OpenedTree, found: Verification, progress: Progress) -> None:
    tree = source.tree
    proof = ""
    faults: tuple[Fault, ...] = ()
    try:
        if isinstance(tree, ArchiveTree):
            faults, proof = _read_archive(tree, source.target, progress)
        else:
            for name, member in tree.members.items():
                if member.kind is MemberKind.FILE:
                    _read_file(source, name, found, progress)
    except CkptError as error:
        found.problems.append(_problem(source.target, error))
    found.problems += [Problem(source.target, fault.text, fault.offset) for fault in faults]
    found.parts.append(Part(source.target, source.kind, source.packed_size, proof))
    found.bytes_read += progress.done
    if not proof:
        kind = "directory" if source.kind == "directory" else source.compression
        found.unproven.append(
            f"{NO_CHECKSUM[kind]}: that memory pages and files are as they were dumped cannot be "
            "proven."
        )


def _read_archive(
    tree: ArchiveTree, name: str, progress: Progress
) -> tuple[tuple[Fault, ...], str]:
    pieces, size = counted(chunks(tree.stored), progress), tree.stored.size
    table = seek_table(tree.stored) if tree.compression == "zstd" else None
    read = check_archive(pieces, size, name, table) if table else check_read(pieces, size)
    return read.faults, read.checksum


def _read_file(source: OpenedTree, name: str, found: Verification, progress: Progress) -> None:
    try:
        for piece in chunks(source.tree.window(name)):
            progress.tick(len(piece))
    except CkptError as error:
        found.problems.append(_problem(name, error))


# -- the checkpoint in it


def _check_content(source: Opened, found: Verification, progress: Progress) -> None:
    """Decode every CRIU image and look for what is missing in it, by the checks of `diagnose`."""
    progress.start("reading the checkpoint")
    try:
        opened = checkpoint_in(source, progress)
    except KeyNeeded:
        return
    except NotACheckpoint:
        if isinstance(source, OpenedTree):
            raise
        found.has_checkpoint = False
        return
    except CkptError as error:
        found.problems.append(_problem(source.target, error))
        return
    try:
        checkpoint = opened.load(progress)
        found.images = sum(image.entries is not None for image in checkpoint.images)
        for finding in run_checks(Facts.of(opened, checkpoint, progress=progress), progress):
            if finding.topic == "integrity" and finding.severity != "advice":
                texts = (finding.title, *(evidence.text for evidence in finding.evidence))
                where = finding.where or source.target
                is_certain = finding.severity == "fails"
                found.problems.append(Problem(where, ". ".join(texts), certain=is_certain))
    finally:
        opened.images.close()
        if isinstance(source, OpenedImage):
            opened.tree.close()
