"""What the line of a log is about: the file, socket, mapping, mount, process or image."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain

from ckpt_tui.checkpoint.filetable import FileObject
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.diagnose.doctor import LogDiagnosis
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence
from ckpt_tui.diagnose.log_lines import LogLine, parse_line
from ckpt_tui.diagnose.stood import stood

_WORD = re.compile(r"[^\s:,()\[\]'\"`]+")
_YARD = re.compile(r"^.*/\.criu\.mntns\.\w+(?:/\d+-\d+)?(?=/)")
"""The folder in which CRIU builds the mounts of the container."""

_OBJECT = re.compile(r"\bid[= ](0x[0-9a-f]{1,8}|\d{1,9})\b", re.ASCII)
_MOUNT = re.compile(r"\b(\d{1,9}):\S+ (?:mountpoint|doesn't|is )", re.ASCII)
_ADDRESS = re.compile(r"\b(?:0x|@)([0-9a-f]{5,16})\b", re.ASCII)
_IMAGE = re.compile(r"\b([\w.-]+\.img)\b", re.ASCII)
_PID = re.compile(r"Can't fork for (\d{1,9})|Pid \d+ do not match expected (\d{1,9})", re.ASCII)

_SIGNAL = re.compile(r"\b(\d{1,9}) (?:killed|stopped) by signal \d", re.ASCII)

_MAX_TEXT = 1024
"""Characters of a line that are looked at."""


def proof(log: LogDiagnosis, facts: Facts) -> tuple[Evidence, ...]:
    """Return what the images show of the root cause in a log of their restore.

    The line of the cause is looked at first, then what the same process said after it: CRIU names
    the descriptor only there.
    """
    cause = log.root_cause
    if cause is None or log.attempt.action not in ("restore", ""):
        return ()
    first = parse_line(cause.line, cause.text[:_MAX_TEXT])
    later = [parse_line(note.line, note.text[:_MAX_TEXT]) for note in log.cascade]
    told = [first, *(n for n in later if n.number > first.number and n.pid == first.pid)]
    paths = _paths(facts)
    found = chain.from_iterable(find(line, facts, paths) for line in told for find in _FINDERS)
    unique = {evidence.link or evidence.text: evidence for evidence in found}
    if not unique and first.pid in {task.pid for task in facts.live}:
        return (_process(first.pid or 0, facts),)
    return some(unique.values())


Paths = Callable[[], dict[str, int]]


def _paths(facts: Facts) -> Paths:
    """Return what gives the first object of each path of a file, asked for where a line has one."""

    @cache
    def paths() -> dict[str, int]:
        found: dict[str, int] = {}
        for entry in facts.each(facts.of_type("REG")):
            found.setdefault(facts.table.path(entry.id), entry.id)
        return found

    return paths


def _files(line: LogLine, facts: Facts, paths: Paths) -> Iterator[Evidence]:
    for word in _WORD.findall(line.message):
        path = "/" + word.lstrip("./")
        if ("/" in word and path != "/") or "ile " in line.message:
            object_id = paths().get(path)
            if object_id is not None:
                used = facts.file_evidence(object_id)
                yield Evidence(f"{path}: {used.text}", used.link)


def _objects(line: LogLine, facts: Facts, _paths: Paths) -> Iterator[Evidence]:
    for found in _OBJECT.findall(line.message):
        entry = facts.table.get(int(found, 0) if found.startswith("0x") else int(found))
        if entry is not None:
            used = facts.file_evidence(entry.id)
            yield Evidence(f"{used.text}: {_what(entry, facts)}", used.link)


def _what(entry: FileObject, facts: Facts) -> str:
    """Return what a descriptor leads to: a path, the two ends of a connection, or its type."""
    holder = facts.holder(entry.id)
    socket = None if holder is None else facts.index.open_socket(*holder)
    if socket is not None:
        ends = " → ".join(end for end in (socket.local, socket.remote) if end)
        return " ".join(filter(None, (socket.protocol, ends, socket.state)))
    return facts.table.path(entry.id) or entry.type


def _mounts(line: LogLine, facts: Facts, _paths: Paths) -> Iterator[Evidence]:
    ids = {int(number) for number in _MOUNT.findall(line.message)}
    if "mnt" not in line.message and not ids:
        return
    words = [_YARD.sub("", word) for word in _WORD.findall(line.message)]
    places = {"/" + word.lstrip("./") for word in words if "/" in word} - {"/"}
    for mount in facts.checkpoint.mounts:
        if mount.id in ids or mount.mountpoint in places:
            link = Ref.mount(mount.namespace, mount.id)
            yield Evidence(f"mount of {mount.fstype or 'a file'} at {mount.mountpoint}", link)


def _regions(line: LogLine, facts: Facts, _paths: Paths) -> Iterator[Evidence]:
    for found in _ADDRESS.findall(line.message):
        address = int(found, 16)
        for pid, vma in facts.regions:
            if vma.start <= address < vma.end and line.pid in (pid, None):
                link = Ref.region(pid, vma.start)
                yield Evidence(f"mapping {vma.start:#x}–{vma.end:#x} of process {pid}", link)
                break


def _images(line: LogLine, facts: Facts, _paths: Paths) -> Iterator[Evidence]:
    for name in _IMAGE.findall(line.message):
        if name in facts.images:
            yield Evidence(name, Ref.image(name))
        elif name.startswith(
            ("core-", "mm-", "pagemap-", "pages-", "inventory", "pstree", "files")
        ):
            yield Evidence(f"{name} is not in the checkpoint")


def _pids(line: LogLine, facts: Facts, _paths: Paths) -> Iterator[Evidence]:
    wanted = {int(number) for found in _PID.findall(line.message) for number in found if number}
    for task in facts.live:
        if task.pid in wanted:
            yield _process(task.pid, facts)


def _signals(line: LogLine, facts: Facts, _paths: Paths) -> Iterator[Evidence]:
    found = _SIGNAL.search(line.message)
    if found is not None:
        yield from stood(facts, int(found[1]))


def _process(pid: int, facts: Facts) -> Evidence:
    process = next((p for p in facts.checkpoint.processes if p.pid == pid), None)
    name = f" ({process.comm})" if process and process.comm else ""
    return Evidence(f"process {pid}{name}", Ref.process(pid))


_FINDERS: Sequence[Callable[[LogLine, Facts, Paths], Iterator[Evidence]]] = (
    _files,
    _objects,
    _mounts,
    _regions,
    _images,
    _pids,
    _signals,
)
