"""Netlink messages as lines: what `ip … save` and CRIU's dump of connection tracking contain.

Layouts are those of the kernel's uapi headers linux/netlink.h, if_addr.h, rtnetlink.h, fib_rules.h
and netfilter/nfnetlink_conntrack.h; netlink is in the byte order of the dump host, conntrack's
numbers are in network order.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Iterator, Mapping

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.criu.reader import Reader

MAX_MESSAGE = 1 << 20
"""Bytes of one message; the kernel's are a few hundred."""

HEADER = 16
"""Bytes of struct nlmsghdr."""

Attributes = Mapping[int, bytes]


def netlink_lines(
    window: ByteWindow, name: str, start: int, progress: Progress, *, aligned: bool
) -> Iterator[str]:
    """Yield one line a message, from byte `start` on; foreign text in them is not cleaned.

    `aligned`: messages begin at multiples of four bytes, as iproute2 writes them.

    Raises:
        DamagedInput: a length is wrong; the messages before were yielded.
    """
    reader = Reader(window, name)
    offset, order = start, ""
    while offset < reader.size:
        progress.tick(0)
        head = reader.take(offset, HEADER, "The head of a message")
        order = order or _order(head)
        length, kind = struct.unpack_from(order + "IH", head)
        if not HEADER <= length <= MAX_MESSAGE:
            raise DamagedInput(name, offset, f"Invalid netlink message length {length}.")
        body = reader.take(offset + HEADER, length - HEADER, "A message")
        yield message_line(kind, body, order)
        offset += -(-length // 4) * 4 if aligned else length


def _order(head: bytes) -> str:
    """Return the byte order in which the type in the head of a message is one that CRIU saves."""
    return next((o for o in "<>" if struct.unpack_from(o + "H", head, 4)[0] in MESSAGES), "<")


def message_line(kind: int, body: bytes, order: str = "<") -> str:
    """Return one message in words; `order` is the byte order of the host, as `struct` has it."""
    if kind not in MESSAGES:
        return f"message {kind} with {len(attributes(body, order))} attributes"
    head_size, describe = MESSAGES[kind]
    if len(body) < head_size:
        return f"message {kind}, cut after {len(body)} bytes"
    return describe(body[:head_size], attributes(body[head_size:], order), order)


def attributes(data: bytes, order: str = "<") -> dict[int, bytes]:
    """Return the attributes in `data` by their type; what is cut off is left out."""
    found: dict[int, bytes] = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from(order + "HH", data)
        if not 4 <= length <= len(data):
            break
        found.setdefault(kind & 0x3FFF, data[4:length])  # the top bits tell nesting and order
        data = data[-(-length // 4) * 4 :]
    return found


def _address(data: bytes | None) -> str:
    if data is None or len(data) not in (4, 16):
        return ""
    return str(ipaddress.ip_address(data))


def _number(data: bytes | None, order: str) -> int | None:
    size = {1: "B", 2: "H", 4: "I"}.get(len(data or b""), "")
    return int(struct.unpack(order + size, data or b"")[0]) if size else None


def _name(data: bytes | None) -> str:
    return (data or b"").rstrip(b"\0").decode("utf-8", "surrogateescape")


def _interface_address(head: bytes, found: Attributes, order: str) -> str:
    _family, prefix, _flags, scope, index = struct.unpack(order + "BBBBI", head)
    local = _address(found.get(2)) or _address(found.get(1)) or "?"
    words = [f"address {local}/{prefix} on interface {index}", _name(found.get(3))]
    if broadcast := _address(found.get(4)):
        words.append(f"broadcast {broadcast}")
    words.append(f"scope {SCOPES.get(scope, scope)}")
    return " ".join(filter(None, words))


def _route(head: bytes, found: Attributes, order: str) -> str:
    _family, bits, _src, _tos, table, protocol, scope, sort, _flags = struct.unpack(
        order + "BBBBBBBBI", head
    )
    target = f"{_address(found.get(1))}/{bits}" if 1 in found else "default"
    words = ["route", target] if sort == UNICAST else ["route", ROUTES.get(sort, str(sort)), target]
    for label, attribute in (("via", 5), ("from", 7)):
        if address := _address(found.get(attribute)):
            words += [label, address]
    for label, attribute in (("interface", 4), ("metric", 6)):
        if (value := _number(found.get(attribute), order)) is not None:
            words += [label, str(value)]
    number = _number(found.get(15), order)
    words += ["table", TABLES.get(number or table, str(number or table))]
    words += ["by", PROTOCOLS.get(protocol, str(protocol))]
    return " ".join([*words, f"scope {SCOPES.get(scope, scope)}"])


def _rule(head: bytes, found: Attributes, order: str) -> str:
    _family, to_bits, from_bits, _tos, table, _r1, _r2, action, _flags = struct.unpack(
        order + "BBBBBBBBI", head
    )
    source = f"{_address(found.get(2))}/{from_bits}" if 2 in found else "all"
    words = [f"rule {_number(found.get(6), order) or 0}: from {source}"]
    if 1 in found:
        words.append(f"to {_address(found.get(1))}/{to_bits}")
    if interface := _name(found.get(3)):
        words.append(f"interface {interface}")
    if (mark := _number(found.get(10), order)) is not None:
        words.append(f"mark {mark:#x}")
    number = _number(found.get(15), order) or table
    lookup = f"lookup {TABLES.get(number, number)}"
    return " ".join([*words, lookup if action == LOOKUP else f"action {action}"])


def _connection(_head: bytes, found: Attributes, order: str) -> str:
    words = ["connection", _tuple(found.get(1), order)]
    if (status := _number(found.get(3), ">")) is not None:
        words.append(f"status {status:#x}")
    if (timeout := _number(found.get(7), ">")) is not None:
        words.append(f"timeout {timeout} s")
    return " ".join(words)


def _expectation(_head: bytes, found: Attributes, order: str) -> str:
    return f"expected {_tuple(found.get(2), order)} of {_tuple(found.get(1), order)}"


def _tuple(data: bytes | None, order: str) -> str:
    """Return protocol and both ends of a conntrack tuple."""
    parts = attributes(data or b"", order)
    place = attributes(parts.get(1, b""), order)
    protocol = attributes(parts.get(2, b""), order)
    number = _number(protocol.get(1), order) or 0
    ends = []
    for addresses, port_kind in (((1, 3), 2), ((2, 4), 3)):
        address = next((a for kind in addresses if (a := _address(place.get(kind)))), "?")
        port = _number(protocol.get(port_kind), ">")
        shown = f"[{address}]" if ":" in address else address
        ends.append(shown if port is None else f"{shown}:{port}")
    return f"{IP_PROTOCOLS.get(number, number)} {' → '.join(ends)}"


UNICAST, LOOKUP = 1, 1

SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
TABLES = {253: "default", 254: "main", 255: "local"}
PROTOCOLS = {1: "redirect", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp"}
ROUTES = {2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole"}
ROUTES |= {7: "unreachable", 8: "prohibit", 9: "throw", 10: "nat"}
IP_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 47: "gre", 58: "icmpv6", 132: "sctp"}

Describe = Callable[[bytes, Attributes, str], str]

MESSAGES: Mapping[int, tuple[int, Describe]] = {
    20: (8, _interface_address),
    24: (12, _route),
    32: (12, _rule),
    0x100: (4, _connection),
    0x200: (4, _expectation),
}
"""Type of a message to the bytes of its own head and what tells it."""
