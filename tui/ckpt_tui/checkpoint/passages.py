"""All bytes of a checkpoint with the places where they are: what searches look through.

WALKS is the table: a new kind of content is one entry. The quick ones come first, memory last.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.passing import in_passing
from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.checkpoint.delta import DEVSHM
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Checkpoint, Note, Region
from ckpt_tui.checkpoint.records import DIFF
from ckpt_tui.checkpoint.recovered import recover
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.search import Area, areas_of
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.linear import as_bytes
from ckpt_tui.core.progress import Progress, Uncounted
from ckpt_tui.core.window import chunks
from ckpt_tui.criu.kinds import Extra, Payload, kind_of

Content = Literal[
    "argv",
    "environment",
    "sockets",
    "files",
    "queues",
    "metadata",
    "images",
    "delta",
    "memory",
]
"""Kinds of content, by the names that people choose them by."""

VOLUMES = "volumes/"
"""Folder of the archives of volumes, in an archive of podman."""

_MAPPED = ("memfd", "shared memory", "System V segment")
"""Kinds of recovered data that are memory of processes where these map it."""

_IN_FILES = ("deleted file", "tmpfs file", *_MAPPED)
"""Kinds of recovered data that are files; the others wait in queues."""

_OF_OTHERS = (Payload.PAGES, Payload.TAR, Payload.TAR_GZ)
"""Images whose contents belong to the memory or are files."""


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a checkpoint."""

    name: str
    """What it is in: a path, an image, a variable …; foreign text."""
    ref: Ref | None = None
    """The part of the model that has it; None: no part of it does."""
    pid: int | None = None
    """Of the process that it belongs to."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of bytes. Its pieces can be read once, before the next passage is asked for."""

    kind: Content
    part: str
    """What of it: `argument`, `variable`, `path`, `content`, `address`, `record` …"""
    pieces: Iterable[bytes]
    at: Callable[[int], Where]
    """Return where the byte at a place is, see `start`."""
    start: int = 0
    """Place of the first byte: of memory its address."""


@dataclass(frozen=True, slots=True)
class Inside:
    """A checkpoint to look through, with its bytes."""

    checkpoint: Checkpoint
    tree: Tree
    images: ImageDirectory
    memory: MemoryReader
    images_folder: str
    """Where the images are in the tree."""
    open_delta: Callable[[Progress], Tree | None]
    """Open what the container changed on its root filesystem."""
    documents: Mapping[str, bytes] = field(default_factory=dict)
    """Manifests and configs of the image that it came in, by what they are."""


Walk = Callable[[Inside, Progress, list[Note]], Iterator[Passage]]


def passages(
    inside: Inside, kinds: Collection[Content], progress: Progress, problems: list[Note]
) -> Iterator[Passage]:
    """Yield all content of some kinds, or of all where none is named. What cannot be read is in
    `problems`, and the rest goes on; reading the pieces of a passage may raise CkptError, too.

    Raises:
        Cancelled: the caller gave up.
    """
    for kind, walk in WALKS.items():
        if not kinds or kind in kinds:
            try:
                yield from walk(inside, progress, problems)
            except CkptError as error:
                problems.append(Note(kind, str(error)))


def _fixed(name: str, ref: Ref | None = None, pid: int | None = None) -> Callable[[int], Where]:
    where = Where(name, ref, pid)
    return lambda _place: where


def _text(kind: Content, part: str, text: str | bytes, at: Callable[[int], Where]) -> Passage:
    return Passage(kind, part, (text if isinstance(text, bytes) else as_bytes(text),), at)


def _arguments(inside: Inside, progress: Progress, _: list[Note]) -> Iterator[Passage]:
    progress.start("searching arguments")
    for process in inside.checkpoint.processes:
        ref = Ref.process(process.pid)
        for number, argument in enumerate(process.argv or ()):
            yield _text(
                "argv", "argument", argument, _fixed(f"argument {number}", ref, process.pid)
            )


def _environment(inside: Inside, progress: Progress, _: list[Note]) -> Iterator[Passage]:
    progress.start("searching environments")
    for process in inside.checkpoint.processes:
        ref = Ref.process(process.pid)
        for variable in process.env or ():
            name = variable.partition(b"=")[0].decode("utf-8", "surrogateescape")
            yield _text("environment", "variable", variable, _fixed(name, ref, process.pid))


def _sockets(inside: Inside, progress: Progress, _: list[Note]) -> Iterator[Passage]:
    progress.start("searching sockets")
    for one in inside.checkpoint.sockets:
        text = f"{one.local} {one.remote}".strip()
        at = _fixed(f"descriptor {one.fd}", Ref.socket(one.pid, one.fd), one.pid)
        yield _text("sockets", "address", text, at)


def _files(inside: Inside, progress: Progress, problems: list[Note]) -> Iterator[Passage]:
    progress.start("searching open files")
    for one in inside.checkpoint.files:
        at = _fixed(f"descriptor {one.fd}", Ref.file(one.pid, one.fd), one.pid)
        yield _text("files", "path", one.target, at)
    yield from _recovered(inside, progress, problems, "files")
    for name in inside.tree.members:
        if name.startswith(VOLUMES) and name.endswith(".tar"):
            yield from _volume(inside, name, progress, problems)


def _volume(
    inside: Inside, name: str, progress: Progress, problems: list[Note]
) -> Iterator[Passage]:
    try:
        tree = open_archive(inside.tree.window(name), name, progress)
    except (CkptError, KeyError) as error:
        problems.append(Note(name, str(error)))
        return
    try:
        yield from _contents("files", tree, lambda path: _fixed(f"{name}: {path}"), progress)
    finally:
        tree.close()


def _queues(inside: Inside, progress: Progress, problems: list[Note]) -> Iterator[Passage]:
    yield from _recovered(inside, progress, problems, "queues")


def _recovered(
    inside: Inside, progress: Progress, problems: list[Note], kind: Content
) -> Iterator[Passage]:
    """Yield the data outside of memory: that of files, or that of queues."""
    checkpoint = inside.checkpoint
    found = recover(inside.tree, inside.images, inside.memory, checkpoint, progress)
    try:
        problems += found.notes if kind == "queues" else ()  # each once
        shared = index_of(checkpoint, progress).sharers
        mapped = {f"pagemap-shmem-{number}.img" for number in shared}
        progress.start("searching what is not in memory")
        for number, item in enumerate(found.items):
            in_memory = item.kind in _MAPPED and item.source in mapped
            if in_memory or (item.kind in _IN_FILES) is not (kind == "files"):
                continue
            pid = item.holders[0][0] if item.holders else None
            at = _fixed(f"{item.kind} {item.name}", Ref.item(number), pid)
            yield Passage(kind, "content", chunks(item.window), at)
    finally:
        found.close()


def _metadata(inside: Inside, progress: Progress, problems: list[Note]) -> Iterator[Passage]:
    progress.start("searching metadata")
    for name, data in inside.documents.items():
        yield Passage("metadata", "content", (data,), _fixed(name))
    folder = inside.images_folder
    for name, member in inside.tree.members.items():
        is_image = name.startswith(folder) if folder else "/" not in name
        elsewhere = name in (DIFF, DEVSHM) or name.startswith(VOLUMES)
        if member.kind is not MemberKind.FILE or is_image or elsewhere:
            continue
        try:
            pieces = chunks(inside.tree.window(name))
        except CkptError as error:
            problems.append(Note(name, str(error)))
            continue
        yield Passage("metadata", "content", pieces, _fixed(name))


def _images(inside: Inside, progress: Progress, _: list[Note]) -> Iterator[Passage]:
    progress.start("searching images")
    for name in inside.images.file_names:
        found = kind_of(name)
        if found and (found[0].format in _OF_OTHERS or found[0].extra is not Extra.NONE):
            continue
        yield Passage(
            "images", "content", chunks(inside.images.window(name)), _fixed(name, Ref.image(name))
        )


def _delta(inside: Inside, progress: Progress, _: list[Note]) -> Iterator[Passage]:
    entries = inside.checkpoint.delta.entries
    progress.start("searching changed files")
    for number, entry in enumerate(entries):
        yield _text("delta", "path", entry.path, _fixed(entry.path, Ref.delta(number)))
    tree = inside.open_delta(progress)
    if tree is None:
        return
    numbers = index_of(inside.checkpoint, progress).changes

    def at(name: str) -> Callable[[int], Where]:
        path = f"/{name}"
        number = numbers.get(path)
        return _fixed(path, None if number is None else Ref.delta(number))

    try:
        yield from _contents("delta", tree, at, progress)
    finally:
        tree.close()


def _contents(
    kind: Content, tree: Tree, at: Callable[[str], Callable[[int], Where]], progress: Progress
) -> Iterator[Passage]:
    """Yield the files of a tree, in one pass over it."""
    files = [n for n, m in tree.members.items() if m.kind is MemberKind.FILE and m.size]
    for name, pieces in in_passing(tree, files, Uncounted(progress)):
        yield Passage(kind, "content", pieces, at(name))


def _memory(inside: Inside, progress: Progress, _: list[Note]) -> Iterator[Passage]:
    """Yield the dumped memory; what is neighbours in a process is one passage."""
    memories = {memory.pid: memory.regions for memory in inside.checkpoint.memory}
    areas = areas_of(inside.memory, inside.checkpoint.memory)
    progress.start("searching memory", sum(area.memory.size for area in areas))
    for area in areas:
        at = _in_regions(area, memories.get(area.pid, ()))
        for start, end in area.stretches():
            yield Passage("memory", "content", area.pieces(start, end), at, start + area.shift)


def _in_regions(area: Area, regions: Sequence[Region]) -> Callable[[int], Where]:
    by_address = sorted(regions, key=lambda region: region.start)

    def at(address: int) -> Where:
        number = bisect_right(by_address, address, key=lambda region: region.start) - 1
        region = by_address[number] if number >= 0 else None
        if region is None or address >= region.end:
            return Where("no region", Ref.process(area.pid), area.pid)
        return Where(region.path or region.kind, Ref.region(area.pid, region.start), area.pid)

    return at


WALKS: Mapping[Content, Walk] = {
    "argv": _arguments,
    "environment": _environment,
    "sockets": _sockets,
    "files": _files,
    "queues": _queues,
    "metadata": _metadata,
    "images": _images,
    "delta": _delta,
    "memory": _memory,
}
"""Kind of content to what finds it."""
