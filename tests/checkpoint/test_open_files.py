"""Descriptors and sockets: what they lead to, and who shares it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ckpt_tui.checkpoint import descriptors, filetable
from ckpt_tui.checkpoint.filetable import FileObject
from ckpt_tui.checkpoint.model import Checkpoint, OpenFile, Socket
from ckpt_tui.checkpoint.sockets import SocketEnds, address_of, build_socket
from ckpt_tui.criu.schema import descriptors_pb2, sockets_pb2
from ckpt_tui.criu.values import ANY_HOST, Host
from crafted import DATA, IMAGES, copied, image_of, loaded, rewrite


@pytest.fixture(scope="module")
def kinds() -> Checkpoint:
    return loaded(IMAGES / "kinds")


@pytest.fixture(scope="module")
def sockets() -> Checkpoint:
    return loaded(IMAGES / "sockets")


def file(checkpoint: Checkpoint, pid: int, fd: int) -> OpenFile:
    return next(f for f in checkpoint.files if (f.pid, f.fd) == (pid, fd))


def socket(checkpoint: Checkpoint, fd: int) -> Socket:
    return next(s for s in checkpoint.sockets if s.fd == fd)


def test_every_kind_of_descriptor_is_told_in_words(kinds: Checkpoint) -> None:
    found = {f.fd: (f.kind, f.target) for f in kinds.files if f.pid == 1}
    assert found == {
        0: ("device", "/dev/null"),
        1: ("pipe", "pipe 591231, write end"),
        2: ("pipe", "pipe 591232, write end"),
        3: ("eventfd", "counter 7"),
        4: ("epoll", "watches 3, 5"),
        5: ("pipe", "pipe 591873, read end"),
        6: ("pipe", "pipe 591873, write end"),
        7: ("timerfd", "MONOTONIC, not armed"),
        8: ("signalfd", "SIGUSR1"),
        9: ("inotify", "/etc (IN_CREATE)"),
        10: ("memfd", "/memfd:scratch"),
        11: ("regular", "/tmp/lock"),
        12: ("regular", "/tmp/ghost"),
    }


def test_flags_position_size_and_mount_of_a_file(kinds: Checkpoint) -> None:
    ghost = file(kinds, 1, 12)
    assert ghost.flags == ("O_RDWR", "O_LARGEFILE")
    assert (ghost.position, ghost.size, ghost.mount_id, ghost.deleted) == (1300, 1300, 91, True)
    assert not file(kinds, 1, 11).deleted


def test_a_file_that_fork_copied_is_shared(kinds: Checkpoint) -> None:
    null = file(kinds, 9, 0)
    assert null.shared_with == ((1, 0), (10, 0), (11, 0))
    assert null.sharers == 3
    assert null.object_id == file(kinds, 1, 0).object_id


def test_both_ends_of_a_pipe_belong_together(kinds: Checkpoint) -> None:
    assert (1, 6) in file(kinds, 1, 5).shared_with
    assert file(kinds, 1, 5).sharers == 7


def test_a_fifo_has_the_flags_of_the_file_with_its_path(sockets: Checkpoint) -> None:
    fifo = file(sockets, 1, 16)
    assert (fifo.kind, fifo.target, fifo.mount_id) == ("fifo", "/tmp/fifo", 91)
    assert fifo.flags[0] == "O_RDWR"


def test_addresses_and_states_of_sockets(sockets: Checkpoint) -> None:
    found = {
        s.fd: (s.family, s.type, s.protocol, s.state, s.local, s.remote) for s in sockets.sockets
    }
    assert found[3] == ("IPv4", "STREAM", "TCP", "LISTEN", "127.0.0.1:8080", "")
    assert found[4] == (
        *("IPv4", "STREAM", "TCP", "ESTABLISHED"),
        *("127.0.0.1:37084", "127.0.0.1:8080"),
    )
    assert found[6] == ("IPv6", "STREAM", "TCP", "LISTEN", "[::1]:8081", "")
    assert found[7] == ("IPv4", "DGRAM", "UDP", "unconnected", "127.0.0.1:5353", "")
    assert found[8] == ("unix", "STREAM", "", "listening", "/tmp/srv.sock", "")
    assert found[11] == ("unix", "DGRAM", "", "unconnected", "@abstract", "")
    assert found[12] == ("unix", "SEQPACKET", "", "connected", "", "")


def test_both_ends_of_a_connection_know_each_other(sockets: Checkpoint) -> None:
    assert {s.fd: s.peer for s in sockets.sockets if s.peer} == {
        4: (1, 5),
        5: (1, 4),
        9: (1, 10),
        10: (1, 9),
        12: (1, 13),
        13: (1, 12),
    }


def test_an_address_mapped_into_ipv6_is_the_other_end_of_one_that_is_not() -> None:
    found = loaded(DATA / "demo-web/web.tar.zst").sockets
    listener = next(s for s in found if s.local.startswith("[::ffff:127.0.0.1]"))
    client = next(s for s in found if s.local.startswith("127.0.0.1"))
    assert listener.peer == (client.pid, client.fd)
    assert client.peer == (listener.pid, listener.fd)


def test_unread_bytes_are_counted(sockets: Checkpoint) -> None:
    assert {s.fd: s.queued for s in sockets.sockets if s.queued} == {5: 9, 10: 6}


def test_a_descriptor_without_a_file_is_shown_and_noted_once(tmp_path: Path) -> None:
    images = copied("kinds", tmp_path)
    rewrite(images / "files.img", lambda ms: [m for m in ms if m.id not in (12, 13)])
    found = loaded(images)
    assert file(found, 10, 0).kind == "missing"
    notes = {n.where: n.text for n in found.notes if "lead to no file" in n.text}
    said = "2 descriptors lead to no file, the first at byte 8."
    assert notes == {f"fdinfo-{number}.img": said for number in (2, 3, 4, 5)}


def test_of_thousands_of_holders_the_first_are_listed(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)

    def dup(messages: list[Any]) -> list[Any]:
        more = []
        for fd in range(100, 5100):
            copy = type(messages[0])()
            copy.CopyFrom(messages[0])
            copy.fd = fd
            more.append(copy)
        return [*messages, *more]

    rewrite(images / "fdinfo-2.img", dup)
    found = loaded(images)
    last = file(found, 1, 5099)
    assert last.sharers == 5001
    assert len(last.shared_with) == descriptors.MAX_SHARERS
    assert last.shared_with == file(found, 1, 5098).shared_with
    assert (1, 0) not in file(found, 1, 0).shared_with


def test_files_beyond_what_the_images_tab_decodes_are_all_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ckpt_tui.criu import decode

    monkeypatch.setattr(decode, "MAX_KEPT_ENTRIES", 2)
    found = loaded(copied("counter", tmp_path))
    assert [f.fd for f in found.files if f.pid == 1] == [0, 1, 2]
    assert all(f.kind != "missing" for f in found.files)
    assert not any("files.img" in n.where for n in found.notes)


def test_the_number_of_files_looked_at_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filetable, "MAX_OBJECTS", 3)
    found = loaded(copied("kinds", tmp_path))
    assert any("Only the first 3 files are looked at." in n.text for n in found.notes)


def test_images_of_one_type_each_are_read_as_in_old_dumps(tmp_path: Path) -> None:
    images = copied("sockets", tmp_path)
    objects: dict[str, list[Any]] = {}

    def take(messages: list[Any]) -> list[Any]:
        for entry in messages:
            name = descriptors_pb2.fd_types.Name(entry.type)
            one = getattr(entry, filetable.OBJECTS[name])
            if name == "REG" and one.name == "/tmp/fifo":
                one.id = next(e.id for e in messages if e.HasField("fifo"))
            if name == "FIFO":
                one.ClearField("regf_id")
            objects.setdefault(name, []).append(one)
        return []

    rewrite(images / "files.img", take)
    (images / "files.img").unlink()
    names = {type_name: image for image, type_name in filetable.LEGACY.items()}
    kinds = {"REG": "REG_FILES", "PIPE": "PIPES", "FIFO": "FIFO", "INETSK": "INETSK"}
    for type_name, messages in objects.items():
        kind = kinds.get(type_name, type_name)
        (images / names[type_name]).write_bytes(image_of(kind, *messages))
    old, new = loaded(images), loaded(IMAGES / "sockets")
    assert old.files == new.files
    assert old.sockets == new.sockets


def test_addresses_and_protocols_are_read_by_the_byte_order_of_the_host() -> None:
    inet = sockets_pb2.inet_sk_entry(family=2, type=1, proto=6, state=10, src_port=80)
    packet = sockets_pb2.packet_sock_entry(ifindex=2, type=3, protocol=3)
    inet.src_addr.append(0x7F000001)
    big = Host("s390", "big")
    assert address_of(FileObject(1, "INETSK", inet), big) == ("tcp", "127.0.0.1:80 LISTEN")
    assert address_of(FileObject(1, "INETSK", inet), ANY_HOST)[1].startswith("1.0.0.127:80")
    ends = SimpleNamespace(host=big, bytes_of=lambda _: 0, peer=lambda _: None)
    found = build_socket(FileObject(2, "PACKETSK", packet), 1, 3, cast(SocketEnds, ends))
    assert (found.type, found.protocol) == ("RAW", "ETH_P_ALL")


def test_ids_and_descriptors_that_come_twice_are_told_with_their_place(tmp_path: Path) -> None:
    images = copied("kinds", tmp_path)
    ends = {n: (images / n).stat().st_size for n in ("files.img", "fdinfo-2.img")}
    rewrite(images / "files.img", lambda messages: [*messages, messages[3], messages[4]])
    rewrite(images / "fdinfo-2.img", lambda messages: [*messages, messages[2], messages[3]])
    found = loaded(images)
    notes = [n.text for n in found.notes if n.where in ends and "page image" not in n.text]
    assert notes == [
        f"2 records have the id of an earlier one, the first 4 at byte {ends['files.img']:,}; "
        "the last counts.",
        f"Descriptor 2 is listed again at byte {ends['fdinfo-2.img']:,}.",
    ]


def test_descriptors_in_no_order_are_no_duplicates(tmp_path: Path) -> None:
    images = copied("kinds", tmp_path)
    rewrite(images / "fdinfo-2.img", lambda messages: messages[::-1])
    assert not [n for n in loaded(images).notes if "again" in n.text]
