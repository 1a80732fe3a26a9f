"""Do the mounts of the host allow what CRIU does with the files on them?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ckpt_tui.checkpoint.memory import VMA_FILE
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Finding

MAP_SHARED = 1
PROT_WRITE, PROT_EXEC = 2, 4


def read_only(facts: Facts) -> Iterator[Finding]:
    """Files that were open for writing, or mapped so, are on a mount that takes writes."""
    if facts.files is None or not facts.is_bare:
        return
    written = {
        found.id
        for found in facts.each(facts.of_type("REG"))
        if found.message.flags & os.O_ACCMODE and _is_regular(found.message)
    }
    written |= {
        int(vma.shmid)
        for _, vma in facts.each(facts.regions)
        if vma.status & VMA_FILE and vma.flags & MAP_SHARED and vma.prot & PROT_WRITE
    }
    yield from _refused(
        facts,
        [i for i in written if facts.files.is_read_only(_path(facts, i))],
        "file-open-denied",
        "is on a read-only mount and was open for writing",
        "CRIU opens it as it was, which the kernel refuses.",
        "Mount it read-write, as at the dump.",
    )


def no_execution(facts: Facts) -> Iterator[Finding]:
    """Programs and libraries are on a mount from which they may be run."""
    if facts.files is None or not facts.is_bare:
        return
    mapped = {
        int(vma.shmid)
        for _, vma in facts.each(facts.regions)
        if vma.status & VMA_FILE and vma.prot & PROT_EXEC
    }
    yield from _refused(
        facts,
        [i for i in mapped if facts.files.is_noexec(_path(facts, i))],
        "mem-mapping-failed",
        "is on a mount with noexec and was mapped to be executed",
        "The kernel maps nothing of such a mount as a program.",
        "Mount it without noexec, as at the dump.",
    )


def _is_regular(message: object) -> bool:
    mode = int(getattr(message, "mode", 0))
    return not mode or stat.S_ISREG(mode)


def _path(facts: Facts, file_id: int) -> str:
    return "/" + facts.table.path(file_id).lstrip("/")


def _refused(
    facts: Facts, file_ids: list[int], finding_id: str, what: str, why: str, cure: str
) -> Iterator[Finding]:
    live = [i for i in sorted(file_ids) if i not in facts.table.ghosts and facts.table.path(i)]
    paths = dict.fromkeys(_path(facts, i) for i in live)
    for path in paths:
        evidence = some(facts.file_evidence(i) for i in live if _path(facts, i) == path)
        yield Finding(
            finding_id,
            "fails",
            "certain",
            f"{path} {what}",
            why,
            cure,
            "files.img",
            evidence,
        )
