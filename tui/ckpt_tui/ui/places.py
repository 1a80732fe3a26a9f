"""Where the browser looks: folders, the own store, kubelet's folder, registries. No widgets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.paths import own_store
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.access import KnownRegistry, forget, known_registries, remember
from ckpt_tui.sources.browse import EntryKind, FolderEntry, list_folder, own_store_entry
from ckpt_tui.sources.credentials import logged_in_hosts
from ckpt_tui.sources.reference import SCHEME, parse_place
from ckpt_tui.sources.stores import Store, known_stores, store_at
from ckpt_tui.ui.remote import Repositories, image_nodes, show
from ckpt_tui.views.browse import Node

if TYPE_CHECKING:  # 200 ms that the first frame need not wait for
    from ckpt_tui.formats.local_stores import StoreEntry
    from ckpt_tui.views.bars import BarPart
    from ckpt_tui.views.facts import Section


def roots(folder: Path | None, label: str = "") -> list[Node]:
    """Return the places to begin with: a folder, the own store, those of engines, registries."""
    here = str(folder or _working_folder())
    nodes = [Node(label or _short(here), here, is_open=True)]
    store = own_store_entry()
    nodes.append(
        Node("own store", str(own_store()), what="OCI layout", is_open=True)
        if store
        else Node("own store", str(own_store()), note="empty: c converts into it", children=[])
    )
    nodes += [Node(one.kind.value, one.root, note=_short(one.root)) for one in known_stores()]
    nodes.append(registries())
    return nodes


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # somebody removed it
        return Path.home()


def registries() -> Node:
    """Return the registries that were added or that somebody is logged in to, with the way to add
    one."""
    known = [Node(one.host, f"{SCHEME}{one.host}") for one in known_registries()]
    hosts = {node.label for node in known}
    for host in logged_in_hosts():
        with suppress(UsageError):
            place = parse_place(f"{SCHEME}{host}/")
            if place.host not in hosts:
                known.append(Node(place.host, f"{SCHEME}{place.host}", note="logged in"))
    note = "" if known else "none yet: a adds one"
    return Node("registries", SCHEME, note=note, is_open=True, children=known)


def forget_registry(node: Node) -> None:
    """Take a registry from the list.

    Raises:
        UsageError: it was not added, or is none.
    """
    host = node.path.removeprefix(SCHEME)
    if node.path == SCHEME or not node.path.startswith(SCHEME) or "/" in host:
        raise UsageError("Only a registry can be forgotten.")
    forget(host)
    if any(one.host == host for one in known_registries()) or host in logged_in_hosts():
        raise UsageError(
            f"{host} stays on the list.", "It is in the settings, or somebody is logged in to it."
        )


def add_registry(text: str) -> Node:
    """Remember the registry of `HOST[:PORT][/REPO]` and return the place that was meant.

    Raises:
        UsageError: that is no such name.
    """
    place = parse_place(f"{SCHEME}{text.removeprefix(SCHEME)}")
    if all(one.host != place.host for one in known_registries()):
        remember(KnownRegistry(place.host))
    path = f"{SCHEME}{place.host}"
    if place.repository:
        return Node(f"{place.host}/{place.repository}", f"{path}/{place.repository}")
    return Node(place.host, path)


def _short(path: str) -> str:
    home = str(Path.home())
    return "~" + path.removeprefix(home) if path.startswith(home + "/") else path


def list_children(
    node: Node, progress: Progress, repositories: Repositories
) -> Iterator[Node] | list[Node]:
    """Return what is in a folder, layout, store, registry, repository or image.

    Raises:
        CkptError: it may not be read, or does not answer.
    """
    if node.is_image:
        return image_nodes(node.target, progress)
    if node.is_archive:
        return _archived(node.path, progress)
    if node.path == SCHEME:
        return registries().children or []
    if node.path.startswith(SCHEME):
        return repositories.children(node.path, progress)
    if os.path.exists(os.path.join(node.path, "oci-layout")):
        return _images(node.path, progress)
    if store := store_at(node.path):
        return _stored(store, progress)
    entries = list(list_folder(node.path, progress))
    entries.sort(key=lambda e: (e.kind is EntryKind.FOLDER, e.name))
    return [_node(entry) for entry in entries if not entry.name.startswith(".")]


def _node(entry: FolderEntry) -> Node:
    if entry.kind in (EntryKind.FOLDER, EntryKind.LAYOUT, EntryKind.ENGINE):
        return Node(entry.name, entry.path, what=_what(entry), mtime=0)
    return Node(
        entry.name,
        entry.path,
        target=entry.path,
        what=_what(entry),
        size=entry.size,
        mtime=entry.mtime,
        is_archive=entry.kind is EntryKind.ARCHIVE,
        holds_images=entry.holds_images,
    )


def _what(entry: FolderEntry) -> str:
    if entry.kind is EntryKind.ARCHIVE:
        return f"tar {entry.compression}".removesuffix(" plain")
    return {
        EntryKind.LAYOUT: "OCI layout",
        EntryKind.CHECKPOINT: "CRIU images",
        EntryKind.ENGINE: "store",
    }.get(entry.kind, "")


def _images(path: str, progress: Progress) -> Iterator[Node]:
    """Yield the images that the index of a layout names."""
    from ckpt_tui.archive.directory import DirectoryTree
    from ckpt_tui.formats.listing import list_layout, named
    from ckpt_tui.sources.oci import LayoutStore

    store = LayoutStore(DirectoryTree(path, progress))
    try:
        for entry in list_layout(store, progress):
            yield show(Node(entry.tag, path, named(f"oci:{path}", entry.tag), is_image=True), entry)
    finally:
        store.close()


def _archived(path: str, progress: Progress) -> Iterator[Node]:
    """Yield the images that are in an archive."""
    from ckpt_tui.formats.listing import list_archive

    for target, entry in list_archive(path, progress):
        is_named = bool(target)
        yield show(Node(entry.tag, path, target, is_image=is_named, is_part=not is_named), entry)


def _stored(store: Store, progress: Progress) -> list[Node]:
    """Return what an engine keeps, checkpoints first, and a line for what may not be read."""
    from ckpt_tui.formats.local_stores import IN_ORDER, list_store

    problems: list[CkptError] = []
    entries = sorted(
        list_store(store, progress, problems.append),
        key=lambda e: (IN_ORDER.index(e.kind), e.namespace, e.name),
    )
    told = [
        Node(str(problem), store.root, is_part=True, facts=(("", str(problem)),))
        for problem in problems
    ]
    return [*(_stored_node(entry, store) for entry in entries), *told]


def _stored_node(entry: StoreEntry, store: Store) -> Node:
    is_log = entry.kind == "log"
    described = (entry.namespace, entry.engine, entry.container, entry.image)
    return Node(
        label=entry.name,
        path=store.root,
        target="" if is_log else entry.target,
        what="optimized" if entry.optimized else entry.kind,
        size=entry.size or 0,
        mtime=entry.created.timestamp() if entry.created else 0,
        note=" ".join(part for part in dict.fromkeys(described) if part not in ("", entry.name)),
        digest=entry.digest,
        log=entry.target if is_log else "",
        facts=(
            ("opens as", entry.target),
            ("digest", entry.digest),
            ("namespace", entry.namespace),
            ("container", entry.container),
            ("of", entry.image),
        ),
        is_image=entry.target.startswith(("containerd:", "containers-storage:")),
    )


@dataclass(frozen=True, slots=True)
class Card:
    """What the card shows of a checkpoint, which itself may be large and is let go of."""

    sections: Sequence[Section]
    parts: Sequence[BarPart]
    """Of the bar below."""


def card_of(target: str, progress: Progress) -> Card:
    """Open a checkpoint, read and check it, and let go of it again. The base image is not looked
    for: that takes longer than the cursor rests on a line."""
    # what looks into checkpoints costs 200 ms to import, which the first frame need not wait for
    from ckpt_tui.diagnose.host import this_host
    from ckpt_tui.diagnose.target import diagnose_opened
    from ckpt_tui.formats.fetching import raise_unasked
    from ckpt_tui.formats.opened import open_checkpoint
    from ckpt_tui.views.card import card_sections
    from ckpt_tui.views.overview import component_parts

    opened = open_checkpoint(target, progress, before_fetching=raise_unasked)
    try:
        checkpoint = opened.load(progress)
        diagnosis = diagnose_opened(opened, checkpoint, progress, this_host())
        return Card(card_sections(checkpoint, diagnosis), component_parts(checkpoint))
    finally:
        opened.close()


def log_card(path: str, progress: Progress) -> Card:
    """Read a log of CRIU and say what went wrong.

    Raises:
        CkptError: it may not be read.
    """
    from ckpt_tui.diagnose.doctor import diagnose_log
    from ckpt_tui.diagnose.log import read_log
    from ckpt_tui.formats.logs import open_log
    from ckpt_tui.views.diagnosis import log_sections

    window = open_log(path)
    try:
        return Card(log_sections(path, diagnose_log(read_log(window, progress))), ())
    finally:
        window.close()
