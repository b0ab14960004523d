"""Protobuf schemas in a plain form that ptars reads and writes exactly. Asks no registry, reads no values.

ptars has no groups, cuts off times outside its range, and gives wire bytes of what holds itself. The plain form differs
in types alone, not in numbers, so that the wire format stays: a message that holds itself is bytes, a time or wrapper
is a message like any other, a group is a message.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

TWINS = "streamsink_twins.proto"
"""The file of the messages that stand in for messages which ptars treats specially."""

TIMESTAMP, DURATION = "google.protobuf.Timestamp", "google.protobuf.Duration"
_PREFIX = "google.protobuf."
_WRAPPERS = ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
WRAPPERS = frozenset(f"{_PREFIX}{name}Value" for name in _WRAPPERS)
TWINNED = frozenset({TIMESTAMP, DURATION, *WRAPPERS})


class Role(Enum):
    """The difference between a field's values in the plain form and in columns."""

    SAME = auto()
    MESSAGE = auto()
    MAP = auto()
    TIME = auto()
    WRAPPER = auto()
    JSON = auto()
    ENUM = auto()


def role_of(field: FieldDescriptor) -> Role:
    """A field's role."""
    inner = field.message_type
    if inner is None:
        return Role.ENUM if field.enum_type is not None else Role.SAME
    if inner.GetOptions().map_entry:
        return Role.MAP
    if inner.full_name in {TIMESTAMP, DURATION}:
        return Role.TIME
    if inner.full_name in WRAPPERS:
        return Role.WRAPPER
    return Role.JSON if holds_itself(inner) else Role.MESSAGE


def is_group(field: FieldDescriptor) -> bool:
    """Whether a message lies between two tags, not behind its length."""
    return bool(field.type == field.TYPE_GROUP)


def holds_itself(message: Descriptor) -> bool:
    """Whether a message's fields, or theirs, lead back to it."""
    return message.full_name in _reached(message)


def has_groups(message: Descriptor) -> bool:
    """Whether a message has a group, other than within fields that become JSON text."""
    met, ahead = set(), [message]
    while ahead:
        one = ahead.pop()
        met.add(one.full_name)
        for field in one.fields:
            if is_group(field):
                return True
            if role_of(field) in {Role.MESSAGE, Role.MAP} and field.message_type.full_name not in met:
                ahead.append(field.message_type)
    return False


def _reached(message: Descriptor) -> set[str]:
    met: set[str] = set()
    ahead = [field.message_type for field in message.fields if field.message_type is not None]
    while ahead:
        one = ahead.pop()
        if one.full_name not in met:
            met.add(one.full_name)
            ahead += [field.message_type for field in one.fields if field.message_type is not None]
    return met


def plain_files(files: list[Any], pool: Any) -> list[Any]:
    """The files in plain form, those first that others need.

    Args:
        files: `FileDescriptorProto`s.
        pool: Has them.
    """
    found = [_twins()]
    for file in files:
        copy = type(file)()
        copy.CopyFrom(file)
        if TWINS not in copy.dependency:
            copy.dependency.append(TWINS)
        path = f"{copy.package}." if copy.package else ""
        for message in copy.message_type:
            _make_plain(message, f"{path}{message.name}", copy.syntax, pool)
        found.append(copy)
    return found


def _make_plain(message: Any, name: str, syntax: str, pool: Any) -> None:
    descriptor = pool.FindMessageTypeByName(name)
    for nested in message.nested_type:
        _make_plain(nested, f"{name}.{nested.name}", syntax, pool)
    for field in message.field:
        real = descriptor.fields_by_number[field.number]
        role = role_of(real)
        if is_group(real):
            field.type = field.TYPE_MESSAGE
        if real.message_type is not None and syntax == "editions":
            field.options.features.message_encoding = field.options.features.LENGTH_PREFIXED
        if role in {Role.TIME, Role.WRAPPER}:
            field.type_name = f".streamsink.{real.message_type.name}"
        elif role is Role.JSON:
            field.type = field.TYPE_BYTES
            field.ClearField("type_name")
            field.options.ClearField("features")
            if syntax == "proto3" and not real.is_repeated and not field.HasField("oneof_index"):
                # Without it, a message that is there and empty would be as one that isn't.
                field.proto3_optional = True
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field.name}_")


def _twins() -> Any:
    from google.protobuf import descriptor_pb2  # noqa: PLC0415 - an extra

    file = descriptor_pb2.FileDescriptorProto(name=TWINS, package="streamsink", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name in ("Timestamp", "Duration"):
        message = file.message_type.add(name=name)
        message.field.add(name="seconds", number=1, type=kinds.TYPE_INT64, label=kinds.LABEL_OPTIONAL)
        message.field.add(name="nanos", number=2, type=kinds.TYPE_INT32, label=kinds.LABEL_OPTIONAL)
    for name in _WRAPPERS:
        message = file.message_type.add(name=f"{name}Value")
        kind = getattr(kinds, f"TYPE_{name.upper()}")
        message.field.add(name="value", number=1, type=kind, label=kinds.LABEL_OPTIONAL)
    return file


def takes(wide: Descriptor, narrow: Descriptor, met: frozenset[str] = frozenset()) -> bool:
    """Whether each value of `narrow` that has a place in the columns of `wide` can be written as `wide` again.

    Columns tell less than schemas: names of enums, JSON text and strings are all text there.

    Args:
        wide: The type whose columns hold the values.
        narrow: The type that the values were written with.
        met: Full names of wide types that are being compared further out, and end the recursion.
    """
    if wide.full_name in met:
        return True
    inside = narrow.fields_by_name
    return all(
        _field_takes(field, inside[field.name], met | {wide.full_name}) for field in wide.fields if field.name in inside
    )


def _field_takes(wide: FieldDescriptor, narrow: FieldDescriptor, met: frozenset[str]) -> bool:
    role = role_of(wide)
    if role is not role_of(narrow):
        return False
    if role is Role.ENUM:
        names = {value.name: value.number for value in wide.enum_type.values}
        return all(names.get(value.name) == value.number for value in narrow.enum_type.values)
    if role in {Role.TIME, Role.WRAPPER}:
        return bool(wide.message_type.full_name == narrow.message_type.full_name)
    return role is Role.SAME or takes(wide.message_type, narrow.message_type, met)
