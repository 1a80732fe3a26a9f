"""What the code of an x86-64 function has put on the stack up to a place, without unwinding tables.

Instructions are followed in the order in which they lie, which is right where the stack pointer is
the same on every way to a place, as in compiled code. The caller of this checks what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_CODE = 4096
"""Bytes of a function that are followed."""

REGISTERS = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di", *(f"r{n}" for n in range(8, 16)))

PREFIXES = frozenset(b"\x66\xf2\xf3\x64\x65\x2e")

BYTE, LONG = frozenset({0x80, 0x83, 0xC0, 0xC1, 0x6B, 0xC6}), frozenset({0x81, 0xC7, 0x69})
"""Opcodes with a constant of one byte, and of four, behind what they work on."""

PLAIN = frozenset({0x63, *range(0x84, 0x8C), 0x8D, *range(0xD0, 0xD4), 0xFE})

WIDE_BYTE = frozenset({*range(0x70, 0x74), 0xA4, 0xAC, 0xBA, 0xC2, 0xC4, 0xC5, 0xC6})
"""As BYTE, of the opcodes behind 0f."""


@dataclass(slots=True)
class Pushed:
    """What lies between the stack pointer and the return address."""

    depth: int = 0
    """Bytes."""
    saved: dict[str, int] = field(default_factory=dict)
    """Registers of the caller, and how many bytes below the return address."""
    has_frame: bool = False
    """bp points at the saved bp, right below the return address."""


class _Unknown(Exception):
    """An instruction that is not followed."""


def pushed_by(code: bytes) -> Pushed:
    """Return what a function has put on the stack after these first bytes of it."""
    follower = _Follower(code[:MAX_CODE])
    try:
        while follower.at < len(follower.code):
            follower.step()
    except (_Unknown, IndexError):
        pass
    return follower.found


class _Follower:
    def __init__(self, code: bytes) -> None:
        self.code = code
        self.at = 0
        self.found = Pushed()
        self._body = 0
        """The depth to go on with behind a return, which is the end of one way through."""

    def step(self) -> None:
        """Follow one instruction."""
        code, wide = self.code, False
        while code[self.at] in PREFIXES:
            self.at += 1
        rex = code[self.at] if code[self.at] & 0xF0 == 0x40 else 0
        self.at += bool(rex)
        op = code[self.at]
        self.at += 1
        wide = bool(rex & 8)
        if 0x50 <= op <= 0x5F:
            self._push_or_pop(REGISTERS[(op & 7) + 8 * (rex & 1)], is_push=op < 0x58)
        elif op in (0x68, 0x6A):
            self._move(8)
            self.at += 4 if op == 0x68 else 1
        elif op in (0x81, 0x83) and wide and code[self.at] in (0xEC, 0xC4):
            self._add_to_sp(op, is_sub=code[self.at] == 0xEC)
        elif wide and code[self.at - 1 : self.at + 1] in (b"\x89\xe5", b"\x8b\xec"):
            self.found.has_frame = self.found.depth == 8 and "bp" in self.found.saved
            self.at += 1
        elif op in (0xC3, 0xE9, 0xEB):
            self.at += {0xC3: 0, 0xE9: 4, 0xEB: 1}[op]
            self.found.depth = self._body
        else:
            self._pass(op, wide)

    def _move(self, distance: int) -> None:
        self.found.depth += distance
        self._body = max(self._body, self.found.depth)

    def _push_or_pop(self, name: str, *, is_push: bool) -> None:
        self._move(8 if is_push else -8)
        if is_push:
            self.found.saved.setdefault(name, self.found.depth)

    def _add_to_sp(self, op: int, *, is_sub: bool) -> None:
        size = 1 if op == 0x83 else 4
        value = int.from_bytes(self.code[self.at + 1 :][:size], "little", signed=True)
        self.at += 1 + size
        self._move(value if is_sub else -value)

    def _pass(self, op: int, wide: bool) -> None:
        """Go over an instruction that leaves the stack pointer alone."""
        if op == 0x0F:
            self._pass_wide()
        elif op < 0x40:
            self._operand() if op & 7 < 4 else self._skip(1 if op & 7 == 4 else 4)
        elif op in PLAIN:
            self._operand()
        elif op in BYTE or op in LONG:
            self._operand()
            self._skip(1 if op in BYTE else 4)
        elif op in (0xF6, 0xF7):
            size = 1 if op == 0xF6 else 4
            self._skip(size * (self._operand() < 2))
        elif op == 0xFF:
            if self._operand() not in (0, 1, 2):
                raise _Unknown
        elif 0x70 <= op <= 0x7F or op == 0xA8 or 0xB0 <= op <= 0xB7:
            self._skip(1)
        elif op in (0xA9, 0xE8) or 0xB8 <= op <= 0xBF:
            self._skip(8 if wide and op >= 0xB8 and op != 0xE8 else 4)
        elif not 0x90 <= op <= 0x99:
            raise _Unknown

    def _pass_wide(self) -> None:
        op = self.code[self.at]
        self.at += 1
        if op in (0x38, 0x3A):
            self.at += 1
            self._operand()
            self._skip(op == 0x3A)
        elif 0x80 <= op <= 0x8F:
            self._skip(4)
        elif op not in (0x05, 0xA2):
            self._operand()
            self._skip(op in WIDE_BYTE)

    def _skip(self, size: int) -> None:
        self.at += size

    def _operand(self) -> int:
        """Go over a ModRM byte and what belongs to it; return its middle field.

        Raises:
            _Unknown: the instruction writes to the stack pointer.
        """
        byte = self.code[self.at]
        self.at += 1
        mode, place = byte >> 6, byte & 7
        if mode != 3 and place == 4:
            base = self.code[self.at] & 7
            self.at += 1
            place = 5 if base == 5 and mode == 0 else 0
        if mode == 1:
            self.at += 1
        elif mode == 2 or (mode == 0 and place == 5):
            self.at += 4
        return byte >> 3 & 7
