"""The first page of a checkpoint: what it is, its origin and size, what runs in it, its damage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint, CriuFacts
from ckpt_tui.core.masks import masked_arguments
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import (
    human_bytes,
    human_count,
    human_duration,
    listed,
    printable,
    short_digest,
    shortened,
)
from ckpt_tui.views.bars import BarPart
from ckpt_tui.views.details import count_line
from ckpt_tui.views.facts import Fact, Section, known, note_facts
from ckpt_tui.views.meanings import LOCK, kind_of, signed
from ckpt_tui.views.processes import SHOWN_COMMAND

if TYPE_CHECKING:  # 30 ms that no command but one needs
    from ckpt_tui.diagnose.target import TargetDiagnosis

SHOWN_NOTES = 8
"""Notes on the first page; the tab Diagnosis has all."""

SHOWN_KEYS = 4
"""Ids of keys on the first page."""

STATS = (
    ("freezing_time", "freezing time"),
    ("frozen_time", "frozen time"),
    ("memdump_time", "memory dump time"),
    ("memwrite_time", "memory write time"),
)
"""Fields of stats-dump that are times, in microseconds."""


def overview_sections(checkpoint: Checkpoint, now: datetime | None = None) -> list[Section]:
    """Return the facts of the first page; ages are counted from `now`."""
    return [
        Section("Container", _container(checkpoint, now or datetime.now(UTC))),
        Section("Dump", _dump(checkpoint)),
        Section("Inside", list(_inside(checkpoint))),
        Section(
            "Notes",
            note_facts(checkpoint.notes, SHOWN_NOTES),
            empty="none: every image that was read could be decoded",
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


def _container(checkpoint: Checkpoint, now: datetime) -> list[Fact]:
    facts = checkpoint.container
    pod = f"{facts.namespace}/{facts.pod}" if facts.namespace else facts.pod
    command = " ".join(masked_arguments(facts.command, False))
    networks = [(name, " ".join(addresses)) for name, addresses in facts.networks.items()]
    return known(
        ("name", printable(facts.name)),
        ("image", printable(short_reference(facts.image))),
        ("image id", printable(short_digest(f"sha256:{facts.image_id}")) if facts.image_id else ""),
        ("pod", printable(pod)),
        ("command", printable(shortened(command, SHOWN_COMMAND))),
        ("engine", checkpoint.format.engine),
        ("runtime", printable(facts.runtime)),
        ("id", printable(facts.id[:12])),
        ("created", age(facts.created, now)),
        ("dumped", age(facts.checkpointed, now)),
        *(("network", printable(" ".join(network))) for network in networks),
    )


def release(criu: CriuFacts) -> str:
    """Return the release of CRIU that dumped, as well as it is known; printable."""
    return printable(criu.version) or (f"{criu.at_least} or later" if criu.at_least else "")


def _dump(checkpoint: Checkpoint) -> list[Fact]:
    criu = checkpoint.criu
    keys = printable(listed(checkpoint.format.key_ids, SHOWN_KEYS))
    if checkpoint.format.locked and not checkpoint.images:
        return known(("format", format_line(checkpoint)), ("encrypted for", keys))
    return known(
        ("format", format_line(checkpoint)),
        ("encrypted for", keys),
        ("CRIU", release(criu) or "release not recorded"),
        ("architecture", f"{criu.architecture or '?'}, pages of {criu.page_size} bytes"),
        ("network lock", criu.network_lock),
        ("security module", criu.lsm if criu.lsm != "NO_LSM" else ""),
        ("plugins", printable(", ".join(criu.plugins or ()))),
        ("", "TCP connections were dumped as closed" if criu.tcp_close else ""),
        ("", "a pre-dump: cannot be restored by itself" if criu.pre_dump else ""),
        ("", "page images are compressed by CRIU" if criu.compressed_pages else ""),
        ("", "images are encrypted" if criu.encrypted else ""),
        *((name, f"{criu.stats[f] / 1000:.1f} ms") for f, name in STATS if f in criu.stats),
    )


def format_line(checkpoint: Checkpoint) -> str:
    """Return `podman archive, zstd, legacy`."""
    found = checkpoint.format
    kind = "optimized" if found.optimized else "legacy"
    opened = ("no key" if found.locked else "encrypted, opened") if found.key_ids else ""
    return ", ".join(filter(None, (found.name, found.compression, kind, opened)))


def _inside(checkpoint: Checkpoint) -> Iterator[Fact]:
    if checkpoint.format.locked and not checkpoint.images:
        yield Fact("", signed("unknown", "not known: it is encrypted"))
        return
    yield Fact("", count_line(checkpoint))
    index = index_of(checkpoint)
    if index.established:
        needs = "needs" if index.established == 1 else "need"
        sockets = human_count(index.established, "established TCP socket")
        yield Fact("", signed("may-fail", f"{sockets} {needs} --tcp-established"))
    if index.deleted:
        yield Fact("", f"{human_count(index.deleted, 'descriptor')} of files that were deleted")
    changes = checkpoint.delta.entries
    if not checkpoint.has_changes:
        yield Fact("", "root filesystem: the changes are being read")
    elif changes:
        written = len(changes) - index.gone
        yield Fact("", f"root filesystem: {written:,} written, {index.gone:,} deleted")


def component_parts(checkpoint: Checkpoint) -> list[BarPart]:
    """Return the components as parts of a bar, in their fixed order and colours."""
    return [
        BarPart(share.name, share.bytes, kind_of(share.name))
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
    lock = LOCK if checkpoint.format.key_ids else ""
    facts = f"{lock}{checkpoint.format.name} · {human_bytes(checkpoint.sizes.packed)}"
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
    short = diagnosis.own_verdict.text.partition(";")[0]
    return verdict + signed(diagnosis.own_verdict.sign, short)
