"""Values as text: flags, signals, capabilities, devices, addresses.

Nothing is lost on the way: a bit without a name stays as hexadecimal number, a value without a name
as the number.
"""

from __future__ import annotations

import functools
import stat
from collections.abc import Sequence
from typing import NamedTuple

from ckpt_tui.criu.names import bits_of, by_value, table_of
from ckpt_tui.criu.reader import ByteOrder

SIGRTMIN = 32
"""First real-time signal in the kernel; C libraries take the first two for themselves."""

HUGE_SHIFT = 26
"""Lowest of the six mmap flag bits that hold the logarithm of a huge page's size."""


class Host(NamedTuple):
    """What values depend on: the host that was dumped."""

    arch: str = ""
    """`x86_64`, `aarch64`, `mips` …; empty is like most."""
    byte_order: ByteOrder = "little"


ANY_HOST = Host()
"""A little-endian host without peculiar values."""


def text(value: str | bytes) -> str:
    """Return a `string` field as text; bytes that are no UTF-8 become surrogate escapes."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


@functools.lru_cache(maxsize=4096)
def flag_names(table: str, value: int, arch: str = "") -> tuple[str, ...]:
    """Return the names of the bits in `value`; the rest as one hexadecimal number."""
    names = []
    rest = value
    if table == "rfile.flags" and not value & 3:
        names.append("O_RDONLY")
    if (
        table == "mmap.flags"
        and rest >> HUGE_SHIFT
        and "MAP_HUGETLB" in flag_names(table, rest & 0x3FFFFFF)
    ):
        names.append(f"MAP_HUGE_{_power_of_two(rest >> HUGE_SHIFT)}")
        rest &= 0x3FFFFFF
    for entry in bits_of(table, arch):
        if rest & entry.value == entry.value:
            names.append(entry.name)
            rest &= ~entry.value
    order = {entry.name: position for position, entry in enumerate(table_of(table, arch))}
    names.sort(key=lambda name: order.get(name, -1 if name == "O_RDONLY" else len(order)))
    return (*names, f"{rest:#x}") if rest else tuple(names)


def _power_of_two(exponent: int) -> str:
    unit = min(exponent // 10, 4)
    return f"{1 << (exponent - 10 * unit)}{('', 'KB', 'MB', 'GB', 'TB')[unit]}"


def value_name(table: str, value: int, arch: str = "") -> str:
    """Return the name of `value`, with the names of bits that the table adds to it; a number where
    there is none."""
    names = by_value(table, arch)
    if value in names:
        return names[value]
    added = []
    for entry in bits_of(table, arch):
        if value & entry.value:
            added.append(entry.name)
            value &= ~entry.value
    return " | ".join([names.get(value, str(value)), *added])


@functools.cache
def is_flags(table: str) -> bool:
    """Tell whether the table holds bits and no values."""
    names = table_of(table)
    return bool(names) and all(entry.kind != "value" for entry in names)


ZERO = {"mmap.prot": "PROT_NONE"}
"""Tables of bits in which no bit at all has a name."""


def describe(table: str, value: int, arch: str = "") -> str:
    """Return flags joined by ` | ` (`0` if there are none), or the name of a value.

    Takes the names of rules as well: signal, signal_mask, task_state, wait_status, stat_device,
    kernel_device, file_mode, huge_page, address.
    """
    match table:
        case "signal":
            return signal_name(value, arch) if value else "0"
        case "signal_mask":
            return " | ".join(signal_names(value, arch)) or "0"
        case "task_state":
            return task_state(value)
        case "wait_status":
            return wait_status(value)
        case "stat_device":
            return device(value, old=True)
        case "kernel_device":
            return device(value)
        case "address":
            return f"{value:#x}"
        case "file_mode":
            return file_mode(value)
        case "huge_page":
            return huge_page(value)
    if is_flags(table):
        return " | ".join(flag_names(table, value, arch)) or ZERO.get(table, "0")
    return value_name(table, value, arch)


def huge_page(flag: int) -> str:
    """Return the size that the bits of a huge page stand for, `0` where they are not set."""
    size, rest = flag >> HUGE_SHIFT, flag & (1 << HUGE_SHIFT) - 1
    names = [f"MAP_HUGE_{_power_of_two(size)}"] if 10 <= size < 64 else []
    return " | ".join(names) if names and not rest else f"{flag:#x}" if flag else "0"


def signal_name(number: int, arch: str = "") -> str:
    """Return `SIGTERM`, `SIGRTMIN+2` (from the kernel's first, 32), or the number as text."""
    name = by_value("signal", arch).get(number)
    last = 127 if arch == "mips" else 64
    if name is None and SIGRTMIN <= number <= last:
        offset = number - SIGRTMIN
        return f"SIGRTMIN+{offset}" if offset else "SIGRTMIN"
    return name or str(number)


def signal_names(mask: int, arch: str = "") -> tuple[str, ...]:
    """Return the signals in a mask, in which bit n-1 is signal n."""
    return tuple(signal_name(bit + 1, arch) for bit in range(mask.bit_length()) if mask >> bit & 1)


def sigaction_signal(position: int) -> int:
    """Return the signal that a position in the list of handlers is for: 9 and 19 are left out."""
    return position + (1 if position < 8 else 2 if position < 17 else 3)


def capability_names(words: Sequence[int]) -> tuple[str, ...]:
    """Return the capabilities in a set of 32-bit words, low word first."""
    names = by_value("capability")
    value = sum((word & 0xFFFFFFFF) << 32 * position for position, word in enumerate(words))
    return tuple(
        names.get(bit, f"CAP_{bit}") for bit in range(value.bit_length()) if value >> bit & 1
    )


def limit_name(position: int, arch: str = "") -> str:
    """Return the resource that a position in the list of limits is for."""
    return value_name("rlimit.index", position, arch)


def task_state(value: int) -> str:
    """Return running, zombie or stopped. A zombie is stored as dead."""
    known = {1: "running", 2: "zombie", 3: "stopped", 6: "zombie"}
    return known.get(value, f"state {value}")


def wait_status(status: int) -> str:
    """Return what the status of a zombie says, as wait(2) reads it."""
    signal = status & 0x7F
    if not signal:
        return f"exited with {status >> 8 & 0xFF}"
    return f"killed by {signal_name(signal)}" + (", core dumped" if status & 0x80 else "")


def file_mode(mode: int) -> str:
    """Return `-rw-r--r--` of a file, `0600` of what has no type: an IPC object, a umask."""
    return stat.filemode(mode) if stat.S_IFMT(mode) else f"{mode:04o}"


def control_characters(words: Sequence[int], host: Host = ANY_HOST) -> dict[str, str]:
    """Return the control characters of a terminal by name, without those that are off: `^C`, and of
    VMIN and VTIME the number."""

    data = b"".join((word & 0xFFFFFFFF).to_bytes(4, host.byte_order) for word in words)
    found: dict[str, str] = {}
    for place, name in sorted(by_value("tty.cc", host.arch).items()):
        byte = data[place] if place < len(data) else 0
        if name in ("VMIN", "VTIME"):
            found[name] = str(byte)
        elif byte:
            found[name] = f"^{chr(byte ^ 0x40)}" if byte < 32 or byte == 127 else f"{byte:#04x}"
    return found


def siginfo(data: bytes, host: Host = ANY_HOST) -> str:
    """Return what a pending signal says: `SIGTERM, SI_USER, process 7, uid 0`; empty where the
    kernel's structure is cut."""
    if len(data) < 28:
        return ""
    words = [
        int.from_bytes(data[at : at + 4], host.byte_order, signed=True) for at in range(0, 28, 4)
    ]
    signal, code = signal_name(words[0], host.arch), words[1 if host.arch == "mips" else 2]
    codes = dict(by_value("siginfo.code", host.arch))
    if signal == "SIGCHLD":
        codes |= by_value("siginfo.child")
    name = codes.get(code, f"code {code}")
    if name not in ("SI_USER", "SI_QUEUE", "SI_TKILL") and not name.startswith("CLD_"):
        return f"{signal}, {name}"
    # pointers are aligned to their size
    sender, uid = words[3:5] if host.arch == "arm" else words[4:6]
    return f"{signal}, {name}, process {sender}, uid {uid & 0xFFFFFFFF}"


def ethernet_type(value: int, byte_order: ByteOrder = "little") -> str:
    """Return the protocol of a packet socket, a number whose bytes are in network order."""
    number = int.from_bytes((value & 0xFFFF).to_bytes(2, byte_order), "big")
    name = value_name("ethernet.type", number)
    return f"{number:#06x}" if name == str(number) else name


def build_id(words: Sequence[int], byte_order: ByteOrder = "little") -> str:
    """Return the build ID of an ELF file as it is written everywhere, in hexadecimal."""
    return b"".join((word & 0xFFFFFFFF).to_bytes(4, byte_order) for word in words).hex()


def device(value: int, *, old: bool = False) -> str:
    """Return `major:minor` of a device number; `old` is the form that stat has."""
    if old:
        return f"{value >> 8 & 0xFFF}:{value & 0xFF | value >> 12 & 0xFFF00}"
    return f"{value >> 20}:{value & 0xFFFFF}"


def ip_address(words: Sequence[int], byte_order: ByteOrder = "little", family: int = 0) -> str:
    """Return the address in `words`; empty for none.

    `family` 2 takes the first word alone: v0.1 stored four of them.
    """
    import socket  # 2 ms, and few images have addresses

    data = b"".join((word & 0xFFFFFFFF).to_bytes(4, byte_order) for word in words)
    if len(data) == 4 or (family == 2 and data):
        return socket.inet_ntop(socket.AF_INET, data[:4])
    # ipaddress of Python before 3.13 writes mapped addresses as ::ffff:7f00:1
    return socket.inet_ntop(socket.AF_INET6, data) if len(data) == 16 else data.hex()


def socket_name(name: bytes) -> str:
    """Return the name of a Unix socket: `@` before an abstract one, empty for none."""
    if name.startswith(b"\0"):
        return "@" + text(name[1:])
    return text(name.removesuffix(b"\0"))


def auxiliary_vector(words: Sequence[int]) -> dict[str, int]:
    """Return the auxiliary vector by name, up to its end."""
    found: dict[str, int] = {}
    for kind, value in zip(words[::2], words[1::2], strict=False):
        if not kind:
            break
        found[value_name("auxv.type", kind)] = value
    return found
