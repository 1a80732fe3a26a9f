"""Messages as trees and as JSON."""

from __future__ import annotations

import json
from typing import Any

from criu_images import REAL, decoded, image, real, word

from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.bpf import MAX_INSTRUCTIONS
from ckpt_tui.criu.decode import decode_image
from ckpt_tui.criu.render import FieldView, Rendering, fields, summary, to_plain, walk
from ckpt_tui.criu.schema import (
    cgroups_pb2,
    descriptors_pb2,
    files_pb2,
    process_pb2,
    security_pb2,
    sockets_pb2,
)
from ckpt_tui.criu.values import Host


def field_of(views: tuple[FieldView, ...], path: str) -> FieldView:
    first, _, rest = path.partition(".")
    found = next(view for view in views if view.name == first)
    return field_of(found.children, rest) if rest else found


def test_a_real_core_image_is_a_tree_with_names() -> None:
    message = real("kinds/core-9.img").first
    assert message is not None
    views = fields(message)
    assert field_of(views, "mtype").value_text == "X86_64"
    assert field_of(views, "tc.task_state").value_text == "running (1)"
    assert field_of(views, "thread_info.gpregs.ip").value_text.startswith("0x")
    assert field_of(views, "tc.rlimits.rlimits[7]").value_text.startswith("RLIMIT_NOFILE, cur ")
    assert field_of(views, "tc.sigactions[8]").value_text.startswith("SIGUSR1, ")
    assert "CAP_CHOWN" in field_of(views, "thread_core.creds.cap_eff").value_text


def test_flags_and_values_have_their_kind() -> None:
    views = fields(files_pb2.reg_file_entry(flags=0o100002, name="/a", mnt_id=-1))
    assert [(view.name, view.value_text, view.kind) for view in views] == [
        ("flags", "O_RDWR | O_LARGEFILE", "flags"),
        ("name", "/a", "string"),
        ("mnt_id", "-1", "int"),
    ]


def test_unknown_fields_are_in_the_tree() -> None:
    found = decoded(image("PSTREE", word(5) + b"\x08\x01\xf8\x06\x07"), "pstree.img").first
    assert found is not None
    assert [(view.name, view.value_text, view.kind) for view in fields(found)] == [
        ("pid", "1", "int"),
        ("#111", "7", "unknown"),
    ]
    assert to_plain(found) == {"pid": 1, "_unknown": [{"number": 111, "wire_type": 0, "value": 7}]}


def test_plain_form_keeps_the_number_beside_the_name() -> None:
    socket = sockets_pb2.inet_sk_entry(family=2, proto=6, src_addr=[16777343])
    assert to_plain(socket) == {
        "family": 2,
        "family_text": "INET",
        "proto": 6,
        "proto_text": "TCP",
        "src_addr": [16777343],
        "src_addr_text": "127.0.0.1",
    }
    assert to_plain(socket, Rendering(names=False)) == {
        "family": 2,
        "proto": 6,
        "src_addr": [16777343],
    }
    big = Host(byte_order="big")
    assert to_plain(socket, Rendering(host=big))["src_addr_text"] == "1.0.0.127"


def test_text_that_is_no_utf8_is_escaped_and_kept_whole() -> None:
    entry = descriptors_pb2.file_entry.FromString(b"\x1a\x05\x32\x03a\xffb")
    assert to_plain(entry) == {"reg": {"name": "a\\xffb", "name_base64": "Yf9i"}}


def test_long_lists_and_long_bytes_are_cut_and_say_so() -> None:
    listed = process_pb2.pstree_entry(threads=range(70))
    assert fields(listed)[0].value_text.endswith("63 … and 6 more")
    unix = sockets_pb2.packet_mclist(addr=bytes(40))
    assert fields(unix)[0].value_text.endswith("00 … and 8 more bytes")


def test_a_seccomp_filter_is_a_program_of_named_calls() -> None:
    message: Any = real("counter/seccomp.img").first
    host = Host(arch="x86_64")
    view = field_of(fields(message, host), "seccomp_filters[0].filter")
    assert (view.kind, view.value_text, view.has_children) == (
        "program",
        "1,179 instructions",
        True,
    )
    assert len(view.children) == 1179
    assert summary(message.seccomp_filters[0]) == "filter 1,179 instructions, flags TSYNC"
    assert field_of(view.children, "0").value_text == "A = architecture"
    assert any(line.value_text == "if system call == read: go to 149" for line in view.children)
    plain = to_plain(message, Rendering(host=host))["seccomp_filters"][0]
    assert plain["filter_text"] == [line.value_text for line in view.children]
    assert "filter_text" not in to_plain(message, Rendering(names=False))["seccomp_filters"][0]


def test_a_socket_filter_reads_packets() -> None:
    load, accept = 0x28 | 12 << 32, 0x06 | 96 << 32
    options = sockets_pb2.sk_opts_entry(so_filter=[load, accept])
    view = field_of(fields(options), "so_filter")
    assert (view.kind, view.value_text) == ("program", "2 instructions")
    assert [(v.name, v.value_text) for v in view.children] == [
        ("0", "A = half-word at 12"),
        ("1", "take 96 bytes"),
    ]
    assert to_plain(options)["so_filter_text"] == ["A = half-word at 12", "take 96 bytes"]


def test_a_program_that_no_kernel_takes_is_cut_and_says_so() -> None:
    options = sockets_pb2.sk_opts_entry(so_filter=[6] * (MAX_INSTRUCTIONS + 3))
    view = fields(options)[0]
    assert view.value_text == "4,099 instructions"
    assert view.children[-1].value_text == "… and 3 more, which no kernel takes"


def test_every_real_image_has_a_tree_and_a_json_form() -> None:
    for path in REAL:
        found: Any = decode_image(BytesWindow(path.read_bytes()), path.name, quiet())
        for message in found.messages:
            assert json.loads(json.dumps(to_plain(message))) == to_plain(message)
            assert all(isinstance(view.value_text, str) for _, view in walk(fields(message)))


def test_a_controller_is_told_by_its_names_in_one_line() -> None:
    controller = cgroups_pb2.cg_controller_entry(cnames=["cpu", "cpuacct"], is_threaded=False)
    assert summary(controller) == "cnames cpu, cpuacct, is_threaded no"
    unified = cgroups_pb2.cg_controller_entry(cnames=[""], is_threaded=True)
    assert summary(unified) == 'cnames "", is_threaded yes'


def test_a_filter_is_told_as_the_host_of_the_dump_has_it() -> None:
    steps = bytes.fromhex("0020000000000014 0006000000050023")
    filters = security_pb2.seccomp_filter(filter=steps)
    found = fields(filters, Host(arch="mips", byte_order="big"))[0]
    assert [step.value_text for step in found.children] == [
        "A = argument 0, low",
        "fail with ENOMSG",
    ]
