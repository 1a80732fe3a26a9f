"""The cache of pages: what is fetched, in which order, how often, and how much is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ckpt_tui.core.errors import CkptError, SourceUnreachable
from ckpt_tui.restore.page_cache import PIECE, PageCache
from ckpt_tui.restore.retrying import Retrying


class Slow:
    """A page image whose reads are held until the test lets them go; pieces are their number."""

    def __init__(self, pieces: int, *, is_free: bool = False) -> None:
        self.size = pieces * PIECE
        self.began: list[int] = []
        self.broken: set[int] = set()
        self.free = threading.Event()
        self.changed = threading.Condition()
        if is_free:
            self.free.set()

    def read(self, offset: int, length: int) -> bytes:
        number = offset // PIECE
        with self.changed:
            self.began.append(number)
            self.changed.notify_all()
        assert self.free.wait(10)
        if number in self.broken:
            raise ValueError(f"piece {number}")
        return number.to_bytes(4, "little")

    def await_reads(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.began) >= count, 10)


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow(100)
    yield made
    made.free.set()


def number_in(contents: bytes) -> int:
    return int.from_bytes(contents, "little")


def test_pieces_behind_the_one_asked_for_are_fetched_side_by_side(slow: Slow) -> None:
    with PageCache(fetchers=4, ahead=5) as cache:
        image = cache.add(slow)
        asked = cache.ask(image, 10)
        slow.await_reads(3)
        assert {*slow.began} <= {10, 11, 12, 13}
        slow.free.set()
        assert number_in(asked.result(10)) == 10
        slow.await_reads(6)
        assert sorted(slow.began) == [10, 11, 12, 13, 14, 15]


def test_what_is_waited_for_overtakes_what_is_fetched_ahead(slow: Slow) -> None:
    with PageCache(fetchers=3, ahead=16) as cache:
        image = cache.add(slow)
        cache.fetch_early(image, 50)
        for number in range(51, 80):
            cache.fetch_early(image, number)
        slow.await_reads(2)  # the third fetcher is for what is waited for
        cache.ask(image, 5)
        slow.await_reads(3)
        assert slow.began[2] == 5
        cache.ask(image, 70)
        slow.free.set()
        slow.await_reads(4)
        assert slow.began[3] == 70


def test_a_piece_is_fetched_once_however_often_it_is_asked_for(slow: Slow) -> None:
    with PageCache(ahead=0) as cache:
        image = cache.add(slow)
        found = [cache.ask(image, 3) for _ in range(20)]
        slow.free.set()
        assert {number_in(one.result(10)) for one in found} == {3}
        assert number_in(cache.ask(image, 3).result(10)) == 3
        assert slow.began == [3]


def test_each_piece_of_two_streams_is_fetched_once_in_little_memory() -> None:
    images = [Slow(200, is_free=True), Slow(200, is_free=True)]
    with PageCache(budget=12 * PIECE, ahead=4) as cache:
        for image in images:
            cache.add(image)
        for number in range(200):
            for image in range(2):
                assert number_in(cache.ask(image, number).result(10)) == number
        assert cache.fetched == 400
    assert [len(image.began) for image in images] == [200, 200]


def test_what_was_given_out_and_dropped_is_not_fetched_ahead_again() -> None:
    image = Slow(100, is_free=True)
    with PageCache(budget=4 * PIECE, ahead=2) as cache:
        cache.add(image)
        for number in [*range(50, 70), *range(48, 50)]:
            assert number_in(cache.ask(0, number).result(10)) == number
        image.await_reads(22)
    assert sorted(image.began) == [*range(48, 72)]


def test_no_more_than_the_budget_is_held(slow: Slow) -> None:
    slow.free.set()
    with PageCache(budget=8 * PIECE, ahead=0) as cache:
        image = cache.add(slow)
        for number in range(40):
            cache.ask(image, number).result(10)
        assert cache.held <= 8


def test_a_working_set_leaves_room_for_what_follows(slow: Slow) -> None:
    slow.free.set()
    with PageCache(budget=16 * PIECE) as cache:
        image = cache.add(slow)
        taken = [number for number in range(100) if cache.fetch_early(image, number)]
        assert len(taken) < 16


def test_a_failure_reaches_the_one_that_waits_and_no_other(slow: Slow) -> None:
    slow.broken = {4}
    slow.free.set()
    with PageCache(ahead=2) as cache:
        image = cache.add(slow)
        with pytest.raises(ValueError, match="piece 4"):
            cache.ask(image, 4).result(10)
        assert number_in(cache.ask(image, 5).result(10)) == 5
        slow.broken = set()
        assert number_in(cache.ask(image, 4).result(10)) == 4


def test_leaving_it_fails_what_is_queued(slow: Slow) -> None:
    cache = PageCache(fetchers=2, ahead=0)
    image = cache.add(slow)
    asked = [cache.ask(image, number) for number in range(10)]
    slow.await_reads(2)
    closing = threading.Thread(target=cache.close)
    closing.start()
    with pytest.raises(CkptError, match="stopped"):
        cache.ask(image, 90).result(10)
    slow.free.set()
    closing.join(10)
    assert sum(one.exception(10) is None for one in asked) == 2


class Away:
    """Bytes whose source does not answer so many times."""

    size = 100

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def read(self, offset: int, length: int) -> bytes:
        self.failures -= 1
        if self.failures >= 0:
            raise SourceUnreachable("The registry is away.")
        return b"here"


def test_a_source_that_is_away_is_tried_again() -> None:
    retrying = Retrying(patience_s=30)
    assert retrying.read(Away(2), 0, 4) == b"here"
    assert (retrying.failures, retrying.problem) == (2, "")


def test_patience_ends() -> None:
    retrying = Retrying(patience_s=0.15)
    with pytest.raises(SourceUnreachable, match="away"):
        retrying.read(Away(1000), 0, 4)
    assert 1 <= retrying.failures < 5


def test_giving_up_ends_the_waiting() -> None:
    retrying = Retrying(patience_s=3600)
    retrying.give_up()
    with pytest.raises(SourceUnreachable, match="away"):
        retrying.read(Away(1000), 0, 4)
    assert retrying.failures == 1
