"""From the registers of a thread to its frames, the innermost first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ckpt_tui.core.errors import CkptError
from ckpt_tui.stacks.address_space import AddressSpace
from ckpt_tui.stacks.cfi import BadTable, Row, Rule
from ckpt_tui.stacks.expression import BadExpression, evaluate
from ckpt_tui.stacks.machine import Machine
from ckpt_tui.stacks.modules import Module, Modules
from ckpt_tui.stacks.without_table import caller_without_table

MAX_FRAMES = 10_000
"""Frames of one thread; a stack that overflowed has more."""

MASK = (1 << 64) - 1

Registers = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A place in the code, and where its frame is."""

    pc: int
    registers: Registers
    is_exact: bool
    """It was interrupted at `pc`; other frames will go on there, after a call."""
    is_signal: bool
    """It is the kernel's frame for a signal handler, which will return through it."""
    how: str
    """How its caller was found: `table`, `signal`, `frame pointer`, `Go`, `prologue`, `scan`, or
    empty for the last one."""
    cfa: int
    """Canonical frame address: the stack pointer of the caller."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The registers of the calling function."""

    registers: Registers
    how: str
    is_signal: bool = False


class Stop(Exception):
    """The stack ends here; the text says why where that is not at its end."""


class Unwinder:
    """Walks the stacks of one process."""

    def __init__(
        self,
        memory: AddressSpace,
        modules: Modules,
        machine: Machine,
        restorers: Collection[int] = (),
    ) -> None:
        """`restorers` is where signal handlers return to, as the process told the kernel."""
        self._memory = memory
        self._modules = modules
        self._machine = machine
        self._restorers = frozenset(restorers)
        self._rows: dict[tuple[int, bool], Row | None] = {}
        self.note = ""
        """Why the last walk ended early, one sentence."""

    def walk(self, registers: Registers) -> Iterator[RawFrame]:
        """Yield the frames of a thread; `note` says what is missing at the end."""
        machine, self.note = self._machine, ""
        is_exact, count = True, 0
        seen = 0
        while True:
            pc = registers.get(machine.program_counter, 0)
            try:
                if count >= MAX_FRAMES:
                    raise Stop(f"There are more than {MAX_FRAMES:,} frames; the rest is left out.")
                caller = self._caller(registers, is_exact, count == 0)
                cfa = caller.registers[machine.stack_pointer]
                if cfa <= seen and not caller.is_signal and not is_exact:
                    raise Stop(f"The stack goes back to {cfa:#x}.")
            except Stop as end:
                self.note = str(end)
                yield RawFrame(pc, registers, is_exact, self._is_restorer(pc), "", 0)
                return
            except (BadTable, BadExpression, CkptError) as error:
                self.note = f"The caller of {pc:#x} cannot be found: {error}"
                yield RawFrame(pc, registers, is_exact, False, "", 0)
                return
            yield RawFrame(pc, registers, is_exact, caller.is_signal, caller.how, cfa)
            seen = 0 if caller.is_signal else cfa
            registers, is_exact = caller.registers, caller.is_signal
            count += 1
            if not registers.get(machine.program_counter):
                return

    def _caller(self, registers: Registers, is_exact: bool, is_first: bool) -> Caller:
        machine = self._machine
        pc, sp = registers.get(machine.program_counter, 0), registers.get(machine.stack_pointer, 0)
        if pc in self._restorers and self._is_restorer(pc):
            return self._interrupted(sp)
        if not self._memory.is_code(pc):
            if is_first:
                return self._called_nothing(registers, pc)
            raise Stop(f"{pc:#x} is not code.")
        module = self._modules.at(pc)
        row = self._row(module, pc if is_exact else pc - 1, is_first)
        if self._is_restorer(pc) and (row is None or row.is_signal or row.how == "Go"):
            return self._interrupted(sp)
        if row is not None:
            return self._by_row(row, registers)
        found = caller_without_table(self._memory, module, machine, registers, is_exact=is_exact)
        if found is None:
            raise Stop(f"The caller of {pc:#x} was not found.")
        return Caller(self._stripped(found[0]), found[1])

    def _row(self, module: Module | None, pc: int, is_first: bool) -> Row | None:
        if module is None:
            return None
        key = pc, is_first
        if key not in self._rows:
            self._rows[key] = module.row((pc - module.bias) & MASK, is_innermost=is_first)
        return self._rows[key]

    def _by_row(self, row: Row, registers: Registers) -> Caller:
        """Return the caller as a row of an unwinding table tells it."""
        machine = self._machine
        rule = row.rules.get(row.return_register)
        if rule is not None and rule[0] == "undefined":
            raise Stop
        if isinstance(row.cfa, bytes):
            cfa = self._evaluated(row.cfa, registers, None)
        else:
            base = self._register(registers, row.cfa[0])
            if base is None:
                raise BadTable(f"it counts from register {row.cfa[0]}, which is not known")
            cfa = (base + row.cfa[1]) & MASK
        found = {**registers, machine.stack_pointer: cfa}
        for number, one in row.rules.items():
            if number < len(machine.by_dwarf):
                name = machine.by_dwarf[number]
                value = self._restored(one, name, registers, cfa)
                if value is None:
                    found.pop(name, None)
                else:
                    found[name] = value
        if machine.link:
            target = found.get(machine.by_dwarf[row.return_register % len(machine.by_dwarf)])
            if target is None:
                raise Stop
            found[machine.program_counter] = target
        elif rule is None:
            raise BadTable("it does not say where the return address is")
        if machine.program_counter not in found:
            raise BadTable("the return address is not at hand")
        return Caller(self._stripped(found), row.how, row.is_signal)

    def _restored(self, rule: Rule, name: str, registers: Registers, cfa: int) -> int | None:
        kind, value = rule
        if kind == "undefined":
            return None
        if kind == "same":
            return registers.get(name)
        if isinstance(value, bytes):
            found = self._evaluated(value, registers, cfa)
            return found if kind == "value expression" else self._memory.word(found)
        if kind == "register":
            return self._register(registers, value)
        place = (cfa + value) & MASK
        return place if kind == "value offset" else self._memory.word(place)

    def _register(self, registers: Registers, number: int) -> int | None:
        names = self._machine.by_dwarf
        return registers.get(names[number]) if number < len(names) else None

    def _evaluated(self, code: bytes, registers: Registers, start: int | None) -> int:
        return evaluate(
            code, lambda number: self._register(registers, number), self._memory.read, start
        )

    def _is_restorer(self, pc: int) -> bool:
        code = self._machine.restorer
        return self._memory.read(pc, len(code)) == code

    def _interrupted(self, sp: int) -> Caller:
        """Return the registers that the kernel saved before it called a signal handler."""
        saved = {}
        for name, place in self._machine.signal_context.items():
            value = self._memory.word((sp + place) & MASK)
            if value is None:
                raise Stop(f"The frame of the signal at {sp:#x} is not in the dump.")
            saved[name] = value
        return Caller(saved, "signal", True)

    def _called_nothing(self, registers: Registers, pc: int) -> Caller:
        """Return who called what is not code: nothing was done there yet."""
        machine = self._machine
        sp = registers.get(machine.stack_pointer, 0)
        target = registers.get(machine.link) if machine.link else self._memory.word(sp)
        if target is None or not self._memory.is_code(target):
            raise Stop(f"{pc:#x} is not code.")
        popped = sp if machine.link else sp + 8
        found = {**registers, machine.program_counter: target, machine.stack_pointer: popped}
        return Caller(self._stripped(found), "prologue")

    def _stripped(self, registers: Registers) -> Registers:
        name = self._machine.program_counter
        pc = registers.get(name, 0)
        plain = self._machine.plain(pc)
        return registers if plain == pc else {**registers, name: plain}
