"""The first page of a checkpoint: what it is, where from, how big, what runs in it, is it whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.masks import masked_arguments
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import (
    human_bytes,
    human_count,
    human_duration,
    printable,
    short_digest,
    shortened,
)
from ckpt_tui.views.bars import BarPart
from ckpt_tui.views.details import count_line
from ckpt_tui.views.facts import Fact, Section, note_facts
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.processes import SHOWN_COMMAND

if TYPE_CHECKING:  # 30 ms that no command but one needs
    from ckpt_tui.diagnose.target import TargetDiagnosis

MEANING_OF_COMPONENT = {
    "pages": "pages",
    "images": "images",
    "metadata": "metadata",
    "delta": "delta",
    "devshm": "volumes",
    "volumes": "volumes",
    "base": "base",
}

SHOWN_NOTES = 8
"""Notes on the first page; the tab Diagnosis has all."""

STATS = (
    ("freezing_time", "to stop the tasks"),
    ("frozen_time", "stopped in all"),
    ("memdump_time", "to collect memory"),
    ("memwrite_time", "to write pages"),
)
"""Fields of stats-dump that are times, in microseconds."""


def overview_sections(checkpoint: Checkpoint, now: datetime | None = None) -> list[Section]:
    """Return the facts of the first page; `now` is the time that ages are told by."""
    return [
        Section("Container", list(_container(checkpoint, now or datetime.now(UTC)))),
        Section("Dump", list(_dump(checkpoint))),
        Section("Inside", list(_inside(checkpoint))),
        Section(
            "Notes",
            note_facts(checkpoint.notes, SHOWN_NOTES),
            empty="none: every image could be read",
        ),
    ]


def age(when: datetime | None, now: datetime) -> str:
    """Return `3 h ago (2026-11-24 03:01:48 UTC)`, "" if the time is not known."""
    if when is None:
        return ""
    stamp = when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    seconds = (now - when).total_seconds()
    return f"{human_duration(seconds)} ago ({stamp})" if seconds >= 0 else stamp


def short_reference(image: str) -> str:
    """Return an image's name with its digest, if it has one, cut to 12 digits."""
    name, at, digest = image.partition("@")
    return f"{name}@{short_digest(digest)}" if at else image


def _container(checkpoint: Checkpoint, now: datetime) -> Iterator[Fact]:
    facts = checkpoint.container
    pod = f"{facts.namespace}/{facts.pod}" if facts.namespace else facts.pod
    for label, value in (
        ("name", facts.name),
        ("image", short_reference(facts.image)),
        ("image id", short_digest(f"sha256:{facts.image_id}") if facts.image_id else ""),
        ("pod", pod),
        ("command", shortened(_command(facts.command), SHOWN_COMMAND)),
        ("engine", checkpoint.format.engine),
        ("runtime", facts.runtime),
        ("id", facts.id[:12]),
        ("created", age(facts.created, now)),
        ("dumped", age(facts.checkpointed, now)),
    ):
        if value:
            yield Fact(label, printable(value))
    for network, addresses in facts.networks.items():
        yield Fact("network", printable(f"{network} {' '.join(addresses)}"))


def _command(arguments: tuple[str, ...]) -> str:
    return " ".join(masked_arguments(arguments, False))


def _dump(checkpoint: Checkpoint) -> Iterator[Fact]:
    criu = checkpoint.criu
    release = criu.version or (f"{criu.at_least} or later" if criu.at_least else "")
    yield Fact("format", format_line(checkpoint))
    yield Fact("CRIU", printable(release) or "release not recorded")
    yield Fact("architecture", f"{criu.architecture or '?'}, pages of {criu.page_size} bytes")
    if criu.network_lock:
        yield Fact("network lock", criu.network_lock)
    if criu.lsm and criu.lsm != "NO_LSM":
        yield Fact("security module", criu.lsm)
    if criu.plugins:
        yield Fact("plugins", printable(", ".join(criu.plugins)))
    for flag, text in (
        (criu.tcp_close, "TCP connections were dumped as closed"),
        (criu.pre_dump, "a pre-dump: cannot be restored by itself"),
        (criu.compressed_pages, "page images are compressed by CRIU"),
        (criu.encrypted, "images are encrypted"),
    ):
        if flag:
            yield Fact("", text)
    for field, label in STATS:
        if field in criu.stats:
            yield Fact(label, f"{criu.stats[field] / 1000:.1f} ms")


def format_line(checkpoint: Checkpoint) -> str:
    """Return `podman archive, zstd, legacy`."""
    kind = "optimized" if checkpoint.format.optimized else "legacy"
    return ", ".join(filter(None, (checkpoint.format.name, checkpoint.format.compression, kind)))


def _inside(checkpoint: Checkpoint) -> Iterator[Fact]:
    yield Fact("", count_line(checkpoint))
    index = index_of(checkpoint)
    established, deleted = index.established, index.deleted
    if established:
        yield Fact("", signed("may-fail", f"{_established(established)} --tcp-established"))
    if deleted:
        yield Fact("", f"{human_count(deleted, 'descriptor')} of files that were deleted")
    changes = checkpoint.delta.entries
    if not checkpoint.has_changes:
        yield Fact("", "root filesystem: the changes are being read")
    elif changes:
        written = len(changes) - index.gone
        yield Fact("", f"root filesystem: {written:,} written, {index.gone:,} deleted")


def _established(count: int) -> str:
    needs = "needs" if count == 1 else "need"
    return f"{human_count(count, 'established TCP socket')} {needs}"


def component_parts(checkpoint: Checkpoint) -> list[BarPart]:
    """Return the components as parts of a bar, in their fixed order and colours."""
    return [
        BarPart(share.name, share.bytes, MEANING_OF_COMPONENT.get(share.name, "metadata"))
        for share in checkpoint.sizes.components
    ]


def title_line(
    checkpoint: Checkpoint,
    diagnosis: TargetDiagnosis | None,
    width: int,
    waiting: str = "checking …",
) -> Styled:
    """Return the first line of the screen: where it is, what it is, how big, what is wrong;
    `waiting` stands for a diagnosis that is not there."""
    facts = f"{checkpoint.format.name} · {human_bytes(checkpoint.sizes.packed)}"
    said = _verdict(diagnosis) if diagnosis else styled((waiting, "muted"))
    right = styled((facts, "muted"), "   ", said)
    room = max(8, width - right.width - 4)
    source = printable(checkpoint.source)
    left = source if len(source) <= room else "…" + source[1 - room :]
    gap = " " * max(1, width - len(left) - right.width - 2)
    return styled(" ", (left, "strong"), gap, right, " ")


def _verdict(diagnosis: TargetDiagnosis) -> Styled:
    verdict = Styled()
    if diagnosis.log is not None and diagnosis.log.root_cause is not None:
        failed = f"{diagnosis.log.attempt.action or 'restore'} failed"
        verdict = signed("fails", failed) + "   "
    return verdict + signed(diagnosis.verdict.sign, diagnosis.verdict.text)
