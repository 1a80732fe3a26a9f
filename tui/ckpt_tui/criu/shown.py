"""How the schema says a field is shown, looked up once per field."""

from __future__ import annotations

import functools
from typing import NamedTuple

from google.protobuf.descriptor import FieldDescriptor

from ckpt_tui.criu.schema import show_pb2

_INTEGERS = frozenset(
    {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64}
    | {FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64}
)


class Shown(NamedTuple):
    """A field of the schema and its `Show` option."""

    name: str
    number: int
    type: str
    """message, enum, bytes, string, bool or int."""
    repeated: bool
    enum: dict[int, str]
    """Names of the values of an enum."""
    flags: str
    dictionary: str
    hexadecimal: bool
    dev: bool
    odev: bool
    ip_address: bool
    unix_name: bool
    names: str
    """Table for people; the one crit uses where there is no better one."""


def _type_of(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return "message"
    if field.enum_type is not None:
        return "enum"
    if field.cpp_type in _INTEGERS:
        return "int"
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "bool"
    return "bytes" if field.type == FieldDescriptor.TYPE_BYTES else "string"


@functools.cache
def shown(field: FieldDescriptor) -> Shown:
    """Return what the schema says of a field."""
    option = field.GetOptions().Extensions[show_pb2.show]
    values = field.enum_type.values if field.enum_type is not None else ()
    return Shown(
        field.name,
        field.number,
        _type_of(field),
        field.is_repeated,
        {value.number: value.name for value in values},
        option.flags,
        option.dict,
        option.hex,
        option.dev,
        option.odev,
        option.ip_address,
        option.unix_name,
        option.names or option.flags or option.dict,
    )
