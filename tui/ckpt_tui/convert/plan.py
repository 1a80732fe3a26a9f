"""What a conversion will write, and what it cannot: pure, made from headers and small members.

A screen shows the plan and a person agrees to it; `run` does what it says and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.base_check import STATUS_DUMP, BaseCheck, BaseVerdict, check_base
from ckpt_tui.convert.base_image import BaseImage, BaseName, architecture_of
from ckpt_tui.convert.delta import DeltaPlan, plan_delta
from ckpt_tui.convert.destination import Destination
from ckpt_tui.convert.kernel_marks import kernel_marks
from ckpt_tui.convert.manifests import (
    checkpoint_annotations,
    container_name,
    default_tag,
    local_repository,
)
from ckpt_tui.convert.remarks import (
    RecordedFile,
    delta_warnings,
    engine_losses,
    engine_warnings,
    lost_files,
    page_warnings,
    place_problems,
    place_warnings,
    shape_problems,
    shortened,
)
from ckpt_tui.convert.roles import (
    CONFIG_DUMP,
    CRIU,
    DELETED_FILES,
    DIFF_TAR,
    METADATA,
    RECORD,
    PlannedLayer,
    plan_layers,
)
from ckpt_tui.convert.rootfs_diff import Diff, read_diff
from ckpt_tui.convert.source import Source, SourceName
from ckpt_tui.convert.upper import plan_upper
from ckpt_tui.core.document import read_object
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.formats.frame_digests import FRAMES
from ckpt_tui.sources.keys import UserKey


@dataclass(frozen=True, slots=True)
class Options:
    """How to convert."""

    keep_delta_tar: bool = False
    """The half step: the delta stays the legacy tar, and no base image is needed."""
    compressed_pages: bool = False
    """The inventory says that CRIU compressed the page images: not to be compressed again."""
    encrypted_pages: bool = False
    """The same, encrypted."""
    keep_devices: bool = False
    """Block devices of the delta go into the layer."""
    architecture: str = ""
    """As Go names it (amd64); empty: that of the base image."""
    recipients: tuple[UserKey, ...] = ()
    """Whom the layers are encrypted for; empty: they are not."""
    minimal_annotations: bool = False
    """Leave out of the annotations what no engine needs for a restore."""

    @property
    def plain_pages(self) -> bool:
        """Whether page images go into layers without compression."""
        return self.compressed_pages or self.encrypted_pages


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

    source: SourceName
    base: BaseName | None
    base_verdict: BaseVerdict
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
    no_base: str = "",
) -> Plan:
    """Plan the conversion of `source`, whose container ran from `base`.

    `repository` is where a local result will live later (HOST/REPOSITORY); `recorded` are the
    files that CRIU will compare with the root filesystem; `no_base` is why there is no base.

    Raises:
        CkptError: the source cannot be read. What merely forbids the conversion is in `problems`.
        Cancelled: the job was cancelled.
    """
    options, progress = options or Options(), progress or quiet()
    whole = not options.keep_delta_tar
    problems, warnings = shape_problems(source), []
    documents = _documents(source, problems)
    diff, delta = Diff(), None
    try:
        diff, delta = _delta(source, base, whole, progress)
    except CkptError as error:
        problems.append(str(error))
    checked = check_base(source, base, documents) if whole else BaseCheck(BaseVerdict.UNNEEDED)
    problems += [text for text in (checked.problem, no_base) if text]
    if checked.verdict is BaseVerdict.UNRECORDED:
        warnings.append(
            "No digest of the image was recorded, so nothing tells whether the base is the one "
            "that the container ran from."
        )
    if source.upper and not whole:
        problems.append("There is no delta tar to keep: the delta is a folder.")
    if delta:
        problems += shortened(delta.problems, "names")
        warnings += [*delta.notes, *delta_warnings(delta)]
    marks = kernel_marks(delta.members) if delta else diff.marks
    problems += marks.problems(keep_devices=options.keep_devices)
    warnings += marks.warnings(keep_devices=options.keep_devices)
    layers = _layers(source, base, whole)
    name = container_name(source.container)
    repository = repository or local_repository(name)
    tag = destination.tag or default_tag(source.container)
    problems += place_problems(destination, repository, tag)
    architecture = options.architecture or architecture_of(base) or "amd64"
    warnings += place_warnings(destination, tag)
    warnings += engine_warnings(source, whole=whole)
    warnings += page_warnings(
        compressed=options.compressed_pages, encrypted=options.encrypted_pages
    )
    return Plan(
        source=source.name,
        base=base.name if base and whole else None,
        base_verdict=checked.verdict,
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
            optimized=whole,
            bare=source.bare,
            minimal=options.minimal_annotations,
        ),
        command=source.container.command,
        architecture=architecture,
        before=_before(source),
        after=_after(layers, delta, diff, options),
        problems=tuple(problems),
        losses=_losses(source, base, diff, delta, recorded),
        warnings=tuple(warnings),
    )


def _losses(
    source: Source,
    base: BaseImage | None,
    diff: Diff,
    delta: DeltaPlan | None,
    recorded: Iterable[RecordedFile],
) -> tuple[str, ...]:
    """Return what the engine left out of the checkpoint."""
    lost = lost_files(recorded, base, delta) if base and not diff.layer else []
    return (*engine_losses(source.engine, delta if diff.has_tar else None), *lost)


def _documents(source: Source, problems: list[str]) -> dict[str, object]:
    documents: dict[str, object] = {}
    for name in (CONFIG_DUMP, STATUS_DUMP):
        if name in source.tree.members:
            try:
                documents[name] = read_object(source.tree.window(name), name)
            except CkptError as error:
                problems.append(str(error))
    return documents


def _delta(
    source: Source, base: BaseImage | None, whole: bool, progress: Progress
) -> tuple[Diff, DeltaPlan | None]:
    below = base.tree if base else None
    if source.upper:
        return Diff(), plan_upper(source.upper, below)
    diff = read_diff(source, progress) if whole else Diff()
    if diff.layer or not (diff.has_tar or diff.deleted):
        return diff, None
    return diff, plan_delta(diff.entries, diff.deleted, below, progress)


def _layers(source: Source, base: BaseImage | None, whole: bool) -> tuple[PlannedLayer, ...]:
    """Plan the layers of the checkpoint image, with the documents that the conversion makes."""
    members = dict(source.tree.members)
    if source.bare and base and whole:
        members.setdefault(CONFIG_DUMP, Member(CONFIG_DUMP, MemberKind.FILE, 0, mode=0o600))
    for name in (RECORD, FRAMES):
        members[name] = Member(name, MemberKind.FILE, 0, mode=0o600)
    return tuple(plan_layers(members, (DIFF_TAR, DELETED_FILES) if whole else ()))


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
