"""The notes of a core file: registers, process, auxiliary vector and mapped files.

As Linux writes them: fs/binfmt_elf.c (`fill_note_info`, `write_note_info`), include/linux/elfcore.h
and, for the numbers, include/uapi/linux/elf.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ckpt_tui.checkpoint.model import Process, Region
from ckpt_tui.checkpoint.processes import registers
from ckpt_tui.stacks.machine import X86_64, Machine

NT_PRSTATUS = 1
NT_FPREGSET = 2
NT_PRPSINFO = 3
NT_AUXV = 6
NT_FILE = 0x46494C45
NT_SIGINFO = 0x53494749
NT_X86_XSTATE = 0x202
NT_ARM_TLS = 0x401
NT_ARM_PAC_MASK = 0x406
NT_ARM_PACA_KEYS = 0x407
NT_ARM_PACG_KEYS = 0x408
NT_ARM_PAC_ENABLED_KEYS = 0x40A

CORE, LINUX = b"CORE", b"LINUX"

STATES = {"sleeping": (1, b"S"), "stopped": (3, b"T"), "zombie": (4, b"Z")}
"""pr_state and pr_sname of a process that does not run."""

SIGINFO_SIZE = 128

PAC_MASK = 0x7F << 48
"""Bits of an address that hold its signature, for addresses of 48 bits."""

_XSTATE_PARTS = (
    # field of user_x86_xsave_entry, format of a value, place in the area, bits of XCR0
    ("ymmh_space", "I", 576, 0x4),
    ("bndreg_state", "Q", 960, 0x8),
    ("bndcsr_state", "Q", 1024, 0x10),
    ("opmask_reg", "Q", 1088, 0x20),
    ("zmm_upper", "Q", 1152, 0x40),
    ("hi16_zmm", "Q", 1664, 0x80),
    ("pkru", "I", 2688, 0x200),
)
_XSTATE_SIZES = ((0x200, 2696), (0xE0, 2688), (0x18, 1088), (0x4, 832), (0, 576))
"""Bits of XCR0 and the size of the area where one is set: debuggers tell the layout by both."""

XCR0_PLACE = 464
"""Where the kernel leaves XCR0 for debuggers (arch/x86/include/asm/user.h)."""


@dataclass(frozen=True, slots=True)
class Task:
    """A process with what its images say of it beyond the model."""

    process: Process
    machine: Machine
    cores: Sequence[tuple[int, Any]]
    """Thread id and core_entry, the leader first."""
    auxv: Sequence[int]
    regions: Sequence[Region]
    page_size: int


def notes_of(task: Task) -> Iterator[bytes]:
    """Yield the notes in the kernel's order: of the leader, of the process, of other threads.

    Debuggers take NT_SIGINFO for one of the thread whose NT_PRSTATUS it follows; the kernel writes
    only that of the signal that ended the process.
    """
    leader = task.cores[:1]
    for tid, core in leader:
        yield _note(NT_PRSTATUS, _status(task, tid, core))
    yield _note(NT_PRPSINFO, _information(task))
    for _, core in leader:
        yield from _siginfo(core)
    yield _note(NT_AUXV, b"".join(_word(value) for value in task.auxv) or bytes(16))
    if any(region.path for region in task.regions):
        yield _note(NT_FILE, _mapped_files(task.regions, task.page_size))
    for tid, core in task.cores:
        if tid != leader[0][0]:
            yield _note(NT_PRSTATUS, _status(task, tid, core))
            yield from _siginfo(core)
        yield from _more_registers(task.machine, core)


def _siginfo(core: Any) -> Iterator[bytes]:
    for siginfo in _pending(core)[:1]:
        yield _note(NT_SIGINFO, siginfo[:SIGINFO_SIZE].ljust(SIGINFO_SIZE, b"\0"))


def _note(kind: int, data: bytes, owner: bytes = CORE) -> bytes:
    name = owner + b"\0"
    head = struct.pack("<III", len(name), len(data), kind)
    return head + name.ljust(8, b"\0") + data + bytes(-len(data) % 4)


def _word(value: int) -> bytes:
    return (value & (1 << 64) - 1).to_bytes(8, "little")


def _status(task: Task, tid: int, core: Any) -> bytes:
    """Return struct elf_prstatus."""
    pending = _pending(core)
    numbers = [int.from_bytes(one[:4], "little") for one in pending]
    mask = core.thread_core.blk_sigset or core.tc.blk_sigset
    signal = numbers[0] if numbers and tid == task.process.pid else 0
    waiting = sum({1 << number - 1 for number in numbers if 0 < number <= 64})
    process = task.process
    head = struct.pack("<iiihHQQ", signal, 0, 0, signal & 0x7FFF, 0, waiting, mask)
    ids = struct.pack("<4I", tid, process.ppid, process.pgid, process.sid)
    values = registers(core)
    words = b"".join(_word(values.get(name, 0)) for name in task.machine.in_core)
    return head + ids + bytes(64) + words + struct.pack("<II", 1, 0)


def _information(task: Task) -> bytes:
    """Return struct elf_prpsinfo."""
    process = task.process
    asleep = process.state == "running" and any(t.blocked_in for t in process.threads[:1])
    state, letter = STATES.get("sleeping" if asleep else process.state, (0, b"R"))
    who = process.credentials
    nice = next((thread.nice for thread in process.threads), 0)
    return struct.pack(
        "<BcBb4xQ6I16s80s",
        state,
        letter,
        letter == b"Z",
        max(-128, min(nice, 127)),
        0,
        who.uid & 0xFFFFFFFF if who else 0,
        who.gid & 0xFFFFFFFF if who else 0,
        process.pid,
        process.ppid,
        process.pgid,
        process.sid,
        process.comm.encode("utf-8", "surrogateescape")[:15],
        b" ".join(process.argv or ())[:79],
    )


def _pending(core: Any) -> list[bytes]:
    """Return the siginfo of each signal that waits for a thread or for its process."""
    queues = (core.thread_core.signals_p.signals, core.tc.signals_s.signals)
    return [one.siginfo for queue in queues for one in queue if len(one.siginfo) >= 4]


def _mapped_files(regions: Iterable[Region], page_size: int) -> bytes:
    """Return the contents of NT_FILE (Documentation: `fill_files_note` in fs/binfmt_elf.c)."""
    mapped = [region for region in regions if region.path]
    places = b"".join(
        struct.pack("<QQQ", region.start, region.end, region.offset // page_size)
        for region in mapped
    )
    names = b"".join(_name(region.path) + b"\0" for region in mapped)
    return struct.pack("<QQ", len(mapped), page_size) + places + names


def _name(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape").replace(b"\0", b"?")


def _more_registers(machine: Machine, core: Any) -> Iterator[bytes]:
    if machine is X86_64:
        yield from _x86_notes(core.thread_info.fpregs)
    else:
        yield from _arm_notes(core.ti_aarch64)


def _words(values: Iterable[int], form: str, count: int) -> bytes:
    size = struct.calcsize(form) * count
    mask = (1 << 8 * struct.calcsize(form)) - 1
    data = b"".join(struct.pack("<" + form, value & mask) for value in list(values)[:count])
    return data.ljust(size, b"\0")


def _x86_notes(saved: Any) -> Iterator[bytes]:
    legacy = struct.pack(
        "<HHHHQQII",
        saved.cwd & 0xFFFF,
        saved.swd & 0xFFFF,
        saved.twd & 0xFFFF,
        saved.fop & 0xFFFF,
        saved.rip,
        saved.rdp,
        saved.mxcsr,
        saved.mxcsr_mask,
    )
    legacy += _words(saved.st_space, "I", 32) + _words(saved.xmm_space, "I", 64)
    legacy += _words(saved.padding, "I", 24)
    yield _note(NT_FPREGSET, legacy)
    if saved.HasField("xsave"):
        yield _note(NT_X86_XSTATE, _xstate(legacy, saved.xsave), LINUX)


def _xstate(legacy: bytes, xsave: Any) -> bytes:
    """Return the XSAVE area in the layout that does without CPUID (Intel SDM vol. 1, 13.4)."""
    xcr0, parts = 3, []
    for field, form, place, bit in _XSTATE_PARTS:
        values = getattr(xsave, field)
        if len(values) and (bit not in (0x8, 0x10) or any(values)):
            xcr0 |= bit
            parts.append((place, _words(values, form, len(values))))
    size = next(size for bits, size in _XSTATE_SIZES if xcr0 & bits or not bits)
    area = bytearray(size)
    area[:512] = legacy
    area[XCR0_PLACE : XCR0_PLACE + 8] = _word(xcr0)
    area[512:520] = _word(xsave.xstate_bv & xcr0)
    for place, data in parts:
        end = min(place + len(data), size)
        area[place:end] = data[: end - place]
    return bytes(area)


def _arm_notes(saved: Any) -> Iterator[bytes]:
    vectors = _words(saved.fpsimd.vregs, "Q", 64)
    yield _note(NT_FPREGSET, vectors + struct.pack("<IIQ", saved.fpsimd.fpsr, saved.fpsimd.fpcr, 0))
    yield _note(NT_ARM_TLS, _word(saved.tls), LINUX)
    if not saved.HasField("pac_keys"):
        return
    yield _note(NT_ARM_PAC_MASK, _word(PAC_MASK) * 2, LINUX)
    address = saved.pac_keys.pac_address_keys
    keys = ("apia", "apib", "apda", "apdb")
    words = [getattr(address, f"{key}key_{half}") for key in keys for half in ("lo", "hi")]
    yield _note(NT_ARM_PACA_KEYS, _words(words, "Q", 8), LINUX)
    generic = saved.pac_keys.pac_generic_keys
    yield _note(NT_ARM_PACG_KEYS, _words((generic.apgakey_lo, generic.apgakey_hi), "Q", 2), LINUX)
    yield _note(NT_ARM_PAC_ENABLED_KEYS, _word(address.pac_enabled_key), LINUX)
