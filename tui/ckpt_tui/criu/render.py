"""Messages for people and programs: a tree of fields with names, and our own JSON form."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from ckpt_tui.core.text import human_count, printable
from ckpt_tui.criu.decode import UnknownField, own_unknown
from ckpt_tui.criu.names import by_value
from ckpt_tui.criu.shown import Shown, shown
from ckpt_tui.criu.values import (
    ANY_HOST,
    Host,
    auxiliary_vector,
    build_id,
    capability_names,
    control_characters,
    describe,
    device,
    ethernet_type,
    ip_address,
    is_flags,
    sigaction_signal,
    siginfo,
    signal_name,
    socket_name,
    text,
)

MAX_LIST = 64
"""Numbers of a list that are put into one text."""

MAX_BYTES = 32
"""Bytes of a field that are put into one text."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program in a field."""

    count: int
    """Instructions in it."""
    stored: bytes | Sequence[int]
    """Its instructions: bytes in the byte order of the host, or words."""
    host: Host = ANY_HOST
    seccomp: bool = False

    @property
    def size(self) -> str:
        """How long it is."""
        return human_count(self.count, "instruction")

    @property
    def lines(self) -> list[str]:
        """The instructions in words."""
        arch, order = self.host.arch, self.host.byte_order
        # 4 ms, and few fields hold a program
        from ckpt_tui.criu.bpf import disassemble, instructions_of, instructions_of_words

        stored = self.stored
        program = (
            instructions_of(stored, order)
            if isinstance(stored, bytes)
            else instructions_of_words(stored)
        )
        found = disassemble(program, arch, seccomp=self.seccomp, order=order)
        lines = [line.text for line in found]
        more = self.count - len(lines)
        return lines + ([f"… and {more:,} more, which no kernel takes"] if more > 0 else [])


PROGRAMS: Mapping[str, Callable[[Any, Host], Program]] = {
    "ckpt_tui.criu.seccomp_filter.filter": lambda value, host: Program(
        len(value) // 8, value, host, seccomp=True
    ),
    "ckpt_tui.criu.sk_opts_entry.so_filter": lambda value, _host: Program(len(value), value),
}
"""Full name of a field that holds a program to how it is read."""


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field of a message, or one item of a list of messages."""

    name: str
    """`vmas[3]` for an item, `12` for a step; `#21` for a field the schema does not have."""
    number: int
    value_text: str
    """Foreign text in it is not cleaned."""
    kind: str
    """message, program, step (of a program), enum, flags, int, bool, string, bytes, list or
    unknown."""
    message: Message | None = None
    host: Host = ANY_HOST
    in_hex: bool = False
    program: Program | None = None
    data: bytes = b""
    """All bytes of a field of bytes."""

    @property
    def has_children(self) -> bool:
        """Whether it is told by what is below it."""
        return self.message is not None or self.program is not None

    @property
    def children(self) -> tuple[FieldView, ...]:
        """The fields of a message, or the instructions of a program; made when asked for."""
        if self.message is not None:
            return fields(self.message, self.host, in_hex=self.in_hex)
        lines = enumerate(self.program.lines if self.program else ())
        return tuple(FieldView(str(index), index, line, "step") for index, line in lines)


def fields(
    message: Message,
    host: Host = ANY_HOST,
    *,
    in_hex: bool = False,
) -> tuple[FieldView, ...]:
    """Return the fields that are set, in the order of their numbers, then the unknown ones."""
    found: list[FieldView] = []
    for field, value in message.ListFields():
        show = shown(field)
        deep = in_hex or show.hexadecimal
        if field.full_name in PROGRAMS:
            program = PROGRAMS[field.full_name](value, host)
            found.append(
                FieldView(show.name, show.number, program.size, "program", program=program)
            )
            continue
        if show.type != "message":
            shown_text, kind = _shown_value(show, value, host, deep)
            data = value if kind == "bytes" and not show.unix_name else b""
            found.append(FieldView(show.name, show.number, shown_text, kind, data=data))
            continue
        for index, item in enumerate(value if show.repeated else (value,)):
            name = f"{show.name}[{index}]" if show.repeated else show.name
            label = _position_name(show, index, host) if show.repeated else ""
            line = ", ".join(filter(None, (label, summary(item, host, in_hex=deep))))
            found.append(FieldView(name, show.number, line, "message", item, host, deep))
    found += [_unknown_view(field) for field in own_unknown(message)]
    return tuple(found)


def _position_name(show: Shown, index: int, host: Host) -> str:
    if show.names == "sigaction.index":
        return signal_name(sigaction_signal(index), host.arch)
    return by_value(show.names, host.arch).get(index, "") if show.names else ""


def summary(message: Message, host: Host = ANY_HOST, *, in_hex: bool = False) -> str:
    """Return the first few plain fields of a message in one line: `pid 1, ppid 0`."""
    parts: list[str] = []
    for field, value in message.ListFields():
        show = shown(field)
        if field.full_name in PROGRAMS:
            parts.append(f"{show.name} {PROGRAMS[field.full_name](value, host).size}")
        elif show.type == "bytes" and not (show.repeated or show.unix_name):
            parts.append(f"{show.name} {human_count(len(value), 'byte')}")
        elif show.type == "string" or (show.type != "message" and not show.repeated):
            parts.append(f"{show.name} {_shown_value(show, value, host, in_hex)[0]}")
        if len(parts) == 3:
            break
    return ", ".join(parts)


def _shown_value(show: Shown, value: Any, host: Host, in_hex: bool) -> tuple[str, str]:
    """Return the text of a field and its kind."""
    if show.repeated:
        return _list_text(show, value, host, in_hex), "list"
    kind = "flags" if show.type == "int" and is_flags(show.names) else show.type
    return _single_text(show, value, host, in_hex), kind


def _list_text(show: Shown, values: Sequence[Any], host: Host, in_hex: bool) -> str:
    special = _list_names(show, values, host)
    if special is not None:
        return special
    parts = [_single_text(show, value, host, in_hex) for value in values[:MAX_LIST]]
    more = len(values) - MAX_LIST
    return ", ".join(parts) + (f" … and {more} more" if more > 0 else "")


def _list_names(show: Shown, values: Sequence[Any], host: Host) -> str | None:
    """Return the text of a list that means something as a whole; None for others."""
    if show.ip_address:
        return ip_address(values, host.byte_order)
    if show.names == "capability":
        return ", ".join(capability_names(values)) or "none"
    if show.names == "build_id":
        return build_id(values, host.byte_order)
    if show.names == "tty.cc":
        return ", ".join(f"{name}={key}" for name, key in control_characters(values, host).items())
    if show.names == "auxv.type":
        return ", ".join(f"{name}={value:#x}" for name, value in auxiliary_vector(values).items())
    return None


def _single_text(show: Shown, value: Any, host: Host, in_hex: bool) -> str:
    match show.type:
        case "enum":
            return show.enum.get(value, str(value))
        case "bool":
            return "yes" if value else "no"
        case "string":
            return text(value) or '""'
        case "bytes":
            return socket_name(value) if show.unix_name else _data_text(show, value, host)
    named = named_text(show, value, host)
    plain = f"{value:#x}" if in_hex or show.hexadecimal else str(value)
    if named is None or named in (plain, str(value)):
        return plain
    alone = is_flags(show.names) or show.names == "address"
    return named if alone else f"{named} ({plain})"


def _data_text(show: Shown, value: bytes, host: Host) -> str:
    """Return the text of bytes: what they mean, where the schema says it."""
    said = siginfo(value, host) if show.names == "siginfo" else ""
    return said or _bytes_text(value)


def _bytes_text(value: bytes) -> str:
    more = len(value) - MAX_BYTES
    return value[:MAX_BYTES].hex(" ") + (f" … and {more} more bytes" if more > 0 else "")


def named_text(show: Shown, value: int, host: Host) -> str | None:
    """Return the name of a number; None where the schema gives it none."""
    if show.dev:
        return device(value, old=show.odev)
    if show.names == "ethernet_type":
        return ethernet_type(value, host.byte_order)
    return describe(show.names, value, host.arch) if show.names else None


def _unknown_view(field: UnknownField) -> FieldView:
    value = field.value
    line = _bytes_text(value) if isinstance(value, bytes) else str(value)
    if isinstance(value, tuple):
        line = f"a group of {len(value)} fields"
    data = value if isinstance(value, bytes) else b""
    return FieldView(f"#{field.number}", field.number, line, "unknown", data=data)


def same_text(text: str) -> str:
    """Return a text as it is."""
    return text


def same_bytes(data: bytes) -> bytes:
    """Return bytes as they are."""
    return data


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a message becomes JSON values."""

    names: bool = True
    """What has a name has it under `<field>_text` beside."""
    host: Host = ANY_HOST
    text: Callable[[str], str] = same_text
    """What becomes of strings of the image, for those that are to be covered."""
    data: Callable[[bytes], bytes] = same_bytes
    """The same of bytes."""


def to_plain(message: Message, form: Rendering = Rendering()) -> dict[str, Any]:
    """Return a message as JSON values.

    Numbers stay numbers, enums become names, bytes base64. With names, what has one has it under
    `<field>_text` beside, a program in a list of lines. Text that is not UTF-8 is escaped, whole
    under `<field>_base64`. Fields the schema does not have are under `_unknown`.
    """
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        show = shown(field)
        found |= _plain_field(show, value, form)
        if form.names and field.full_name in PROGRAMS:
            found[f"{show.name}_text"] = PROGRAMS[field.full_name](value, form.host).lines
    unknown = own_unknown(message)
    if unknown:
        found["_unknown"] = [_plain_unknown(field, form) for field in unknown]
    return found


def _plain_field(show: Shown, value: Any, form: Rendering) -> dict[str, Any]:
    if not show.repeated:
        found = {show.name: _plain_value(show, value, form)}
        if isinstance(value, bytes) and show.type == "string":
            found[f"{show.name}_base64"] = _base64(form.data(value))
        named = form.names and show.type == "int"
        line = named_text(show, value, form.host) if named else None
        if form.names and show.unix_name:
            line = printable(form.text(socket_name(value)))
        if form.names and show.names == "siginfo":
            line = siginfo(value, form.host) or None
        return found if line is None else {**found, f"{show.name}_text": line}
    found = {show.name: [_plain_value(show, item, form) for item in value]}
    if form.names and show.type == "int":
        line = _list_names(show, value, form.host)
        return found if line is None else {**found, f"{show.name}_text": line}
    return found


def _plain_value(show: Shown, value: Any, form: Rendering) -> object:
    match show.type:
        case "message":
            return to_plain(value, form)
        case "enum":
            return show.enum.get(value, value)
        case "bytes":
            return _base64(form.data(value))
        case "string":
            return form.text(printable(value) if isinstance(value, bytes) else value)
    return value


def _plain_unknown(field: UnknownField, form: Rendering) -> dict[str, object]:
    value = field.value
    if isinstance(value, bytes):
        value = _base64(form.data(value))
    elif isinstance(value, tuple):
        value = [_plain_unknown(inner, form) for inner in value]
    return {"number": field.number, "wire_type": field.wire_type, "value": value}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def walk(views: Sequence[FieldView], depth: int = 0) -> Iterator[tuple[int, FieldView]]:
    """Yield every field with its depth, messages before what is in them."""
    for view in views:
        yield depth, view
        yield from walk(view.children, depth + 1)
