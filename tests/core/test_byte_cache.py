"""What a cache of bytes keeps, and what gives way."""

from __future__ import annotations

from ckpt_tui.core.byte_cache import ByteCache


def kept(cache: ByteCache[str], keys: str) -> str:
    return "".join(key for key in keys if cache.get(key) is not None)


def test_what_was_not_used_for_longest_gives_way() -> None:
    cache = ByteCache[str](10)
    for key in "abc":
        cache.put(key, b"12345"[:3])
    assert cache.get("a") == b"123"
    cache.put("d", b"4567")  # 13 bytes: b is the oldest now
    assert kept(cache, "abcd") == "acd"


def test_the_limit_may_be_reached_but_not_passed() -> None:
    cache = ByteCache[str](6)
    cache.put("a", b"123")
    cache.put("b", b"456")
    assert kept(cache, "ab") == "ab"
    cache.put("c", b"7")
    assert kept(cache, "abc") == "bc"


def test_a_block_in_place_of_another_counts_once() -> None:
    cache = ByteCache[str](6)
    for _ in range(5):
        cache.put("a", b"123")
    cache.put("b", b"456")
    cache.put("a", b"12")
    cache.put("c", b"7")
    assert kept(cache, "abc") == "abc"


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = ByteCache[str](2)
    cache.put("a", b"123")
    cache.put("b", b"12")
    assert kept(cache, "ab") == "b"
