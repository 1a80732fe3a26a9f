"""Images without records as readable lines: JSON, rules, netlink dumps, archives, pages.

One table, format to function. Lines hold foreign text that is not cleaned.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.passing import in_passing
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.pagecount import PageImage, count_pages
from ckpt_tui.core.document import read_document
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, human_count
from ckpt_tui.criu.kinds import Kind, Payload, kind_of
from ckpt_tui.criu.netlink import netlink_lines

MAX_TEXT = 4 << 20
"""Bytes of a text that are read."""

MAX_LINES = 50_000
"""Lines of one image; more are counted in a last line."""


@dataclass(frozen=True, slots=True)
class RawImage:
    """One image to be told."""

    name: str
    images: ImageDirectory
    load: Callable[[], Checkpoint]
    """Only page contents need the checkpoint."""


def has_lines(name: str) -> bool:
    """Return whether an image of that name has a readable form besides records."""
    found = kind_of(name)
    return found is not None and found[0].format in READERS


def raw_lines(image: RawImage, progress: Progress) -> list[str]:
    """Return the readable form of an image; damage is a last line.

    Raises:
        Cancelled: the caller gave up.
    """
    found = kind_of(image.name)
    reader = READERS.get(found[0].format) if found else None
    if found is None or reader is None:
        return []
    lines: list[str] = []
    try:
        for line in reader(image, found[0], progress):
            if len(lines) >= MAX_LINES:
                lines.append(f"… cut after {MAX_LINES:,} lines")
                break
            lines.append(line)
    except (CkptError, KeyError) as error:
        lines.append(f"Damaged: {error}")
    return lines


def _json(image: RawImage, _kind: Kind, _progress: Progress) -> Iterator[str]:
    document = read_document(image.images.window(image.name), image.name)
    yield from json.dumps(document, indent=2, ensure_ascii=True).split("\n")


def _text(image: RawImage, _kind: Kind, _progress: Progress) -> Iterator[str]:
    window = image.images.window(image.name)
    text = window.read(0, MAX_TEXT).decode("utf-8", "surrogateescape")
    yield from text.removesuffix("\n").split("\n")
    if window.size > MAX_TEXT:
        yield f"… and {human_bytes(window.size - MAX_TEXT)} more"


def _iproute(image: RawImage, kind: Kind, progress: Progress) -> Iterator[str]:
    window = image.images.window(image.name)
    magic = window.read(0, 4)
    if window.size and kind.magic not in (
        int.from_bytes(magic, "little"),
        int.from_bytes(magic, "big"),
    ):
        raise DamagedInput(image.name, 0, f"It does not begin as a dump of {kind.name} does.")
    yield from netlink_lines(window, image.name, 4, progress, aligned=True)


def _netlink(image: RawImage, _kind: Kind, progress: Progress) -> Iterator[str]:
    window = image.images.window(image.name)
    yield from netlink_lines(window, image.name, 0, progress, aligned=False)


def _archive(image: RawImage, _kind: Kind, progress: Progress) -> Iterator[str]:
    """Yield a listing as `tar tv` gives it."""
    tree = open_archive(image.images.window(image.name), image.name, progress)
    try:
        for member in tree.members.values():
            when = datetime.fromtimestamp(_sane(member.mtime), UTC).strftime("%Y-%m-%d %H:%M")
            link = f" -> {member.link}" if member.link else ""
            owner = f"{member.uid}/{member.gid}"
            yield (
                f"{member.kind.value}{_permissions(member.mode)} {owner:>5} {member.size:>7} "
                f"{when} {member.name}{link}"
            )
        yield from tree.notes
    finally:
        tree.close()


def _sane(seconds: float) -> float:
    """Return a time that a calendar has: headers may say any number."""
    return min(max(seconds, 0.0), 253_402_300_799.0)


def _permissions(mode: int) -> str:
    return "".join(c if mode >> (8 - i) & 1 else "-" for i, c in enumerate("rwxrwxrwx"))


def _pages(image: RawImage, _kind: Kind, progress: Progress) -> Iterator[str]:
    """Yield whose pages these are and, after reading all of them, how many are worth keeping."""
    window, checkpoint = image.images.window(image.name), image.load()
    criu = checkpoint.criu
    pages_id = int((kind_of(image.name) or (None, "0"))[1] or 0)
    for memory in checkpoint.memory:
        if memory.pages_id == pages_id:
            yield f"memory of process {memory.pid}"
    for name in image.images.named("pagemap-shmem-"):
        head = image.images.message(name)
        if head is not None and getattr(head, "pages_id", None) == pages_id:
            yield f"a shared object, {name}"
    size = criu.page_size
    yield f"{human_count(window.size // size, 'page')} of {human_bytes(size)}"
    if criu.packed_how:
        yield "CRIU packed them: their contents cannot be read"
        return
    progress.start("counting pages", window.size)
    member = image.images.member_name(image.name)
    passed = in_passing(image.images.tree, [member], progress)
    for part in count_pages(PageImage(name, pieces, size) for name, pieces in passed).parts:
        for label, count in (
            ("hold only zeros", part.zero),
            ("are equal to another one here", part.duplicate),
            ("are different from all others here", part.unique),
        ):
            yield f"{count:>9,} {label}"
        if part.problem:
            yield part.problem


Read = Callable[[RawImage, Kind, Progress], Iterator[str]]

READERS: Mapping[Payload, Read] = {
    Payload.JSON: _json,
    Payload.TEXT: _text,
    Payload.LOG: _text,
    Payload.IPROUTE: _iproute,
    Payload.NETLINK: _netlink,
    Payload.TAR: _archive,
    Payload.TAR_GZ: _archive,
    Payload.PAGES: _pages,
}
"""What an image without records is to how it is read."""
