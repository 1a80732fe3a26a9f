"""The bytes of a checkpoint as a tree to go down in: components, then processes, kinds, files.

Branches are made when they are opened: a delta may have a million files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.checkpoint.component_sizes import (
    COMPONENTS,
    component_of,
    kind_of_no_process,
    pages_of_no_process,
)
from ckpt_tui.checkpoint.layerstack import StackLayer
from ckpt_tui.checkpoint.model import Checkpoint, Delta, ProcessMemory, Region, StoredPart
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.slots import Made
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, short_digest

_COMPONENT_OF_ROLE = {"criu": "images", "checkpoint": "pages"}
"""Of the roles of layers, those that are not called as their component."""

Inside = Callable[[Progress], "Sequence[SizeNode]"]

Colour = str | Callable[[str], str]
"""A component, or what tells that of a path."""

Paths = Callable[[], Iterable[tuple[str, int]]]
"""Gives paths and sizes, again and again: a list of a million would take 200 MB."""

_PLACE = 32
_LAST = (1 << _PLACE) - 1
"""Bits of a place among names, and the last place."""


@dataclass(frozen=True, slots=True)
class SizeNode:
    """A part of the whole; its name is foreign text."""

    name: str
    bytes: int
    component: str
    """What its colour says: one of `COMPONENTS`."""
    inside: Inside | None = None
    """Makes what it consists of, largest first; None for what has no parts."""
    detail: str = ""
    ref: Ref | None = None
    """The row that shows the thing itself in another tab, if there is one."""
    is_slow: bool = False
    """Whether `inside` reads an image, and not what is at hand."""


def size_trees(
    checkpoint: Checkpoint,
    members: Mapping[str, Member],
    images_folder: str,
    layers: Sequence[Mapping[str, Member]] = (),
    rootfs: Callable[[Progress], Sequence[StackLayer]] | None = None,
) -> tuple[SizeNode, ...]:
    """Return the whole, divided in several ways; each is named for what it is divided by.

    `layers` are the members of the checkpoint's own layers, in the order of `Sizes.layers`;
    `rootfs` reads those of the root filesystem.
    """
    sizes = checkpoint.sizes
    files = [m for m in members.values() if m.kind is MemberKind.FILE]
    by_layer = _layers(sizes.layers, layers)
    stack = partial(_stack, rootfs) if rootfs else None
    trees = [
        SizeNode(
            "component",
            sum(s.bytes for s in sizes.components),
            "",
            partial(_components, checkpoint, files, images_folder, stack),
        ),
        SizeNode(
            "kind of memory",
            sum(s.bytes for s in sizes.memory),
            "pages",
            partial(_memory, checkpoint, files, images_folder),
        ),
        SizeNode("layer", sum(n.bytes for n in by_layer), "", partial(_given, by_layer)),
        SizeNode(
            "file",
            sum(m.size for m in files),
            "metadata",
            partial(
                _folders,
                partial(_member_paths, files),
                "",
                partial(component_of, images=images_folder),
            ),
        ),
        SizeNode("layer of the root filesystem", 0, "base", stack, is_slow=True),
    ]
    return tuple(tree for tree in trees if tree.bytes or (tree.is_slow and tree.inside))


def _components(
    checkpoint: Checkpoint,
    files: list[Member],
    images_folder: str,
    stack: Inside | None,
    progress: Progress,
) -> tuple[SizeNode, ...]:
    progress.start("adding up")
    by_component: defaultdict[str, list[Member]] = defaultdict(list)
    for member in files:
        by_component[component_of(member.name, images_folder)].append(member)
        progress.tick()
    sizes = {share.name: share.bytes for share in checkpoint.sizes.components}
    return _largest_first(
        SizeNode(name, sizes[name], name, stack, is_slow=True)
        if name == "base" and stack
        else SizeNode(name, sizes[name], name, _inside_of(checkpoint, name, by_component[name]))
        for name in COMPONENTS
        if sizes.get(name)
    )


def _inside_of(checkpoint: Checkpoint, component: str, members: list[Member]) -> Inside:
    if component == "pages":
        return partial(_processes, checkpoint, members)
    if component == "images":
        return partial(_kinds, checkpoint, members)
    delta = checkpoint.delta
    if component == "delta" and (delta.entries or not checkpoint.has_changes):
        return partial(_folders, partial(_delta_paths, delta), "", "delta")
    if component == "base":
        base = [la for la in checkpoint.sizes.layers if la.role == "base"]
        return partial(_given, _layers(base))
    return partial(_folders, partial(_member_paths, members), "", component)


def _member_paths(members: Iterable[Member]) -> Iterator[tuple[str, int]]:
    return ((member.name, member.size) for member in members)


def _delta_paths(delta: Delta) -> Iterator[tuple[str, int]]:
    return ((entry.path.lstrip("/"), entry.size) for entry in delta.entries if entry.size)


def _given(nodes: tuple[SizeNode, ...], progress: Progress) -> tuple[SizeNode, ...]:
    progress.tick(0)
    return nodes


def _largest_first(nodes: Iterable[SizeNode]) -> tuple[SizeNode, ...]:
    return tuple(sorted(nodes, key=lambda n: (-n.bytes, n.name)))


def _processes(
    checkpoint: Checkpoint, members: list[Member], progress: Progress
) -> tuple[SizeNode, ...]:
    """Return the processes by their pages, and the page images that are no process's."""
    progress.start("adding up")
    commands = {p.pid: p.comm for p in checkpoint.processes}
    owned = {f"pages-{m.pages_id}.img" for m in checkpoint.memory if m.pages_id is not None}
    nodes = [
        SizeNode(
            f"{memory.pid} {commands.get(memory.pid, '')}".strip(),
            memory.dumped_bytes,
            "pages",
            partial(_kinds_of_memory, (memory,)),
            ref=Ref.process(memory.pid),
        )
        for memory in checkpoint.memory
        if memory.dumped_bytes
    ]
    nodes += [
        SizeNode(m.name.rpartition("/")[2], m.size, "pages")
        for m in members
        if m.name.rpartition("/")[2] not in owned
    ]
    return _largest_first(nodes)


def _memory(
    checkpoint: Checkpoint, files: list[Member], folder: str, progress: Progress
) -> tuple[SizeNode, ...]:
    """Return the kinds of memory of all processes, and the pages that are no process's."""
    alone = pages_of_no_process(files, folder, checkpoint.memory)
    nodes = [*_kinds_of_memory(checkpoint.memory, progress)]
    if size := sum(member.size for member in alone):
        kind = kind_of_no_process(alone, checkpoint.images)
        nodes.append(SizeNode(kind, size, "pages", partial(_image_files, alone)))
    return _largest_first(nodes)


def _kinds_of_memory(memories: Iterable[ProcessMemory], progress: Progress) -> tuple[SizeNode, ...]:
    by_kind: defaultdict[str, list[Region]] = defaultdict(list)
    for memory in memories:
        for region in memory.regions:
            if region.dumped:
                by_kind[region.kind].append(region)
            progress.tick()
    return _largest_first(
        SizeNode(kind, sum(r.dumped for r in some), "pages", partial(_regions, some))
        for kind, some in by_kind.items()
    )


def _regions(regions: list[Region], progress: Progress) -> tuple[SizeNode, ...]:
    progress.start("adding up", len(regions))
    return _largest_first(
        SizeNode(
            region.path or f"{region.start:x}",
            region.dumped,
            "pages",
            detail=f"{region.start:x}-{region.end:x} {region.protection}",
            ref=Ref.region(region.pid, region.start),
        )
        for region in regions
    )


def _kinds(
    checkpoint: Checkpoint, members: list[Member], progress: Progress
) -> tuple[SizeNode, ...]:
    progress.start("adding up")
    kinds = {image.name: image.kind for image in checkpoint.images}
    by_kind: defaultdict[str, list[Member]] = defaultdict(list)
    for member in members:
        by_kind[kinds.get(member.name.rpartition("/")[2], "other files")].append(member)
    return _largest_first(
        SizeNode(kind, sum(m.size for m in some), "images", partial(_image_files, some))
        for kind, some in by_kind.items()
    )


def _image_files(members: list[Member], progress: Progress) -> tuple[SizeNode, ...]:
    progress.start("adding up", len(members))
    names = [(m.name.rpartition("/")[2], m.size) for m in members]
    return _largest_first(
        SizeNode(name, size, "images", ref=Ref.image(name)) for name, size in names
    )


def _layers(
    layers: Sequence[StoredPart], members: Sequence[Mapping[str, Member]] = ()
) -> tuple[SizeNode, ...]:
    nodes = []
    for number, layer in enumerate(layers):
        files = [m for m in members[number].values() if m.size] if number < len(members) else []
        component = _COMPONENT_OF_ROLE.get(layer.role, layer.role)
        component = component if component in COMPONENTS else "metadata"
        nodes.append(
            SizeNode(
                f"{layer.role} {layer.digest}",
                layer.size,
                component,
                partial(_folders, partial(_member_paths, files), "", component) if files else None,
                detail=layer.media_type,
            )
        )
    return _largest_first(nodes)


def _stack(
    read: Callable[[Progress], Sequence[StackLayer]], progress: Progress
) -> tuple[SizeNode, ...]:
    """Return the layers of a root filesystem, numbered from the lowest."""
    return _largest_first(
        SizeNode(
            f"{number}. {layer.role} {short_digest(layer.digest)}".rstrip(),
            layer.plain,
            layer.role,
            partial(_layer_files, layer),
            detail=layer_text(layer),
        )
        for number, layer in enumerate(read(progress), 1)
    )


def layer_text(layer: StackLayer) -> str:
    """Return what a layer did, and what of it is carried along for nothing; foreign text."""
    counts = layer.counts
    did = [f"{counts[how]:,} {how}" for how in ("added", "changed", "deleted") if counts.get(how)]
    wasted = f"; {human_bytes(layer.wasted)} hidden" if layer.wasted else ""
    made = f"; {layer.created:%Y-%m-%d}" if layer.created else ""
    return f"{', '.join(did) or 'no files'}{wasted}{made}; {layer.command}".rstrip("; ")


def _layer_files(layer: StackLayer, progress: Progress) -> Sequence[SizeNode]:
    details = {}
    for file in layer.files:
        if file.hidden_by is not None:
            details[file.path] = f"{file.how}, hidden by layer {file.hidden_by + 1}"
        elif file.how != "added":
            details[file.path] = file.how
    return _folders(
        lambda: ((file.path, file.size) for file in layer.files), "", layer.role, progress, details
    )


def _folders(
    paths: Paths,
    folder: str,
    component: Colour,
    progress: Progress,
    details: Mapping[str, str] = MappingProxyType({}),
) -> Sequence[SizeNode]:
    """Return what lies in `folder`, which is empty or ends with a slash; folders add up. `details`
    are what is to be said of some paths."""
    progress.start("adding up")
    totals: dict[str, int] = {}
    folders: set[str] = set()
    for path, size in paths():
        progress.tick()
        if not path.startswith(folder):
            continue
        name, slash, _ = path[len(folder) :].partition("/")
        if slash:
            name += "/"
            folders.add(name)
        totals[name] = totals.get(name, 0) + size
    for name in folders:
        if name[:-1] in totals:  # an entry of the folder itself
            totals[name] += totals.pop(name[:-1])
    order = _by_size(totals, progress)
    return FolderNodes(paths, folder, component, details, totals, order)


def _by_size(totals: Mapping[str, int], progress: Progress) -> list[str]:
    """Return the names, the largest first, equal ones in their order. They are sorted in groups by
    the length of the number: one sort would hold the interpreter, and with it the screen."""
    names = list(totals)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for place, size in enumerate(totals.values()):
        groups[size.bit_length()].append(size << _PLACE | (_LAST - place))
        progress.tick(0)
    order = []
    for bits in sorted(groups, reverse=True):
        for key in sorted(groups.pop(bits), reverse=True):
            order.append(names[_LAST - (key & _LAST)])
            progress.tick(0)
    return order


@dataclass(frozen=True, eq=False)
class FolderNodes(Made[SizeNode]):
    """What is in a folder, largest first; nodes are made when they are seen."""

    paths: Paths
    folder: str
    component: Colour
    details: Mapping[str, str]
    totals: Mapping[str, int]
    """Bytes by name; those of folders end with a slash."""
    order: list[str]

    def __len__(self) -> int:
        return len(self.order)

    def make(self, number: int) -> SizeNode:
        name = self.order[number]
        whole = f"{self.folder}{name}"
        colour = self.component if isinstance(self.component, str) else self.component(whole)
        if not name.endswith("/"):
            detail = self.details.get(whole, f"/{whole}")
            return SizeNode(name, self.totals[name], colour, detail=detail)
        inside = partial(_folders, self.paths, whole, self.component, details=self.details)
        return SizeNode(name, self.totals[name], colour, inside)

    @cached_property
    def bytes(self) -> int:
        """Of all nodes."""
        return sum(self.totals.values())


def place_of(nodes: Sequence[SizeNode], name: str) -> int:
    """Return the index of a node by its name, 0 where there is none."""
    if isinstance(nodes, FolderNodes):
        return nodes.order.index(name) if name in nodes.totals else 0
    return next((i for i, node in enumerate(nodes) if node.name == name), 0)


def bytes_after(nodes: Sequence[SizeNode], count: int) -> int:
    """Return the bytes of all but the first `count` nodes."""
    if isinstance(nodes, FolderNodes):
        return nodes.bytes - sum(map(nodes.totals.__getitem__, nodes.order[:count]))
    return sum(node.bytes for node in nodes[count:])
