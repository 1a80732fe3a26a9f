"""`ls` and `copy`: what is where, and bringing it elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from ckpt_tui.cli.output import narrate, print_json, print_line
from ckpt_tui.cli.several import in_processes
from ckpt_tui.cli.tables import print_table
from ckpt_tui.cli.telling import told_progress
from ckpt_tui.core.errors import SourceUnreachable
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, human_count, printable, short_digest
from ckpt_tui.formats.catalogue import children, place_at
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.places.described import described
from ckpt_tui.formats.places.image import look_inside
from ckpt_tui.formats.places.registry import Tags
from ckpt_tui.formats.roots import engine_stores
from ckpt_tui.sources.transfer import BlobStep
from ckpt_tui.views import listing

MAX_DESCRIBED = 100
"""Tags that are described unless all are asked for: each costs two requests or more."""

FOLDER_KEYS = {
    **{key: key for key in ("name", "path", "content", "engine", "container", "image")},
    **{key: key for key in ("namespace", "pod", "optimized")},
}
TAG_KEYS = {
    "tag": "name",
    **{key: key for key in ("digest", "media_type", "size")},
    "kind": "content",
    **{key: key for key in ("engine", "criu", "container", "created", "optimized")},
}
STORE_KEYS = {
    **{key: key for key in ("name", "target")},
    "kind": "content",
    **{key: key for key in ("engine", "container", "image", "criu", "namespace", "digest")},
    **{key: key for key in ("size", "created", "optimized")},
}
"""Keys of the JSON documents, and the fields of an entry that are in them."""


def ls(target: str, every: bool, as_json: bool, check: bool = False) -> None:
    """List a registry, repository, image, layout, archive, store or folder; without a target, the
    stores of this machine.

    `every`: describe all tags of a repository, however many there are; `check`: diagnose each
    checkpoint in a folder.
    """
    with told_progress() as progress:
        if not target:
            _list_stores(target, engine_stores(), as_json, progress)
            return
        place = place_at(target)
        match place.kind:
            case Kind.STORE:
                _list_stores(target, [place], as_json, progress)
            case Kind.REGISTRY:
                _list_names(place, as_json, progress)
            case Kind.REPOSITORY:
                _list_tags(place, every, as_json, progress)
            case Kind.IMAGE:
                _list_image(target, place, as_json, progress)
            case Kind.FOLDER:
                _list_folder(target, place, check, as_json, progress)
            case _:
                _print_tags(target, children(place, progress), as_json)


def _document(entry: Entry, keys: dict[str, str]) -> Any:
    return plain({key: getattr(entry, name) for key, name in keys.items()})


def _list_names(place: Entry, as_json: bool, progress: Progress) -> None:
    names = []
    for entry in children(place, progress):
        names.append(entry.name)
        if not as_json:
            print_line(entry.name)
    if as_json:
        print_json({"schema_version": 1, "target": place.path, "repositories": plain(names)})


def _list_tags(place: Entry, every: bool, as_json: bool, progress: Progress) -> None:
    from ckpt_tui.sources.registry_errors import Refused  # which costs 130 ms

    entries = [*children(place, progress)]
    described = len(entries) if every else MAX_DESCRIBED
    tags = Tags()
    try:
        busy = tags.describe(entries[:described], progress, entries.__setitem__)
    finally:
        tags.close()
    for entry in entries[:described]:
        # gone meanwhile, not readable for this user, or not a manifest; anything else ends it
        problem = entry.problem
        if isinstance(problem, SourceUnreachable) and not isinstance(problem, Refused):
            raise problem
        if entry.problem:
            narrate(f"{entry.name}: {entry.problem}")
    if busy:
        narrate(f"{busy} The other tags are listed by name.")
    _print_tags(place.path, entries, as_json)
    if len(entries) > described:
        rest = human_count(len(entries) - described, "tag is", "tags are")
        narrate(f"{rest} listed by name only: --all describes them.")


def _print_tags(target: str, entries: Iterable[Entry], as_json: bool) -> None:
    entries = [*entries]
    if as_json:
        tags = [_document(entry, TAG_KEYS) for entry in entries]
        print_json({"schema_version": 1, "target": plain(target), "tags": tags})
    else:
        _print_entries(listing.IMAGES, entries)


def _print_entries(shown: Sequence[listing.Shown], entries: list[Entry], indent: str = "") -> None:
    print_table([column for column, _ in shown], listing.rows(shown, entries), indent)


def _list_stores(target: str, stores: list[Entry], as_json: bool, progress: Progress) -> None:
    """List the stores of engines; what cannot be read there is reported, and the rest is listed."""
    documents: list[dict[str, Any]] = []
    for store in stores:
        found = [*children(store, progress)]
        entries = [entry for entry in found if entry.kind is not Kind.PROBLEM]
        problems = [entry.name for entry in found if entry.kind is Kind.PROBLEM]
        for problem in problems:
            narrate(f"{store.engine}, {store.path}: {problem}")
        documents.append(
            {
                "engine": store.engine,
                "root": plain(store.path),
                "problems": plain(problems),
                "entries": [_document(entry, STORE_KEYS) for entry in entries],
            }
        )
        if not as_json and entries:
            print_line(f"{store.engine}  {store.path}")
            _print_entries(listing.STORE, entries, "  ")
    if as_json:
        print_json({"schema_version": 1, "target": plain(target), "stores": documents})
    elif not stores:
        narrate("No engine has a store on this machine.")


def _list_image(target: str, place: Entry, as_json: bool, progress: Progress) -> None:
    image = look_inside(place, progress)
    entries = [entry for part in image.parts or () for entry in part.flat()]
    for entry in entries:
        if entry.problem:
            narrate(str(entry.problem))
    if as_json:
        blobs = [{"role": e.role, **plain(e.descriptor)} for e in entries if e.role != "referrer"]
        print_json(
            {
                "schema_version": 1,
                "target": plain(target),
                "digest": image.digest,
                "blobs": plain(blobs),
                "referrers": [plain(e.descriptor) for e in entries if e.role == "referrer"],
            }
        )
        return
    print_line(image.digest)
    _print_entries(listing.PARTS, entries)


def _list_folder(target: str, place: Entry, check: bool, as_json: bool, progress: Progress) -> None:
    listed = [*children(place, progress)]
    entries = [described(entry, progress) for entry in listed]
    verdicts = [""] * len(entries)
    if check:
        from ckpt_tui.cli.diagnosis import verdict_of  # 90 ms

        opening = [entry.target if entry.content == "checkpoint" else "" for entry in entries]
        verdicts = [*in_processes(verdict_of, opening)]
    if not as_json:
        _print_entries((*listing.FOLDER, listing.said(verdicts, entries)), entries)
        return
    documents = [
        {
            **_document(entry, FOLDER_KEYS),
            "kind": Kind.ARCHIVE.value if entry.compression else entry.kind.value,
            "mtime": plain(file.created),
            "size": entry.size or 0,
            "compression": entry.compression,
            "holds_images": entry.kind is Kind.IMAGE_ARCHIVE,
            "dumped": plain(entry.created) if entry.content == "checkpoint" else None,
            "note": plain(listing.remark(entry)),
            "verdict": verdict or None,
        }
        for file, entry, verdict in zip(listed, entries, verdicts, strict=True)
    ]
    print_json({"schema_version": 1, "target": plain(target), "entries": documents})


def copy(
    source: str,
    destination: str,
    as_json: bool,
    encrypt_to: tuple[str, ...] = (),
    decrypt: bool = False,
) -> None:
    """Copy an image between registries, layouts and archives."""
    from ckpt_tui.convert.copying import Encryption
    from ckpt_tui.convert.copying import copy as run

    def told(step: BlobStep) -> None:
        if not as_json and step.state != "copying":
            size = human_bytes(step.blob.size)
            place = f"{step.number}/{step.count}"
            narrate(f"{place}  {short_digest(step.blob.digest)}  {size}  {step.state}")

    with told_progress() as progress:
        result = run(source, destination, progress, told, Encryption(encrypt_to, decrypt))
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
