"""The system call in which a thread was waiting when it was dumped, told by its registers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ckpt_tui.criu.syscalls import syscall_of

if TYPE_CHECKING:
    from ckpt_tui.criu.schema.process_pb2 import core_entry

EINTR = 4

RESTART = range(512, 517)
"""Errors inside the kernel that ask for the call to be made again (ERESTARTSYS and its like)."""

RESTART_SYSCALL = 219
"""x86-64's restart_syscall, which goes on with a call that had a timeout."""

AT_FDCWD = -100


@dataclass(frozen=True, slots=True)
class BlockedCall:
    """A system call with its arguments."""

    number: int
    name: str
    arguments: tuple[tuple[str, int], ...]
    """Name and value as the register has it."""
    certain: bool
    """False where the registers do not tell a call from a leftover of the last one: everywhere but
    on x86-64."""

    @property
    def text(self) -> str:
        """`wait4(pid -1, status 0x7ffe06ac44c, options 0, rusage 0)`."""
        parts = (f"{name} {argument_text(name, value)}" for name, value in self.arguments)
        return f"{self.name}({', '.join(parts)})"


def argument_text(name: str, value: int) -> str:
    """Return the value of an argument: small numbers decimal, with their sign, others as hex."""
    signed = value - (1 << 64) if value >> 63 else value
    if 0xFFFFF000 <= value <= 0xFFFFFFFF:  # an int of 32 bits
        signed = value - (1 << 32)
    if signed == AT_FDCWD and "dirfd" in name:
        return "AT_FDCWD"
    return str(signed) if -4096 <= signed < 65536 else f"{value:#x}"


def arch_of(core: core_entry) -> str:
    """Return the architecture of a thread: `x86_64`, `aarch64` …, `i386` for 32-bit processes."""
    name = type(core).march.Name(core.mtype) if core.mtype in type(core).march.values() else ""
    if name == "X86_64" and core.thread_info.gpregs.mode == 2:
        return "i386"
    return name.lower()


def blocked_in(core: core_entry) -> BlockedCall | None:
    """Return the system call that a thread was blocked in.

    None: it ran in user space, it is a zombie, or the architecture's numbers are not known here.
    """
    arch = arch_of(core)
    if arch == "x86_64":
        return _blocked_x86(core)
    if arch == "aarch64":
        regs = core.ti_aarch64.gpregs.regs
        return _call(arch, regs[8], regs[:6], certain=False) if len(regs) >= 9 else None
    if arch == "riscv64":
        found = core.ti_riscv64.gpregs
        words = (found.a0, found.a1, found.a2, found.a3, found.a4, found.a5)
        return _call(arch, found.a7, words, certain=False) if found.pc else None
    if arch == "loongarch64":
        regs = core.ti_loongarch64.gpregs.regs
        return _call(arch, regs[11], regs[4:10], certain=False) if len(regs) >= 12 else None
    return None


def _blocked_x86(core: core_entry) -> BlockedCall | None:
    regs = core.thread_info.gpregs
    if not core.HasField("thread_info") or regs.orig_ax >> 63:
        return None
    # CRIU sets ax to the number so that the call is made again, or to an error where it cannot be
    error = (1 << 64) - regs.ax
    if regs.ax not in (regs.orig_ax, RESTART_SYSCALL) and error != EINTR and error not in RESTART:
        return None
    words = (regs.di, regs.si, regs.dx, regs.r10, regs.r8, regs.r9)
    return _call("x86_64", regs.orig_ax, words, certain=True)


def _call(arch: str, number: int, words: Sequence[int], *, certain: bool) -> BlockedCall | None:
    syscall = syscall_of(arch, number)
    if syscall is None:
        return BlockedCall(number, f"system call {number}", (), certain) if certain else None
    arguments = tuple(zip(syscall.arguments, words, strict=False))
    return BlockedCall(number, syscall.name, arguments, certain)
