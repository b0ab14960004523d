"""Turns messages with groups into messages without, and back: a group's content gets a length. Pure, on bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsink.decode.protobuf.plain import Role, is_group, role_of

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

_VARINT, _EIGHT, _SIZED, _START, _END, _FOUR = range(6)
DEPTH_MAX = 100
"""As deep as Protobuf's own readers go."""


def without_groups(data: bytes, message: Descriptor) -> bytes:
    """Bring a message into plain form, where a group is a message with a length.

    Args:
        data: The message's bytes.
        message: Its type.

    Raises:
        ValueError: Its groups don't end as they begin.
    """
    try:
        found, at = _ungrouped(data, 0, message, None, 0)
    except IndexError as error:
        raise ValueError("it ends within a field") from error
    assert at == len(data), "without a group to end, all is read"
    return found


def with_groups(data: bytes, message: Descriptor) -> bytes:
    """Bring a message in plain form back into the form it was written in.

    Args:
        data: The bytes that `without_groups` gave.
        message: Its type.
    """
    found, at = bytearray(), 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        field = message.fields_by_number.get(tag >> 3)
        if tag & 7 != _SIZED or field is None or role_of(field) not in {Role.MESSAGE, Role.MAP, Role.JSON}:
            at = _skip(data, at, tag & 7)
            found += data[start:at]
            continue
        size, at = _varint(data, at)
        inner, at = data[at : at + size], at + size
        if role_of(field) is not Role.JSON:
            inner = with_groups(inner, field.message_type)
        if is_group(field):
            found += _varint_of(tag >> 3 << 3 | _START) + inner + _varint_of(tag >> 3 << 3 | _END)
        else:
            found += _varint_of(tag) + _varint_of(len(inner)) + inner
    return bytes(found)


def _ungrouped(data: bytes, at: int, message: Descriptor | None, ends: int | None, depth: int) -> tuple[bytes, int]:
    """From here to the end, or to the tag that ends the group `ends`; a message of None is copied as it is."""
    if depth > DEPTH_MAX:
        raise ValueError("it is nested too deep")
    found = bytearray()
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _END:
            if number != ends:
                raise ValueError("a group ends that did not begin")
            return bytes(found), at
        field = None if message is None else message.fields_by_number.get(number)
        inside = field.message_type if field is not None and role_of(field) in {Role.MESSAGE, Role.MAP} else None
        if kind == _START:
            inner, at = _ungrouped(data, at, inside, number, depth + 1)
            if field is not None and is_group(field):
                found += _varint_of(number << 3 | _SIZED) + _varint_of(len(inner)) + inner
            else:
                found += data[start:at]
        elif kind == _SIZED and inside is not None:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("it ends within a field")
            inner, _ = _ungrouped(data[at : at + size], 0, inside, None, depth + 1)
            at += size
            found += _varint_of(tag) + _varint_of(len(inner)) + inner
        else:
            at = _skip(data, at, kind)
            found += data[start:at]
    if ends is not None:
        raise ValueError("a group does not end")
    return bytes(found), at


def _skip(data: bytes, at: int, kind: int) -> int:
    if kind == _VARINT:
        return _varint(data, at)[1]
    if kind == _SIZED:
        size, at = _varint(data, at)
        at += size
    elif kind in {_EIGHT, _FOUR}:
        at += 8 if kind == _EIGHT else 4
    else:
        raise ValueError(f"it has a field of an unknown kind, {kind}")
    if at > len(data):
        raise ValueError("it ends within a field")
    return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number has more than 64 bits")


def _varint_of(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
