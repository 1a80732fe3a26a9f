"""Can CRIU make what it makes at a path: sockets, deleted files, watches, terminals, locks?

After CRIU's sk-unix.c (bind_on_deleted, prep_unix_sk_cwd), files-reg.c (create_ghost), fsnotify.c,
tty.c (pty_open_ptmx) and file-lock.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.checkpoint.filetable import FileObject
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.criu.values import socket_name, text
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Evidence, Finding
from ckpt_tui.diagnose.host_files import HeldLock
from ckpt_tui.diagnose.preflight_restore import UNIX_EXTERN

FOLDER = MemberKind.DIRECTORY

POSIX, FLOCK, OFD = 1, 2, 1024
"""file_lock_entry.flag, as fl_flags of the kernel."""
WRITE_LOCK = 1
"""file_lock_entry.type: F_WRLCK."""

KINDS_OF_LOCKS = {POSIX: ("POSIX", "OFDLCK"), FLOCK: ("FLOCK",), OFD: ("POSIX", "OFDLCK")}
"""Kind of a lock to the kinds that keep it from being taken."""

PTY = 1
"""tty_info_entry.type."""


def _fails(facts: Facts, finding_id: str, file_id: int, title: str, why: str, cure: str) -> Finding:
    evidence = (facts.file_evidence(file_id),)
    return Finding(finding_id, "fails", "likely", title, why, cure, "files.img", evidence)


def bound_sockets(facts: Facts) -> Iterator[Finding]:
    """Sockets with a name in the file system are bound again: the folder must be there, and
    no folder may have taken the name. A socket or file of that name is replaced."""
    for found in facts.each(facts.of_type("UNIXSK")):
        path = _bound_path(facts, found)
        if not path or found.message.deleted:
            continue
        folder = path.rpartition("/")[0] or "/"
        above, there = facts.find(folder), facts.find(path)
        if above is None or above.kind is not FOLDER:
            title = f"The folder {folder} of a socket is not there"
            cure = f"`mkdir -p {folder}`, with the owner and mode that it had."
        elif there is not None and there.kind is FOLDER:
            title = f"{path}, the name of a socket, is a folder"
            cure = "Remove the folder, or move it away."
        elif facts.is_bare and facts.files is not None and facts.files.is_read_only(folder):
            title = f"{folder}, the folder of a socket, is on a read-only mount"
            cure = "Mount it read-write for the restore."
        else:
            continue
        why = "CRIU binds the socket to its name again."
        yield _fails(facts, "unix-bind-failed", found.id, title, why, cure)


def _bound_path(facts: Facts, found: FileObject) -> str:
    """Return the path that a socket is bound to; nothing of one without, and of one on a mount that
    is not looked at."""
    message = found.message
    name = bytes(message.name)
    if not name or name.startswith(b"\0") or message.uflags & UNIX_EXTERN:
        return ""
    mount = facts.mounts.get(message.mnt_id)
    if not facts.is_bare and (mount is None or mount.mountpoint != "/"):
        return ""
    path = socket_name(name)
    return path if path.startswith("/") else f"{text(message.name_dir)}/{path}"


def ghosts(facts: Facts) -> Iterator[Finding]:
    """A deleted file is made again at its old path, with the folders that lack, and deleted."""
    if facts.files is None or not facts.is_bare:
        return  # where a root filesystem is made for the restore it takes them
    for file_id, kind in facts.table.ghosts.items():
        path = "/" + facts.table.path(file_id).lstrip("/")
        if kind != "ghost" or path == "/":
            continue
        above = facts.files.nearest(path.rpartition("/")[0] or "/")
        if above is not None and above.kind is not FOLDER:
            title = f"{above.name} is not a folder, and the deleted file {path} was in it"
            cure = "Move away what has taken the name of the folder."
        elif above is not None and facts.files.is_read_only(above.name):
            title = f"{above.name} is on a read-only mount, and the deleted file {path} was in it"
            cure = "Mount it read-write for the restore."
        else:
            continue
        why = "CRIU makes a deleted file that is still open again where it was."
        yield _fails(facts, "ghost-create", file_id, title, why, cure)


def watches(facts: Facts) -> Iterator[Finding]:
    """What inotify and fanotify watch is there, where CRIU kept its path."""
    for kind, marks in (("INOTIFY", "wd"), ("FANOTIFY", "mark")):
        for found in facts.each(facts.of_type(kind)):
            for path in _watched(facts, getattr(found.message, marks)):
                if facts.find(path) is None:
                    yield _fails(
                        facts,
                        "inotify-restore",
                        found.id,
                        f"{path}, which a process watches, is not there",
                        "CRIU sets each watch again.",
                        "Put back what was watched.",
                    )


def _watched(facts: Facts, marks: Any) -> Iterator[str]:
    for mark in marks:
        handle = mark.f_handle if mark.DESCRIPTOR.name == "inotify_wd_entry" else mark.ie.f_handle
        mount = facts.mounts.get(handle.mnt_id)
        path = text(handle.path)
        if path and (facts.is_bare or (mount is not None and mount.mountpoint == "/")):
            yield "/" + path.lstrip("/")


def terminals(facts: Facts) -> Iterator[Finding]:
    """A pseudoterminal gets its old number, which must be free on the host."""
    if facts.files is None or not facts.is_bare:
        return  # a container has a devpts of its own
    information = {info.id: info for info in facts.images.messages("tty-info.img")}
    seen: set[int] = set()
    for found in facts.each(facts.of_type("TTY")):
        info = information.get(found.message.tty_info_id)
        path = facts.table.path(found.message.regf_id or found.id)
        if info is None or info.type != PTY or not path.endswith("ptmx"):
            continue
        number = int(info.pty.index)
        if number not in seen and facts.files.find(f"/dev/pts/{number}") is not None:
            seen.add(number)
            yield _fails(
                facts,
                "tty-ptmx-index",
                found.id,
                f"The pseudoterminal /dev/pts/{number} is in use on the host",
                "CRIU gives a terminal its old number, which another program has now.",
                "End what has that terminal (`fuser /dev/ptmx`), or restore in a container.",
            )


def held_locks(facts: Facts) -> Iterator[Finding]:
    """No process of the host holds a lock that CRIU must take: it would wait without end."""
    if facts.files is None or not facts.is_bare:
        return
    for lock in facts.each(facts.images.messages("filelocks.img")):
        opened = facts.index.open_file(lock.pid, lock.fd)
        path = facts.table.path(opened.object_id) if opened is not None else ""
        held = facts.files.locks(path) if path else []
        holder = next((one for one in held if _collide(lock, one)), None)
        if holder is not None:
            yield Finding(
                "file-lock-held",
                "fails",
                "likely",
                f"Process {holder.pid} of the host holds a lock on {path}",
                "CRIU takes the lock of the checkpoint again, and waits for it without end.",
                f"End process {holder.pid} or let it release the lock, then restore.",
                "filelocks.img",
                (
                    Evidence(
                        f"process {lock.pid} descriptor {lock.fd}", Ref.file(lock.pid, lock.fd)
                    ),
                ),
            )


def _collide(lock: Any, held: HeldLock) -> bool:
    if held.kind not in KINDS_OF_LOCKS.get(lock.flag, ()):
        return False
    if lock.type != WRITE_LOCK and not held.writes:
        return False
    last = lock.start + lock.len - 1 if lock.len > 0 else None
    begins_in_time = last is None or held.start <= last
    return begins_in_time and (held.end is None or lock.start <= held.end)
