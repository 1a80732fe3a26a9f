"""Where the bytes are: by component, by kind of image, by process, by kind of memory, by file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.checkpoint.delta import DELETED, DEVSHM, DIFF
from ckpt_tui.checkpoint.model import (
    Delta,
    ImageFile,
    Process,
    ProcessMemory,
    Share,
    Sizes,
    StoredPart,
)

LARGEST_FILES = 200
"""Members listed by name; the rest are one line that says how many."""

COMPONENTS = ("pages", "images", "metadata", "delta", "devshm", "volumes", "base")


def component_of(name: str, images: str) -> str:
    """Return the component that a member belongs to; `images` is the folder of CRIU's images."""
    if name.startswith("pre-checkpoint/") or (
        name.startswith(images) and "/" not in name[len(images) :]
    ):
        last = name.rpartition("/")[2]
        if last.startswith(("pages-", "amdgpu-pages-", "amdgpu-drm-pages-")):
            return "pages"
        if images or last.endswith(".img") or last == "descriptors.json":
            return "images"
    if name in (DIFF, DELETED):
        return "delta"
    if name == DEVSHM:
        return "devshm"
    return "volumes" if name.startswith("volumes/") else "metadata"


def build_sizes(
    members: Mapping[str, Member],
    images_folder: str,
    packed: int,
    images: Sequence[ImageFile],
    processes: Iterable[Process],
    memory: Sequence[ProcessMemory],
    layers: tuple[StoredPart, ...] = (),
    delta: Delta | None = None,
) -> Sizes:
    """Return the breakdowns. `packed` is the size as stored: of the file, or of all blobs; `delta`
    tells how large a compressed rootfs-diff.tar is without its compression."""
    files = [m for m in members.values() if m.kind is MemberKind.FILE]
    components: dict[str, int] = defaultdict(int)
    for member in files:
        components[component_of(member.name, images_folder)] += member.size
    for layer in layers:
        if layer.role in ("base", "delta"):
            components[layer.role] += layer.plain_size or layer.size
    compressed = 0
    if DIFF in members and delta is not None and delta.plain_bytes:
        compressed = delta.plain_bytes - members[DIFF].size
        components["delta"] += compressed
    kinds: dict[str, int] = defaultdict(int)
    for image in images:
        kinds[image.kind] += image.size
    regions: dict[str, int] = defaultdict(int)
    for process_memory in memory:
        for region in process_memory.regions:
            regions[region.kind] += region.dumped
    alone = pages_of_no_process(files, images_folder, memory)
    regions[kind_of_no_process(alone, images)] += sum(m.size for m in alone)
    commands = {p.pid: p.comm for p in processes}
    return Sizes(
        packed=packed,
        plain=sum(m.size for m in files) + compressed,
        components=tuple(Share(c, components[c]) for c in COMPONENTS if components.get(c)),
        images=_shares(kinds),
        processes=tuple(
            Share(str(m.pid), m.dumped_bytes, commands.get(m.pid, ""))
            for m in sorted(memory, key=lambda m: -m.dumped_bytes)
        ),
        memory=_shares(regions),
        files=_largest(files),
        layers=layers,
    )


def pages_of_no_process(
    members: Iterable[Member], folder: str, memory: Iterable[ProcessMemory]
) -> list[Member]:
    """Return the page images that belong to no process; `folder` is that of CRIU's images."""
    own = {f"{folder}pages-{m.pages_id}.img" for m in memory if m.pages_id is not None}
    start = f"{folder}pages-"
    return [m for m in members if m.name.startswith(start) and m.name not in own]


def kind_of_no_process(pages: Sequence[Member], images: Iterable[ImageFile]) -> str:
    """Return what kind of memory such images hold: shared, unless some lost their process."""
    shared = sum(image.kind == "SHMEM_PAGEMAP" for image in images)
    return "shared" if len(pages) == shared else "of no process"


def _shares(totals: Mapping[str, int]) -> tuple[Share, ...]:
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Share(name, size) for name, size in ordered if size)


def _largest(files: list[Member]) -> tuple[Share, ...]:
    ordered = sorted(files, key=lambda m: (-m.size, m.name))
    shares = [Share(m.name, m.size) for m in ordered[:LARGEST_FILES]]
    if rest := ordered[LARGEST_FILES:]:
        shares.append(Share(f"{len(rest)} smaller files", sum(m.size for m in rest)))
    return tuple(shares)
