"""Blobs as windows: what is fetched for which read, and what becomes of wrong bytes."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ckpt_tui.core.errors import Cancelled, DamagedInput, SourceUnreachable
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import chunks
from ckpt_tui.sources.base import Descriptor
from ckpt_tui.sources.registry import RegistryClient
from ckpt_tui.sources.remote_blob import BLOCK, WHOLE, BlockCache, RemoteBlob, blob_pieces
from fault_server import Answer, FaultServer, Seen, client_for, sha256

DATA = random.Random(4).randbytes(3_000_000)
BLOB = Descriptor("", sha256(DATA), len(DATA))


@pytest.fixture
def client(server: FaultServer) -> Iterator[RegistryClient]:
    server.add_blob("app", DATA)
    with client_for(server) as made:
        yield made


@pytest.fixture
def window(client: RegistryClient) -> Iterator[RemoteBlob]:
    made = RemoteBlob(client, "app", BLOB, BlockCache())
    yield made
    made.close()


def fetched(client: RegistryClient, blob: Descriptor = BLOB) -> bytes:
    return b"".join(blob_pieces(client, "app", blob, quiet()))


def ranges(server: FaultServer) -> list[str | None]:
    return [seen.headers.get("Range") for seen in server.seen]


def test_a_read_fetches_its_block_alone(server: FaultServer, window: RemoteBlob) -> None:
    assert window.read(1_000_000, 100) == DATA[1_000_000:1_000_100]
    start = 1_000_000 // BLOCK * BLOCK
    assert ranges(server) == [f"bytes={start}-{start + BLOCK - 1}"]
    assert window.read(1_000_050, 100) == DATA[1_000_050:1_000_150]
    assert len(server.seen) == 1


def test_neighbouring_blocks_come_in_one_request(server: FaultServer, window: RemoteBlob) -> None:
    assert window.read(BLOCK - 1, 5 * BLOCK) == DATA[BLOCK - 1 : 6 * BLOCK - 1]
    assert len(server.seen) == 1


def test_reading_on_and_on_takes_few_requests(server: FaultServer, window: RemoteBlob) -> None:
    assert b"".join(chunks(window, 10_000)) == DATA
    assert len(server.seen) < 10


@pytest.mark.parametrize(
    ("offset", "length"), [(-1, 5), (len(DATA), 5), (0, 0), (0, -5), (len(DATA) - 3, 100)]
)
def test_reads_outside_of_the_blob_give_what_is_there(
    window: RemoteBlob, offset: int, length: int
) -> None:
    expected = DATA[offset : offset + length] if offset >= 0 and length > 0 else b""
    assert window.read(offset, length) == expected


def test_a_small_blob_is_fetched_whole_and_verified(
    server: FaultServer, client: RegistryClient
) -> None:
    small = b"x" * WHOLE
    server.add_blob("app", small)
    good = RemoteBlob(client, "app", Descriptor("", sha256(small), len(small)), BlockCache())
    assert good.read(5, 5) + good.read(100, 5) == b"x" * 10
    assert ranges(server) == [None]
    server.blobs["app", sha256(b"y")] = b"z"
    bad = RemoteBlob(client, "app", Descriptor("", sha256(b"y"), 1), BlockCache())
    with pytest.raises(DamagedInput, match="digest"):
        bad.read(0, 1)


def test_a_registry_without_ranges_is_spooled_once(server: FaultServer, window: RemoteBlob) -> None:
    server.ranges = False
    assert window.read(2_000_000, 100) == DATA[2_000_000:2_000_100]
    assert window.read(10, 100) == DATA[10:110]
    assert window.read(len(DATA) - 5, 5) == DATA[-5:]
    assert ranges(server)[1:] == [None]


def test_a_spooled_blob_is_fetched_as_it_is_read_and_once(
    server: FaultServer, client: RegistryClient, window: RemoteBlob
) -> None:
    window.spool()
    assert window.read(0, 100) == DATA[:100]
    assert client.http.received < len(DATA)
    assert b"".join(chunks(window)) == DATA
    assert b"".join(chunks(window)) == DATA
    assert ranges(server) == [None]


def test_the_end_of_a_spooled_blob_is_given_out_verified(
    server: FaultServer, client: RegistryClient, window: RemoteBlob
) -> None:
    server.blobs["app", BLOB.digest] = DATA[:-1] + b"!"
    window.spool()
    assert window.read(0, 100) == DATA[:100]
    for _ in range(2):
        with pytest.raises(DamagedInput, match="digest"):
            window.read(len(DATA) - 10, 10)


def test_a_blob_that_is_shorter_than_said_is_damage(
    server: FaultServer, client: RegistryClient, window: RemoteBlob
) -> None:
    server.blobs["app", BLOB.digest] = DATA[:1_000_000]
    with pytest.raises(DamagedInput):
        window.read(0, 10)


def test_an_answer_with_another_range_is_damage(server: FaultServer, window: RemoteBlob) -> None:
    headers = {"Content-Range": f"bytes 0-9/{len(DATA)}"}
    server.always("GET", "/blobs/", Answer(206, DATA[:10], headers))
    with pytest.raises(DamagedInput, match="were not asked for"):
        window.read(1_000_000, 10)


def test_a_range_beyond_the_blob_is_damage_and_its_body_is_not_read(
    server: FaultServer, window: RemoteBlob
) -> None:
    server.always("GET", "/blobs/", Answer(416, b"short", length=10_000_000, hang=True))
    with pytest.raises(DamagedInput, match="fewer bytes"):
        window.read(1_000_000, 10)


def test_a_download_goes_on_where_it_broke_off(server: FaultServer, client: RegistryClient) -> None:
    server.on("GET", "/blobs/", Answer(200, DATA[:1_000_000], length=len(DATA)))
    assert fetched(client) == DATA
    assert ranges(server) == [None, "bytes=1000000-"]


def test_a_download_begins_again_where_ranges_are_ignored(
    server: FaultServer, client: RegistryClient
) -> None:
    server.ranges = False
    server.on("GET", "/blobs/", Answer(200, DATA[:1_000_000], length=len(DATA)))
    assert fetched(client) == DATA
    assert ranges(server) == [None, "bytes=1000000-"]


def test_a_download_that_breaks_off_again_and_again_is_given_up(
    server: FaultServer, client: RegistryClient
) -> None:
    server.always("GET", "/blobs/", Answer(200, DATA[:1000], length=len(DATA)))
    with pytest.raises(SourceUnreachable, match="breaks off"):
        fetched(client)
    assert len(server.seen) < 10


@pytest.mark.parametrize(
    "body", [DATA[:-1], DATA + b"!", DATA[:-1] + b"!", b""], ids=["short", "long", "wrong", "none"]
)
def test_other_bytes_than_the_digest_promises_are_damage(
    server: FaultServer, client: RegistryClient, body: bytes
) -> None:
    server.blobs["app", BLOB.digest] = body
    with pytest.raises((DamagedInput, SourceUnreachable)):
        fetched(client)


def test_a_download_can_be_cancelled_between_its_pieces(client: RegistryClient) -> None:
    progress = Progress()
    seen = []

    def tick(amount: int = 1) -> None:
        seen.append(amount)
        if sum(seen) > 1_000_000:
            raise Cancelled

    progress.tick = tick  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        list(blob_pieces(client, "app", BLOB, progress))
    assert max(seen) <= 1 << 20
    assert sum(seen) < 1_500_000


def test_what_comes_over_the_wire_is_counted(client: RegistryClient, window: RemoteBlob) -> None:
    window.read(1_000_000, 1)
    assert client.http.received == BLOCK


def test_two_parts_of_a_blob_are_fetched_at_the_same_time(
    server: FaultServer, window: RemoteBlob
) -> None:
    """The registry answers neither request before it has both."""
    both = threading.Barrier(2, timeout=10)

    def together(seen: Seen) -> None:
        both.wait()

    server.rules.append(together)
    with ThreadPoolExecutor(2) as pool:
        read = list(pool.map(window.read, (0, 1_000_000), (100, 100)))
    assert read == [DATA[:100], DATA[1_000_000:1_000_100]]
    assert len(server.seen) == 2


def test_what_another_thread_fetches_is_waited_for(server: FaultServer, window: RemoteBlob) -> None:
    begun, second = threading.Event(), threading.Event()

    def held(seen: Seen) -> None:
        begun.set()
        assert second.wait(10)

    def read_again() -> bytes:
        second.set()
        return window.read(1_000_050, 100)

    server.rules.append(held)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(window.read, 1_000_000, 100)
        assert begun.wait(10)
        assert pool.submit(read_again).result() == DATA[1_000_050:1_000_150]
        assert first.result() == DATA[1_000_000:1_000_100]
    assert len(server.seen) == 1


def test_a_block_whose_request_failed_is_asked_for_again(
    server: FaultServer, window: RemoteBlob
) -> None:
    server.on("GET", "/blobs/", Answer(403))
    with pytest.raises(SourceUnreachable):
        window.read(1_000_000, 100)
    assert window.read(1_000_000, 100) == DATA[1_000_000:1_000_100]


def test_requests_grow_while_reads_follow_on_and_are_small_again_elsewhere(
    server: FaultServer, window: RemoteBlob
) -> None:
    for offset in (0, BLOCK, 3 * BLOCK, 50 * BLOCK):
        window.read(offset, 1)
    sizes = [1, 2, 4, 1]
    starts = [0, 1, 3, 50]
    assert ranges(server) == [
        f"bytes={start * BLOCK}-{(start + size) * BLOCK - 1}"
        for start, size in zip(starts, sizes, strict=True)
    ]
