"""Where the browser looks: the working folder, the own store, kubelet's folder. No widgets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.document import text_at
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.paths import own_store
from ckpt_tui.core.progress import Progress
from ckpt_tui.diagnose.host import this_host
from ckpt_tui.diagnose.target import TargetDiagnosis, diagnose_opened
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.formats.table import FORMAT_VERSION_KEY
from ckpt_tui.sources.base import REF_NAME, Descriptor
from ckpt_tui.sources.browse import EntryKind, FolderEntry, list_folder, own_store_entry
from ckpt_tui.sources.oci import LayoutStore, descriptors_of, load
from ckpt_tui.ui.rows.browse import Node

KUBELET = "/var/lib/kubelet/checkpoints"
"""Where kubelet keeps the archives of its checkpoint call (KEP-2008)."""


def roots(folder: Path | None, label: str = "") -> list[Node]:
    """Return the places to begin with: a folder, the own store, and kubelet's folder."""
    here = str(folder or Path.cwd())
    nodes = [Node(label or _short(here), here, is_open=True)]
    store = own_store_entry()
    nodes.append(
        Node("own store", str(own_store()), what="OCI layout", is_open=store is not None)
        if store
        else Node("own store", str(own_store()), note="empty: c converts into it", children=[])
    )
    if os.path.isdir(KUBELET):
        nodes.append(Node("kubelet checkpoints", KUBELET))
    return nodes


def _short(path: str) -> str:
    home = str(Path.home())
    return "~" + path.removeprefix(home) if path.startswith(home + "/") else path


def list_children(node: Node, progress: Progress) -> list[Node]:
    """Return what is in a folder or layout, checkpoints before folders, each by name.

    Raises:
        CkptError: it may not be read.
    """
    if os.path.exists(os.path.join(node.path, "oci-layout")):
        return list(_images(node.path, progress))
    entries = list(list_folder(node.path, progress))
    entries.sort(key=lambda e: (e.kind is EntryKind.FOLDER, e.name))
    return [_node(entry) for entry in entries if not entry.name.startswith(".")]


def _node(entry: FolderEntry) -> Node:
    if entry.kind in (EntryKind.FOLDER, EntryKind.LAYOUT):
        return Node(entry.name, entry.path, what=_what(entry), mtime=0)
    return Node(
        entry.name,
        entry.path,
        target=entry.path,
        what=_what(entry),
        size=entry.size,
        mtime=entry.mtime,
    )


def _what(entry: FolderEntry) -> str:
    if entry.kind is EntryKind.ARCHIVE:
        return f"tar {entry.compression}".removesuffix(" plain")
    return {EntryKind.LAYOUT: "OCI layout", EntryKind.CHECKPOINT: "CRIU images"}.get(entry.kind, "")


def _images(path: str, progress: Progress) -> Iterator[Node]:
    """Yield the images that the index of a layout names."""
    store = LayoutStore(DirectoryTree(path, progress))
    try:
        for one in descriptors_of(store.index(), "manifests", "index.json"):
            name = one.annotations.get(REF_NAME, "")
            wanted = f":{name}" if name else f"@{one.digest}"
            yield Node(
                name or one.digest,
                path,
                target=f"oci:{path}{wanted}",
                what="optimized" if _is_optimized(store, one) else "image",
            )
    finally:
        store.close()


def _is_optimized(store: LayoutStore, descriptor: Descriptor) -> bool:
    try:
        document, _ = load(store, descriptor)
    except CkptError:
        return False
    return bool(text_at(document, "annotations", FORMAT_VERSION_KEY))


@dataclass(frozen=True, slots=True)
class Summary:
    """What the card shows of a checkpoint."""

    checkpoint: Checkpoint
    diagnosis: TargetDiagnosis


def summary_of(target: str, progress: Progress) -> Summary:
    """Open a checkpoint, read and check it, and let go of it again. The base image is not looked
    for: that takes longer than the cursor rests on a line."""
    opened = open_checkpoint(target, progress)
    try:
        checkpoint = opened.load(progress)
        return Summary(checkpoint, diagnose_opened(opened, checkpoint, progress, this_host()))
    finally:
        opened.close()
