"""Names of Rust functions in the v0 form (RFC 2603), without the hashes of crates.

Constants other than numbers, `bool` and `char` are left mangled: no stable Rust has them in names.
"""

from __future__ import annotations

from collections.abc import Callable

from ckpt_tui.stacks.mangled import MAX_TEXT, Letters, OddName

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

BASIC = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8",
    "i": "isize", "j": "usize", "l": "i32", "m": "u32", "n": "i128", "o": "u128", "s": "i16",
    "t": "u16", "u": "()", "v": "...", "x": "i64", "y": "u64", "z": "!", "p": "_",
}  # fmt: skip

SPECIAL = {"C": "closure", "S": "shim"}
"""Namespaces of what has no name of its own."""

ESCAPES = {"\t": "\\t", "\r": "\\r", "\n": "\\n", "'": "\\'", "\\": "\\\\"}

MAX_DECIMAL = 1 << 64
"""Constants from here on are hexadecimal."""

MAX_LIFETIMES = 1000
"""Lifetimes that one `for<...>` names."""


def demangled_v0(body: str) -> str:
    """Return the path of a function, from what follows `_R`.

    Raises:
        OddName: it is no such name, or one that is not read here.
    """
    reader = _Reader(body)
    text = reader.path(in_value=True)
    if not reader.is_done:  # the crate that made this copy of a generic function
        reader.path(in_value=False)
    if not reader.is_done:
        raise OddName(body)
    return text


class _Reader(Letters):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._lifetimes = 0
        """Lifetimes that the types around have named."""

    def _within(self, read: Callable[[], str]) -> str:
        """Return what `read` makes of a part, within the bounds of depth and length."""
        self.depth += 1
        self.step()
        text = read()
        self.depth -= 1
        if len(text) > MAX_TEXT:
            raise OddName("long")
        return text

    def path(self, *, in_value: bool) -> str:
        """Read a path; in a type the `::` before generic arguments is left out."""
        return self._within(lambda: self._path(in_value))

    def _path(self, in_value: bool) -> str:
        if self.take("C"):
            self._disambiguator()
            return self._identifier()
        if self.take("N"):
            return self._nested(in_value)
        if self.take("M"):
            self._implementation()
            return f"<{self.type()}>"
        if self.take("X") or self.take("Y"):
            if self.text[self.at - 1] == "X":
                self._implementation()
            return f"<{self.type()} as {self.path(in_value=False)}>"
        if self.take("I"):
            colons = "::" if in_value else ""
            return f"{self.path(in_value=in_value)}{colons}<{self._arguments()}>"
        if self.take("B"):
            return self._earlier(lambda: self.path(in_value=in_value))
        raise OddName("path")

    def _nested(self, in_value: bool) -> str:
        space = self.peek()
        self.at += 1
        outer = self.path(in_value=in_value)
        number, name = self._disambiguator(), self._identifier()
        if "A" <= space <= "Z":
            what = SPECIAL.get(space, space)
            return f"{outer}::{{{what}{':' * bool(name)}{name}#{number}}}"
        return f"{outer}::{name}" if name else outer

    def _implementation(self) -> None:
        """Go over the path of an `impl` block, which is not printed."""
        self._disambiguator()
        self.path(in_value=False)

    def _arguments(self) -> str:
        return ", ".join(self._until_end(self._argument))

    def _until_end(self, read: Callable[[], str]) -> list[str]:
        found = []
        while not self.take("E"):
            found.append(self._within(read))
        return found

    def _argument(self) -> str:
        if self.take("L"):
            return self._lifetime(self._number62())
        return self._constant() if self.take("K") else self.type()

    def _number62(self) -> int:
        """Read a number and `_`; without digits it is 0, else one more than it says."""
        end = self.text.find("_", self.at, self.at + 12)
        if end < 0:
            raise OddName("number")
        value = 0
        for digit in self.text[self.at : end]:
            place = DIGITS.find(digit)
            if place < 0:
                raise OddName("number")
            value = value * 62 + place
        is_zero, self.at = end == self.at, end + 1
        return 0 if is_zero else value + 1

    def _disambiguator(self) -> int:
        return self._number62() + 1 if self.take("s") else 0

    def _identifier(self) -> str:
        is_unicode = self.take("u")
        digits = "0" if self.take("0") else self.digits()
        if not digits:
            raise OddName("identifier")
        self.take("_")
        size = int(digits)
        text = self.peek(size)
        if len(text) < size:
            raise OddName("identifier")
        self.at += size
        if not is_unicode:
            return text
        head, _, tail = text.rpartition("_")
        try:
            return (head + "-" * bool(head) + tail).encode("ascii").decode("punycode")
        except (UnicodeError, OverflowError, ValueError) as error:
            raise OddName("identifier") from error

    def _earlier(self, read: Callable[[], str]) -> str:
        """Read again what is at an earlier place."""
        start = self.at - 1
        place = self._number62()
        if place >= start:
            raise OddName("reference")
        back, self.at = self.at, place
        text = read()
        self.at = back
        return text

    def _lifetime(self, number: int) -> str:
        if not number:
            return "'_"
        place = self._lifetimes - number
        if place < 0:
            raise OddName("lifetime")
        return f"'{chr(ord('a') + place)}" if place < 26 else f"'_{place}"

    def _bound(self, read: Callable[[], str]) -> str:
        """Read what may begin with lifetimes of its own."""
        count = self._number62() + 1 if self.take("G") else 0
        if count > MAX_LIFETIMES:
            raise OddName("lifetimes")
        self._lifetimes += count
        names = ", ".join(self._lifetime(number) for number in range(count, 0, -1))
        text = read()
        self._lifetimes -= count
        return f"for<{names}> {text}" if count else text

    def type(self) -> str:
        """Read a type."""
        return self._within(self._type)

    def _type(self) -> str:
        mark = self.peek()
        self.at += 1
        if mark in BASIC:
            return BASIC[mark]
        if mark in ("R", "Q"):
            lifetime = self._number62() if self.take("L") else 0
            named = f"{self._lifetime(lifetime)} " if lifetime else ""
            return f"&{named}{'mut ' * (mark == 'Q')}{self.type()}"
        if mark in ("P", "O"):
            return f"*{'const' if mark == 'P' else 'mut'} {self.type()}"
        if mark == "A":
            return f"[{self.type()}; {self._constant()}]"
        if mark == "S":
            return f"[{self.type()}]"
        if mark == "T":
            parts = self._until_end(self.type)
            return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
        if mark == "F":
            return self._bound(self._function)
        if mark == "D":
            return self._dynamic()
        if mark == "B":
            return self._earlier(self.type)
        self.at -= 1
        return self.path(in_value=False)

    def _function(self) -> str:
        text = "unsafe " * self.take("U")
        if self.take("K"):
            name = "C" if self.take("C") else self._identifier().replace("_", "-")
            text += f'extern "{name}" '
        text += f"fn({', '.join(self._until_end(self.type))})"
        return text if self.take("u") else f"{text} -> {self.type()}"

    def _dynamic(self) -> str:
        text = self._bound(lambda: " + ".join(self._until_end(self._trait)))
        self.expect("L")
        lifetime = self._number62()
        return f"dyn {text} + {self._lifetime(lifetime)}" if lifetime else f"dyn {text}"

    def _trait(self) -> str:
        name = self.path(in_value=False)
        bindings = []
        while self.take("p"):
            bindings.append(f"{self._identifier()} = {self.type()}")
        if not bindings:
            return name
        head = f"{name[:-1]}, " if name.endswith(">") else f"{name}<"
        return f"{head}{', '.join(bindings)}>"

    def _constant(self) -> str:
        mark = self.peek()
        self.at += 1
        if mark == "B":
            return self._earlier(lambda: self._within(self._constant))
        if mark == "p":
            return "_"
        is_negative = self.take("n")
        end = self.text.find("_", self.at)
        digits = self.text[self.at : end]
        if end < 0 or len(digits) > 32 or digits.strip("0123456789abcdef"):
            raise OddName("constant")
        self.at = end + 1
        value = int(digits or "0", 16)
        if mark == "b" and value < 2:
            return str(bool(value)).lower()
        if mark == "c":
            return _character(value)
        if BASIC.get(mark, "f")[0] not in "iu" or mark == "u":
            raise OddName("constant")
        sign = "-" * is_negative
        return f"{sign}{value}" if value < MAX_DECIMAL else f"{sign}0x{digits}"


def _character(value: int) -> str:
    if value > 0x10FFFF or 0xD800 <= value < 0xE000:
        raise OddName("character")
    letter = chr(value)
    if letter in ESCAPES:
        return f"'{ESCAPES[letter]}'"
    return f"'{letter}'" if letter.isprintable() else f"'\\u{{{value:x}}}'"
