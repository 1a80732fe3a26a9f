"""Names of C++ functions, in the form that binutils and gdb print (Itanium C++ ABI, 5.1).

What these names may hold beyond that (expressions in templates, for one) is left mangled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ckpt_tui.stacks.itanium_codes import (
    BUILTIN,
    OF_NAMES,
    OPERATORS,
    SPECIAL,
    STANDARD,
    SUFFIXES,
)
from ckpt_tui.stacks.mangled import MAX_DEPTH, MAX_TEXT, Letters, OddName


@dataclass(frozen=True, slots=True)
class _Type:
    """A type: the text before and after what is declared with it."""

    before: str
    after: str = ""
    is_inside_out: bool = False
    """A function or array: a pointer to it needs parentheses."""

    @property
    def text(self) -> str:
        return self.before + self.after


@dataclass(slots=True)
class _Name:
    text: str
    base: str = ""
    """Its last part without template arguments: the name of its constructors."""
    has_arguments: bool = False
    """It ends with template arguments."""
    has_no_return: bool = False
    """Its type does not begin with what it returns."""
    qualifiers: str = ""


_Argument = _Type | list[_Type]
"""A template argument, or a pack of them."""


def demangled_cpp(name: str) -> str:
    """Return the declaration that a symbol is for.

    Raises:
        OddName: it is not mangled, or not in a way that is read here.
    """
    body, dot, clone = name.partition(".")
    reader = _Reader(body.removeprefix("_Z"))
    text = reader.encoding()
    if not reader.is_done:
        raise OddName(name)
    return f"{text} [clone .{clone}]" if dot else text


class _Reader(Letters):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._known: list[_Type] = []
        """Candidates of substitutions."""
        self._arguments: list[_Argument] = []
        """What T_ stands for."""
        self._pack: int | None = None
        """Which one of a pack is being read."""
        self._pack_size = 0

    def _number(self) -> int:
        digits = self.digits()
        if not digits:
            raise OddName("number")
        return int(digits)

    def _sequence(self, base: int = 10) -> int:
        """Read a number and `_`; without digits it is 0, else one more than it says."""
        end = self.text.find("_", self.at, self.at + 8)
        digits = self.text[self.at : end]
        allowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:base]
        if end < 0 or digits.strip(allowed):
            raise OddName("sequence")
        self.at = end + 1
        return int(digits, base) + 1 if digits else 0

    def _add(self, one: _Type) -> _Type:
        if len(one.before) + len(one.after) > MAX_TEXT:
            raise OddName("long")
        self._known.append(one)
        return one

    def encoding(self) -> str:
        """Read a function with its parameters, or a variable."""
        for mark, meaning in SPECIAL.items():
            if self.take(mark):
                return meaning + self.type().text
        for mark, meaning in OF_NAMES.items():
            if self.take(mark):
                return meaning + self._name().text
        if self.take("GTt"):
            return f"transaction clone for {self.encoding()}"
        if self.peek(2) in ("Th", "Tv"):
            return self._thunk()
        name = self._name()
        if self.is_done or self.peek() == "E":
            return name.text
        result = None
        if name.has_arguments and not name.has_no_return:
            result = self.type()
        text = f"{name.text}({self._parameters()}){name.qualifiers}"
        if result is None:
            return text
        space = "" if result.before.endswith(("*", "&", "(")) and result.after else " "
        return f"{result.before}{space}{text}{result.after}"

    def _thunk(self) -> str:
        kind = "virtual" if self.take("Tv") else "non-virtual"
        self.take("Th")
        for _ in range(2 if kind == "virtual" else 1):
            self.take("n")
            self._number()
            self.expect("_")
        return f"{kind} thunk to {self.encoding()}"

    def _parameters(self) -> str:
        found = []
        while not self.is_done and self.peek() not in ("E", "."):
            found.append(self.type().text)
        return ", ".join(one for one in found if one) if found != ["void"] else ""

    def _name(self) -> _Name:
        self.depth += 1
        self.step()
        try:
            if self.take("N"):
                return self._nested()
            if self.take("Z"):
                return self._local()
            name = self._unscoped()
        finally:
            self.depth -= 1
        return name

    def _unscoped(self) -> _Name:
        if self.peek() == "S" and self.peek(2) != "St":
            name = _Name(self._substitution().text)
        else:
            prefix = "std::" if self.take("St") else ""
            name = self._unqualified("")
            name.text = prefix + name.text
            if self.peek() == "I":
                self._add(_Type(name.text))
        if self.peek() == "I":
            name.text += self._template_arguments()
            name.has_arguments = True
        return name

    def _local(self) -> _Name:
        outer = self.encoding()
        self.expect("E")
        if self.take("s"):
            self._discriminator()
            return _Name(f"{outer}::string literal")
        if self.take("d"):
            self._sequence()
        name = self._name()
        self._discriminator()
        return replace(name, text=f"{outer}::{name.text}")

    def _discriminator(self) -> None:
        if self.peek(2) == "__":
            self.at += 2
            self._number()
            self.expect("_")
        elif self.take("_"):
            self.at += 1

    def _nested(self) -> _Name:
        qualifiers = ""
        for mark, word in (("r", " restrict"), ("V", " volatile"), ("K", " const")):
            qualifiers += word * self.take(mark)
        qualifiers += " &" * self.take("R") + " &&" * self.take("O")
        name = _Name("")
        is_new = False
        while not self.take("E"):
            self.step()
            if is_new:
                self._add(_Type(name.text))
            is_new = True
            if self.peek() == "I":
                name.text += " " * name.text.endswith("<") + self._template_arguments()
                name.has_arguments = True
            elif self.peek() == "S":
                is_new = False
                text = "std" if self.take("St") else self._substitution().text
                name = _Name(text, text.partition("<")[0].rpartition("::")[2])
            elif self.peek() == "T":
                name = _Name(self._template_parameter().text)
            else:
                self.take("M")
                last = self._unqualified(name.base)
                last.text = f"{name.text}::{last.text}" if name.text else last.text
                name = last
        name.qualifiers = qualifiers
        return name

    def _unqualified(self, base: str) -> _Name:
        """Read the last part of a name; `base` is what constructors here are called."""
        self.take("L")
        head = self.peek()
        if head.isdecimal():
            text = self._source_name()
        elif head == "C" and self.peek(2)[1:] in tuple("12345"):
            self.at += 2
            return _Name(base, base, has_no_return=True)
        elif head == "D" and self.peek(2)[1:] in tuple("0124 5"):
            self.at += 2
            return _Name(f"~{base}", base, has_no_return=True)
        elif self.take("Ul"):
            return self._unnamed(f"{{lambda({self._lambda_parameters()})#")
        elif self.take("Ut"):
            return self._unnamed("{unnamed type#")
        else:
            return self._operator()
        while self.take("B"):
            text += f"[abi:{self._source_name()}]"
        return _Name(text, text)

    def _lambda_parameters(self) -> str:
        found = self._parameters()
        self.expect("E")
        return found

    def _unnamed(self, text: str) -> _Name:
        name = f"{text}{self._sequence() + 1}}}"
        return _Name(name, name)

    def _source_name(self) -> str:
        size = self._number()
        text = self.peek(size)
        if len(text) < size or not size:
            raise OddName("source name")
        self.at += size
        return "(anonymous namespace)" if text.startswith("_GLOBAL__N") else text

    def _operator(self) -> _Name:
        mark = self.peek(2)
        self.at += 2
        if mark == "cv":
            return _Name(f"operator {self.type().text}", has_no_return=True)
        if mark == "li":
            return _Name(f'operator"" {self._source_name()}')
        if mark not in OPERATORS:
            raise OddName(mark)
        return _Name(f"operator{OPERATORS[mark]}")

    def _template_arguments(self) -> str:
        self.expect("I")
        found: list[_Argument] = []
        while not self.take("E"):
            found.append(self._template_argument())
        self._arguments = found
        flat = [each for one in found for each in ([one] if isinstance(one, _Type) else one)]
        inside = ", ".join(one.text for one in flat)
        return f"<{inside} >" if inside.endswith(">") else f"<{inside}>"

    def _template_argument(self) -> _Argument:
        if self.take("J"):
            found: list[_Type] = []
            while not self.take("E"):
                one = self._template_argument()
                found.extend([one] if isinstance(one, _Type) else one)
            return found
        kept = self._arguments
        try:
            return _Type(self._literal()) if self.take("L") else self.type()
        finally:
            self._arguments = kept

    def _literal(self) -> str:
        if self.take("_Z"):
            text = self.encoding()
            self.expect("E")
            return text
        mark = self.peek()
        kind = self.type().text
        end = self.text.find("E", self.at)
        value = self.text[self.at : end].replace("n", "-", 1)
        if end < 0 or not value.removeprefix("-").isdecimal():
            raise OddName("literal")
        self.at = end + 1
        if mark == "b":
            return {"0": "false", "1": "true"}.get(value, value)
        return (
            f"{value}{SUFFIXES[mark]}"
            if mark in SUFFIXES
            else (value if mark == "i" else f"({kind}){value}")
        )

    def _template_parameter(self) -> _Type:
        self.expect("T")
        number = self._sequence()
        if number >= len(self._arguments):
            raise OddName("parameter")
        found = self._arguments[number]
        if isinstance(found, _Type):
            return found
        self._pack_size = len(found)
        if self._pack is None:
            return _Type(", ".join(one.text for one in found))
        return found[self._pack] if self._pack < len(found) else _Type("")

    def _substitution(self) -> _Type:
        self.expect("S")
        mark = self.peek()
        if mark in STANDARD and mark:
            self.at += 1
            if mark == "s" and self.peek() in ("C", "D"):
                return _Type(
                    "std::basic_string<char, std::char_traits<char>, std::allocator<char> >"
                )
            return _Type(STANDARD[mark])
        number = self._sequence(36)
        if number >= len(self._known):
            raise OddName("substitution")
        return self._known[number]

    def type(self) -> _Type:
        """Read a type."""
        self.depth += 1
        self.step()
        try:
            mark = self.peek(2) if self.peek() == "D" else self.peek()
            if mark in BUILTIN:
                self.at += len(mark)
                return _Type(BUILTIN[mark])
            if mark == "Dp":
                return self._expansion()
            if mark == "S" and self.peek(2) != "St":
                found = self._substitution()
                return self._with_arguments(found) if self.peek() == "I" else found
            return self._add(self._compound(mark))
        finally:
            self.depth -= 1

    def _with_arguments(self, found: _Type) -> _Type:
        kept = self._arguments
        text = found.before + self._template_arguments()
        self._arguments = kept
        return self._add(_Type(text))

    def _compound(self, mark: str) -> _Type:
        readers: dict[str, Callable[[], _Type]] = {
            "P": lambda: self._pointer("*"),
            "R": lambda: self._pointer("&"),
            "O": lambda: self._pointer("&&"),
            "K": lambda: self._qualified(" const"),
            "V": lambda: self._qualified(" volatile"),
            "r": lambda: self._qualified(" restrict"),
            "F": self._function,
            "Do": self._function,
            "A": self._array,
            "M": self._member_pointer,
        }
        if mark in readers:
            self.at += len(mark)
            return readers[mark]()
        if mark == "T":
            found = self._template_parameter()
            return self._with_arguments(self._add(found)) if self.peek() == "I" else found
        if mark and (mark in "NZS" or mark.isdecimal()):
            kept = self._arguments
            name = self._name()
            self._arguments = kept
            return _Type(name.text)
        raise OddName(mark)

    def _pointer(self, sign: str) -> _Type:
        inner = self.type()
        if inner.is_inside_out:
            space = "" if inner.before.endswith(" ") else " "
            return _Type(f"{inner.before}{space}({sign}", f"){inner.after}")
        if sign != "*" and inner.before.endswith("&") and not inner.after:
            # a reference to a reference
            both = sign == "&&" and inner.before.endswith("&&")
            return _Type(inner.before.rstrip("&") + ("&&" if both else "&"))
        return _Type(inner.before + sign, inner.after)

    def _qualified(self, word: str) -> _Type:
        inner = self.type()
        if inner.is_inside_out:
            return replace(inner, after=inner.after + word)
        return replace(inner, before=inner.before + word)

    def _function(self) -> _Type:
        self.take("F")
        self.take("Y")
        result = self.type()
        parameters = self._parameters()
        self.expect("E")
        return _Type(f"{result.before} ", f"({parameters}){result.after}", True)

    def _array(self) -> _Type:
        if self.peek() == "T":  # the size is one that the template was given
            size = self._template_parameter().text
        else:
            size = "" if self.peek() == "_" else str(self._number())
        self.expect("_")
        inner = self.type()
        return _Type(inner.before, f" [{size}]{inner.after.removeprefix(' ')}", True)

    def _member_pointer(self) -> _Type:
        owner, inner = self.type().text, self.type()
        if inner.is_inside_out:
            return _Type(f"{inner.before}({owner}::*", f"){inner.after}")
        return _Type(f"{inner.before} {owner}::*", inner.after)

    def _expansion(self) -> _Type:
        """Read a type once for each one of the pack in it."""
        self.expect("Dp")
        start, outer = self.at, self._pack
        self._pack, self._pack_size = 0, -1
        found = [self.type().text]
        known = len(self._known)
        for number in range(1, min(self._pack_size, MAX_DEPTH)):
            self.at, self._pack = start, number
            found.append(self.type().text)
            del self._known[known:]
        is_empty = self._pack_size == 0
        self._pack = outer
        return _Type("" if is_empty else ", ".join(found))
