"""Has the processor of the host what the saved registers and programs need?

xstate_bv has one bit for each part of the register file that was in use; which bit is which is the
processor's manual (Intel SDM volume 1, 13.1) and Linux's arch/x86/include/asm/fpu/types.h.
"""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.text import human_count
from ckpt_tui.criu.values import text
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding

XSTATES = (
    (2, "AVX", "avx"),
    (5, "AVX-512", "avx512f"),
    (6, "AVX-512", "avx512f"),
    (7, "AVX-512", "avx512f"),
    (9, "protection keys", "ospke"),
    (11, "shadow stacks", "user_shstk"),
    (17, "AMX", "amx_tile"),
    (18, "AMX", "amx_tile"),
)
"""Bit of xstate_bv, its name, and the flag in /proc/cpuinfo of a processor that has it."""

CAPABILITIES = (
    (0, 25, "sse"),
    (0, 26, "sse2"),
    (1, 29, "lm"),
    (4, 0, "pni"),
    (4, 9, "ssse3"),
    (4, 12, "fma"),
    (4, 19, "sse4_1"),
    (4, 20, "sse4_2"),
    (4, 22, "movbe"),
    (4, 23, "popcnt"),
    (4, 25, "aes"),
    (4, 26, "xsave"),
    (4, 28, "avx"),
    (4, 29, "f16c"),
    (4, 30, "rdrand"),
    (9, 3, "bmi1"),
    (9, 5, "avx2"),
    (9, 8, "bmi2"),
    (9, 16, "avx512f"),
    (9, 17, "avx512dq"),
    (9, 18, "rdseed"),
    (9, 19, "adx"),
    (9, 28, "avx512cd"),
    (9, 29, "sha_ni"),
    (9, 30, "avx512bw"),
    (9, 31, "avx512vl"),
)
"""Word and bit of cpuinfo.img's capabilities (Linux's cpufeatures.h) and the flag's name: those
that programs choose their code by."""

SHADOW_STACK = 0x8000
"""vma_entry.status of a shadow stack."""


def registers(facts: Facts) -> Iterator[Finding]:
    """The registers in use are there on the host."""
    host = facts.host
    if host is None or not host.cpu_flags or facts.checkpoint.criu.architecture != "x86_64":
        return
    missing: dict[str, list[int]] = {}
    for tid, core in facts.each(facts.cores.items()):
        used = core.thread_info.fpregs.xsave.xstate_bv
        for bit, name, flag in XSTATES:
            if used >> bit & 1 and flag not in host.cpu_flags:
                missing.setdefault(name, []).append(tid)
    for name, tids in missing.items():
        threads = sorted(set(tids))
        yield Finding(
            "cpu-fpu-missing",
            "fails",
            "likely",
            f"The processor of the host has no {name}, which "
            f"{human_count(len(threads), 'thread')} used",
            "CRIU stops, or the saved registers cannot be loaded.",
            "Restore on a host with the same kind of processor; show the feature to the virtual "
            "machine (host-passthrough).",
            f"core-{threads[0]}.img",
            some(Evidence(f"thread {tid}", Ref.image(f"core-{tid}.img")) for tid in threads),
        )


def shadow_stacks(facts: Facts) -> Iterator[Finding]:
    """Shadow stacks need a processor and a kernel that have them."""
    host = facts.host
    used = [(pid, vma) for pid, vma in facts.regions if vma.status & SHADOW_STACK]
    if host is not None and host.cpu_flags and used and "user_shstk" not in host.cpu_flags:
        pid, vma = used[0]
        yield Finding(
            "mem-shstk",
            "fails",
            "certain",
            "The programs run with shadow stacks, which the host does not have",
            "CRIU cannot map them.",
            "Kernel 6.6 or later on a processor with CET; or start the program without: do not "
            "turn SHSTK on in GLIBC_TUNABLES.",
            f"mm-{pid}.img",
            (Evidence(f"{vma.start:#x} of process {pid}", Ref.region(pid, vma.start)),),
        )


def instructions(facts: Facts) -> Iterator[Finding]:
    """The processor of the dump, where it is recorded, had nothing that the host lacks."""
    host, image = facts.host, facts.images.message("cpuinfo.img")
    if host is None or not host.cpu_flags or image is None or not image.x86_entry:
        return
    words = image.x86_entry[0].capability
    missing = [
        flag
        for word, bit, flag in CAPABILITIES
        if word < len(words) and words[word] >> bit & 1 and flag not in host.cpu_flags
    ]
    if missing:
        yield Finding(
            "cpu-capabilities",
            "may-fail",
            "likely",
            f"The processor of the host lacks {', '.join(missing)}",
            "With cpu-cap CRIU stops; without, a program that chose its code by them dies of "
            "SIGILL later.",
            "Restore on a host with the same kind of processor.",
            "cpuinfo.img",
            (Evidence(text(image.x86_entry[0].model_id), Ref.image("cpuinfo.img")),),
        )
