"""From what a person asked for to a plan: the source opened, the base found."""

from __future__ import annotations

import stat
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ckpt_tui.checkpoint.filetable import file_table
from ckpt_tui.checkpoint.inventory import build_criu_facts
from ckpt_tui.checkpoint.places import build_mounts
from ckpt_tui.checkpoint.validated import validated_files
from ckpt_tui.convert.base_image import read_image
from ckpt_tui.convert.base_search import Search, search_base
from ckpt_tui.convert.clear import secrets_in_clear
from ckpt_tui.convert.destination import Destination, destination_of, writing
from ckpt_tui.convert.first_pass import FirstPass
from ckpt_tui.convert.inputs import NOTHING_BESIDE, Beside, Inputs, source_of
from ckpt_tui.convert.plan import Options, Plan, make_plan
from ckpt_tui.convert.remarks import RecordedFile
from ckpt_tui.convert.source import Source
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.fetching import BeforeFetching
from ckpt_tui.formats.metadata import DOCUMENTS
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.sources.key_wrap import recipient
from ckpt_tui.sources.keys import UserKey

GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64": "ppc64le", "arm": "arm"}
"""CRIU's names of architectures to those of OCI platforms; others are the same."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to convert and whereto."""

    target: str
    destination: str = ""
    """oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker://HOST/REPO[:TAG]; empty: the own store."""
    base: str = ""
    """Target of the base image; empty: it is looked for where it may be."""
    repository: str = ""
    """HOST/REPO in which a local result will live."""
    keep_delta_tar: bool = False
    beside: Beside = NOTHING_BESIDE
    keep_devices: bool = False
    """Convert block devices in the delta."""
    encrypt_to: tuple[str, ...] = ()
    """Recipients that layers are encrypted for, each `jwe:FILE`."""
    minimal_annotations: bool = False
    """Leave out of the annotations what no engine needs for a restore."""

    @property
    def recipients(self) -> tuple[UserKey, ...]:
        """The keys of the recipients.

        Raises:
            UsageError: one of them cannot be used.
        """
        return tuple(map(recipient, dict.fromkeys(self.encrypt_to)))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what it keeps open. Close it when it was run, or was not wanted."""

    plan: Plan
    inputs: Inputs
    _opened: OpenCheckpoint
    _with_source: ExitStack
    _with_base: ExitStack

    def again(self, request: Request, progress: Progress) -> Prepared:
        """Plan the same source for another request; this plan is closed, whatever comes.

        A packed archive is not read again: what was learned when it was opened is all that a plan
        needs. Only a run reads its data, once. A plan that a person looks at first cannot come out
        of that pass: nothing may be written before they agree, and memory has no room for it.

        Raises: as `prepare`.
        """
        self._with_base.close()
        return _planned(request, self._opened, self.inputs.source, self._with_source, progress)

    def close(self) -> None:
        self._with_base.close()
        self._with_source.close()


def prepare(
    request: Request,
    progress: Progress,
    *,
    at_once: bool = False,
    before_fetching: BeforeFetching | None = None,
) -> Prepared:
    """Open the source and the base image, and plan the conversion.

    `at_once`: the plan will be run without asking anybody. Then what is written whatever is planned
    is written while the source is opened, which saves a second pass over it. For `before_fetching`
    see `open_checkpoint`.

    Raises:
        CkptError: the source or the named base cannot be read. What only forbids the conversion
            is among the plan's problems.
        Cancelled: the job was cancelled.
    """
    destination, recipients = destination_of(request.destination), request.recipients
    with ExitStack() as closing:
        first = None
        if at_once and not request.beside.previous:
            keeps = request.keep_delta_tar
            first = FirstPass(
                request.target,
                destination,
                progress,
                keep_delta_tar=keeps,
                recipients=recipients,
            )
            closing.enter_context(first)
        with writing(destination.named(destination.tag)):
            opened = open_checkpoint(request.target, progress, first, before_fetching)
        closing.callback(opened.close)
        if opened.format.optimized:
            raise UsageError(
                f"{request.target} is in the optimized format already.",
                hint="Copy it with `ckpt-tui copy`, or use `--to archive` for the way back.",
            )
        source = source_of(opened, request.beside, closing, progress, first, before_fetching)
        return _planned(request, opened, source, closing.pop_all(), progress, first)


def _planned(
    request: Request,
    opened: OpenCheckpoint,
    source: Source,
    with_source: ExitStack,
    progress: Progress,
    first: FirstPass | None = None,
) -> Prepared:
    """Find the base of an opened source and plan; `with_source` is taken over."""
    with with_source, ExitStack() as closing:
        destination = destination_of(request.destination)
        search = Search()
        if not request.keep_delta_tar:
            search = search_base(source, opened, request.base, progress, reach_out=True)
        base, why_not = None, search.why_not
        if search.found:
            try:
                base = read_image(search.found, progress)
            except CkptError as error:
                if request.base:
                    raise
                why_not = str(error)
        if base:
            closing.callback(base.close)
        options = _options(opened, request)
        plan = make_plan(
            source,
            base,
            destination,
            _repository(request.repository, destination),
            options,
            _recorded(opened),
            progress,
            no_base=why_not,
        )
        if destination.repository and not options.recipients:
            told = secrets_in_clear(source.tree, DOCUMENTS, progress)
            plan = replace(plan, warnings=(*filter(None, (told,)), *plan.warnings))
        if first and not first.fits(plan.layers, source.tree, plain_pages=options.plain_pages):
            first = None
        return Prepared(
            plan, Inputs(source, base, first), opened, with_source.pop_all(), closing.pop_all()
        )


def _repository(named: str, destination: Destination) -> str:
    """Return the repository that the result will live in."""
    if destination.repository is None:
        return named
    place = destination.repository.name
    if named and named != place:
        raise UsageError(f"The result goes to {place} and cannot be for {named}.")
    return place


def _options(opened: OpenCheckpoint, request: Request) -> Options:
    facts = build_criu_facts(opened.images, opened.tree, opened.metadata.annotations, [])
    architecture = GO_ARCHITECTURES.get(facts.architecture, facts.architecture)
    return Options(
        keep_delta_tar=request.keep_delta_tar,
        keep_devices=request.keep_devices,
        compressed_pages=facts.compressed_pages,
        encrypted_pages=facts.encrypted,
        architecture=architecture,
        recipients=request.recipients,
        minimal_annotations=request.minimal_annotations,
    )


def _recorded(opened: OpenCheckpoint) -> list[RecordedFile]:
    files = validated_files(file_table(opened.images), build_mounts(opened.images))
    return [
        RecordedFile(
            file.path.lstrip("/"),
            file.size,
            stat.S_IMODE(file.mode) if file.mode is not None else None,
        )
        for file in files
        if file.size is not None
    ]
