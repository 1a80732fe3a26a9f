"""What is to be said about a conversion before it is run, a sentence each.

Foreign text in the sentences is not cleaned.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ckpt_tui.archive.names import clean_name
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.base_image import BaseImage
from ckpt_tui.convert.delta import DeltaPlan
from ckpt_tui.convert.delta_names import real_name
from ckpt_tui.convert.destination import Destination
from ckpt_tui.convert.layout import names
from ckpt_tui.convert.roles import CONFIG_DUMP, IMAGES, PARENT_IMAGES, RECORD, SPEC_DUMP
from ckpt_tui.convert.source import Source
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import human_count
from ckpt_tui.sources.reference import TAG

MAX_NAMED = 20
"""Names listed one by one under a heading; the rest is counted."""

_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:[.-][a-z0-9]+)*(?::\d+)?(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+"
)
"""HOST[:PORT]/PATH as registries want it (distribution-spec, "Pulling manifests")."""


FAMILY = ("podman", "cri-o")
"""Engines that write the delta with the library crutils."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A regular file on the root filesystem that a process had open or mapped (files.img)."""

    name: str
    size: int
    mode: int | None = None
    """Permission bits."""


def shape_problems(source: Source) -> list[str]:
    """Return what is wrong with the source as a whole."""
    members = source.tree.members
    problems = []
    if f"{IMAGES}/inventory.img" not in members:
        is_pre_dump = f"{PARENT_IMAGES}/inventory.img" in members
        what = (
            "it is a pre-dump; give it with --previous to the checkpoint that goes on from it"
            if is_pre_dump
            else "it is cut"
        )
        problems.append(f"There is no {IMAGES}/inventory.img: {what}.")
    if RECORD in members:
        problems.append("It is converted already.")
    needed = () if source.bare else (CONFIG_DUMP, SPEC_DUMP)
    problems += [f"{name} is missing." for name in needed if name not in members]
    odd = [
        name
        for name, member in members.items()
        if member.kind not in (MemberKind.FILE, MemberKind.DIRECTORY) and name != f"{IMAGES}/parent"
    ]
    problems += shortened(
        [f"{name} is neither a file nor a folder; engines refuse it in an image." for name in odd],
        "members",
    )
    return problems


def place_problems(destination: Destination, repository: str, tag: str) -> list[str]:
    """Return why nothing can be written where it shall go."""
    problems = []
    if destination.archive and os.path.lexists(destination.path):
        problems.append(f"{destination.path} exists already: remove it, or name another file.")
    if not _REPOSITORY.fullmatch(repository):
        problems.append(f"{repository!r} is not a repository name: HOST/PATH in small letters.")
    if not TAG.fullmatch(tag):
        problems.append(f"{tag!r} is not a tag: letters, digits, `_`, `.` and `-`.")
    return problems


def place_warnings(destination: Destination, tag: str) -> list[str]:
    """Return what is lost by writing where it shall go."""
    if destination.repository or destination.archive or not names(destination.path, tag):
        return []
    name = destination.named(tag)
    return [f"{name} is there already. If that is another image, nothing will name it any more."]


def delta_warnings(delta: DeltaPlan) -> list[str]:
    """Return what a person has to know of the delta layer."""
    facts = delta.facts
    found = []
    if facts.assumed:
        found.append(
            f"{human_count(len(facts.assumed), 'folder')} of the delta have no header anywhere and "
            f"get mode 0755, owner root: {_names(facts.assumed)}."
        )
    if facts.absent:
        found.append(
            f"{human_count(len(facts.absent), 'deleted name')} are not in the base image: "
            f"{_names(facts.absent)}."
        )
    if facts.moved:
        found.append(
            "Written through symbolic links, and placed where these lead: "
            f"{_names([f'{name} → {real}' for name, real in facts.moved])}."
        )
    if facts.rescued:
        found.append(
            "A legacy restore unpacks these and deletes them again; the optimized image keeps "
            f"them: {_names(facts.rescued)}."
        )
    return found


def engine_warnings(source: Source, *, whole: bool) -> list[str]:
    """Return what a person has to know of restoring it; `whole`: the delta becomes a layer."""
    found: list[str] = []
    members = source.tree.members
    if source.bare:
        found.append(
            "No engine restores it from an image, for it lacks an engine's metadata. A runtime "
            "does, from the mounted images: `runc restore --image-path IMAGES/checkpoint`."
        )
        if SPEC_DUMP not in members:
            found.append("It has no spec.dump: a runtime needs the config.json of its bundle.")
    if whole and not source.bare:
        found += _stock_warnings(source)
    if f"{IMAGES}/parent" in members:
        found.append(_chain_warning(f"{PARENT_IMAGES}/inventory.img" in members))
    return found


def _stock_warnings(source: Source) -> list[str]:
    found = []
    if source.engine in FAMILY:
        found.append(
            "A second checkpoint of a container that was restored from this image loses files of "
            "the delta that changed since: podman and CRI-O leave modified files out. Use it to "
            "archive and distribute."
        )
    if source.engine == "cri-o":
        found.append("CRI-O does not pull the rootfs image on restore: pull it first.")
        if not source.container.command:
            found.append("The dump names no command, and CRI-O refuses an image without one.")
    return found


def _chain_warning(is_whole: bool) -> str:
    if is_whole:
        return (
            "It is incremental, and its pre-dump is with it. Engines copy only the last dump from "
            "an image: restore it in place with a runtime, or make the archive again."
        )
    return (
        "It is incremental: checkpoint/parent leads to a pre-dump that is not in it. Give that "
        "with --previous, or nothing restores the image."
    )


def page_warnings(*, compressed: bool, encrypted: bool) -> list[str]:
    """Return what is to be said of page images that CRIU wrote in another form."""
    if not (compressed or encrypted):
        return []
    how = "encrypted" if encrypted else "compressed"
    return [f"CRIU {how} the memory pages: they are stored as they are, without compression."]


def lost_files(
    recorded: Iterable[RecordedFile], base: BaseImage, delta: DeltaPlan | None
) -> list[str]:
    """Return a sentence per open file that is not in base + delta as CRIU left it.

    CRIU refuses to restore a file whose size or mode changed (validate_file in files-reg.c).
    podman and CRI-O leave modified files out of the delta where the host has none of that name.
    """
    tree = delta.tree if delta else base.tree
    found = []
    for file in recorded:
        name = clean_name(file.name)
        member = _resolved(tree, name) if name else None
        if member is None:
            found.append(f"{file.name} is open in the checkpoint but in neither base nor delta.")
        elif member.kind is MemberKind.FILE and member.size != file.size:
            found.append(
                f"{file.name} has {file.size:,} bytes in the checkpoint, {member.size:,} on disk: "
                "the engine left out its last changes, and CRIU will refuse it."
            )
        elif file.mode is not None and member.mode & 0o7777 != file.mode & 0o7777:
            found.append(
                f"{file.name} has mode {file.mode & 0o7777:04o} in the checkpoint, "
                f"{member.mode:04o} on disk; CRIU will refuse it."
            )
    return shortened(found, "files")


def engine_losses(engine: str, delta: DeltaPlan | None) -> list[str]:
    """Return what podman and CRI-O leave out of the delta itself (crutils.CRCreateRootFsDiffTar):
    folders, and changed files whose path is not on the host."""
    if engine not in FAMILY or delta is None:
        return []
    found = [
        "Files of the base image that the container changed in place may be missing: "
        f"{engine} archives such a file only where the host has one at the same path, and the "
        "archive does not say which were left out."
    ]
    if folders := delta.facts.unrecorded:
        found.append(
            f"{human_count(len(folders), 'folder')} that the container removed and made again "
            f"got the mode and owner of the base image, because {engine} does not archive those "
            f"of the new one: {_names(folders)}."
        )
    return found


def _resolved(tree: Mapping[str, Member], name: str) -> Member | None:
    """Return what `name` leads to: the file behind a hard link, through links among folders."""
    try:
        member = tree.get(real_name(tree.get, name))
    except CkptError:
        return None
    if member is not None and member.kind is MemberKind.HARDLINK:
        return tree.get(member.link)
    return member


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def shortened(sentences: Sequence[str], noun: str) -> list[str]:
    kept = [*sentences[:MAX_NAMED]]
    if len(sentences) > MAX_NAMED:
        kept.append(f"{len(sentences) - MAX_NAMED:,} more {noun} are like that.")
    return kept
