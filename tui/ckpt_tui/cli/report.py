"""`report`: all that is known of a checkpoint as one document, with the hashes of its parts."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ckpt_tui import __version__
from ckpt_tui.archive.archive_tree import ArchiveTree
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.checkpoint.export import checkpoint_document
from ckpt_tui.checkpoint.model import Checkpoint, Share
from ckpt_tui.checkpoint.secret_values import masked_checkpoint
from ckpt_tui.cli.diagnosis import document as diagnosis_document
from ckpt_tui.cli.opened import opened_target
from ckpt_tui.cli.output import narrate
from ckpt_tui.cli.report_forms import Block, Report, to_html, to_markdown
from ckpt_tui.cli.stacks import stacks_document
from ckpt_tui.convert.base_tree import base_tree
from ckpt_tui.convert.rootfs import Origin, layer_origins
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.json_form import plain, to_json
from ckpt_tui.core.masks import masked
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.saving import save_window
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.core.window import BytesWindow, ByteWindow, chunks
from ckpt_tui.diagnose.target import TargetDiagnosis, diagnose_opened
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.stacks.of_checkpoint import Found, read_stacks, with_stacks
from ckpt_tui.stacks.stack import ProcessStacks
from ckpt_tui.stacks.where import where_line
from ckpt_tui.views import processes, tables
from ckpt_tui.views.details import process_sections
from ckpt_tui.views.facts import Section
from ckpt_tui.views.meanings import sign
from ckpt_tui.views.overview import overview_sections
from ckpt_tui.views.size_rows import LAYER_COLUMNS, layer_rows
from ckpt_tui.views.stacks import SHOWN_FRAMES, function_text, place_in
from ckpt_tui.views.table import Column, Row
from ckpt_tui.views.table import plain as plain_cell

FORMS = {".md": "Markdown", ".html": "HTML", ".json": "JSON"}

BAR_CELLS = "█▏▎▍▌▋▊▉"
"""What bars in cells are drawn with; a document has the numbers alone."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One file of the checkpoint."""

    name: str
    size: int
    sha256: str
    """Empty where it cannot be read; `problem` says why."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a report is made of; secrets are covered."""

    checkpoint: Checkpoint
    diagnosis: TargetDiagnosis
    stacks: Mapping[int, Found]
    """Where the processes were, by pid."""
    input_digest: str
    """sha256:… of the archive or manifest; empty for a folder, which is its exhibits."""
    exhibits: tuple[Exhibit, ...]
    origins: Mapping[str, Origin]
    """When and how layers were made, by digest."""
    made: datetime


def report(target: str, output: str | None, reveal: bool) -> None:
    """Write a report; its form goes by the suffix of `output`, Markdown on stdout without one."""
    suffix = os.path.splitext(output)[1] if output else ".md"
    if suffix not in FORMS:
        raise UsageError(f"{output} has an unknown suffix.", hint=f"Use {', '.join(FORMS)}.")
    with opened_target(target) as (opened, progress):
        gathered = gather(opened, progress, reveal)
        text = _rendered(gathered, suffix)
        if output is None:
            print(text)
        else:
            digest = save_window(BytesWindow(text.encode()), output, progress)
            narrate(f"{output}: {FORMS[suffix]}, sha256 {digest}")


def _rendered(gathered: Gathered, suffix: str) -> str:
    if suffix == ".json":
        return to_json(report_document(gathered)) + "\n"
    made = as_report(gathered)
    return to_html(made) if suffix == ".html" else to_markdown(made)


def gather(opened: OpenCheckpoint, progress: Progress, reveal: bool) -> Gathered:
    """Read everything: decode, check, hash."""
    checkpoint = opened.load(progress)
    with base_tree(opened, "", progress) as base:
        diagnosis = diagnose_opened(opened, checkpoint, progress, None, base)
        stacks = dict(read_stacks(opened, checkpoint, with_stacks(checkpoint), base, progress))
    return Gathered(
        checkpoint=masked_checkpoint(checkpoint, reveal),
        diagnosis=diagnosis,
        stacks=stacks,
        input_digest=_input_digest(opened, progress),
        exhibits=tuple(_exhibits(opened, progress)),
        origins=layer_origins(opened.source),
        made=now(),
    )


def now() -> datetime:
    """Return the time of the report: SOURCE_DATE_EPOCH where it is set, so that equal input gives
    an equal report (reproducible-builds.org)."""
    stamp = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(stamp) if stamp.isascii() and stamp.isdigit() and len(stamp) < 12 else time.time()
    return datetime.fromtimestamp(int(seconds), UTC)


def _input_digest(opened: OpenCheckpoint, progress: Progress) -> str:
    if isinstance(opened.source, OpenedImage):
        return opened.source.descriptor.digest
    if isinstance(opened.tree, ArchiveTree):
        progress.start("hashing the archive", opened.tree.stored.size)
        return f"sha256:{_sha256(opened.tree.stored, progress)}"
    return ""


def _sha256(window: ByteWindow, progress: Progress) -> str:
    digest = hashlib.sha256()
    for piece in chunks(window):
        digest.update(piece)
        progress.tick(len(piece))
    return digest.hexdigest()


def _exhibits(opened: OpenCheckpoint, progress: Progress) -> Iterator[Exhibit]:
    members = opened.tree.members
    progress.start("hashing the members", sum(m.size for m in members.values()))
    for name, member in members.items():
        if member.kind is MemberKind.FILE:
            try:
                digest = _sha256(opened.tree.window(name), progress)
                yield Exhibit(name, member.size, digest)
            except (CkptError, KeyError) as error:
                yield Exhibit(name, member.size, "", str(error))


def report_document(gathered: Gathered) -> dict[str, Any]:
    """Return a report as JSON."""
    return {
        "schema_version": 1,
        "program": f"ckpt-tui {__version__}",
        "made": plain(gathered.made),
        "input": {"source": plain(gathered.checkpoint.source), "digest": gathered.input_digest},
        "exhibits": plain(gathered.exhibits),
        "checkpoint": checkpoint_document(gathered.checkpoint),
        "diagnosis": diagnosis_document(gathered.checkpoint.source, gathered.diagnosis),
        "stacks": stacks_document("", [one for _, one in _read(gathered)])["processes"],
    }


def _read(gathered: Gathered) -> Iterator[tuple[int, ProcessStacks]]:
    return ((pid, s) for pid, s in gathered.stacks.items() if isinstance(s, ProcessStacks))


def as_report(gathered: Gathered) -> Report:
    """Return a report as blocks of text, printable."""
    checkpoint = gathered.checkpoint
    name = checkpoint.container.name or checkpoint.source.rpartition("/")[2]
    facts = (
        ("source", printable(checkpoint.source)),
        ("digest", gathered.input_digest or "a folder: see the exhibits"),
        ("verdict", gathered.diagnosis.verdict.text),
        ("made", f"{gathered.made:%Y-%m-%d %H:%M:%S} UTC by ckpt-tui {__version__}"),
    )
    return Report(f"Checkpoint {printable(name)}", facts, tuple(_blocks(gathered)))


def _blocks(gathered: Gathered) -> Iterator[Block]:
    checkpoint = gathered.checkpoint
    yield Block("Findings", ("", "What", "Why", "Fix", "Where"), [*_findings(gathered.diagnosis)])
    for section in overview_sections(checkpoint, gathered.made):
        yield _facts_block(section.title, [section])
    yield _rows_block("Processes", processes.COLUMNS, processes.process_rows(checkpoint))
    # what looks like a secret is covered in the checkpoint already
    for process in checkpoint.processes:
        sections = [
            section
            for section in process_sections(checkpoint, process, reveal=True)
            if section.title in ("", "Arguments", "Environment")
        ]
        yield _facts_block(f"Process {process.pid}", sections)
        if process.pid in gathered.stacks:
            heads = ("Thread", "Frame", "Function", "Where")
            frames = [*_stack_rows(gathered.stacks[process.pid])]
            yield Block(f"Stacks of process {process.pid}", heads, frames)
    for title, columns, rows in (
        ("Files", tables.FILE_COLUMNS, tables.file_rows(checkpoint)),
        ("Sockets", tables.SOCKET_COLUMNS, tables.socket_rows(checkpoint)),
        ("Mounts", tables.MOUNT_COLUMNS, tables.mount_rows(checkpoint, reveal=True)),
        ("Root filesystem", tables.DELTA_COLUMNS, tables.delta_rows(checkpoint)),
        ("Images", tables.IMAGE_COLUMNS, tables.image_rows(checkpoint)),
        ("Layers", LAYER_COLUMNS, layer_rows(checkpoint.sizes.layers, gathered.origins)),
    ):
        yield _rows_block(title, columns, rows)
    sizes = checkpoint.sizes
    yield Block("Sizes", ("Part", "Bytes", ""), [*_share_rows(sizes.components)])
    yield Block("Memory", ("Kind", "Bytes", ""), [*_share_rows(sizes.memory)])
    yield Block("Notes", ("Where", "What"), [(n.where, n.text) for n in checkpoint.notes])
    yield Block(
        "Exhibits",
        ("File", "Bytes", "SHA-256"),
        [(e.name, str(e.size), e.sha256 or e.problem) for e in gathered.exhibits],
    )


def _findings(diagnosis: TargetDiagnosis) -> Iterator[tuple[str, ...]]:
    """Yield what the log says, then what the checks found, the worst first."""
    cause = diagnosis.log.root_cause if diagnosis.log else None
    if cause is not None:
        where = f"{diagnosis.log_name}, line {cause.line}"
        yield sign("fails"), cause.title, cause.cause, cause.fix or "", where
    for found in diagnosis.findings:
        mark = sign(found.severity) if found.severity in ("fails", "may-fail") else "•"
        yield mark, masked(found.title, False), masked(found.why, False), found.cure, found.where


def _stack_rows(found: Found) -> Iterator[tuple[str, ...]]:
    """Yield the frames of each thread, the innermost first."""
    if not isinstance(found, ProcessStacks):
        yield "", "", masked(str(found), False), ""
        return
    for thread in found.threads:
        yield str(thread.tid), "", where_line(thread), masked(thread.blocked_in, False)
        for number, frame in enumerate(thread.frames[:SHOWN_FRAMES]):
            yield "", f"#{number}", function_text(frame), masked(place_in(frame), False)
        more = len(thread.frames) - SHOWN_FRAMES
        for text in filter(None, (f"and {more:,} more" if more > 0 else "", thread.note)):
            yield "", "", masked(text, False), ""
    for note in found.notes:
        yield "", "", masked(note, False), ""


def _share_rows(shares: Iterable[Share]) -> Iterator[tuple[str, ...]]:
    for share in shares:
        yield share.name, str(share.bytes), human_bytes(share.bytes)


def _rows_block(title: str, columns: Sequence[Column], rows: Iterable[Row]) -> Block:
    heads = tuple(column.title.capitalize() for column in columns)
    return Block(title, heads, [tuple(map(_cell, row.cells)) for row in rows])


def _cell(cell: object) -> str:
    text = cell if isinstance(cell, str) else plain_cell(cell)  # type: ignore[arg-type]
    return masked(text.lstrip(BAR_CELLS).strip(), False)


def _facts_block(title: str, sections: Sequence[Section]) -> Block:
    rows = []
    for section in sections:
        label = section.title.lower() if len(sections) > 1 else ""
        for fact in section.facts:
            rows.append((fact.label or label, str(fact.value)))
    return Block(title, (), rows)
