"""Every list of a checkpoint as rows: files, sockets, memory, mounts, delta, images."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import itemgetter

from ckpt_tui.checkpoint.delta import SoFar
from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint, ImageFile, OpenFile, Region, Socket
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.masks import masked
from ckpt_tui.core.styled import Cell, Styled, styled
from ckpt_tui.core.text import human_bytes, printable, some_bytes
from ckpt_tui.views.bars import bar
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.table import Column, LazyRows, Row, by_ref, row_of, tree_order

BAR = 6
"""Cells of a bar in a table."""

NUMBER = 9
"""Cells of the size beside it: `1023 KiB` and a blank."""

SIZED = Column("SIZE", width=BAR + NUMBER, largest_first=True)
"""A bar and the number it stands for."""


def sized(size: int, scale: int, meaning: str) -> Styled:
    """Return a bar on the scale of its column with the size to its right."""
    number = some_bytes(size, "–").rjust(NUMBER)
    return styled((bar(size, scale, BAR), meaning), (number, "" if size else "muted"))


FILE_COLUMNS = (
    Column("PID", width=6, align="right"),
    Column("FD", width=5, align="right"),
    Column("KIND", width=10),
    Column("TARGET", share=1, least=30),
    Column("SHARED", width=6, align="right", optional=True),
    Column("FLAGS", width=16, optional=True),
)


def file_rows(checkpoint: Checkpoint) -> LazyRows[int]:
    """Return the descriptors as rows that are made when seen."""
    files, place = checkpoint.files, index_of(checkpoint).file
    return LazyRows(
        range(len(files)), lambda number: _file_row(files[number]), by_ref("file", place.get)
    )


def _file_row(file: OpenFile) -> Row:
    target: Cell = printable(file.target)
    if file.deleted:
        target = styled(str(target), (" (deleted)", "deleted"))
    return row_of(
        Ref.file(file.pid, file.fd),
        file.pid,
        file.fd,
        file.kind,
        (target, printable(file.target)),
        (f"+{file.sharers}" if file.sharers else "", file.sharers),
        " ".join(f.removeprefix("O_") for f in file.flags if f != "O_LARGEFILE"),
        meaning="fails" if file.kind == "missing" else "",
    )


SOCKET_COLUMNS = (
    Column("PID", width=5, align="right"),
    Column("FD", width=4, align="right"),
    Column("KIND", width=11),
    Column("STATE", width=11),
    Column("LOCAL", share=1, least=15, shrink="middle"),
    Column("REMOTE", share=1, least=15, shrink="middle", optional=True),
    Column("QUEUED", width=8, align="right", optional=True),
)


def socket_rows(checkpoint: Checkpoint) -> LazyRows[int]:
    """Return the socket descriptors as rows that are made when seen."""
    sockets, place = checkpoint.sockets, index_of(checkpoint).socket
    return LazyRows(
        range(len(sockets)),
        lambda number: _socket_row(sockets[number]),
        by_ref("socket", place.get),
    )


def _socket_row(socket: Socket) -> Row:
    peer = f"{socket.peer[0]} fd {socket.peer[1]}" if socket.peer else ""
    return row_of(
        Ref.socket(socket.pid, socket.fd),
        socket.pid,
        socket.fd,
        socket_kind(socket),
        socket.state,
        (printable(socket.local) or "(unnamed)", socket.local),
        (printable(socket.remote) or peer, socket.remote),
        (some_bytes(socket.queued), socket.queued),
    )


def socket_kind(socket: Socket) -> str:
    """Return `TCP`, `TCP IPv6`, `unix stream`, `netlink ROUTE`."""
    if socket.family in ("IPv4", "IPv6"):
        return socket.protocol + ("" if socket.family == "IPv4" else " IPv6")
    if socket.family == "unix":
        return f"unix {socket.type.lower()}".replace("seqpacket", "packet")
    return printable(f"{socket.family} {socket.protocol}").strip()


MEMORY_COLUMNS = (
    Column("PID", width=5, align="right"),
    Column("ADDRESS", width=16, align="right"),
    Column("PROT", width=4, optional=True),
    Column("KIND", width=9),
    Column("SPAN", width=10, align="right", optional=True),
    Column("DUMPED", width=BAR + NUMBER, largest_first=True),
    Column("BACKING", share=1, least=8, shrink="middle"),
)

REGION_MEANING = {"heap": "pages", "stack": "volumes", "file": "images", "shared": "delta"}


def memory_rows(checkpoint: Checkpoint) -> LazyRows[int]:
    """Return the regions of every process as rows that are made when seen."""
    index = index_of(checkpoint)
    regions, place = index.regions, index.region
    scale = max((r.dumped for r in regions), default=0)
    return LazyRows(
        range(len(regions)),
        lambda number: _region_row(regions[number], scale),
        by_ref("region", place.get),
    )


def _region_row(region: Region, scale: int) -> Row:
    span = region.end - region.start
    return row_of(
        Ref.region(region.pid, region.start),
        region.pid,
        (f"{region.start:x}", region.start),
        region.protection,
        region.kind,
        (human_bytes(span), span),
        (sized(region.dumped, scale, REGION_MEANING.get(region.kind, "pages")), region.dumped),
        printable(region.path),
        meaning="" if region.dumped or region.kind in ("file", "shared") else "muted",
    )


MOUNT_COLUMNS = (
    Column("MOUNT POINT", share=3, shrink="middle"),
    Column("TYPE", width=10),
    Column("SOURCE", share=2, shrink="middle"),
    Column("EXTERNAL KEY", share=2, shrink="middle", optional=True),
    Column("IN IMAGE", width=9, align="right", optional=True),
)


def mount_rows(checkpoint: Checkpoint, reveal: bool = False) -> list[Row]:
    """Return one row a mount, indented below the mount it lies on."""
    mounts = sorted(checkpoint.mounts, key=lambda m: (m.namespace, m.mountpoint))
    return [
        row_of(
            Ref.mount(mount.namespace, mount.id),
            ("  " * min(depth, 12) + printable(mount.mountpoint), mount.mountpoint),
            printable(mount.fstype),
            (masked(printable(mount.source, reveal=reveal), reveal), mount.source),
            printable(mount.external_key),
            (some_bytes(mount.dumped_bytes), mount.dumped_bytes),
        )
        for depth, mount in tree_order(
            mounts, lambda m: (m.namespace, m.id), lambda m: (m.namespace, m.parent_id)
        )
    ]


DELTA_COLUMNS = (
    Column("", width=1),
    Column("PATH", share=4, shrink="middle"),
    Column("KIND", width=10),
    Column("MODE", width=5, align="right", optional=True),
    SIZED,
)


def delta_rows(checkpoint: Checkpoint) -> LazyRows[int]:
    """Return the changes of the root filesystem as rows that are made when seen."""
    entries = checkpoint.delta.entries
    scale = entries.largest if isinstance(entries, SoFar) else index_of(checkpoint).largest_change

    def row(number: int) -> Row:
        entry = entries[number]
        change = "added" if entry.change == "written" else entry.change
        path = printable(entry.path) + (f" → {printable(entry.link)}" if entry.link else "")
        gone = entry.change == "deleted"
        size = styled(("deleted", "deleted")) if gone else sized(entry.size, scale, "delta")
        return row_of(
            Ref.delta(number),
            (signed(change), entry.change),
            (path, entry.path),
            entry.kind,
            ("" if gone else f"{entry.mode:o}", entry.mode),
            (size, entry.size),
        )

    return LazyRows(range(len(entries)), row, by_ref("delta", itemgetter(0)))


IMAGE_COLUMNS = (
    Column("IMAGE", share=1, least=16, shrink="middle"),
    Column("RECORDS", width=7, align="right", optional=True),
    SIZED,
)


def image_rows(checkpoint: Checkpoint) -> LazyRows[int]:
    """Return the image files as rows that are made when seen; damaged ones carry the sign of
    failure."""
    return listing_rows(checkpoint.images)


def listing_rows(images: Sequence[ImageFile]) -> LazyRows[int]:
    """Return the same as rows that are made when seen."""
    ordered = sorted(images, key=lambda i: i.name)
    scale = max((i.size for i in images), default=0)

    def row(number: int) -> Row:
        image = ordered[number]
        name = printable(image.name)
        meaning = "pages" if image.kind == "PAGES" else "images"
        return row_of(
            Ref.image(image.name),
            (signed("fails", name) if image.problem else name, image.name),
            ("" if image.entries is None else f"{image.entries:,}", image.entries),
            (sized(image.size, scale, meaning), image.size),
        )

    def number_of(ids: tuple[str]) -> int | None:
        place = bisect_left(ordered, ids[0], key=lambda i: i.name)
        return place if place < len(ordered) and ordered[place].name == ids[0] else None

    return LazyRows(range(len(ordered)), row, by_ref("image", number_of))
