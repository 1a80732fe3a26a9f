"""Has the network of the host what the sockets need: ports, addresses, interfaces, services?

All of it counts only where the processes shared the network namespace of their host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ckpt_tui.checkpoint.filetable import FileObject
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.text import human_count
from ckpt_tui.criu.values import ip_address, socket_name, text
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding, Severity
from ckpt_tui.diagnose.host import HostProfile
from ckpt_tui.diagnose.preflight_restore import UNIX_EXTERN

PROTOCOLS = {6: "tcp", 17: "udp"}
CLOSED, LISTEN = 7, 10
ANY = ("", "0.0.0.0", "::")
"""Addresses that stand for all of the host; nothing where only the port is known."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A socket of the host that holds an address."""

    protocol: str
    state: str
    """listen, connected or bound."""
    address: str
    port: int


def holders(host: HostProfile) -> tuple[Holder, ...]:
    """Return who holds TCP and UDP addresses on the host."""
    if host.sockets is None:  # a profile that knows the ports alone
        ports = (port.partition(" ") for port in host.ports or ())
        return tuple(Holder(p, "listen", "", int(n)) for p, _, n in ports if n.isdigit())
    found = []
    for line in host.sockets:
        protocol, state, place = [*line.split(" ", 2), "", ""][:3]
        address, _, port = place.rpartition(":")
        if protocol in PROTOCOLS.values() and port.isdigit():
            found.append(Holder(protocol, state, address.strip("[]"), int(port)))
    return tuple(found)


def bound_names(host: HostProfile) -> frozenset[str]:
    """Return the names that Unix sockets of the host are bound to, @ before abstract ones."""
    prefix = "unix bound "
    return frozenset(s.removeprefix(prefix) for s in host.sockets or () if s.startswith(prefix))


def ports(facts: Facts) -> Iterator[Finding]:
    """Addresses and ports are free."""
    if not facts.shares_host("net") or facts.host is None:
        return
    held = holders(facts.host)
    taken: dict[Severity, list[Evidence]] = {"fails": [], "may-fail": []}
    for found in facts.each(facts.of_type("INETSK")):
        message = found.message
        name = PROTOCOLS.get(message.proto, "")
        port = message.src_port
        if not port or (name == "tcp" and message.state not in (CLOSED, LISTEN)):
            continue
        for holder in held:
            if (holder.protocol, holder.port) == (name, port) and _overlap(facts, message, holder):
                # who may share a port says so of both sockets, and the host tells it of none
                is_sure = holder.state != "connected" and not message.opts.so_reuseport
                link = facts.file_evidence(found.id).link
                place = f"{holder.address}:" if holder.address else ""
                proof = Evidence(f"{name} {place}{port}", link)
                taken["fails" if is_sure else "may-fail"].append(proof)
                break
    for severity, evidence in taken.items():
        if evidence:
            yield Finding(
                "inet-bind-addr-in-use",
                severity,
                "likely" if severity == "fails" else "possible",
                f"{human_count(len(evidence), 'port')} of the checkpoint are in use on the host",
                "The processes have the host's network, and their ports are taken.",
                "Stop what has the port (`ss -tulnp`), the original process first of all.",
                "files.img",
                some(evidence),
            )


def _overlap(facts: Facts, message: Any, holder: Holder) -> bool:
    """Tell whether two sockets of one port cannot be bound at the same time."""
    own = _address(facts, message)
    if own == holder.address:
        return True
    own_v6, other_v6 = ":" in own, ":" in holder.address
    if holder.address == "":
        return True
    if own_v6 == other_v6:
        return own in ANY or holder.address in ANY
    # an IPv6 socket of all addresses takes those of IPv4 too, unless it was told not to
    return (own == "::" and not message.v6only) or holder.address == "::"


def _address(facts: Facts, message: Any) -> str:
    return ip_address(tuple(message.src_addr), facts.images.host.byte_order, message.family)


def addresses(facts: Facts) -> Iterator[Finding]:
    """Addresses that sockets are bound to belong to the host."""
    known = facts.host.addresses if facts.host is not None else None
    if known is None or not facts.shares_host("net"):
        return
    missing: dict[str, FileObject] = {}
    for found in facts.each(facts.of_type("INETSK")):
        address = _address(facts, found.message)
        if address not in known and _is_bound_to(address) and not found.message.ip_opts.freebind:
            missing.setdefault(address, found)
    for address, found in missing.items():
        yield Finding(
            "inet-bind-addr-missing",
            "fails",
            "likely",
            f"No interface of the host has the address {address}",
            "A socket was bound to it, and CRIU binds it again.",
            f"`ip addr add {address} dev INTERFACE` on the host.",
            "files.img",
            (facts.file_evidence(found.id),),
        )


def _is_bound_to(address: str) -> bool:
    """Tell whether a socket of that address needs an interface that has it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    if mapped is not None or found.is_unspecified or found.is_loopback or found.is_multicast:
        return False
    return address != "255.255.255.255"


def interfaces(facts: Facts) -> Iterator[Finding]:
    """Interfaces that sockets are bound to are there."""
    known = facts.host.interfaces if facts.host is not None else None
    if known is None or not facts.shares_host("net"):
        return
    missing: dict[str, list[FileObject]] = {}
    for kind in ("INETSK", "UNIXSK", "PACKETSK", "NETLINKSK"):
        for found in facts.each(facts.of_type(kind)):
            names = {text(found.message.opts.so_bound_dev)}
            names |= {text(found.message.ifname)} if kind == "INETSK" else set()
            for name in names - {"", *known}:
                missing.setdefault(name, []).append(found)
    for name, sockets in missing.items():
        yield Finding(
            "inet-bind-device-missing",
            "fails",
            "certain",
            f"The host has no network interface {name}, to which sockets are bound",
            "CRIU binds each to the interface of that name.",
            f"Give the host an interface {name}: `ip link set OTHER name {name}`.",
            "files.img",
            some(facts.file_evidence(found.id) for found in sockets),
        )
    numbers = set(known.values())
    unknown = [f for f in facts.of_type("PACKETSK") if f.message.ifindex not in {0, *numbers}]
    if unknown and 0 not in numbers:
        yield Finding(
            "packet-socket",
            "fails",
            "likely",
            f"The host has no network interface of number {unknown[0].message.ifindex}",
            "A packet socket is bound to an interface by its number.",
            "Restore where the interfaces have the same numbers (`ip link`), such as in a network "
            "namespace made for it.",
            "files.img",
            some(facts.file_evidence(found.id) for found in unknown),
        )


def names(facts: Facts) -> Iterator[Finding]:
    """Abstract names are free; sockets that lead outside find who listens."""
    if facts.host is None or facts.host.sockets is None or not facts.shares_host("net"):
        return
    held, told = bound_names(facts.host), set[str]()
    for found in facts.each(facts.of_type("UNIXSK")):
        name = socket_name(bytes(found.message.name))
        is_outside = bool(found.message.uflags & UNIX_EXTERN)
        if is_outside and name and name not in held | told:
            told.add(name)
            yield Finding(
                "unix-connect-failed",
                "fails",
                "likely",
                f"Nothing on the host has a socket {name}, to which the processes were connected",
                "With ext-unix-sk CRIU connects to it again.",
                "Start the service that listened there.",
                "files.img",
                (Evidence(name, Ref.image("files.img")),),
            )
        elif name.startswith("@") and not is_outside and name in held - told:
            told.add(name)
            yield Finding(
                "unix-bind-failed",
                "fails",
                "certain",
                f"The abstract name {name} is in use on the host",
                "CRIU binds the socket to its name again.",
                "Stop what has the name (`ss -xlp`), the original process first of all.",
                "files.img",
                (facts.file_evidence(found.id),),
            )
