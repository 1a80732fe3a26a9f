"""Which layer of the optimized image a member of a checkpoint goes to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ckpt_tui.archive.names import ROOT
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.checkpoint.delta import DELETED, DIFF
from ckpt_tui.convert.delta_names import ancestors, sort_key
from ckpt_tui.convert.header_writer import END, header, padding

METADATA, CRIU, PAGES, DEVSHM, VOLUMES = "metadata", "criu", "pages", "devshm", "volumes"
CRIU_PARENT = "criu-parent"
"""Role of what an incremental dump goes on from: images and pages of the pre-dump."""
DELTA = "delta"

ORDER = (METADATA, CRIU, PAGES, CRIU_PARENT, DEVSHM, VOLUMES)
"""The layers of the checkpoint image from first to last: what is wanted first, comes first."""

LARGE = 1 << 20
"""Bytes. A file of this size gets a layer of its own: one compression frame, the least that a
reader can fetch alone. Below it a request costs more than the bytes."""

MAX_OWN_LAYERS = 64
"""Layers of single files. Overlay mounts take 128 layers on older kernels, and the engine needs
some itself; of more large files the smallest go together."""

DIFF_TAR, DELETED_FILES = DIFF, DELETED
CONFIG_DUMP = "config.dump"
SPEC_DUMP = "spec.dump"
RECORD = "conversion.json"
IMAGES = "checkpoint"
PARENT_IMAGES = "pre-checkpoint"

_IMAGE_FOLDERS = (IMAGES, PARENT_IMAGES)
_PAGES = re.compile(r"(amdgpu-)?pages-[^/]*\.img")


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """A layer of the checkpoint image before it is written."""

    role: str
    members: tuple[Member, ...]
    """In the order in which they will lie in the layer, folders included."""
    alone: bool
    """Whether it holds one large file, which goes straight through."""
    plain_size: int
    """Bytes of the layer as a tar; of the metadata layer before config.dump is rewritten."""


def role_of(name: str) -> str:
    """Return the role of the layer for a member that is not a part of the filesystem delta."""
    folder = name.partition("/")[0]
    if folder == PARENT_IMAGES:
        return CRIU_PARENT
    if folder == IMAGES:
        return PAGES if has_pages(name) else CRIU
    if name == "devshm-checkpoint.tar":
        return DEVSHM
    return VOLUMES if folder == "volumes" else METADATA


def has_pages(name: str) -> bool:
    """Tell whether a member is a page image, of the dump itself or of the one before."""
    folder, _, rest = name.partition("/")
    return folder in _IMAGE_FOLDERS and _PAGES.fullmatch(rest) is not None


def plan_layers(members: Mapping[str, Member], left_out: Iterable[str]) -> list[PlannedLayer]:
    """Distribute `members` over layers: small ones of a role together, large ones each alone."""
    taken = {name: m for name, m in members.items() if name not in {*left_out, ROOT}}
    files = [m for m in taken.values() if m.kind is MemberKind.FILE]
    large = [m for m in files if m.size >= LARGE and m.name != CONFIG_DUMP]  # that one is edited
    large.sort(key=lambda m: (-m.size, sort_key(m.name)))
    alone = {m.name for m in large[:MAX_OWN_LAYERS]}
    layers: list[PlannedLayer] = []
    for role in ORDER:
        of_role = sorted((n for n in taken if role_of(n) == role), key=sort_key)
        together = [name for name in of_role if name not in alone]
        groups = [(together, False)] if together else []
        groups += [([name], True) for name in of_role if name in alone]
        for names, single in groups:
            content = with_folders(names, taken)
            layers.append(PlannedLayer(role, content, single, tar_size(content)))
    return layers


def tar_size(members: Iterable[Member]) -> int:
    """Return the bytes of a tar of `members` as the layers are written."""
    sizes = (len(header(m)) + m.size + len(padding(m.size)) for m in members)
    return sum(sizes) + len(END)


def with_folders(names: Iterable[str], members: Mapping[str, Member]) -> tuple[Member, ...]:
    """Return the members of `names` with every folder above them, in order, as a layer has them."""
    wanted = set(names)
    for name in names:
        wanted.update(folder for folder in ancestors(name) if folder != ROOT)
    return tuple(_as_written(name, members) for name in sorted(wanted, key=sort_key))


def _as_written(name: str, members: Mapping[str, Member]) -> Member:
    """Return the header for `name`: as in the source, but 0700 for the folders of CRIU images."""
    member = members.get(name)
    folder = member is None or member.kind is MemberKind.DIRECTORY
    if name in _IMAGE_FOLDERS and folder:
        mtime = member.mtime if member else 0
        return Member(name, MemberKind.DIRECTORY, 0, mode=0o700, mtime=mtime)
    if member is None:
        return Member(name, MemberKind.DIRECTORY, 0, mode=0o755)
    return replace(member, uname="", gname="")
