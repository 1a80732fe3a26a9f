"""Reads rootfs-diff.tar's headers and deleted.files: what there is to plan a layer from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ckpt_tui.archive.compression import Compression, sniff
from ckpt_tui.archive.headers import Blocks, Header, HeaderReader
from ckpt_tui.archive.layers import WHITEOUT
from ckpt_tui.archive.names import clean_name
from ckpt_tui.archive.tar import stream
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.convert.delta import is_layer
from ckpt_tui.convert.roles import DELETED_FILES, DIFF_TAR
from ckpt_tui.convert.unpacking import TarEntry
from ckpt_tui.core.document import read_document
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow


@dataclass(frozen=True, slots=True)
class Diff:
    """The filesystem delta of a legacy checkpoint before it is planned."""

    entries: tuple[TarEntry, ...] = ()
    """Of a plain tar; a compressed one is a layer and goes through unread."""
    deleted: tuple[str, ...] = ()
    has_tar: bool = False
    compression: Compression = "plain"
    layer: bool = False
    """The tar is an OCI layer already, with whiteouts of its own."""
    layer_files: int = 0
    layer_whiteouts: int = 0


def read_diff(tree: Tree, progress: Progress) -> Diff:
    """Read the delta of a checkpoint without its data.

    Raises:
        DamagedInput: the tar or the list is damaged.
    """
    deleted = _read_deleted(tree)
    if DIFF_TAR not in tree.members:
        return Diff(deleted=deleted)
    window = tree.window(DIFF_TAR)
    compression = sniff(window.read(0, 4))
    if compression != "plain":
        names = [member.name for member, _ in stream(window, DIFF_TAR, progress)]
        return _layer(names, deleted, compression)
    entries = scan_entries(window, progress)
    if is_layer(entries, deleted):
        return _layer([entry.raw_name for entry in entries], deleted, "plain")
    return Diff(entries, deleted, has_tar=True)


def _layer(names: list[str], deleted: tuple[str, ...], compression: Compression) -> Diff:
    whiteouts = sum(name.rpartition("/")[2].startswith(WHITEOUT) for name in names)
    return Diff(
        (), deleted, True, compression, True, len(names) - whiteouts, layer_whiteouts=whiteouts
    )


def _read_deleted(tree: Tree) -> tuple[str, ...]:
    if DELETED_FILES not in tree.members:
        return ()
    names = read_document(tree.window(DELETED_FILES), DELETED_FILES)
    if names is None:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DamagedInput(DELETED_FILES, 0, "it is no list of names.")
    return tuple(names)


def scan_entries(window: ByteWindow, progress: Progress) -> tuple[TarEntry, ...]:
    """Return the entries of a plain tar and where they lie.

    Raises:
        DamagedInput: a header is damaged, or the tar is shorter than they say.
    """
    headers = HeaderReader(blocks := _Blocks(window, progress), DIFF_TAR)
    entries: list[TarEntry] = []
    while header := headers.next():
        if header.end > window.size:
            raise DamagedInput(DIFF_TAR, window.size, f"it ends within {header.name!r:.200}.")
        if header.runs is not None:
            problem = f"{header.name!r:.200} is a sparse member, which layers must not have."
            raise DamagedInput(DIFF_TAR, header.offset, problem)
        entries.append(
            TarEntry(_member(header), header.name, header.offset, header.data_offset, header.end)
        )
        blocks.skip(header.end - blocks.position)
    return tuple(entries)


def _member(header: Header) -> Member:
    link = header.link
    if header.kind is MemberKind.HARDLINK:
        link = clean_name(link) or link
    return Member(
        name=clean_name(header.name) or header.name,
        kind=header.kind,
        size=header.size,
        mode=header.mode,
        uid=header.uid,
        gid=header.gid,
        mtime=header.mtime,
        link=link if header.kind in (MemberKind.HARDLINK, MemberKind.SYMLINK) else "",
        device=header.device,
        pax=_kept(header.pax),
    )


def _kept(pax: Mapping[str, str]) -> Mapping[str, str]:
    return dict(pax) if pax else {}


class _Blocks(Blocks):
    """A window as the header reader wants it."""

    def __init__(self, window: ByteWindow, progress: Progress) -> None:
        self._window = window
        self._progress = progress
        self._position = 0

    @property
    def position(self) -> int:
        return self._position

    def read(self, length: int) -> bytes:
        data = self._window.read(self._position, length)
        self.skip(len(data))
        return data

    def skip(self, length: int) -> None:
        self._position = min(self._position + length, self._window.size)
        self._progress.tick(0)
