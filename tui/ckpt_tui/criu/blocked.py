"""The system call in which a thread was waiting when it was dumped, told by its registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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

    @property
    def text(self) -> str:
        """`wait4(pid -1, status 0x7ffe06ac44c, options 0, rusage 0)`."""
        parts = (f"{name} {self.value_text(name, value)}" for name, value in self.arguments)
        return f"{self.name}({', '.join(parts)})"

    def value_text(self, argument: str, value: int) -> str:
        """Return the value of an argument as a person reads it."""
        return argument_text(argument, value, self.name, self.arch)


ARGUMENT_NAMES = {
    ("", "clockid"): "timer.clock_id",
    ("", "sig"): "signal",
    ("", "prot"): "mmap.prot",
    ("futex", "op"): "futex.op",
    ("futex_time64", "op"): "futex.op",
    ("wait4", "options"): "wait.options",
    ("waitpid", "options"): "wait.options",
    ("waitid", "options"): "wait.options",
    ("clock_nanosleep", "flags"): "timer.flags",
    ("clock_nanosleep_time64", "flags"): "timer.flags",
    ("waitid", "idtype"): "wait.idtype",
    ("open", "flags"): "rfile.flags",
    ("openat", "flags"): "rfile.flags",
    ("accept4", "flags"): "accept.flags",
    ("recv", "flags"): "msg.flags",
    ("recvfrom", "flags"): "msg.flags",
    ("recvmsg", "flags"): "msg.flags",
    ("recvmmsg", "flags"): "msg.flags",
    ("send", "flags"): "msg.flags",
    ("sendto", "flags"): "msg.flags",
    ("sendmsg", "flags"): "msg.flags",
    ("sendmmsg", "flags"): "msg.flags",
    ("fcntl", "cmd"): "fcntl.cmd",
    ("fcntl64", "cmd"): "fcntl.cmd",
    ("flock", "operation"): "flock.op",
    ("epoll_ctl", "op"): "epoll.op",
    ("msgrcv", "msgflg"): "msgrcv.flags",
    ("splice", "flags"): "splice.flags",
    ("tee", "flags"): "splice.flags",
    ("vmsplice", "flags"): "splice.flags",
}
"""Call (any, if empty) and argument to the table that has the names of its values."""


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
    found = _FOUND.get(arch_of(core))
    return found(core) if found else None


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


def _blocked_arm(core: core_entry) -> BlockedCall | None:
    regs = core.ti_arm.gpregs
    words = (regs.orig_r0, regs.r1, regs.r2, regs.r3, regs.r4, regs.r5)
    return _call("arm", regs.r7, words, certain=False) if regs.pc else None


def _blocked_aarch64(core: core_entry) -> BlockedCall | None:
    regs = core.ti_aarch64.gpregs.regs
    return _call("aarch64", regs[8], regs[:6], certain=False) if len(regs) >= 9 else None


def _blocked_riscv64(core: core_entry) -> BlockedCall | None:
    regs = core.ti_riscv64.gpregs
    words = (regs.a0, regs.a1, regs.a2, regs.a3, regs.a4, regs.a5)
    return _call("riscv64", regs.a7, words, certain=False) if regs.pc else None


def _blocked_loongarch64(core: core_entry) -> BlockedCall | None:
    regs = core.ti_loongarch64.gpregs.regs
    return _call("loongarch64", regs[11], regs[4:10], certain=False) if len(regs) >= 12 else None


def _blocked_ppc64(core: core_entry) -> BlockedCall | None:
    regs = core.ti_ppc64.gpregs
    if len(regs.gpr) < 9 or regs.trap & ~0xF not in (TRAP_SYSCALL, TRAP_SCV):
        return None
    return _call("ppc64", regs.gpr[0], (regs.orig_gpr3, *regs.gpr[4:9]), certain=False)


def _blocked_s390(core: core_entry) -> BlockedCall | None:
    regs = core.ti_s390.gpregs
    if len(regs.gprs) < 8 or not regs.system_call:
        return None
    # the word is that of PTRACE_GET_SYSTEM_CALL; its upper half has the length of the instruction
    number = regs.system_call & 0xFFFF or regs.gprs[1]
    return _call("s390", number, (regs.orig_gpr2, *regs.gprs[3:8]), certain=False)


def _blocked_mips(core: core_entry) -> BlockedCall | None:
    regs = core.ti_mips.gpregs
    words = (regs.r4, regs.r5, regs.r6, regs.r7, regs.r8, regs.r9)
    return _call("mips", regs.r2, words, certain=False) if regs.cp0_epc else None


_FOUND: Mapping[str, Callable[[core_entry], BlockedCall | None]] = {
    "x86_64": _blocked_x86,
    "i386": _blocked_i386,
    "arm": _blocked_arm,
    "aarch64": _blocked_aarch64,
    "riscv64": _blocked_riscv64,
    "loongarch64": _blocked_loongarch64,
    "ppc64": _blocked_ppc64,
    "s390": _blocked_s390,
    "mips": _blocked_mips,
}
"""Architecture to how its registers are read."""


def _call(arch: str, number: int, words: Sequence[int], *, certain: bool) -> BlockedCall | None:
    syscall = syscall_of(arch, number)
    if syscall is None:
        return BlockedCall(number, f"system call {number}", (), certain) if certain else None
    arguments = tuple(zip(syscall.arguments, words, strict=False))
    return BlockedCall(number, syscall.name, arguments, certain, arch)
