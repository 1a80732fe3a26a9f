"""The system call in which a thread was waiting when it was dumped, told by its registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ckpt_tui.criu.syscalls import syscall_of
from ckpt_tui.criu.values import describe

if TYPE_CHECKING:
    from ckpt_tui.criu.schema.process_pb2 import core_entry

EINTR = 4

RESTART = range(512, 517)
"""Errors inside the kernel that ask for the call to be made again (ERESTARTSYS and its like)."""

RESTART_SYSCALL = 219
"""x86-64's restart_syscall, which goes on with a call that had a timeout."""

TRAP_SYSCALL, TRAP_SCV = 0xC00, 0x3000
"""On ppc64 the two ways into the kernel by a call (arch/powerpc/include/asm/interrupt.h)."""

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
    arch: str = ""
    """By which the values of its arguments have their names."""

    def text(self, of_descriptor: Callable[[int], str] = lambda _: "") -> str:
        """Return `wait4(pid -1, status 0x7ffe06ac44c, options 0, rusage 0)`; `of_descriptor` says
        what a descriptor leads to, "" for none. A call that is not certain has ? behind it."""
        words = []
        for name, value in self.arguments:
            is_descriptor = name.endswith("fd") or name.startswith("fd_")
            known = of_descriptor(value) if is_descriptor else ""
            shown = argument_text(name, value, self.name, self.arch)
            words.append(f"{name} {shown}" + (f" → {known}" if known else ""))
        return f"{self.name}({', '.join(words)})" + ("" if self.certain else " ?")


ARGUMENT_TABLES = {
    "timer.clock_id": ("clockid", ""),
    "signal": ("sig", ""),
    "mmap.prot": ("prot", ""),
    "futex.op": ("op", "futex futex_time64"),
    "wait.options": ("options", "wait4 waitpid waitid"),
    "wait.idtype": ("idtype", "waitid"),
    "timer.flags": ("flags", "clock_nanosleep clock_nanosleep_time64"),
    "rfile.flags": ("flags", "open openat"),
    "accept.flags": ("flags", "accept4"),
    "msg.flags": ("flags", "recv recvfrom recvmsg recvmmsg send sendto sendmsg sendmmsg"),
    "fcntl.cmd": ("cmd", "fcntl fcntl64"),
    "flock.op": ("operation", "flock"),
    "epoll.op": ("op", "epoll_ctl"),
    "msgrcv.flags": ("msgflg", "msgrcv"),
    "splice.flags": ("flags", "splice tee vmsplice"),
}
"""Table with the names of values to the argument that has them, and of which calls; empty: any."""

ARGUMENT_NAMES = {
    (call, argument): table
    for table, (argument, calls) in ARGUMENT_TABLES.items()
    for call in calls.split() or ("",)
}
"""Call (any, if empty) and argument to its table."""


def argument_text(name: str, value: int, call: str = "", arch: str = "") -> str:
    """Return the value of an argument by its name where it has one; else small numbers decimal,
    with their sign, others as hex."""
    table = ARGUMENT_NAMES.get((call, name)) or ARGUMENT_NAMES.get(("", name))
    if table is not None:
        return describe(table, value & 0xFFFFFFFF, arch).replace(" ", "")
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
    if arch in ("x86_64", "i386"):
        return _blocked_x86(core) if arch == "x86_64" else _blocked_i386(core)
    found = _others(core, arch) if arch in OTHERS else None
    return _call(arch, *found, certain=False) if found else None


def _blocked_x86(core: core_entry) -> BlockedCall | None:
    regs = core.thread_info.gpregs
    if not core.HasField("thread_info") or regs.orig_ax >> 63:
        return None
    if regs.ax != RESTART_SYSCALL and not _again(regs.ax, regs.orig_ax, 64):
        return None
    words = (regs.di, regs.si, regs.dx, regs.r10, regs.r8, regs.r9)
    return _call("x86_64", regs.orig_ax, words, certain=True)


def _blocked_i386(core: core_entry) -> BlockedCall | None:
    regs = core.thread_info.gpregs
    number = regs.orig_ax & 0xFFFFFFFF
    if number >> 31 or not _again(regs.ax & 0xFFFFFFFF, number, 32):
        return None
    words = (regs.bx, regs.cx, regs.dx, regs.si, regs.di, regs.bp)
    return _call("i386", number, [word & 0xFFFFFFFF for word in words], certain=True)


def _again(result: int, number: int, bits: int) -> bool:
    """Tell whether the call is to be made again: CRIU sets ax to the number for that, or to an
    error where it cannot be."""
    error = (1 << bits) - result
    return result == number or error == EINTR or error in RESTART


def _others(core: Any, arch: str) -> tuple[int, Sequence[int]] | None:
    """Return the number of the call and the registers with its arguments; None where there is
    none. The registers of these architectures do not tell a call from a leftover."""
    regs = getattr(core, f"ti_{arch}").gpregs
    match arch:
        case "arm" if regs.pc:
            return regs.r7, (regs.orig_r0, regs.r1, regs.r2, regs.r3, regs.r4, regs.r5)
        case "aarch64" if len(regs.regs) >= 9:
            return regs.regs[8], regs.regs[:6]
        case "riscv64" if regs.pc:
            return regs.a7, (regs.a0, regs.a1, regs.a2, regs.a3, regs.a4, regs.a5)
        case "loongarch64" if len(regs.regs) >= 12:
            return regs.regs[11], regs.regs[4:10]
        case "ppc64" if len(regs.gpr) >= 9 and regs.trap & ~0xF in (TRAP_SYSCALL, TRAP_SCV):
            return regs.gpr[0], (regs.orig_gpr3, *regs.gpr[4:9])
        case "s390" if len(regs.gprs) >= 8 and regs.system_call:
            # that of PTRACE_GET_SYSTEM_CALL; its upper half has the length of the instruction
            number = regs.system_call & 0xFFFF or regs.gprs[1]
            return number, (regs.orig_gpr2, *regs.gprs[3:8])
        case "mips" if regs.cp0_epc:
            return regs.r2, (regs.r4, regs.r5, regs.r6, regs.r7, regs.r8, regs.r9)
    return None


OTHERS = ("arm", "aarch64", "riscv64", "loongarch64", "ppc64", "s390", "mips")


def _call(arch: str, number: int, words: Sequence[int], *, certain: bool) -> BlockedCall | None:
    syscall = syscall_of(arch, number)
    if syscall is None:
        return BlockedCall(number, f"system call {number}", (), certain) if certain else None
    arguments = tuple(zip(syscall.arguments, words, strict=False))
    return BlockedCall(number, syscall.name, arguments, certain, arch)
