"""`ls` and `copy`: what is where, and bringing it elsewhere."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.checkpoint.export import plain
from ckpt_tui.cli.tables import narrate, print_json, print_line, print_table
from ckpt_tui.cli.telling import told_progress
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, human_count, human_duration, printable, short_digest
from ckpt_tui.formats.listing import RepositoryListing, TagEntry, list_archive, list_layout
from ckpt_tui.formats.local_stores import IN_ORDER, StoreEntry, list_store
from ckpt_tui.formats.parts import image_parts, referrers
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.browse import FolderEntry, list_folder
from ckpt_tui.sources.oci import LayoutStore
from ckpt_tui.sources.reference import SCHEME, Reference, parse_place
from ckpt_tui.sources.stores import Store, known_stores, store_at
from ckpt_tui.sources.table import resolve
from ckpt_tui.sources.transfer import BlobStep
from ckpt_tui.views.table import Column, Row

MAX_DESCRIBED = 100
"""Tags that are described unless all are asked for: each costs two requests or more."""

LOCAL_SCHEMES = ("oci", "oci-archive", "docker-archive")
"""Of targets that may be written before the path of what is listed."""

TAG_COLUMNS = (
    Column("TAG", share=2, least=12, shrink="middle"),
    Column("WHAT", width=10),
    Column("ENGINE", width=10),
    Column("CRIU", width=7, optional=True),
    Column("CONTAINER", share=1, least=10, optional=True),
    Column("SIZE", width=9, align="right"),
    Column("AGE", width=7, align="right", optional=True),
    Column("DIGEST", width=12),
)

FOLDER_COLUMNS = (
    Column("NAME", share=1, shrink="middle"),
    Column("WHAT", width=17),
    Column("SIZE", width=9, align="right"),
)

LAYER_COLUMNS = (
    Column("DIGEST", width=12),
    Column("ROLE", width=10),
    Column("SIZE", width=9, align="right"),
    Column("TYPE", share=1),
)


STORE_COLUMNS = (
    Column("NAME", share=2, least=12, shrink="middle"),
    Column("WHAT", width=10),
    Column("ENGINE", width=10),
    Column("CONTAINER", share=1, least=10, optional=True),
    Column("SIZE", width=9, align="right"),
    Column("AGE", width=7, align="right", optional=True),
    Column("TARGET", share=3, least=20, shrink="middle"),
)


def ls(target: str, every: bool, as_json: bool) -> None:
    """Say what is in a registry, repository, image, layout, store or folder; without a target, in
    the stores of this machine.

    `every`: describe all tags of a repository, however many there are.
    """
    with told_progress() as progress:
        if not target:
            _list_stores(target, list(known_stores()), as_json, progress)
            return
        if target.startswith(SCHEME):
            place = parse_place(target)
            if not place.repository:
                _list_registry(place, as_json, progress)
            elif place.wanted:
                _list_image(target, as_json, progress)
            else:
                _list_tags(place, every, as_json, progress)
            return
        scheme, _, rest = target.partition(":")
        path = rest if scheme in LOCAL_SCHEMES else target
        if os.path.isfile(path):
            entries = [entry for _, entry in list_archive(path, progress)]
            _print_tags(target, entries, as_json)
        elif os.path.exists(os.path.join(path, "oci-layout")):
            _list_layout(target, path, as_json, progress)
        elif store := store_at(path):
            _list_stores(target, [store], as_json, progress)
        else:
            _list_entries(path, as_json, progress)


def _list_registry(place: Reference, as_json: bool, progress: Progress) -> None:
    # oras costs 130 ms; only registries need it
    from ckpt_tui.sources.registry_store import open_repository

    store = open_repository(place)
    try:
        progress.start(f"asking {place.host}")
        names = []
        for name in store.client.catalog(progress):
            names.append(name)
            if not as_json:
                print_line(name)
    finally:
        store.close()
    if as_json:
        print_json({"schema_version": 1, "target": str(place), "repositories": plain(names)})


def _list_tags(place: Reference, every: bool, as_json: bool, progress: Progress) -> None:
    from ckpt_tui.sources.registry_errors import Refused, TooManyRequests
    from ckpt_tui.sources.registry_store import open_repository

    listing = RepositoryListing(open_repository(place))
    try:
        progress.start(f"asking {place.host}")
        names = [*listing.tags(progress)]
        described = len(names) if every else MAX_DESCRIBED
        entries = [TagEntry(name) for name in names]
        for number, name in enumerate(names[:described]):
            try:
                entries[number] = listing.describe(name, progress)
            except TooManyRequests as error:
                narrate(f"{error} The tags that follow are listed by name.")
                break
            except (DamagedInput, Refused) as error:  # gone meanwhile, not for us, or no manifest
                narrate(f"{name}: {error}")
    finally:
        listing.close()
    _print_tags(str(place), entries, as_json)
    if len(names) > described:
        rest = human_count(len(names) - described, "tag is", "tags are")
        narrate(f"{rest} listed by name only: --all describes them.")


def _list_stores(target: str, stores: list[Store], as_json: bool, progress: Progress) -> None:
    """Say what is in the stores of engines; what cannot be read there is said, and is no failure
    of the rest."""
    documents: list[dict[str, Any]] = []
    for store in stores:
        problems: list[CkptError] = []
        entries = sorted(
            list_store(store, progress, problems.append),
            key=lambda e: (IN_ORDER.index(e.kind), e.namespace, e.name),
        )
        for problem in problems:
            narrate(f"{store.kind.value}, {store.root}: {problem}")
        told = [str(problem) for problem in problems]
        documents.append(
            {
                "engine": store.kind.value,
                "root": plain(store.root),
                "problems": plain(told),
                "entries": plain(entries),
            }
        )
        if not as_json and entries:
            print_line(f"{store.kind.value}  {store.root}")
            print_table(STORE_COLUMNS, [_store_row(entry) for entry in entries], "  ")
    if as_json:
        print_json({"schema_version": 1, "target": plain(target), "stores": documents})
    elif not stores:
        narrate("No engine has a store on this machine.")


def _store_row(entry: StoreEntry) -> Row:
    place = f"{entry.namespace} " if entry.namespace else ""
    return Row(
        key=entry.target,
        cells=(
            printable(place + entry.name),
            "optimized" if entry.optimized else entry.kind,
            printable(entry.engine),
            printable(entry.container),
            "" if entry.size is None else human_bytes(entry.size),
            _age(entry.created, datetime.now(UTC)),
            printable(entry.target),
        ),
    )


def _age(created: datetime | None, now: datetime) -> str:
    seconds = (now - created).total_seconds() if created else -1
    return human_duration(seconds) if seconds >= 0 else ""


def _list_layout(target: str, path: str, as_json: bool, progress: Progress) -> None:
    store = LayoutStore(DirectoryTree(path, progress))
    try:
        entries = [*list_layout(store, progress)]
    finally:
        store.close()
    _print_tags(target, entries, as_json)


def _print_tags(target: str, entries: list[TagEntry], as_json: bool) -> None:
    if as_json:
        print_json({"schema_version": 1, "target": plain(target), "tags": plain(entries)})
        return
    now = datetime.now(UTC)
    print_table(TAG_COLUMNS, [_tag_row(entry, now) for entry in entries])


def _tag_row(entry: TagEntry, now: datetime) -> Row:
    return Row(
        key=entry.tag,
        cells=(
            printable(entry.tag),
            "optimized" if entry.optimized else entry.kind,
            printable(entry.engine),
            printable(entry.criu),
            printable(entry.container),
            "" if entry.size is None else human_bytes(entry.size),
            _age(entry.created, now),
            printable(short_digest(entry.digest)),
        ),
    )


def _list_image(target: str, as_json: bool, progress: Progress) -> None:
    opened = resolve(target, progress)
    assert isinstance(opened, OpenedImage)
    try:
        parts = [one for part in image_parts(opened, progress) for one in part.flat()]
        others = referrers(opened, progress)
    finally:
        opened.close()
    for part in parts:
        if part.problem:
            narrate(part.problem)
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "target": plain(target),
                "digest": opened.descriptor.digest,
                "blobs": plain([{"role": part.role, **plain(part.descriptor)} for part in parts]),
                "referrers": plain([one.descriptor for one in others]),
            }
        )
        return
    print_line(opened.descriptor.digest)
    rows = [
        Row(
            key=number,
            cells=(
                printable(short_digest(part.descriptor.digest)),
                printable(part.role),
                human_bytes(part.descriptor.size),
                printable(part.descriptor.artifact_type or part.descriptor.media_type),
            ),
        )
        for number, part in enumerate((*parts, *others))
    ]
    print_table(LAYER_COLUMNS, rows)


def _list_entries(target: str, as_json: bool, progress: Progress) -> None:
    entries = sorted(list_folder(target, progress), key=lambda entry: entry.name)
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "target": plain(target),
                "entries": [_entry_document(entry) for entry in entries],
            }
        )
        return
    rows = [
        Row(
            key=entry.path,
            cells=(
                printable(entry.name),
                entry.kind.value,
                human_bytes(entry.size) if entry.size else "",
            ),
        )
        for entry in entries
    ]
    print_table(FOLDER_COLUMNS, rows)


def _entry_document(entry: FolderEntry) -> dict[str, Any]:
    modified = datetime.fromtimestamp(entry.mtime, UTC)
    return {**plain(replace(entry, mtime=0)), "mtime": plain(modified)}


def copy(source: str, destination: str, as_json: bool) -> None:
    """Copy an image between registries, layouts and archives."""
    from ckpt_tui.convert.copying import copy as run

    def told(step: BlobStep) -> None:
        if not as_json and step.state != "copying":
            size = human_bytes(step.blob.size)
            place = f"{step.number}/{step.count}"
            narrate(f"{place}  {short_digest(step.blob.digest)}  {size}  {step.state}")

    with told_progress() as progress:
        result = run(source, destination, progress, told)
    copied = result.copied
    if as_json:
        print_json({"schema_version": 1, **plain(result)})
        return
    print(f"{printable(result.destination)}  {copied.digest}")
    for state, count in copied.blobs.items():
        print(f"  {human_count(count, 'blob')} {state}, {human_bytes(copied.bytes[state])}")
    if result.moved:
        print("  config.dump names the repository that the image is in")
    sys.stdout.flush()
