"""The page server: both forms of its protocol, what it refuses, and what it does in trouble."""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
from pathlib import Path

import pytest

from crafted import copied, cut_chain
from fault_server import Answer, FaultServer
from lazy_dumps import (
    CLOSE,
    LAZY,
    NEW,
    OLD,
    PAGE,
    PRESENT,
    Client,
    certificates,
    in_registry,
    page,
    pages,
    serving,
    write_dump,
)

MAPS = {
    7: ((0x10000, 40, PRESENT | LAZY), (0x50000, 2, PRESENT | LAZY), (0x90000, 3, PRESENT)),
    8: ((0x10000, 600, PRESENT | LAZY),),
}

BIG = {8: ((0x10000, 3000, PRESENT | LAZY),)}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return write_dump(tmp_path / "dump", MAPS)


@pytest.mark.parametrize("header", [OLD, NEW], ids=["old", "new"])
def test_pages_are_those_of_the_process(dump: Path, header: struct.Struct) -> None:
    with serving(dump) as served, Client(served, header) as client:
        assert client.got(7, 0x11000, 2) == pages(7, 0x11000, 2)
        assert client.got(8, 0x11000, 1) == page(8, 0x11000)
        assert client.got(7, 0x51000, 1) == page(7, 0x51000)
        assert client.close() == bytes(4)
        assert client.read(1) == b""
    (traffic,) = served.said
    assert (traffic.requests, traffic.bytes, traffic.problem) == (3, 4 * PAGE, "")
    assert traffic.is_done
    assert [request[1:] for request in traffic.asked] == [
        (7, 0x11000, 2),
        (8, 0x11000, 1),
        (7, 0x51000, 1),
    ]


@pytest.mark.parametrize("header", [OLD, NEW], ids=["old", "new"])
def test_a_client_without_requests_is_let_go(dump: Path, header: struct.Struct) -> None:
    with serving(dump) as served, Client(served, header) as client:
        assert client.close() == bytes(4)
    assert served.said[0].is_done


def test_neighbouring_runs_come_in_one_answer_and_others_do_not(dump: Path) -> None:
    with serving(dump) as served, Client(served) as client:
        assert client.got(7, 0x10000, 100) == pages(7, 0x10000, 40)
        client.ask(7, 0x4F000, 1)
        assert served.failed.wait(10)
    assert "They are not in this dump." in served.said[0].problem


def test_requests_sent_ahead_are_answered_in_their_order(dump: Path) -> None:
    asked = [(8, 0x10000 + n * PAGE, 1 + n % 3) for n in range(500)]
    with serving(dump) as served, Client(served) as client:
        client.socket.sendall(b"".join(NEW.pack(7, n, at, pid) for pid, at, n in asked))
        client.ask(0, 0, 0, CLOSE)
        for pid, address, count in asked:
            head, data = client.answer()
            assert head[1:] == (count, address, pid)
            assert data == pages(pid, address, count)
        assert client.read(4) == bytes(4)


def test_a_request_in_parts_is_understood(dump: Path) -> None:
    with serving(dump) as served, Client(served) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in NEW.pack(7, 1, 0x10000, 7):
            client.socket.sendall(bytes([byte]))
        assert client.answer()[1] == page(7, 0x10000)


def test_several_restores_at_a_time(dump: Path) -> None:
    with serving(dump) as served, Client(served) as one, Client(served, OLD) as other:
        for n in range(30):
            assert one.got(8, 0x10000 + n * PAGE, 1) == page(8, 0x10000 + n * PAGE)
            assert other.got(8, 0x10000 + n * PAGE, 2) == pages(8, 0x10000 + n * PAGE, 2)
        assert served.cache.fetched == 3  # pieces of the page image


@pytest.mark.parametrize(
    ("pid", "address", "count"),
    [(9, 0x10000, 1), (7, 0x10800, 1), (7, 0x10000, 0), (7, 1 << 63, 1), (1 << 63, 0, 1 << 63)],
    ids=["process", "within a page", "no page", "address", "all too large"],
)
def test_a_request_for_what_is_not_there(dump: Path, pid: int, address: int, count: int) -> None:
    with serving(dump) as served, Client(served) as client:
        assert client.got(7, 0x10000, 1)
        client.ask(pid, address, count)
        assert served.failed.wait(10)
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):  # a closed connection would leave zeros in the program
            client.read(1)
        assert not served.ended.is_set()
    assert "They are not in this dump." in served.said[0].problem


def test_an_answer_is_bounded_whatever_is_asked_for(tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "big", {5: ((0, 2000, PRESENT | LAZY),)})
    with serving(dump) as served, Client(served) as client:
        data = client.got(5, 0, 1 << 62)
    assert data == pages(5, 0, 1024)


@pytest.mark.parametrize("command", [1, 6, 8, 0x7FFF, 0xFFFFFFFF])
def test_other_commands_are_refused(dump: Path, command: int) -> None:
    with serving(dump) as served, Client(served) as client:
        client.ask(7, 0x10000, 1, command)
        assert client.read(1) == b""
        assert served.ended.wait(10)
    assert f"Command {command:#x}" in served.said[0].problem


def test_a_client_that_goes_away(dump: Path) -> None:
    with serving(dump) as served:
        with Client(served) as client:
            assert client.got(7, 0x10000, 1)
        assert served.ended.wait(10)
        assert not served.said[0].is_done
        with Client(served) as client:
            assert client.got(7, 0x10000, 1) == page(7, 0x10000)


def test_pages_of_the_dumps_before_are_served(tmp_path: Path) -> None:
    shutil.copytree(copied("counter", tmp_path), tmp_path / "chain/checkpoint")
    cut_chain(tmp_path / "chain")
    with serving(tmp_path / "counter") as served, Client(served) as client:
        memory = served.memory.memory(1)
        assert memory is not None
        runs = [(run.start, run.pages) for run in memory.pagemap.runs if run.first_page is not None]
        plain = [client.got(1, *run) for run in runs]
    with serving(tmp_path / "chain/checkpoint") as served, Client(served) as client:
        assert [client.got(1, *run) for run in runs] == plain


def test_a_page_image_that_is_too_short(dump: Path) -> None:
    image = dump / "pages-107.img"
    image.write_bytes(image.read_bytes()[: 39 * PAGE])
    with serving(dump) as served, Client(served) as client:
        assert client.got(7, 0x10000, 40) == pages(7, 0x10000, 39)
        client.ask(7, 0x10000 + 39 * PAGE, 1)
        assert served.failed.wait(10)


def test_a_stopped_server_ends_what_waits(server: FaultServer, tmp_path: Path) -> None:
    target = in_registry(server, write_dump(tmp_path / "dump", BIG))
    with serving(target, patience=3600) as served, Client(served) as client:
        server.always("GET", "/blobs/", Answer(404))
        client.ask(8, 0x10000 + 2500 * PAGE, 1)
        served.stop()
        assert client.read(1) == b""


def test_a_registry_that_is_away_for_a_while(server: FaultServer, tmp_path: Path) -> None:
    target = in_registry(server, write_dump(tmp_path / "dump", BIG))
    with serving(target) as served, Client(served) as client:
        served.memory.holds(8, 0)
        server.on("GET", "/blobs/", *[Answer(404)])
        address = 0x10000 + 2500 * PAGE
        assert client.got(8, address, 3) == pages(8, address, 3)


def test_a_registry_that_stays_away(server: FaultServer, tmp_path: Path) -> None:
    target = in_registry(server, write_dump(tmp_path / "dump", BIG))
    with serving(target, patience=0) as served, Client(served) as client:
        served.memory.holds(8, 0)
        server.always("GET", "/blobs/", Answer(404))
        client.ask(8, 0x10000 + 2500 * PAGE, 1)
        assert served.failed.wait(10)
        assert not served.ended.is_set()
    assert "has no blob" in served.said[0].problem


def test_a_damaged_frame_is_refused(server: FaultServer, tmp_path: Path) -> None:
    target = in_registry(server, write_dump(tmp_path / "dump", BIG))
    (key,) = (key for key, blob in server.blobs.items() if len(blob) > 1 << 20)
    blob = bytearray(server.blobs[key])
    blob[len(blob) // 2] ^= 0x20
    server.blobs[key] = bytes(blob)
    sent = b""
    with serving(target) as served, Client(served) as client:
        address = 0x10000
        while not served.failed.is_set():
            client.ask(8, address, 256)
            client.socket.settimeout(2)
            try:
                sent += client.answer()[1]
            except TimeoutError:
                break
            address += 256 * PAGE
        assert served.failed.wait(10)
    assert 0 < len(sent) < 3000 * PAGE
    assert sent == pages(8, 0x10000, len(sent) // PAGE)
    assert "damaged" in served.said[0].problem


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_tls_with_certificates_of_both_sides(dump: Path, tmp_path: Path) -> None:
    key, certificate = certificates(tmp_path)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.verify_mode = ssl.CERT_REQUIRED
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    other.check_hostname = False
    for context in (own, other):
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(certificate)
    with serving(dump, own) as served:
        with Client(served, tls=other) as client:
            client.socket.sendall(
                b"".join(NEW.pack(7, 1, 0x10000 + n * PAGE, 8) for n in range(600))
            )
            for n in range(600):
                assert client.answer()[1] == page(8, 0x10000 + n * PAGE)
            assert client.close() == bytes(4)
        assert served.ended.wait(10)
        assert served.said[0].is_done
        served.failed.clear()
        with Client(served) as client:
            client.ask(7, 0x10000, 1)
            assert served.failed.wait(10)
        assert served.said[1].requests == 0
