"""Netlink dumps of `ip … save`, and connection tracking, in words."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.netlink import attributes, message_line, netlink_lines


def saved(path: Path) -> list[str]:
    window = BytesWindow(path.read_bytes())
    return list(netlink_lines(window, path.name, 4, quiet(), aligned=True))


def test_addresses_have_prefix_interface_and_scope(data: Path) -> None:
    assert saved(data / "netlink/ifaddr-9.img") == [
        "address 127.0.0.1/8 on interface 1 lo scope host",
        "address 10.88.0.5/16 on interface 1 lo broadcast 10.88.255.255 scope global",
        "address fd00::5/64 on interface 1 scope global",
        "address ::1/128 on interface 1 scope host",
    ]


def test_routes_have_gateway_and_table(data: Path) -> None:
    assert saved(data / "netlink/route-9.img") == [
        "route default via 10.88.0.1 interface 1 metric 100 table main by boot scope global",
        "route blackhole 192.0.2.0/24 table main by boot scope global",
    ]
    assert saved(data / "netlink/route6-9.img")[0].startswith("route fd00::/64 interface 1")


def test_rules_have_priority_selector_and_table(data: Path) -> None:
    assert saved(data / "netlink/rule-9.img") == [
        "rule 0: from all lookup local",
        "rule 1000: from 10.88.0.0/16 lookup 100",
        "rule 1001: from all mark 0x10 lookup 200",
        "rule 32766: from all lookup main",
        "rule 32767: from all lookup default",
    ]


def attribute(kind: int, data: bytes) -> bytes:
    return (struct.pack("<HH", len(data) + 4, kind) + data).ljust(
        -(-(len(data) + 4) // 4) * 4, b"\0"
    )


def test_a_connection_has_both_ends() -> None:
    place = attribute(1, bytes((10, 0, 0, 1))) + attribute(2, bytes((10, 0, 0, 2)))
    ports = attribute(1, b"\x06") + attribute(2, b"\x1f\x90") + attribute(3, b"\x00\x50")
    tuple_ = attribute(1 | 0x8000, place) + attribute(2 | 0x8000, ports)
    body = bytes(4) + attribute(1 | 0x8000, tuple_) + attribute(7, b"\x00\x00\x00\x78")
    message = struct.pack("<IHHII", 16 + len(body), 0x100, 0, 0, 0) + body
    lines = netlink_lines(BytesWindow(message * 2), "netns-ct-9.img", 0, quiet(), aligned=False)
    assert list(lines) == ["connection tcp 10.0.0.1:8080 → 10.0.0.2:80 timeout 120 s"] * 2


def swapped(message: bytes, head: str, numbers: set[int]) -> bytes:
    """Return a message of a little-endian host as a big-endian one writes it; `head` is what
    `struct` calls the fields before the attributes, `numbers` are the attributes that are one."""
    fields = struct.unpack_from("<" + head, message)
    out, rest = struct.pack(">" + head, *fields), message[struct.calcsize("<" + head) :]
    while rest:
        length, kind = struct.unpack_from("<HH", rest)
        data = rest[4:length]
        if kind in numbers:
            data = data[::-1]
        out += struct.pack(">HH", length, kind) + data + bytes(-length % 4)
        rest = rest[-(-length // 4) * 4 :]
    return out


BIG_ENDIAN = [("ifaddr", "IHHIIBBBBI", {8}), ("route", "IHHIIBBBBBBBBI", {4, 6, 15})]
"""Image, head, and the attributes flags, interface, metric and table."""


@pytest.mark.parametrize(("name", "head", "numbers"), BIG_ENDIAN)
def test_a_big_endian_host_saves_the_same(
    data: Path, name: str, head: str, numbers: set[int]
) -> None:
    little = (data / f"netlink/{name}-9.img").read_bytes()
    big, offset = little[3::-1], 4
    while offset < len(little):
        (length,) = struct.unpack_from("<I", little, offset)
        big += swapped(little[offset : offset + length], head, numbers)
        offset += -(-length // 4) * 4
    window = BytesWindow(big)
    lines = list(netlink_lines(window, "x", 4, quiet(), aligned=True))
    assert lines == saved(data / f"netlink/{name}-9.img")


def test_a_wrong_length_is_told_with_its_place(data: Path) -> None:
    broken = (data / "netlink/rule-9.img").read_bytes()[:70]
    with pytest.raises(DamagedInput):
        list(netlink_lines(BytesWindow(broken), "rule-9.img", 4, quiet(), aligned=True))
    with pytest.raises(DamagedInput, match="byte 0"):
        list(netlink_lines(BytesWindow(bytes(16)), "x", 0, quiet(), aligned=True))


@given(st.sampled_from([20, 24, 32, 0x100, 0x200, 77]), st.binary(max_size=120))
def test_any_message_is_told(kind: int, body: bytes) -> None:
    assert message_line(kind, body)


@given(st.binary(max_size=120))
def test_any_attributes_end(data: bytes) -> None:
    assert len(attributes(data)) <= len(data) // 4
