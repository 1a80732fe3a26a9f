"""Sockets: addresses, states, peers and the bytes in their queues."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from ckpt_tui.checkpoint.descriptors import Descriptors
from ckpt_tui.checkpoint.filetable import FileObject, FileTable
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import Socket
from ckpt_tui.core.progress import Progress
from ckpt_tui.criu.render import fields
from ckpt_tui.criu.values import Host, ethernet_type, ip_address, socket_name, value_name

SOCKET_TYPES = ("INETSK", "UNIXSK", "PACKETSK", "NETLINKSK")

AF_INET = 2
PROTOCOL_TCP = 6
STATE_LISTEN = 10

HEXADECIMAL = re.compile("[0-9a-f]{1,16}")


class SocketEnds:
    """Unread bytes of sockets, and who is at the other end of a connection."""

    def __init__(
        self,
        images: ImageDirectory | None,
        table: FileTable,
        descriptors: Descriptors,
        sockets: Sequence[int],
        progress: Progress,
    ) -> None:
        """`sockets` are the numbers of the descriptors that are some."""
        self._unread: dict[int, int] = defaultdict(int)
        for packet, _, _ in images.records("sk-queues.img", progress) if images else ():
            self._unread[packet.id_for] += packet.length
        self._streams = dict(_streams(images, progress)) if images else {}
        self._unix: dict[int, int] = {}
        self._inet: dict[int, list[int]] = {}
        """Numbers by the hash of what a connection is known by."""
        self._table, self._descriptors = table, descriptors
        self.host = table.host
        seen: set[int] = set()
        for number in sockets:
            progress.tick(0)
            file_id = descriptors.file_ids[number]
            if file_id in seen:
                continue
            seen.add(file_id)
            found = table.objects[file_id]
            if found.type == "UNIXSK":
                self._unix[found.message.ino] = number
            elif found.type == "INETSK" and found.message.dst_port:
                self._inet.setdefault(hash(_ends(found.message)), []).append(number)

    def bytes_of(self, found: FileObject) -> int:
        """Return the bytes waiting in the queues of a socket."""
        if found.type == "UNIXSK":
            return self._unread.get(found.id, 0)
        if found.type == "INETSK" and found.message.proto == PROTOCOL_TCP:
            return self._streams.get(found.message.ino, 0)
        return 0

    def peer(self, found: FileObject) -> tuple[int, int] | None:
        """Return a descriptor of the other end, None where it is not in the checkpoint."""
        message = found.message
        if found.type == "UNIXSK" and message.peer:
            number = self._unix.get(message.peer)
            return None if number is None else self._descriptors.key(number)
        if found.type == "INETSK" and message.dst_port:
            ends = _ends(message, swapped=True)
            for number in reversed(self._inet.get(hash(ends), ())):
                other = self._table.objects[self._descriptors.file_ids[number]]
                if _ends(other.message) == ends:
                    return self._descriptors.key(number)
        return None


def _streams(images: ImageDirectory, progress: Progress) -> Iterator[tuple[int, int]]:
    """Yield the inode of each TCP connection and the bytes in its two queues."""
    for name in images.named("tcp-stream-"):
        progress.tick(0)
        stream = images.message(name)
        inode = name.removeprefix("tcp-stream-").removesuffix(".img")
        if stream is not None and HEXADECIMAL.fullmatch(inode):
            yield int(inode, 16), int(stream.inq_len + stream.outq_len)


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
    host = ends.host
    family, local, remote, protocol = _address(found, host)
    return Socket(
        pid=pid,
        fd=fd,
        family=family,
        type=_type(found, host),
        protocol=protocol,
        state=_state(found),
        local=local,
        remote=remote,
        queued=ends.bytes_of(found),
        inode=getattr(message, "ino", 0),
        peer=ends.peer(found),
        options=_options(message, host),
    )


def address_of(found: FileObject, host: Host) -> tuple[str, str]:
    """Return the kind of a socket and its addresses with the state, as one line."""
    family, local, remote, protocol = _address(found, host)
    kind = protocol.lower() if found.type == "INETSK" else family
    state = _state(found)
    arrow = f" → {remote}" if remote else ""
    return kind, " ".join(filter(None, (f"{local}{arrow}", state)))


def _address(found: FileObject, host: Host) -> tuple[str, str, str, str]:
    """Return family, local and remote address, protocol."""
    message = found.message
    if found.type == "INETSK":
        family = "IPv4" if message.family == AF_INET else "IPv6"
        local = _endpoint(message.family, message.src_addr, message.src_port, host)
        remote = _endpoint(message.family, message.dst_addr, message.dst_port, host)
        protocol = value_name("sk.proto", message.proto)
        return family, local, remote if message.dst_port else "", protocol
    if found.type == "UNIXSK":
        return "unix", socket_name(message.name), "", ""
    if found.type == "NETLINKSK":
        name = value_name("netlink.protocol", message.protocol)
        return "netlink", f"port {message.portid}", "", name
    protocol = ethernet_type(message.protocol, host.byte_order)
    return "packet", f"interface {message.ifindex}", "", protocol


def _endpoint(family: int, words: Sequence[int], port: int, host: Host) -> str:
    """Return `10.0.0.1:80` or `[::1]:80`."""
    address = ip_address(words, host.byte_order, family)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _type(found: FileObject, host: Host) -> str:
    if found.type == "NETLINKSK":
        return "RAW"
    return value_name("sk.type", found.message.type, host.arch)


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


def _options(message: Any, host: Host) -> dict[str, str]:
    """Return the options that are set, by CRIU's names."""
    if not message.HasField("opts"):
        return {}
    plain = ("0", "no", "")
    views = fields(message.opts, host)
    return {v.name: v.value_text for v in views if v.value_text not in plain}
