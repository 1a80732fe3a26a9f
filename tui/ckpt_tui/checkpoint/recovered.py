"""Data that a checkpoint holds outside of the memory of its processes.

Unread bytes of pipes, sockets and terminals, deleted files, shared memory, files of tmpfs mounts.
Which image has what, and how it is laid out, is in CRIU's images/*.proto and in `criu.extras`.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.sparse import Fragment, SparseWindow
from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.checkpoint.delta import DEVSHM
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.items import Holder, Item, Recovered, Sources
from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Checkpoint, Note
from ckpt_tui.checkpoint.regions import MemoryWindow
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.criu.extras import ExtraPart
from ckpt_tui.criu.kinds import kind_of
from ckpt_tui.criu.values import device, text

MAX_ITEMS = 100_000
"""Things listed; a tmpfs with more files says that there are more."""


def recover(
    tree: Tree,
    images: ImageDirectory,
    memory: MemoryReader,
    checkpoint: Checkpoint,
    progress: Progress,
) -> Recovered:
    """Find everything; only archives inside the checkpoint are read through.

    Raises:
        Cancelled: the caller gave up. Damage never raises: it is in `notes`.
    """
    progress.start("looking for data")
    sources = Sources(tree, images, memory, checkpoint, progress)
    found = Recovered()
    try:
        for find in FINDERS:
            for name in images.names:
                progress.tick(0)
                _collect(found, name, partial(find, sources, name))
        _collect_archives(found, sources, progress)
    except BaseException:
        found.close()
        raise
    return found


def _collect(found: Recovered, name: str, find: Callable[[], Iterator[Item]]) -> None:
    try:
        for item in find():
            if len(found.items) >= MAX_ITEMS:
                found.notes.append(Note(name, f"Only the first {MAX_ITEMS:,} things are listed."))
                return
            found.items.append(item)
    except (CkptError, KeyError) as error:
        found.notes.append(Note(name, str(error)))


def _number(name: str, base: int = 10) -> int:
    """Return the id in the name of an image."""
    found = kind_of(name)
    return int(found[1], base) if found and found[1] else 0


def _pipes(sources: Sources, name: str) -> Iterator[Item]:
    if name not in ("pipes-data.img", "fifo-data.img"):
        return
    kind = "pipe" if name.startswith("pipes") else "fifo"
    for message, parts in sources.parts(name):
        holders = tuple(sources.pipes.get(message.pipe_id, ()))
        label = sources.fifos.get(message.pipe_id) or f"pipe {message.pipe_id}"
        for part in parts:
            if part.size:
                yield Item(kind, label, name, part.size, sources.piece(name, part), holders)


def _unix_queues(sources: Sources, name: str) -> Iterator[Item]:
    if name != "sk-queues.img":
        return
    for message, parts in sources.parts(name):
        carried = sum(len(scm.rights) for scm in message.scm)
        note = f"It carries {carried} descriptors." if carried else ""
        holders = sources.holders(message.id_for)
        label = _socket_name(sources, holders) or f"socket {message.id_for}"
        for part in parts:
            window = sources.piece(name, part)
            yield Item("unix socket", label, name, part.size, window, holders, note)


def _socket_name(sources: Sources, holders: Sequence[Holder]) -> str:
    socket = sources.index.open_socket(*holders[0]) if holders else None
    if socket is None:
        return ""
    return socket.local + (f" → {socket.remote}" if socket.remote else "")


def _tcp_queues(sources: Sources, name: str) -> Iterator[Item]:
    if not name.startswith("tcp-stream-"):
        return
    inode = _number(name, 16)
    holders = tuple((s.pid, s.fd) for s in sources.index.inodes.get(inode, ()))
    label = _socket_name(sources, holders) or f"socket {inode}"
    for _, parts in sources.parts(name):
        for part in parts:
            if part.size:
                window = sources.piece(name, part)
                kind = "TCP unread" if part.label.startswith("receive") else "TCP unsent"
                yield Item(kind, label, name, part.size, window, holders)


def _ghosts(sources: Sources, name: str) -> Iterator[Item]:
    if not name.startswith("ghost-file-"):
        return
    records = list(sources.parts(name))
    if not records:
        return
    ghost = records[0][0]
    ghost_id = _number(name, 16)
    file_ids = [i for i, image in sources.table.ghost_images.items() if image == name]
    path = next((p for i in file_ids if (p := sources.table.path(i))), f"ghost {ghost_id:x}")
    holders = tuple(holder for i in file_ids for holder in sources.holders(i))
    if stat.S_IFMT(ghost.mode) not in (0, stat.S_IFREG):
        note = "It is not a regular file and has no bytes."
        yield Item("deleted node", path, name, 0, BytesWindow(b""), holders, note)
        return
    window = _ghost_window(sources, name, records)
    yield Item("deleted file", path, name, window.size, window, holders)


def _ghost_window(
    sources: Sources, name: str, records: Sequence[tuple[Any, list[ExtraPart]]]
) -> ByteWindow:
    """Return the contents: in one piece, or since CRIU v3.12 in chunks with holes between them."""
    ghost = records[0][0]
    whole = sources.images.window(name)
    if not ghost.chunks:
        parts = records[0][1]
        return sources.piece(name, parts[0]) if parts else BytesWindow(b"")
    runs = [
        Fragment(chunk.off, parts[0].offset, parts[0].size)
        for chunk, parts in records[1:]
        if parts and parts[0].size
    ]
    runs.sort(key=lambda run: run.offset)
    size = max([ghost.size, *(run.offset + run.length for run in runs)])
    return SparseWindow(whole, tuple(runs), size)


def _shared_objects(sources: Sources, name: str) -> Iterator[Item]:
    """Yield memfds, shared anonymous memory, and System V segments that are in page maps."""
    found = kind_of(name)
    if found is None or found[0].name != "SHMEM_PAGEMAP":
        return
    shared_id = int(found[1])
    page_size = sources.checkpoint.criu.page_size
    memory = sources.memory.shared(shared_id, page_size)
    if memory is None:
        return
    runs = memory.pagemap
    last = runs.run(len(runs) - 1) if len(runs) else None
    mapped = sources.index.sharers.get(shared_id, [])
    size = max(
        [last.start + last.pages * page_size if last else 0] + [r.end - r.start for r in mapped]
    )
    inode = next((m for m in sources.table.memfds.values() if m.shmid == shared_id), None)
    kind, label = "shared memory", f"object {shared_id}"
    holders: tuple[Holder, ...] = ()
    if inode is not None:
        kind, label, size = "memfd", f"/memfd:{text(inode.name)}", int(inode.size)
        holders = tuple(sources.memfds.get(inode.inode_id, ()))
    elif segment := _segment(sources, shared_id):
        kind, size = "System V segment", int(segment.size)
        label = f"key {segment.desc.key:#x}, id {segment.desc.id}"
    dumped = runs.present * page_size
    note = (
        f"{dumped:,} bytes of it are in the dump; the rest reads as zeros." if dumped < size else ""
    )
    yield Item(kind, label, name, size, MemoryWindow(memory, 0, size), holders, note)


def _segment(sources: Sources, shared_id: int) -> Any | None:
    for name in sources.images.named("ipcns-shm-"):
        for message in sources.images.messages(name):
            if message.in_pagemaps and message.desc.id == shared_id:
                return message
    return None


def _ipc(sources: Sources, name: str) -> Iterator[Item]:
    found = kind_of(name)
    kind = IPC_KINDS.get(found[0].name, "") if found else ""
    if not kind:
        return
    for message, parts in sources.parts(name):
        label = f"key {message.desc.key:#x}, id {message.desc.id}"
        for part in parts:
            if part.message is None and part.size:
                yield Item(kind, label, name, part.size, sources.piece(name, part))


IPC_KINDS = {
    "IPCNS_SHM": "System V segment",
    "IPCNS_MSG": "System V message",
    "IPCNS_SEM": "semaphore values",
}
"""Kinds of IPC images to what their pieces are; semaphores are 16-bit numbers."""


def _bpf(sources: Sources, name: str) -> Iterator[Item]:
    if name != "bpfmap-data.img":
        return
    for message, parts in sources.parts(name):
        for part in parts:
            label = f"map {message.map_id}, {message.count} {part.label}"
            if part.size:
                yield Item("BPF map", label, name, part.size, sources.piece(name, part))


def _terminals(sources: Sources, name: str) -> Iterator[Item]:
    if name != "tty-data.img":
        return
    for message, _ in sources.parts(name):
        data = bytes(message.data)
        holders = tuple(sources.terminals.get(message.tty_id, ()))
        label = f"terminal {message.tty_id}"
        yield Item("terminal input", label, name, len(data), BytesWindow(data), holders)


FINDERS: tuple[Callable[[Sources, str], Iterator[Item]], ...] = (
    _pipes,
    _unix_queues,
    _tcp_queues,
    _ghosts,
    _shared_objects,
    _ipc,
    _bpf,
    _terminals,
)
"""Each yields what one image holds, nothing for images of another kind."""


def _collect_archives(found: Recovered, sources: Sources, progress: Progress) -> None:
    """Add the files of tmpfs mounts and of /dev/shm."""
    wanted = [(sources.images.member_name(n), n, _mountpoint(sources, n)) for n in _tmpfs(sources)]
    if DEVSHM in sources.tree.members:
        wanted.append((DEVSHM, DEVSHM, "/dev/shm"))
    for member, name, mountpoint in wanted:
        try:
            tree = open_archive(sources.tree.window(member), name, progress)
        except (CkptError, KeyError) as error:
            found.notes.append(Note(name, str(error)))
            continue
        found.keep(tree)
        found.notes += [Note(name, note) for note in tree.notes]
        _collect(found, name, partial(_files, tree, name, mountpoint))


def _tmpfs(sources: Sources) -> Iterator[str]:
    for name in sources.images.names:
        kind = kind_of(name)
        if kind is not None and kind[0].name in ("TMPFS_DEV", "TMPFS_IMG"):
            yield name


def _mountpoint(sources: Sources, name: str) -> str:
    """Return where a tmpfs is mounted as a whole, else where a part of it is."""
    number = _number(name)
    at = device(number)
    mounts = [m for m in sources.checkpoint.mounts if at == m.device or m.id == number]
    mounts.sort(key=lambda m: (m.root != "/", len(m.mountpoint)))
    return mounts[0].mountpoint if mounts else name


def _files(tree: Tree, name: str, mountpoint: str) -> Iterator[Item]:
    for member in tree.members.values():
        if member.kind is MemberKind.FILE:
            path = f"{mountpoint.rstrip('/')}/{member.name}"
            yield Item("tmpfs file", path, name, member.size, tree.window(member.name))
