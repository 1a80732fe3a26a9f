"""Reading a mangled name letter by letter, within bounds."""

from __future__ import annotations

MAX_DEPTH = 128
"""Types and names within each other."""

MAX_TEXT = 1 << 16
"""Characters of a type: references to earlier parts can double it with every few letters."""

MAX_STEPS = 20_000
"""Types and names of one symbol."""


class OddName(ValueError):
    """A name that is not in the part of the grammar that is read here."""


class Letters:
    """The letters of a name, and how far they have been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = self._steps = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.text)

    def peek(self, size: int = 1) -> str:
        """Return the next letters, fewer at the end."""
        return self.text[self.at : self.at + size]

    def take(self, text: str) -> bool:
        """Go over a text if it is next."""
        if self.text.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def expect(self, text: str) -> None:
        """Go over a text.

        Raises:
            OddName: it is not next.
        """
        if not self.take(text):
            raise OddName(text)

    def step(self) -> None:
        """Count a type or name.

        Raises:
            OddName: there are too many, or too many within each other.
        """
        self._steps += 1
        if self.depth > MAX_DEPTH or self._steps > MAX_STEPS:
            raise OddName("deep")

    def digits(self) -> str:
        """Go over decimal digits, nine at most, and return them; empty for none."""
        start = self.at
        while "0" <= self.peek() <= "9" and self.at - start < 9:
            self.at += 1
        return self.text[start : self.at]
