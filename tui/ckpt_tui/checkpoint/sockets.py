"""Sockets: addresses, states, peers and the bytes in their queues."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from ckpt_tui.checkpoint.filetable import FileObject, FileTable
from ckpt_tui.checkpoint.images import ImageDirectory
from ckpt_tui.checkpoint.model import Socket
from ckpt_tui.core.progress import Progress
from ckpt_tui.criu.render import fields
from ckpt_tui.criu.values import ip_address, socket_name, value_name

SOCKET_TYPES = ("INETSK", "UNIXSK", "PACKETSK", "NETLINKSK")

AF_INET = 2
PROTOCOL_TCP = 6
STATE_LISTEN = 10

Holders = Mapping[int, tuple[int, int]]
"""File id to the first descriptor that leads to it."""


class SocketEnds:
    """Unread bytes of sockets, and who is at the other end of a connection."""

    def __init__(
        self, images: ImageDirectory, table: FileTable, holders: Holders, progress: Progress
    ) -> None:
        self._images = images
        self._unread: dict[int, int] = defaultdict(int)
        for packet, _ in images.records("sk-queues.img", progress):
            self._unread[packet.id_for] += packet.length
        self._unix: dict[int, tuple[int, int]] = {}
        self._inet: dict[tuple[Hashable, ...], tuple[int, int]] = {}
        for file_id, holder in holders.items():
            progress.tick(0)
            if table.objects.type_of(file_id) == "UNIXSK":
                self._unix[table.objects[file_id].message.ino] = holder
            elif table.objects.type_of(file_id) == "INETSK":
                message = table.objects[file_id].message
                self._inet[_ends(message)] = holder

    def bytes_of(self, found: FileObject) -> int:
        """Return the bytes waiting in the queues of a socket."""
        if found.type == "UNIXSK":
            return self._unread[found.id]
        if found.type == "INETSK" and found.message.proto == PROTOCOL_TCP:
            stream = self._images.message(f"tcp-stream-{found.message.ino:x}.img")
            return int(stream.inq_len + stream.outq_len) if stream else 0
        return 0

    def peer(self, found: FileObject) -> tuple[int, int] | None:
        """Return a descriptor of the other end, None where it is not in the checkpoint."""
        message = found.message
        if found.type == "UNIXSK" and message.peer:
            return self._unix.get(message.peer)
        if found.type == "INETSK" and message.dst_port:
            return self._inet.get(_ends(message, swapped=True))
        return None


def _ends(message: Any, *, swapped: bool = False) -> tuple[Hashable, ...]:
    """Return what a connection is known by, as its other end knows it if `swapped`."""
    ends = (
        (message.src_port, *_plain_address(message.src_addr)),
        (message.dst_port, *_plain_address(message.dst_addr)),
    )
    where = (message.ns_id, message.proto)
    return (*where, *reversed(ends)) if swapped else (*where, *ends)


MAPPED = (0xFFFF0000, 0x0000FFFF)
"""Third word of an IPv4 address as an IPv6 one (::ffff:127.0.0.1), on either order of bytes."""


def _plain_address(words: Sequence[int]) -> Sequence[int]:
    """Return an address in words, of an IPv4 address only the one it has: the other end of a
    connection need not have been opened as IPv6, too."""
    mapped = len(words) == 4 and not any(words[:2]) and words[2] & 0xFFFFFFFF in MAPPED
    return words[3:] if mapped else words


def build_socket(found: FileObject, pid: int, fd: int, ends: SocketEnds) -> Socket:
    """Return what is known of one socket descriptor."""
    message = found.message
    family, local, remote, protocol = _address(found)
    return Socket(
        pid=pid,
        fd=fd,
        family=family,
        type=_type(found),
        protocol=protocol,
        state=_state(found),
        local=local,
        remote=remote,
        queued=ends.bytes_of(found),
        inode=getattr(message, "ino", 0),
        peer=ends.peer(found),
        options=_options(message),
    )


def address_of(found: FileObject) -> tuple[str, str]:
    """Return the kind of a socket and its addresses with the state, as one line."""
    family, local, remote, protocol = _address(found)
    kind = protocol.lower() if found.type == "INETSK" else family
    state = _state(found)
    arrow = f" → {remote}" if remote else ""
    return kind, " ".join(filter(None, (f"{local}{arrow}", state)))


def _address(found: FileObject) -> tuple[str, str, str, str]:
    """Return family, local and remote address, protocol."""
    message = found.message
    if found.type == "INETSK":
        family = "IPv4" if message.family == AF_INET else "IPv6"
        local = _endpoint(message.family, message.src_addr, message.src_port)
        remote = _endpoint(message.family, message.dst_addr, message.dst_port)
        protocol = value_name("sk.proto", message.proto)
        return family, local, remote if message.dst_port else "", protocol
    if found.type == "UNIXSK":
        return "unix", socket_name(message.name), "", ""
    if found.type == "NETLINKSK":
        name = value_name("netlink.protocol", message.protocol)
        return "netlink", f"port {message.portid}", "", name
    return "packet", f"interface {message.ifindex}", "", f"{message.protocol:#06x}"


def _endpoint(family: int, words: Sequence[int], port: int) -> str:
    """Return `10.0.0.1:80` or `[::1]:80`."""
    address = ip_address(words, family=family)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _type(found: FileObject) -> str:
    if found.type == "NETLINKSK":
        return "RAW"
    return value_name("sk.type", found.message.type)


def _state(found: FileObject) -> str:
    """Return the state as a word. Linux uses TCP's numbers for every protocol."""
    message = found.message
    state = getattr(message, "state", 0)
    if not state:
        return ""
    if found.type == "INETSK" and message.proto == PROTOCOL_TCP:
        return value_name("sk.state", state)
    words = {1: "connected", 7: "unconnected", STATE_LISTEN: "listening"}
    return words.get(state, value_name("sk.state", state))


def _options(message: Any) -> dict[str, str]:
    """Return the options that are set, by CRIU's names."""
    if not message.HasField("opts"):
        return {}
    plain = ("0", "no", "")
    return {v.name: v.value_text for v in fields(message.opts) if v.value_text not in plain}
