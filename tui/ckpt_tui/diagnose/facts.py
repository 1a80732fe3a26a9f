"""Everything a check may look at, with what several checks need worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from ckpt_tui.archive.archive_tree import ArchiveTree
from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.checkpoint.filetable import FileObject, FileTable, file_table
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.index import Index, index_of
from ckpt_tui.checkpoint.memory import VMA_FILE
from ckpt_tui.checkpoint.model import Checkpoint, ImageFile, Mount
from ckpt_tui.checkpoint.processes import DEAD
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.criu.pages import PageMap
from ckpt_tui.diagnose.finding import Evidence
from ckpt_tui.diagnose.host import HostProfile
from ckpt_tui.diagnose.host_files import HostFiles
from ckpt_tui.diagnose.rootfs import RootFile, RootFilesystem
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.sources.base import Opened, OpenedImage
from ckpt_tui.sources.docker_archive import DockerArchiveStore
from ckpt_tui.sources.oci import LayoutStore

T = TypeVar("T")

_SOME = 5
"""Pieces of evidence shown of many alike."""


@dataclass(frozen=True)
class Facts:
    """A checkpoint, and what is known of where it shall run."""

    checkpoint: Checkpoint
    images: ImageDirectory
    tree: Tree
    documents: Mapping[str, Any] = field(default_factory=dict)
    """The engine's JSON documents by name."""
    host: HostProfile | None = None
    base: Tree | None = None
    """The base image, layers merged."""
    files: HostFiles | None = None
    """The files of this host, where it is the one that shall restore."""
    transport: str = "oci"
    """What skopeo calls the kind of file or folder that an image is in."""
    opened: OpenCheckpoint | None = None
    """Where stacks are read from."""
    progress: Progress = field(default_factory=quiet)

    @classmethod
    def of(cls, opened: OpenCheckpoint, checkpoint: Checkpoint, **more: Any) -> Facts:
        """Return the facts of an opened checkpoint; `more` are host, base and what goes with it."""
        documents = opened.metadata.documents
        transport = _transport(opened.source)
        return cls(
            checkpoint,
            opened.images,
            opened.tree,
            documents,
            transport=transport,
            opened=opened,
            **more,
        )

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items of a loop that may be long, listening for cancellation."""
        for item in items:
            self.progress.tick(0)
            yield item

    @cached_property
    def table(self) -> FileTable:
        return file_table(self.images, self.progress)

    @cached_property
    def inventory(self) -> Any | None:
        return self.images.message("inventory.img")

    @cached_property
    def listed(self) -> dict[str, ImageFile]:
        """Images by name, as the checkpoint was decoded: what is told there is not asked again."""
        return {image.name: image for image in self.checkpoint.images}

    def is_readable(self, name: str) -> bool:
        """Tell whether the records of an image could be read, damaged ones in it or not."""
        return name in self.listed and self.listed[name].entries is not None

    @cached_property
    def encrypted(self) -> bool:
        return "cipher.img" in self.images

    @cached_property
    def is_pre_dump(self) -> bool:
        """A directory with memory only, the first part of an iterative dump."""
        return self.checkpoint.criu.pre_dump and "pstree.img" not in self.images

    @cached_property
    def tasks(self) -> tuple[Any, ...]:
        """Records of pstree.img."""
        return tuple(self.images.messages("pstree.img"))

    @cached_property
    def dead(self) -> frozenset[int]:
        """Zombies: they have no images but their core, and their thread list is garbage."""
        cores = ((t.pid, self.images.message(f"core-{t.pid}.img")) for t in self.tasks)
        return frozenset(pid for pid, core in cores if core and core.tc.task_state == DEAD)

    @cached_property
    def live(self) -> tuple[Any, ...]:
        """Records of pstree.img of processes that are no zombies, each pid once."""
        return tuple({t.pid: t for t in self.tasks if t.pid not in self.dead}.values())

    @cached_property
    def ids(self) -> dict[int, Any]:
        """Pid of each live process to its ids image."""
        found = ((t.pid, self.images.message(f"ids-{t.pid}.img")) for t in self.live)
        return {pid: message for pid, message in found if message is not None}

    @cached_property
    def cores(self) -> dict[int, Any]:
        """Thread id to core image, of live processes."""
        tids = (tid for task in self.live for tid in {task.pid, *task.threads})
        found = ((tid, self.images.message(f"core-{tid}.img")) for tid in tids)
        return {tid: core for tid, core in found if core is not None}

    @cached_property
    def regions(self) -> tuple[tuple[int, Any], ...]:
        """Pid and record of every mapping."""
        found = []
        for task in self.each(self.live):
            mm = self.images.message(f"mm-{task.pid}.img")
            if mm is not None:
                vmas = mm.vmas or self.images.messages(f"vmas-{task.pid}.img")
                found += [(task.pid, vma) for vma in vmas]
        return tuple(found)

    @cached_property
    def page_maps(self) -> dict[str, PageMap]:
        """Page maps by the name of their image."""
        return {
            name: PageMap.read(self.images.window(name), name, self.progress)
            for name in self.images.named("pagemap-")
            if self.tree.members[self.images.member_name(name)].kind is MemberKind.FILE
        }

    def holder(self, file_id: int) -> tuple[int, int] | None:
        """Return the first (pid, descriptor) that has an open file."""
        found = self.index.files.leading_to(file_id)
        return (found[0].pid, found[0].fd) if found else None

    @cached_property
    def index(self) -> Index:
        return index_of(self.checkpoint, self.progress)

    @cached_property
    def users(self) -> dict[int, str]:
        """File id to how a person knows it: executable, working or root folder of whom."""
        found: dict[int, str] = {}
        for task in self.live:
            mm, fs = (self.images.message(f"{kind}-{task.pid}.img") for kind in ("mm", "fs"))
            if mm is not None:
                found.setdefault(mm.exe_file_id, f"executable of process {task.pid}")
            if fs is not None:
                found.setdefault(fs.root_id, f"root folder of process {task.pid}")
                found.setdefault(fs.cwd_id, f"working folder of process {task.pid}")
        return found

    @cached_property
    def _mappers(self) -> dict[int, int]:
        """File id to the first process that has it mapped."""
        found: dict[int, int] = {}
        for pid, vma in self.regions:
            if vma.status & VMA_FILE:
                found.setdefault(int(vma.shmid), pid)
        return found

    def file_evidence(self, file_id: int) -> Evidence:
        """Return who uses a file object, with a link to them."""
        holder, text = self.holder(file_id), self.users.get(file_id, "")
        if holder is not None:
            pid, fd = holder
            return Evidence(text or f"descriptor {fd} of process {pid}", Ref.file(pid, fd))
        if not text and file_id in self._mappers:
            text = f"mapped by process {self._mappers[file_id]}"
        link = Ref.process(int(text.rpartition(" ")[2])) if text else Ref.image("files.img")
        return Evidence(text or f"file {file_id}", link)

    def of_type(self, type_name: str) -> Iterator[FileObject]:
        """Yield the file objects of one type."""
        return self.table.objects.of_type(type_name)

    @cached_property
    def is_bare(self) -> bool:
        """Whether the processes shared the mounts of their host: CRIU finds their files by the
        same paths on the host that restores."""
        return self.shares_host("mnt")

    @property
    def sees_files(self) -> bool:
        """Whether the files that CRIU will open can be looked at."""
        return (self.files if self.is_bare else self.base) is not None

    @cached_property
    def root(self) -> RootFilesystem:
        """The root filesystem of the restore; without a base image the changes alone."""
        members = self.base.members if self.base else {}
        return RootFilesystem(members, self.checkpoint.delta, self.progress)

    def find(self, path: str) -> RootFile | None:
        """Return the file that a path leads to in the restored processes' root."""
        if self.is_bare and self.files is not None:
            return self.files.find(path)
        return self.root.find(path)

    @cached_property
    def mounts(self) -> dict[int, Mount]:
        """Mounts by id, which is unique across namespaces."""
        return {mount.id: mount for mount in self.checkpoint.mounts}

    @cached_property
    def spec_mounts(self) -> dict[str, Mapping[str, Any]]:
        """Mounts of the runtime spec by destination."""
        spec = self.documents.get("spec.dump")
        listed = spec.get("mounts") if isinstance(spec, dict) else None
        entries = [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []
        return {m["destination"]: m for m in entries if isinstance(m.get("destination"), str)}

    def shares_host(self, kind: str) -> bool:
        """Tell whether the processes live in the host's own namespace of that kind."""
        return any(n.kind == kind and not n.dumped for n in self.checkpoint.namespaces)


def some(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Return the first few pieces of evidence, and how many more there are."""
    listed = list(evidence)
    if len(listed) <= _SOME:
        return tuple(listed)
    return (*listed[: _SOME - 1], Evidence(f"and {len(listed) - _SOME + 1} more"))


def _transport(source: Opened) -> str:
    store = source.store if isinstance(source, OpenedImage) else None
    if isinstance(store, DockerArchiveStore):
        return "docker-archive"
    is_packed = isinstance(store, LayoutStore) and isinstance(store.tree, ArchiveTree)
    return "oci-archive" if is_packed else "oci"
