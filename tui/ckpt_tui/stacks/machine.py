"""What is different from one processor to the next: names, numbers and places of registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ckpt_tui.core.errors import CkptError


@dataclass(frozen=True, slots=True)
class Machine:
    """One architecture whose threads can be written to a core file and unwound."""

    name: str
    """As `Host.arch` has it."""
    elf_machine: int
    """e_machine of its ELF files."""
    in_core: tuple[str, ...]
    """General registers under CRIU's names, in the order of the kernel's `elf_gregset_t`."""
    by_dwarf: tuple[str, ...]
    """General registers by their number in DWARF; the program counter is last on both."""
    stack_pointer: str
    program_counter: str
    frame_pointer: str
    link: str
    """Register with the return address in a function that called no other; empty: on the stack."""
    restorer: bytes
    """Code that returns from a signal handler: the number of rt_sigreturn and the call."""
    signal_context: Mapping[str, int]
    """Where the kernel saved each register, in bytes from the stack pointer in the restorer."""
    signature: int = 0
    """Bits of an address that may hold a pointer authentication code."""

    def plain(self, address: int) -> int:
        """Return a return address without its pointer authentication code."""
        return address if address >> 63 else address & ~self.signature


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _saved(start: int, names: str) -> dict[str, int]:
    return {name: start + 8 * number for number, name in enumerate(names.split())}


_X = " ".join(f"x{number}" for number in range(31))

X86_64 = Machine(
    "x86_64",
    62,
    _names(
        "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss "
        "fs_base gs_base ds es fs gs"
    ),
    _names("ax dx cx bx si di bp sp r8 r9 r10 r11 r12 r13 r14 r15 ip"),
    "sp",
    "ip",
    "bp",
    "",
    b"\x48\xc7\xc0\x0f\0\0\0\x0f\x05",
    # the ucontext of struct rt_sigframe, whose return address is popped by then
    # (arch/x86/include/uapi/asm/sigcontext.h, struct sigcontext_64)
    _saved(40, "r8 r9 r10 r11 r12 r13 r14 r15 di si bp bx dx ax cx sp ip"),
)

AARCH64 = Machine(
    "aarch64",
    183,
    _names(f"{_X} sp pc pstate"),
    _names(f"{_X} sp pc"),
    "sp",
    "pc",
    "x29",
    "x30",
    b"\x68\x11\x80\xd2\x01\0\0\xd4",
    # siginfo, and the ucontext behind it (arch/arm64/kernel/signal.c, struct rt_sigframe)
    _saved(128 + 176 + 8, f"{_X} sp pc"),
    0x7F << 48,
)

MACHINES = {machine.name: machine for machine in (X86_64, AARCH64)}


def machine_of(arch: str, what: str) -> Machine:
    """Return the machine of an architecture.

    Raises:
        CkptError: it is not one of MACHINES; `what` says what cannot be done then.
    """
    found = MACHINES.get(arch)
    if found is None:
        raise CkptError(
            f"{what}:",
            f"the checkpoint is of {arch or 'an unknown architecture'}.",
            f"Known are {' and '.join(MACHINES)}.",
        )
    return found
