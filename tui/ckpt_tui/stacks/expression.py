"""DWARF expressions as unwinding tables use them (DWARF 5, 2.5): a stack of 64-bit numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ckpt_tui.stacks.operands import Operands

MAX_STEPS = 10_000
"""Operations of one expression; a jump back may make it endless."""

MAX_DEPTH = 1024
"""Numbers on the stack."""

MASK = (1 << 64) - 1

Reader = Callable[[int, int], bytes | None]
"""Returns bytes of memory by address and length, None where they are not at hand."""


class BadExpression(ValueError):
    """An expression that cannot be evaluated."""


class _Code(Operands):
    """The bytes of an expression."""

    failure = BadExpression


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _divided(left: int, right: int) -> int:
    if not right:
        raise BadExpression("a division by zero")
    quotient = abs(_signed(left)) // abs(_signed(right))
    return quotient if (left ^ right) >> 63 == 0 else -quotient


def _remainder(left: int, right: int) -> int:
    if not right:
        raise BadExpression("a division by zero")
    return left % right


_BINARY: Mapping[int, Callable[[int, int], int]] = {
    0x1A: lambda left, right: left & right,
    0x1B: _divided,
    0x1C: lambda left, right: left - right,
    0x1D: _remainder,
    0x1E: lambda left, right: left * right,
    0x21: lambda left, right: left | right,
    0x22: lambda left, right: left + right,
    0x24: lambda left, right: left << right if right < 64 else 0,
    0x25: lambda left, right: left >> right if right < 64 else 0,
    0x26: lambda left, right: _signed(left) >> min(right, 63),
    0x27: lambda left, right: left ^ right,
    0x29: lambda left, right: int(left == right),
    0x2A: lambda left, right: int(_signed(left) >= _signed(right)),
    0x2B: lambda left, right: int(_signed(left) > _signed(right)),
    0x2C: lambda left, right: int(_signed(left) <= _signed(right)),
    0x2D: lambda left, right: int(_signed(left) < _signed(right)),
    0x2E: lambda left, right: int(left != right),
}
"""DW_OP_and to DW_OP_ne; the upper one on the stack is `right`."""

_UNARY: Mapping[int, Callable[[int], int]] = {
    0x19: lambda value: abs(_signed(value)),
    0x1F: lambda value: -value,
    0x20: lambda value: ~value,
}
"""DW_OP_abs, DW_OP_neg, DW_OP_not."""

_CONSTANTS = {
    0x08: (1, False),
    0x09: (1, True),
    0x0A: (2, False),
    0x0B: (2, True),
    0x0C: (4, False),
    0x0D: (4, True),
    0x0E: (8, False),
    0x0F: (8, True),
    0x03: (8, False),
}
"""DW_OP_const1u and its like, and DW_OP_addr: bytes of the operand, and whether it has a sign."""


class _Evaluation:
    def __init__(
        self, code: bytes, register: Callable[[int], int | None], read: Reader, stack: list[int]
    ) -> None:
        self._code = _Code(code)
        self._register = register
        self._read = read
        self._stack = stack

    def run(self) -> int:
        for _ in range(MAX_STEPS):
            if self._code.at >= len(self._code.data):
                return self._pick(0)
            self._step(self._code.number(1))
            if len(self._stack) > MAX_DEPTH:
                raise BadExpression("it fills the stack")
        raise BadExpression("it does not end")

    def _pick(self, depth: int) -> int:
        if depth >= len(self._stack):
            raise BadExpression("it takes more from the stack than is there")
        return self._stack[-1 - depth]

    def _pop(self) -> int:
        value = self._pick(0)
        self._stack.pop()
        return value

    def _push(self, value: int) -> None:
        self._stack.append(value & MASK)

    def _step(self, op: int) -> None:
        if 0x30 <= op <= 0x4F:  # DW_OP_lit0 to 31
            self._push(op - 0x30)
        elif 0x70 <= op <= 0x8F:  # DW_OP_breg0 to 31
            self._push(self._of_register(op - 0x70) + self._code.leb(signed=True))
        elif op in _BINARY:
            right, left = self._pop(), self._pop()
            self._push(_BINARY[op](left, right))
        elif op in _UNARY:
            self._push(_UNARY[op](self._pop()))
        elif op in _CONSTANTS:
            size, signed = _CONSTANTS[op]
            self._push(self._code.number(size, signed=signed))
        elif not self._arrange(op):
            self._others(op)

    def _arrange(self, op: int) -> bool:
        """Do what only moves numbers about on the stack."""
        stack = self._stack
        if op == 0x12:  # DW_OP_dup
            self._push(self._pick(0))
        elif op == 0x13:  # DW_OP_drop
            self._pop()
        elif op == 0x14:  # DW_OP_over
            self._push(self._pick(1))
        elif op == 0x15:  # DW_OP_pick
            self._push(self._pick(self._code.number(1)))
        elif op == 0x16:  # DW_OP_swap
            self._pick(1)
            stack[-1], stack[-2] = stack[-2], stack[-1]
        elif op == 0x17:  # DW_OP_rot
            self._pick(2)
            stack[-1], stack[-2], stack[-3] = stack[-2], stack[-3], stack[-1]
        else:
            return False
        return True

    def _others(self, op: int) -> None:
        code = self._code
        if op == 0x06:  # DW_OP_deref
            self._push(self._load(8))
        elif op == 0x94:  # DW_OP_deref_size
            self._push(self._load(code.number(1)))
        elif op == 0x10:  # DW_OP_constu
            self._push(code.leb())
        elif op == 0x11:  # DW_OP_consts
            self._push(code.leb(signed=True))
        elif op == 0x23:  # DW_OP_plus_uconst
            self._push(self._pop() + code.leb())
        elif op == 0x92:  # DW_OP_bregx
            self._push(self._of_register(code.leb()) + code.leb(signed=True))
        elif op in (0x28, 0x2F):  # DW_OP_bra, DW_OP_skip
            distance = code.number(2, signed=True)
            if op == 0x2F or self._pop():
                code.at += distance
                if code.at < 0:
                    raise BadExpression("it jumps out of itself")
        elif op != 0x96:  # DW_OP_nop
            raise BadExpression(f"operation {op:#x} is not known")

    def _of_register(self, number: int) -> int:
        value = self._register(number)
        if value is None:
            raise BadExpression(f"register {number} is not known")
        return value

    def _load(self, size: int) -> int:
        address = self._pop()
        data = self._read(address, size) if 0 < size <= 8 else None
        if data is None:
            raise BadExpression(f"the memory at {address:#x} is not at hand")
        return int.from_bytes(data, "little")


def evaluate(
    code: bytes,
    register: Callable[[int], int | None],
    read: Reader,
    start: int | None = None,
) -> int:
    """Return the value of an expression; `start` is on the stack when it begins.

    Raises:
        BadExpression: it makes no sense, or wants what is not at hand.
    """
    return _Evaluation(code, register, read, [] if start is None else [start]).run()
