"""Numbers of records by an id, and some of the things of a sequence: for millions of them."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class Slots:
    """Numbers by id, several for an id where it comes again.

    The ids that CRIU gives rise from record to record: those are kept in two arrays, a tenth of
    what a dictionary takes, and only the others in one.
    """

    def __init__(self) -> None:
        self._rising = array("q")
        self._numbers = array("I")
        self._others: dict[int, array[int]] = {}
        """All numbers of an id that did not rise."""
        self._greatest = -1 << 63

    def add(self, key: int, number: int) -> bool:
        """Add a number, greater than those before, to those of an id of 63 bits; return whether
        the id is new."""
        if key > self._greatest:
            self._greatest = key
            self._rising.append(key)
            self._numbers.append(number)
            return True
        if key in self._others:
            self._others[key].append(number)
            return False
        known = self.of(key)
        self._others[key] = array("I", (*known, number))
        return not known

    def of(self, key: int) -> Sequence[int]:
        """Return the numbers of an id, rising."""
        if key > self._greatest:
            return ()
        if key in self._others:
            return self._others[key]
        place = bisect_left(self._rising, key)
        if place == len(self._rising) or self._rising[place] != key:
            return ()
        return (self._numbers[place],)

    def last(self, key: int) -> int | None:
        """Return the last number of an id, None without one."""
        numbers = self.of(key)
        return numbers[-1] if numbers else None


class Made(Sequence[T]):
    """A sequence whose items are made when they are asked for, each by itself."""

    @abstractmethod
    def make(self, number: int) -> T:
        """Return the item of a number from 0 on."""

    @overload
    def __getitem__(self, index: int, /) -> T: ...

    @overload
    def __getitem__(self, index: slice, /) -> Some[T]: ...

    def __getitem__(self, index: int | slice, /) -> T | Some[T]:
        numbers = range(len(self))[index]
        return self.make(numbers) if isinstance(numbers, int) else Some(self.make, numbers)

    def __iter__(self) -> Iterator[T]:
        return map(self.make, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment] # as of a list: it is compared by what is in it


class Some(Made[T]):
    """Things that are made when they are asked for, by their numbers."""

    def __init__(self, make: Callable[[int], T], numbers: Sequence[int]) -> None:
        self._made = make
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def make(self, number: int) -> T:
        return self._made(self._numbers[number])
