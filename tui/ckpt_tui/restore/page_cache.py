"""Page contents fetched side by side and ahead of the requests, kept in bounded memory.

Page images are read in pieces of 1 MiB, which are the frames of the optimized format: each is one
Range request to a registry. A piece that a process waits for overtakes those fetched ahead.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.restore.retrying import Retrying

PIECE = 1 << 20
"""Bytes of a piece; those of a zstd frame in the optimized format."""

BUDGET = 96 << 20
"""Bytes of pieces that are kept, by default."""

FETCHERS = 8
"""Pieces fetched at the same time; one fetcher takes only pieces that are waited for."""

AHEAD = 16
"""Pieces fetched behind the one last asked for."""

STALE = 2
"""A piece fetched ahead may be dropped when so many times the budget was fetched after it: it has
pages that are not lazy, perhaps."""

Place = tuple[int, int]
"""Number of a page image, and of a piece in it."""


@dataclass(slots=True)
class _Piece:
    """A piece that is queued, being read, or here."""

    contents: Future[bytes] = field(default_factory=Future)
    is_taken: bool = False
    """Whether a fetcher reads it, or has read it."""
    is_asked: bool = False
    """Whether it was asked for; otherwise it was only fetched ahead."""


class PageCache:
    """Fetches pieces of page images. A context manager: leaving it ends the fetchers."""

    def __init__(
        self,
        retrying: Retrying | None = None,
        budget: int = BUDGET,
        fetchers: int = FETCHERS,
        ahead: int = AHEAD,
    ) -> None:
        self.fetched = 0
        """Pieces read so far."""
        self._retrying = retrying or Retrying()
        self._most = max(budget // PIECE, 2)
        self._ahead = min(ahead, self._most // 2)
        self._windows: list[ByteWindow] = []
        self._pieces: dict[Place, _Piece] = {}
        self.held = 0
        """Pieces that are being read or here."""
        self._asked: OrderedDict[Place, None] = OrderedDict()
        """Those here that were asked for, the one longest not asked for first."""
        self._unasked: OrderedDict[Place, int] = OrderedDict()
        """Those here that were only fetched ahead, and how many were fetched before each."""
        self._gone: set[Place] = set()
        """Those that were asked for and dropped: they are not fetched ahead again."""
        self._urgent: deque[Place] = deque()
        self._early: deque[Place] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._threads = [
            threading.Thread(target=self._fetch_on, args=(bool(number),), daemon=True)
            for number in range(max(fetchers, 2))
        ]
        for thread in self._threads:
            thread.start()

    def add(self, window: ByteWindow) -> int:
        """Take a page image, and return its number."""
        with self._changed:
            self._windows.append(window)
            return len(self._windows) - 1

    def ask(self, image: int, number: int, *, goes_on: bool = True) -> Future[bytes]:
        """Return a piece, here or on its way before all that was only fetched ahead; `goes_on`:
        those behind it follow."""
        place = (image, number)
        with self._changed:
            piece = self._pieces.setdefault(place, _Piece())
            if not piece.is_asked and not piece.is_taken:
                self._urgent.append(place)
            piece.is_asked = True
            if place in self._unasked:
                del self._unasked[place]
                self._asked[place] = None
            elif place in self._asked:
                self._asked.move_to_end(place)
            if self._is_closed:
                self._fail(piece)
            if place in self._gone:  # another restore begins
                self._gone.difference_update((image, number + n) for n in range(self._ahead + 1))
            if goes_on:
                self._plan_ahead(image, number + 1)
            self._changed.notify_all()
            return piece.contents

    def fetch_early(self, image: int, number: int) -> bool:
        """Fetch a piece when nothing else is asked for. Return whether there is room for more: half
        of the budget is for such pieces."""
        with self._changed:
            self._plan((image, number))
            self._changed.notify_all()
            return len(self._early) + len(self._unasked) < self._most // 2

    def close(self) -> None:
        """End the fetchers; what is waited for fails."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._retrying.give_up()
        for thread in self._threads:
            thread.join()
        with self._changed:
            for piece in self._pieces.values():
                self._fail(piece)

    def __enter__(self) -> PageCache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _fail(self, piece: _Piece) -> None:
        if not piece.contents.done():
            piece.contents.set_exception(CkptError("The page server was stopped."))

    def _plan(self, place: Place) -> None:
        if place not in self._pieces and place not in self._gone:
            self._pieces[place] = _Piece()
            self._early.append(place)

    def _plan_ahead(self, image: int, first: int) -> None:
        beyond = -(-self._windows[image].size // PIECE)
        for number in range(first, min(first + self._ahead, beyond)):
            self._plan((image, number))

    def _fetch_on(self, takes_early: bool) -> None:
        while (taken := self._next(takes_early)) is not None:
            place, piece = taken
            image, number = place
            try:
                contents = self._retrying.read(self._windows[image], number * PIECE, PIECE)
            except Exception as error:  # for the one that waits, in whose thread it is shown
                with self._changed:
                    del self._pieces[place]
                    self.held -= 1
                piece.contents.set_exception(error)
            else:
                self._keep(place, piece, contents)

    def _keep(self, place: Place, piece: _Piece, contents: bytes) -> None:
        with self._changed:
            self.fetched += 1
            if piece.is_asked:
                self._asked[place] = None
            else:
                self._unasked[place] = self.fetched
            piece.contents.set_result(contents)
            self._changed.notify_all()  # one that can be dropped makes room

    def _next(self, takes_early: bool) -> tuple[Place, _Piece] | None:
        """Wait for a piece to fetch; None when there is nothing more to do."""
        with self._changed:
            while not self._is_closed:
                place = self._first(self._urgent)
                if place is None and takes_early and self._has_room():
                    place = self._first(self._early)
                if place is None:
                    self._changed.wait()
                    continue
                piece = self._pieces[place]
                piece.is_taken = True
                self.held += 1
                self._make_room()
                return place, piece
            return None

    def _first(self, queue: deque[Place]) -> Place | None:
        """Return the first of a queue that no fetcher has taken out of the other one."""
        while queue:
            place = queue.popleft()
            piece = self._pieces.get(place)
            if piece is not None and not piece.is_taken:
                return place
        return None

    def _has_room(self) -> bool:
        """Whether a piece more can be kept without losing one that may be asked for soon."""
        if self.held - len(self._asked) < self._most:
            return True
        oldest = next(iter(self._unasked.values()), self.fetched)
        return self.fetched - oldest > STALE * self._most

    def _make_room(self) -> None:
        """Drop pieces that are here, those asked for before others."""
        while self.held > self._most and (self._asked or self._unasked):
            if self._asked:
                place, _ = self._asked.popitem(last=False)
                self._gone.add(place)
            else:
                place, _ = self._unasked.popitem(last=False)
            del self._pieces[place]
            self.held -= 1
