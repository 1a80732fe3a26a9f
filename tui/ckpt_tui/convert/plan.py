"""What a conversion will write, and what it cannot: pure, made from headers and small members.

A screen shows the plan and a person agrees to it; `run` does what it says and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ckpt_tui.archive.names import clean_name
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.base import BaseImage, architecture_of, wrong_base
from ckpt_tui.convert.delta import DeltaPlan, plan_delta
from ckpt_tui.convert.images import checkpoint_annotations, container_name, local_repository
from ckpt_tui.convert.names import real_name
from ckpt_tui.convert.nested import Diff, read_diff
from ckpt_tui.convert.roles import (
    CONFIG_DUMP,
    CRIU,
    DELETED_FILES,
    DIFF_TAR,
    IMAGES,
    METADATA,
    RECORD,
    SPEC_DUMP,
    PlannedLayer,
    plan_layers,
)
from ckpt_tui.convert.source import Source
from ckpt_tui.core.document import read_object
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.text import human_count

STATUS_DUMP = "status.dump"
ENGINES = ("podman", "cri-o", "containerd")
"""Engines whose checkpoints carry what a restore from an image needs."""

MAX_NAMED = 20
"""Names listed one by one under a heading; the rest is counted."""

_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:[.-][a-z0-9]+)*(?::\d+)?(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+"
)
"""HOST[:PORT]/PATH as registries want it (distribution-spec, "Pulling manifests")."""
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the result goes."""

    path: Path
    """An OCI layout folder, or the file of an OCI archive."""
    tag: str = ""
    """Empty: the name of the container."""
    archive: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """How to convert."""

    keep_delta_tar: bool = False
    """The half step: the delta stays the legacy tar, and no base image is needed."""
    plain_pages: bool = False
    """Do not compress page images: the inventory says that they are compressed or encrypted."""
    architecture: str = ""
    """As Go names it (amd64); empty: that of the base image."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A regular file on the root filesystem that a process had open or mapped (files.img)."""

    name: str
    size: int
    mode: int | None = None
    """Permission bits."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A form of the checkpoint in numbers, bytes."""

    plain: int
    """All of it, decompressed; of the optimized form without the base image's layers."""
    nested: int
    """What lies in tars inside of it and has to be unpacked a second time."""
    listing: int
    """What has to be read to list processes, files and sockets."""
    layers: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A conversion before it is run."""

    source: Source
    base: BaseImage | None
    destination: Destination
    tag: str
    repository: str
    options: Options
    diff: Diff
    delta: DeltaPlan | None
    """None: no delta, or one that goes through as it is."""
    layers: tuple[PlannedLayer, ...]
    """Of the checkpoint image."""
    annotations: Mapping[str, str]
    command: tuple[str, ...]
    architecture: str
    before: Figures
    after: Figures
    problems: tuple[str, ...]
    """What forbids to start, a sentence each. Foreign text in sentences is not cleaned."""
    losses: tuple[str, ...]
    """What the source itself has lost; no conversion brings it back."""
    warnings: tuple[str, ...]

    @property
    def optimized(self) -> bool:
        """Whether this is the whole step, with the delta in a rootfs image."""
        return not self.options.keep_delta_tar


def make_plan(
    source: Source,
    base: BaseImage | None,
    destination: Destination,
    repository: str = "",
    options: Options | None = None,
    recorded: Iterable[RecordedFile] = (),
    progress: Progress | None = None,
) -> Plan:
    """Plan the conversion of `source`, whose container ran from `base`.

    `repository` is where a local result will live later (HOST/REPOSITORY); `recorded` are the
    files that CRIU will compare with the root filesystem.

    Raises:
        CkptError: the source cannot be read. What merely forbids the conversion is in `problems`.
        Cancelled: nobody wants the result.
    """
    options, progress = options or Options(), progress or quiet()
    problems, warnings = _shape_problems(source), []
    documents = _documents(source, problems)
    diff, delta = Diff(), None
    try:
        if not options.keep_delta_tar:
            diff = read_diff(source, progress)
        if not diff.layer and (diff.has_tar or diff.deleted):
            delta = plan_delta(diff.entries, diff.deleted, base.tree if base else None, progress)
    except CkptError as error:
        problems.append(str(error))
    if not options.keep_delta_tar:
        problems += _base_problems(source, base, documents)
    if delta:
        problems += _shortened(delta.problems, "names")
        warnings += [*delta.notes, *_delta_warnings(delta)]
    moved = (DIFF_TAR, DELETED_FILES) if not options.keep_delta_tar else ()
    layers = tuple(plan_layers(source.tree.members, moved))
    name = container_name(source.container)
    repository = repository or local_repository(name)
    tag = destination.tag or local_repository(name).partition("/")[2]
    problems += _name_problems(repository, tag)
    architecture = options.architecture or architecture_of(base) or "amd64"
    command = source.container.command
    warnings += _engine_warnings(source, options, command)
    return Plan(
        source=source,
        base=base if not options.keep_delta_tar else None,
        destination=destination,
        tag=tag,
        repository=repository,
        options=options,
        diff=diff,
        delta=delta,
        layers=layers,
        annotations=checkpoint_annotations(
            source.engine,
            source.container,
            source.annotations,
            architecture,
            optimized=not options.keep_delta_tar,
        ),
        command=command,
        architecture=architecture,
        before=_before(source),
        after=_after(layers, delta, diff, options),
        problems=tuple(problems),
        losses=tuple(lost_files(recorded, base, delta)) if base and not diff.layer else (),
        warnings=tuple(warnings),
    )


def _shape_problems(source: Source) -> list[str]:
    """Return what is wrong with the source as a whole."""
    members = source.tree.members
    problems = []
    if source.engine not in ENGINES:
        problems.append(
            f"A checkpoint of {source.kind} has no engine's metadata to restore an image by."
        )
    if f"{IMAGES}/inventory.img" not in members:
        what = "it is a pre-dump" if "pre-checkpoint/inventory.img" in members else "it is cut"
        problems.append(f"There is no {IMAGES}/inventory.img: {what}.")
    if RECORD in members:
        problems.append("It is converted already.")
    problems += [f"{name} is missing." for name in (CONFIG_DUMP, SPEC_DUMP) if name not in members]
    odd = [
        name
        for name, member in members.items()
        if member.kind not in (MemberKind.FILE, MemberKind.DIRECTORY) and name != f"{IMAGES}/parent"
    ]
    problems += _shortened(
        [f"{name} is neither a file nor a folder; engines refuse it in an image." for name in odd],
        "members",
    )
    return problems


def _documents(source: Source, problems: list[str]) -> dict[str, object]:
    documents: dict[str, object] = {}
    for name in (CONFIG_DUMP, STATUS_DUMP):
        if name in source.tree.members:
            try:
                documents[name] = read_object(source.tree.window(name), name)
            except CkptError as error:
                problems.append(str(error))
    return documents


def _base_problems(
    source: Source, base: BaseImage | None, documents: Mapping[str, object]
) -> list[str]:
    if base is None:
        image = source.container.image or "the base image"
        return [
            f"{image} is not at hand, and the delta cannot become a layer without it: give it with "
            "--base, or keep the delta as it is with --keep-delta-tar."
        ]
    wrong = wrong_base(base, source.engine, documents)
    return [wrong] if wrong else []


def _name_problems(repository: str, tag: str) -> list[str]:
    problems = []
    if not _REPOSITORY.fullmatch(repository):
        problems.append(f"{repository!r} is no repository name: HOST/PATH in small letters.")
    if not _TAG.fullmatch(tag):
        problems.append(f"{tag!r} is no tag: letters, digits, `_`, `.` and `-`.")
    return problems


def _delta_warnings(delta: DeltaPlan) -> list[str]:
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


def _engine_warnings(source: Source, options: Options, command: Sequence[str]) -> list[str]:
    found: list[str] = []
    if options.keep_delta_tar:
        return found
    if source.engine in ("podman", "cri-o"):
        found.append(
            "A second checkpoint of a container that was restored from this image loses files of "
            "the delta that changed since: podman and CRI-O leave modified files out. Use it to "
            "archive and distribute."
        )
    if source.engine == "cri-o":
        found.append("CRI-O does not pull the rootfs image on restore: pull it first.")
        if not command:
            found.append("The dump names no command, and CRI-O refuses an image without one.")
    if f"{IMAGES}/parent" in source.tree.members:
        found.append(
            "It is incremental: checkpoint/parent leads to a dump that has to be beside it, and "
            "containerd refuses links in a checkpoint image."
        )
    return found


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
    return _shortened(found, "files")


def _resolved(tree: Mapping[str, Member], name: str) -> Member | None:
    """Return what `name` leads to: the file behind a hard link, through links among folders."""
    try:
        member = tree.get(real_name(tree.get, name))
    except CkptError:
        return None
    if member is not None and member.kind is MemberKind.HARDLINK:
        return tree.get(member.link)
    return member


def _before(source: Source) -> Figures:
    members = source.tree.members
    plain = sum(member.size for member in members.values())
    return Figures(plain, _nested(members.values()), source.stored_size or plain)


def _after(
    layers: Sequence[PlannedLayer], delta: DeltaPlan | None, diff: Diff, options: Options
) -> Figures:
    plain = sum(layer.plain_size for layer in layers) + (delta.facts.size if delta else 0)
    members = [member for layer in layers for member in layer.members]
    small = (layer.plain_size for layer in layers if layer.role in (METADATA, CRIU))
    has_delta = not options.keep_delta_tar and (delta is not None or diff.layer)
    return Figures(plain, _nested(members), sum(small), len(layers) + has_delta)


def _nested(members: Iterable[Member]) -> int:
    return sum(m.size for m in members if m.name.endswith(".tar"))


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _shortened(sentences: Sequence[str], noun: str) -> list[str]:
    kept = [*sentences[:MAX_NAMED]]
    if len(sentences) > MAX_NAMED:
        kept.append(f"{len(sentences) - MAX_NAMED:,} more {noun} are like that.")
    return kept
