"""Two checkpoints beside each other: which process is which, and what has changed.

Nothing is read here; what pages hold is compared in `page_differences`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from ckpt_tui.checkpoint.model import Checkpoint, DeltaEntry, Mount, OpenFile, Process, Socket
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import Progress

T = TypeVar("T")

How = Literal["added", "changed", "deleted"]

SIMPLE_FACTS = ("name", "id", "image", "image_id", "runtime", "pod", "namespace", "command")
"""Fields of the container that are compared as they are."""

PROCESS_FACTS = ("state", "comm", "exe", "cwd", "root", "umask", "pgid", "sid", "oom_score_adj")


_NUMBER = re.compile(r" \d+")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, in foreign text."""

    area: str
    """container, process, argv, environment, file, socket, mount or delta."""
    what: str
    """Name of the thing."""
    how: How
    before: str = ""
    after: str = ""
    before_ref: Ref | None = None
    """What it is about in the first checkpoint, `after_ref` in the second."""
    after_ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class ProcessPair:
    """A process of the first checkpoint and what it is in the second; one of them may be None."""

    before: Process | None
    after: Process | None
    matched_by: str = ""
    changes: tuple[Change, ...] = ()

    @property
    def how(self) -> How | Literal["same"]:
        if self.before is None:
            return "added"
        if self.after is None:
            return "deleted"
        return "changed" if self.changes else "same"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, part by part."""

    before: str
    after: str
    notes: tuple[str, ...]
    """What could not be compared, and why; a sentence each."""
    container: tuple[Change, ...]
    processes: tuple[ProcessPair, ...]
    mounts: tuple[Change, ...]
    delta: tuple[Change, ...]

    def changes(self) -> Iterator[Change]:
        """Yield every difference, processes that came or went included."""
        yield from self.container
        for pair in self.processes:
            yield from pair.changes
        yield from self.mounts
        yield from self.delta

    @property
    def same(self) -> bool:
        """Whether nothing differs but, perhaps, the contents of memory."""
        return all(pair.how == "same" for pair in self.processes) and not any(self.changes())


def compare_checkpoints(before: Checkpoint, after: Checkpoint, progress: Progress) -> Comparison:
    """Compare everything but page contents."""
    progress.start("comparing")
    files = _by_pid(before.files), _by_pid(after.files)
    sockets = _by_pid(before.sockets), _by_pid(after.sockets)
    pairs = []
    for one, other, reason in match_processes(before.processes, after.processes):
        changes: tuple[Change, ...] = ()
        if one is not None and other is not None:
            changes = (
                *_process_changes(one, other),
                *_file_changes(files[0].get(one.pid, []), files[1].get(other.pid, [])),
                *_socket_changes(sockets[0].get(one.pid, []), sockets[1].get(other.pid, [])),
            )
        pairs.append(ProcessPair(one, other, reason, changes))
        progress.tick()
    return Comparison(
        before=before.source,
        after=after.source,
        notes=tuple(_notes(before, after)),
        container=tuple(_container_changes(before, after)),
        processes=tuple(pairs),
        mounts=tuple(_mount_changes(before.mounts, after.mounts)),
        delta=tuple(_delta_changes(before.delta.entries, after.delta.entries, progress)),
    )


def _notes(before: Checkpoint, after: Checkpoint) -> Iterator[str]:
    for name, one, other in (
        ("architecture", before.criu.architecture, after.criu.architecture),
        ("page size", before.criu.page_size, after.criu.page_size),
        ("engine", before.format.engine, after.format.engine),
    ):
        if one != other:
            yield f"They differ in {name}: {one or 'unknown'} and {other or 'unknown'}."
    for word, checkpoint in (("first", before), ("second", after)):
        if checkpoint.notes:
            count = len(checkpoint.notes)
            first = checkpoint.notes[0]
            more = f", and {count - 1} more notes" if count > 1 else ""
            yield f"Of the {word} not all can be compared: {first.where}: {first.text}{more}"


# Which process is which

_Key = Callable[[Process, Mapping[int, Process]], Hashable]


def _place(process: Process, by_pid: Mapping[int, Process]) -> tuple[str, ...]:
    """Return the names from a process up to the root; a loop in a damaged tree ends it."""
    names: list[str] = []
    seen: set[int] = set()
    at: Process | None = process
    while at is not None and at.pid not in seen:
        seen.add(at.pid)
        names.append(at.comm)
        at = by_pid.get(at.ppid)
    return tuple(names)


MATCHES: tuple[tuple[str, _Key], ...] = (
    ("pid, program and arguments", lambda p, _: (p.pid, p.exe, p.argv)),
    ("program, arguments and place", lambda p, all_: (p.exe, p.argv, _place(p, all_))),
    ("pid and program", lambda p, _: (p.pid, p.exe, p.comm)),
    ("program and arguments", lambda p, _: (p.exe, p.argv)),
    ("place in the tree", lambda p, all_: _place(p, all_)),
    ("program", lambda p, _: (p.exe, p.comm)),
)
"""What must be equal, tried in this order; the first of several equal ones are paired."""


def match_processes(
    before: Iterable[Process], after: Iterable[Process]
) -> list[tuple[Process | None, Process | None, str]]:
    """Return pairs in the order of the first list, then those only in the second."""
    ones, others = list(before), list(after)
    maps = {p.pid: p for p in ones}, {p.pid: p for p in others}
    found: dict[int, tuple[Process, str]] = {}
    taken: set[int] = set()
    for reason, key in MATCHES:
        waiting: defaultdict[Hashable, list[Process]] = defaultdict(list)
        for other in reversed(others):
            if other.pid not in taken:
                waiting[key(other, maps[1])].append(other)
        for one in ones:
            candidates = waiting.get(key(one, maps[0])) if one.pid not in found else None
            if candidates:
                other = candidates.pop()
                found[one.pid] = other, reason
                taken.add(other.pid)
    pairs: list[tuple[Process | None, Process | None, str]] = [
        (one, *found.get(one.pid, (None, ""))) for one in ones
    ]
    return pairs + [(None, other, "") for other in others if other.pid not in taken]


# What changed in a pair


def _process_changes(one: Process, other: Process) -> Iterator[Change]:
    refs = Ref.process(one.pid), Ref.process(other.pid)

    def change(area: str, what: str, how: How, before: object, after: object) -> Change:
        return Change(area, what, how, _text(before), _text(after), *refs)

    if one.pid != other.pid:
        yield change("process", "pid", "changed", one.pid, other.pid)
    for name in PROCESS_FACTS:
        if getattr(one, name) != getattr(other, name):
            yield change("process", name, "changed", getattr(one, name), getattr(other, name))
    ids = [(p.credentials.uid, p.credentials.gid) if p.credentials else None for p in (one, other)]
    if ids[0] != ids[1]:
        yield change("process", "uid and gid", "changed", *ids)
    if len(one.threads) != len(other.threads):
        yield change("process", "threads", "changed", len(one.threads), len(other.threads))
    if one.argv != other.argv:
        yield change("argv", "arguments", "changed", _words(one.argv), _words(other.argv))
    if one.env is None or other.env is None:
        return
    for name, how, before, after in _by_name(_variables(one.env), _variables(other.env)):
        yield change("environment", name, how, before, after)


def _words(argv: tuple[bytes, ...] | None) -> str:
    return "unreadable" if argv is None else " ".join(map(_text, argv))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return "" if value is None else str(value)


def _variables(env: tuple[bytes, ...]) -> dict[str, str]:
    return _texts(map(_text, env))


def _texts(variables: Iterable[str]) -> dict[str, str]:
    split = (variable.partition("=") for variable in variables)
    return {name: value for name, _, value in split}


def _by_name(
    before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[tuple[str, How, str, str]]:
    """Yield what differs between two mappings."""
    for name, value in before.items():
        if name not in after:
            yield name, "deleted", value, ""
        elif after[name] != value:
            yield name, "changed", value, after[name]
    for name, value in after.items():
        if name not in before:
            yield name, "added", "", value


def _file_changes(before: list[OpenFile], after: list[OpenFile]) -> Iterator[Change]:
    def said(file: OpenFile) -> str:
        # The number of a pipe is given anew to every one: it says nothing of two checkpoints.
        target = _NUMBER.sub("", file.target) if file.kind == "pipe" else file.target
        words = [target, *file.flags]
        if file.position is not None and file.kind == "regular":
            words.append(f"at {file.position}")
        return " ".join(words + ["deleted"] * file.deleted)

    ones, others = {f.fd: f for f in before}, {f.fd: f for f in after}
    for fd in sorted({*ones, *others}):
        yield from _pair(
            "file", f"fd {fd}", ones.get(fd), others.get(fd), said, lambda f: Ref.file(f.pid, f.fd)
        )


def _socket_changes(before: list[Socket], after: list[Socket]) -> Iterator[Change]:
    def said(socket: Socket) -> str:
        queued = f"{socket.queued} bytes queued" if socket.queued else ""
        parts = (socket.family, socket.type, socket.state, socket.local, socket.remote, queued)
        return " ".join(filter(None, parts))

    ones, others = {s.fd: s for s in before}, {s.fd: s for s in after}
    for fd in sorted({*ones, *others}):
        one, other = ones.get(fd), others.get(fd)
        yield from _pair("socket", f"fd {fd}", one, other, said, lambda s: Ref.socket(s.pid, s.fd))


def _pair(
    area: str,
    what: str,
    one: T | None,
    other: T | None,
    said: Callable[[T], str],
    ref: Callable[[T], Ref],
) -> Iterator[Change]:
    """Yield the change between two things of which one may be missing, if there is one."""
    texts = said(one) if one is not None else "", said(other) if other is not None else ""
    if one is None and other is not None:
        yield Change(area, what, "added", "", texts[1], None, ref(other))
    elif one is not None and other is None:
        yield Change(area, what, "deleted", texts[0], "", ref(one), None)
    elif one is not None and other is not None and texts[0] != texts[1]:
        yield Change(area, what, "changed", *texts, ref(one), ref(other))


# The rest


def _container_changes(before: Checkpoint, after: Checkpoint) -> Iterator[Change]:
    for name in SIMPLE_FACTS:
        one, other = getattr(before.container, name), getattr(after.container, name)
        if one != other:
            yield Change("container", name, "changed", _line(one), _line(other))
    ones, others = (_texts(c.container.environment) for c in (before, after))
    for name, how, was, now in _by_name(ones, others):
        yield Change("container", f"environment {name}", how, was, now)
    annotations = before.container.annotations, after.container.annotations
    for name, how, was, now in _by_name(*annotations):
        yield Change("container", f"annotation {name}", how, was, now)


def _line(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _mount_changes(before: Iterable[Mount], after: Iterable[Mount]) -> Iterator[Change]:
    def said(mount: Mount) -> str:
        return " ".join(
            filter(None, (mount.fstype, mount.source, mount.root, *mount.flags, mount.options))
        )

    ones, others = {m.mountpoint: m for m in before}, {m.mountpoint: m for m in after}
    for point in dict.fromkeys([*ones, *others]):
        one, other = ones.get(point), others.get(point)
        yield from _pair("mount", point, one, other, said, lambda m: Ref.mount(m.namespace, m.id))


def _delta_changes(
    before: Iterable[DeltaEntry], after: Iterable[DeltaEntry], progress: Progress
) -> Iterator[Change]:
    """Yield the files whose change differs; the contents of files are not compared."""

    def said(entry: tuple[int, DeltaEntry]) -> str:
        one = entry[1]
        if one.change == "deleted":
            return "deleted"
        return f"{one.kind} {one.mode:o} {one.size} bytes {one.link}".strip()

    ones = {e.path: (i, e) for i, e in enumerate(before)}
    others = {e.path: (i, e) for i, e in enumerate(after)}
    for path in dict.fromkeys([*ones, *others]):
        progress.tick()
        one, other = ones.get(path), others.get(path)
        yield from _pair("delta", path, one, other, said, lambda e: Ref.delta(e[0]))


P = TypeVar("P", OpenFile, Socket)


def _by_pid(things: Iterable[P]) -> dict[int, list[P]]:
    found: defaultdict[int, list[P]] = defaultdict(list)
    for thing in things:
        found[thing.pid].append(thing)
    return found
