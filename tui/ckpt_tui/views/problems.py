"""Which rows have something wrong with them, for lists that can show only those."""

from __future__ import annotations

from typing import Any

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.links import part_of
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.views.table import Row


def _part(checkpoint: Checkpoint, row: Row) -> Any:
    return part_of(checkpoint, row.key) if isinstance(row.key, Ref) else None


def _noted(checkpoint: Checkpoint, names: set[str]) -> bool:
    return not index_of(checkpoint).noted.isdisjoint(names)


def process_problem(checkpoint: Checkpoint, row: Row) -> bool:
    """Return whether a part of a process is missing or damaged."""
    process = _part(checkpoint, row)
    if process is None:
        return False
    tids = {process.pid, *(thread.tid for thread in process.threads)}
    names = {f"{kind}-{process.pid}.img" for kind in ("mm", "pagemap", "ids", "fs", "creds")}
    return _noted(checkpoint, names | {f"core-{tid}.img" for tid in tids})


def file_problem(_checkpoint: Checkpoint, row: Row) -> bool:
    """Return whether a descriptor names a file that is not in the images."""
    return row.meaning == "fails"


def socket_problem(checkpoint: Checkpoint, row: Row) -> bool:
    """Return whether a note is about the stream of a socket."""
    socket = _part(checkpoint, row)
    return socket is not None and _noted(checkpoint, {f"tcp-stream-{socket.inode:x}.img"})


def region_problem(checkpoint: Checkpoint, row: Row) -> bool:
    """Return whether some bytes of a region are neither in this dump nor need not be."""
    region = _part(checkpoint, row)
    return region is not None and bool(region.parent or region.lazy)


def image_problem(checkpoint: Checkpoint, row: Row) -> bool:
    """Return whether an image is damaged, or has fields that are not known here."""
    name = row.key.ids[0] if isinstance(row.key, Ref) else ""
    image = index_of(checkpoint).image.get(name)
    if image is None:
        return False
    return bool(image.problem or image.unknown_fields) or _noted(checkpoint, {name})
