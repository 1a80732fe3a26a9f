"""bbolt read from a database that containerd wrote, and from what nobody would write."""

from __future__ import annotations

import random
import struct

import pytest

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.sources.bolt import Bolt, Bucket, _fnv64a
from containerd_store import database

PAGE = 4096


@pytest.fixture(scope="module")
def real() -> bytes:
    return database()


def bolt(data: bytes) -> Bolt:
    return Bolt(BytesWindow(data), "meta.db")


def walk(bucket: Bucket, depth: int = 0) -> int:
    """Return the keys in a bucket and those in it."""
    assert depth < 12
    return sum(
        1 + (walk(value, depth + 1) if isinstance(value, Bucket) else 0) for _, value in bucket
    )


def test_buckets_keys_and_values_are_read(real: bytes) -> None:
    root = bolt(real).root
    assert [name for name, _ in root.buckets()] == ["v1"]
    images = root.bucket("v1", "k8s.io", "images")
    assert images is not None
    names = [name for name, _ in images.buckets()]
    assert names == sorted(names)
    assert len(names) == 301  # more than a page holds: branches
    assert root.bucket("v1", "nowhere") is None
    target = root.bucket("v1", "default", "images", "localhost/bb:1", "target")
    assert target is not None
    assert target.value("mediatype") == b"application/vnd.oci.image.manifest.v1+json"
    assert target.value("nothing") == b""
    assert walk(root) > 2000


def meta(page: int, transaction: int, root: int = 3, pages: int = 5, size: int = PAGE) -> bytes:
    fields = (0xED0CDAED, 2, size, 0, root, 0, 2, pages, transaction)
    body = struct.pack("<IIIIQQQQQ", *fields)
    return struct.pack("<QHHI", page, 4, 0, 0) + body + struct.pack("<Q", _fnv64a(body))


def leaf(number: int, *elements: tuple[bytes, bytes, int], more: int = 0) -> bytes:
    heads, data = b"", b""
    for place, (key, value, flags) in enumerate(elements):
        at = (len(elements) - place) * 16 + len(data)
        heads += struct.pack("<IIII", flags, at, len(key), len(value))
        data += key + value
    return struct.pack("<QHHI", number, 2, len(elements), more) + heads + data


def branch(number: int, *below: int) -> bytes:
    heads = b""
    for place, page in enumerate(below):
        heads += struct.pack("<IIQ", (len(below) - place) * 16, 0, page)
    return struct.pack("<QHHI", number, 1, len(below), 0) + heads


def made(*pages: bytes, first: bytes = b"", size: int = PAGE) -> bytes:
    whole = (first or meta(0, 1, size=size), meta(1, 2, size=size), leaf(2), *pages)
    return b"".join(page.ljust(-(-len(page) // size) * size, b"\0") for page in whole)


def test_the_newer_meta_page_counts_if_it_is_whole() -> None:
    old, new = leaf(3, (b"old", b"", 0)), leaf(4, (b"new", b"", 0))
    data = bytearray(made(old, new, first=meta(0, 7, root=4)))
    assert [key for key, _ in bolt(bytes(data)).root] == [b"new"]
    data[40] ^= 1
    assert [key for key, _ in bolt(bytes(data)).root] == [b"old"]
    data[PAGE + 40] ^= 1
    with pytest.raises(DamagedInput, match="both its meta pages"):
        bolt(bytes(data))


@pytest.mark.parametrize("size", [1024, 65536])
def test_pages_have_the_size_of_the_machine_that_wrote_them(size: int) -> None:
    data = made(leaf(3, (b"key", b"value", 0)), size=size, first=meta(0, 1, pages=4, size=size))
    assert list(bolt(data).root) == [(b"key", b"value")]


def test_a_large_value_runs_on_into_the_next_pages() -> None:
    data = made(leaf(3, (b"key", b"v" * 7000, 0), more=1))
    assert bolt(data).root.value("key") == b"v" * 7000


NESTED = struct.pack("<QQ", 0, 0) + leaf(0, (b"inner", b"1", 0))


def test_a_small_bucket_lies_in_the_one_above() -> None:
    inner = bolt(made(leaf(3, (b"b", NESTED, 1)))).root.bucket("b")
    assert inner is not None
    assert list(inner) == [(b"inner", b"1")]


HOSTILE = {
    "empty": b"",
    "zeros": bytes(8 * PAGE),
    "text": b"not a database " * 1000,
    "root beyond the end": made(),
    "root is a meta page": made(leaf(3), first=meta(0, 9, root=1)),
    "a page of another number": made(leaf(7)),
    "a branch to itself": made(branch(3, 3)),
    "branches in a circle": made(branch(3, 4), branch(4, 3)),
    "the same page twice": made(branch(3, 4, 4), leaf(4, (b"k", b"v", 0))),
    "pages without end": made(leaf(3, more=2**31)),
    "neither keys nor pages": made(struct.pack("<QHHI", 3, 16, 0, 0)),
    "more keys than bytes": made(struct.pack("<QHHI", 3, 2, 65535, 0)),
    "a key beyond its page": made(
        struct.pack("<QHHI", 3, 2, 1, 0) + struct.pack("<IIII", 0, 16, 2**31, 2**31)
    ),
    "a key on the elements": made(
        struct.pack("<QHHI", 3, 2, 1, 0) + struct.pack("<IIII", 0, 0, 9, 9)
    ),
    "keys on each other": made(
        struct.pack("<QHHI", 3, 2, 2, 0)
        + struct.pack("<IIII", 0, 32, 9, 9)
        + struct.pack("<IIII", 0, 16, 9, 9)
    ),
    "a bucket of no bytes": made(leaf(3, (b"b", b"", 1))),
    "a bucket of a header's half": made(leaf(3, (b"b", bytes(20), 1))),
    "a bucket in itself": made(leaf(3, (b"b", struct.pack("<QQ", 2**40, 0), 1))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_contradicts_itself_is_damage(name: str) -> None:
    with pytest.raises(DamagedInput):
        walk(bolt(HOSTILE[name]).root)


def test_chance_makes_damage_and_nothing_else(real: bytes) -> None:
    chance = random.Random(4)
    for _ in range(60):
        data = bytearray(real[: chance.choice((len(real), 400_000, 5000))])
        for _ in range(200):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            walk(bolt(bytes(data)).root)
        except DamagedInput:
            continue


def test_many_buckets_of_the_same_pages_are_not_read_without_end() -> None:
    count = 65_535
    size = 16 * count + 40 * count
    more = -(-size // PAGE)
    elements = tuple((b"%08d" % n, struct.pack("<QQ", 3, 0), 1) for n in range(count))
    page = leaf(3, *elements, more=more).ljust((more + 1) * PAGE, b"\0")
    data = made(page, first=meta(0, 3, pages=10_000))
    root = bolt(data).root
    with pytest.raises(DamagedInput, match="the same pages"):
        [bucket.value("missing") for _, bucket in root.buckets()]
