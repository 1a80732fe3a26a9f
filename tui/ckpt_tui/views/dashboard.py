"""The head of the first page: verdict and fix, memory, disk, peers, what this host lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import human_bytes, human_count, printable
from ckpt_tui.diagnose.finding import SEVERITIES, Finding
from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.views.diagnosis import LOG, cure_of
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.table import fit

LOOKED_AT = 2_000
"""Sockets and descriptors that peers are looked for in."""

SHOWN_PEERS = 4

SHORT = {"rt-criu-missing": "no criu"}
"""What a host lacks in fewer words, by the id of the finding."""


@dataclass(frozen=True, slots=True)
class DashLine:
    """One line, and the tab that it leads to; empty for none."""

    text: Styled
    tab: str = ""


def dashboard(
    checkpoint: Checkpoint, diagnosis: TargetDiagnosis | None, unchecked: str, width: int
) -> list[DashLine]:
    """Return the lines, `width` cells at most; `unchecked` says why there is no diagnosis."""
    lines = [*_verdict(diagnosis, unchecked), _amounts(checkpoint)]
    if peers := peers_text(checkpoint):
        lines.append(DashLine(styled(("peers ", "muted"), peers), "Sockets"))
    if lacks := lacks_text(diagnosis):
        lines.append(DashLine(styled((f"this host: {lacks}", "muted")), "Diagnosis"))
    return [DashLine(_cut(line.text, width), line.tab) for line in lines]


def _cut(text: Styled, width: int) -> Styled:
    return styled(fit(text, min(width, text.width)))


def fix_of(diagnosis: TargetDiagnosis | None) -> str:
    """Return the command against what is worst: to be copied; empty without one."""
    if diagnosis is None:
        return ""
    if diagnosis.log is not None and diagnosis.log.root_cause is not None:
        return cure_of(diagnosis, LOG)
    worst = _worst(diagnosis)
    return cure_of(diagnosis, diagnosis.findings.index(worst)) if worst else ""


def _verdict(diagnosis: TargetDiagnosis | None, unchecked: str) -> Iterator[DashLine]:
    """Yield what is wrong and how to fix it, or how much was found to be right."""
    if diagnosis is None:
        yield DashLine(styled((unchecked or "checking …", "muted")), "Diagnosis")
        return
    cause, worst = diagnosis.log.root_cause if diagnosis.log else None, _worst(diagnosis)
    if diagnosis.log is not None and cause is not None:
        action = (diagnosis.log.attempt.action or "restore").capitalize()
        place = f"   {printable(diagnosis.log_name)}:{cause.line}"
        said = signed("fails", f"{action} failed: {printable(cause.title)}")
        yield DashLine(styled(said, (place, "muted")), "Diagnosis")
    elif worst is not None:
        others = sum(f.severity == worst.severity and not f.of_host for f in diagnosis.findings) - 1
        more = f"   and {others} more" if others else ""
        said = signed(worst.severity, printable(worst.title))
        yield DashLine(styled(said, (more, "muted")), "Diagnosis")
    else:
        own = diagnosis.own_verdict
        yield DashLine(signed(own.sign, own.text), "Diagnosis")
    if fix := fix_of(diagnosis):
        line = styled(
            "  ", ("▶ ", "heading"), (printable(fix.replace("`", "").replace("\n", "; ")), "strong")
        )
        yield DashLine(styled(line, ("   y copies it", "muted")), "Diagnosis")


def _worst(diagnosis: TargetDiagnosis) -> Finding | None:
    """Return the worst finding on the checkpoint itself; advice does not count."""
    found = [f for f in diagnosis.findings if not f.of_host and f.severity != "advice"]
    return min(found, key=lambda f: SEVERITIES.index(f.severity), default=None)


def _amounts(checkpoint: Checkpoint) -> DashLine:
    """Return how much memory and which changes there are."""
    dumped = sum(one.dumped_bytes for one in checkpoint.memory)
    processes = human_count(len(checkpoint.processes), "process", "processes")
    pieces = [(processes, ""), ("   memory ", "muted"), (human_bytes(dumped), "strong")]
    index, changes = index_of(checkpoint), len(checkpoint.delta.entries)
    if not checkpoint.has_changes:
        disk = "being read"
    elif changes:
        disk = f"{changes - index.gone:,} written, {index.gone:,} deleted"
    else:
        disk = "as in the image"
    pieces += [("   disk ", "muted"), (disk, "")]
    if index.deleted:
        held = human_count(index.deleted, "descriptor")
        pieces += [("   recoverable ", "muted"), (f"{held} of deleted files", "")]
    return DashLine(styled(*pieces), "Sizes")


def peers_text(checkpoint: Checkpoint) -> str:
    """Return who talks to whom: `1 ↔ 9 unix, 9 ↔ outside 10.88.0.9:5432`."""
    found = list(islice(dict.fromkeys(_peers(checkpoint)), 100))
    more = len(found) - SHOWN_PEERS
    return ", ".join(found[:SHOWN_PEERS]) + (f", and {more} more" if more > 0 else "")


def _peers(checkpoint: Checkpoint) -> Iterator[str]:
    for socket in islice(checkpoint.sockets, LOOKED_AT):
        kind = "unix" if socket.family == "unix" else socket.protocol
        if socket.peer is not None:
            first, second = sorted((socket.pid, socket.peer[0]))
            if first != second:
                yield f"{first} ↔ {second} {printable(kind)}"
        elif socket.state == "ESTABLISHED" and socket.remote:
            yield f"{socket.pid} ↔ outside {printable(socket.remote)}"
    writers: dict[str, set[int]] = {}
    readers: dict[str, set[int]] = {}
    for file in islice(checkpoint.files, LOOKED_AT):
        if file.kind in ("pipe", "fifo"):
            ends = writers if "O_WRONLY" in file.flags else readers
            ends.setdefault(file.target.partition(",")[0], set()).add(file.pid)
    for name, pids in writers.items():
        yield from _pipe(sorted(pids), sorted(readers.get(name, ())))


def _pipe(writers: Sequence[int], readers: Sequence[int]) -> Iterator[str]:
    others = [pid for pid in readers if pid not in writers]
    if others:
        yield f"{writers[0]} → {others[0]} pipe"
    elif not readers:
        yield f"{writers[0]} → outside pipe"


def lacks_text(diagnosis: TargetDiagnosis | None) -> str:
    """Return what the host that was looked at lacks, a few words each."""
    found = [f for f in diagnosis.findings if f.of_host] if diagnosis else []
    words = []
    for finding in sorted(found, key=lambda f: f.id not in SHORT):
        title = printable(finding.title)
        program = title.removesuffix(" is not on the host")
        other = f"no {program}" if program != title else title[:1].lower() + title[1:]
        words.append(SHORT.get(finding.id, other))
    return ", ".join(dict.fromkeys(words))
