"""`rm` and `gc`: removing images from layouts and registries, and blobs that nothing names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ckpt_tui.cli.output import print_json, print_line
from ckpt_tui.cli.several import run_in_turn
from ckpt_tui.cli.telling import told_progress
from ckpt_tui.convert.upkeep import Removal, collect, remove_image
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.paths import own_store
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, human_count, short_digest
from ckpt_tui.sources.reference import SCHEME
from ckpt_tui.sources.table import split_reference


def rm(targets: Sequence[str], dry_run: bool, as_json: bool) -> int:
    """Remove each image; return the highest exit code."""
    return run_in_turn(targets, partial(_remove, dry_run=dry_run, as_json=as_json))


def _remove(target: str, dry_run: bool, as_json: bool) -> None:
    with told_progress() as progress:
        removal = _removal(target, dry_run, progress)
    if as_json:
        print_json({"schema_version": 1, "dry_run": dry_run, **plain(removal)})
        return
    for line in _lines(removal, "Would remove" if dry_run else "Removed"):
        print_line(line)


def _removal(target: str, dry_run: bool, progress: Progress) -> Removal:
    if target.startswith(SCHEME):
        from ckpt_tui.convert.registry_removal import remove_from_registry

        return remove_from_registry(target, progress, dry_run=dry_run)
    path, wanted = split_reference(target.removeprefix("oci:"))
    return remove_image(Path(path), wanted, progress, dry_run=dry_run)


def _lines(removal: Removal, verb: str) -> list[str]:
    freed = "the registry frees the blobs when it collects garbage"
    if removal.blobs is not None and removal.bytes is not None:
        freed = f"{human_count(removal.blobs, 'blob')}, {human_bytes(removal.bytes)}"
    lines = [f"{verb} {removal.target}  {short_digest(removal.digest)}  {freed}"]
    lines += [f"  tag {name}" for name in removal.names]
    lines += [f"  image {short_digest(digest)}" for digest in removal.images]
    lines += [f"  referrer {short_digest(digest)}" for digest in removal.referrers]
    if removal.other_names:
        lines.append(f"  The image stays under {', '.join(removal.other_names)}.")
    return lines


def gc(layouts: Sequence[str], dry_run: bool, as_json: bool) -> int:
    """Clean up each layout, or the own store; return the highest exit code."""
    places = [layout.removeprefix("oci:") for layout in layouts] or [str(own_store())]
    return run_in_turn(places, partial(_collect, dry_run=dry_run, as_json=as_json))


def _collect(layout: str, dry_run: bool, as_json: bool) -> None:
    with told_progress() as progress:
        found = collect(Path(layout), progress, dry_run=dry_run)
    if as_json:
        print_json({"schema_version": 1, "dry_run": dry_run, **plain(found)})
        return
    verb = "Would remove" if dry_run else "Removed"
    blobs, size = human_count(found.blobs, "blob"), human_bytes(found.bytes)
    print_line(f"{layout}: {verb.lower()} {blobs}, {size}; {human_bytes(found.kept)} in use")
