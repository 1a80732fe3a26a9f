"""What the network namespace of a host holds: bound sockets, addresses, interfaces.

Read from /proc/net, whose tables are described in Linux's Documentation/networking/proc_net_tcp.rst
and net/ipv4/fib_trie.c.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

from ckpt_tui.criu.values import ip_address
from ckpt_tui.diagnose.host_reading import read_text

LISTEN, TIME_WAIT = "0A", "06"
"""States of a socket in the tables."""
BOUND = "07"

TABLES = (
    ("tcp", "tcp", socket.AF_INET),
    ("tcp6", "tcp", socket.AF_INET6),
    ("udp", "udp", socket.AF_INET),
    ("udp6", "udp", socket.AF_INET6),
)
"""Table, protocol, family."""

MAX_SOCKETS = 20_000
"""Sockets kept of each table: a busy host may have many more connections."""


def ports(base: Path) -> tuple[str, ...] | None:
    """Return the ports that something listens on or is bound to, None where there is no table."""
    if not (base / "proc/net/tcp").exists():
        return None
    found = {
        (protocol, port)
        for protocol, state, _, port in _inet_sockets(base)
        if state == (LISTEN if protocol == "tcp" else BOUND)
    }
    return tuple(f"{protocol} {port}" for protocol, port in sorted(found))


def sockets(base: Path) -> tuple[str, ...] | None:
    """Return the addresses that sockets hold, as in `HostProfile.sockets`."""
    if not (base / "proc/net/tcp").exists():
        return None
    found: dict[str, None] = {}
    for protocol, state, address, port in _inet_sockets(base):
        if state == TIME_WAIT:
            continue
        listens = {"udp": "bound"}.get(protocol, "listen" if state == LISTEN else "connected")
        place = f"[{address}]" if ":" in address else address
        found[f"{protocol} {listens} {place}:{port}"] = None
    for line in read_text(base / "proc/net/unix").splitlines()[1 : MAX_SOCKETS + 1]:
        if named := re.match(r"\S{1,32} (?:\S{1,16} ){5} *\d{1,20} (.+)", line):
            found[f"unix bound {named.group(1)}"] = None
    return tuple(found)


def _inet_sockets(base: Path) -> Iterator[tuple[str, str, str, int]]:
    """Yield protocol, state, local address and port."""
    for table, protocol, family in TABLES:
        lines = read_text(base / "proc/net" / table).splitlines()[1 : MAX_SOCKETS + 1]
        for line in lines:
            words = line.split()
            address, _, port = words[1].rpartition(":") if len(words) > 3 else ("", "", "")
            if re.fullmatch("(?:[0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}", f"{address}:{port}"):
                numbers = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
                yield protocol, words[3], ip_address(numbers, family=family), int(port, 16)


def addresses(base: Path) -> tuple[str, ...] | None:
    """Return the IP addresses of the interfaces, None where there is no table of them."""
    table = read_text(base / "proc/net/fib_trie")
    if not table:
        return None
    found: dict[str, None] = {}
    address = ""
    for line in table.splitlines():
        if leaf := re.fullmatch(r"\s*\|-- ([0-9.]{7,15})", line):
            address = leaf.group(1)
        elif line.strip() == "/32 host LOCAL":
            found[address] = None
    for line in read_text(base / "proc/net/if_inet6").splitlines():
        words = line.split()
        if len(words) == 6 and re.fullmatch("[0-9a-f]{32}", words[0]):
            found[socket.inet_ntop(socket.AF_INET6, bytes.fromhex(words[0]))] = None
    return tuple(found)


def interfaces(base: Path) -> dict[str, int] | None:
    """Return the network interfaces, None where there is no table of them."""
    table = read_text(base / "proc/net/dev")
    if not table:
        return None
    numbers = {name: number for number, name in socket.if_nameindex()}
    lines = (line.partition(":") for line in table.splitlines()[2:])
    return {name.strip(): numbers.get(name.strip(), 0) for name, colon, _ in lines if colon}
