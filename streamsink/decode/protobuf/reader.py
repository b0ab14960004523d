"""Protobuf values to columns in bulk, and back, by ptars. Asks no registry.

ptars reads and writes the plain form of a schema (`plain.py`), whose values `columns.py` makes columns of.
A value begins with where its message stands in the schema: nearly always it is the first, a single zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from streamsink.decode.avro.columns import Columns
from streamsink.decode.avro.write import Written
from streamsink.decode.envelope import fields_of
from streamsink.decode.protobuf.columns import to_columns
from streamsink.decode.protobuf.filling import filled
from streamsink.decode.protobuf.from_columns import to_plain
from streamsink.decode.protobuf.groups import with_groups, without_groups
from streamsink.decode.protobuf.plain import has_groups, plain_files, takes
from streamsink.decode.protobuf.schema import compiled, message_at, pool_of
from streamsink.decode.protobuf.shaping import VARIANT, Rows, Shaping
from streamsink.decode.registry.client import RegisteredSchema
from streamsink.decode.registry.schema_reader import unwritten
from streamsink.decode.registry.wire import Frames, Int64s
from streamsink.errors import TerminalError

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

INDEXES_MAX = 64


class ProtobufReader:
    """Values of one Protobuf schema, all of one of its messages.

    Args:
        schema: The registry's schema.
        path: Where the message is: its place in the file, then in that message, and so on.

    Raises:
        UnreadableSchemaError: It is none, or has no such message.
        TerminalError: What reads Protobuf is not installed.
    """

    def __init__(self, schema: RegisteredSchema, path: tuple[int, ...] = (0,)) -> None:
        try:
            import ptars  # noqa: PLC0415 - an extra
            from google.protobuf import message, message_factory  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise TerminalError(
                f"value.converter=protobuf needs {error.name}", hint="pip install 'streamsink[registry]'"
            ) from error
        self._decode_error = message.DecodeError
        files = compiled(schema)
        pool = pool_of(files)
        self.message: Descriptor = message_at(schema, pool, path)
        self._class = message_factory.GetMessageClass(self.message)
        self._shaping = Shaping(message_factory.GetMessageClass)
        self._has_groups = has_groups(self.message)
        plain = pool_of(plain_files(files, pool)).FindMessageTypeByName(self.message.full_name)
        self._handlers = [_handler(ptars, plain, enums) for enums in ("string", "int32")]
        self.arrow = pa.struct([])
        self._shape(self._handlers[0].list_to_record_batch([]), {})

    def read(self, frames: Frames) -> Columns:
        """See `SchemaReader.read`."""
        data = frames.data.tobytes()
        payloads = [data[start:stop] for start, stop in zip(frames.starts.tolist(), frames.stops.tolist(), strict=True)]
        bad: dict[int, str] = {}
        if self._has_groups:
            payloads = [self._without_groups(row, payload, bad) for row, payload in enumerate(payloads)]
        try:
            batch = self._handlers[0].list_to_record_batch(payloads)
        except Exception:  # noqa: BLE001 - ptars says in its own ways that one of the messages is broken
            bad |= {row: why for row, payload in enumerate(payloads) if (why := self._wrong(payload))}
            payloads = [b"" if row in bad else one for row, one in enumerate(payloads)]
            batch = self._handlers[0].list_to_record_batch(payloads)
        return Columns(self._shape(batch, bad), bad)

    def _shape(self, batch: pa.RecordBatch, bad: dict[int, str]) -> pa.StructArray:
        rows = Rows(np.arange(batch.num_rows), bad)
        array = to_columns(self.message, batch.to_struct_array(), self._shaping, rows)
        fields = [array.type.field(at) for at in range(array.type.num_fields)]
        self.arrow = pa.struct(fields)
        return array

    def takes(self, narrow: object) -> bool:
        """See `SchemaReader.takes`."""
        return isinstance(narrow, ProtobufReader) and takes(self.message, narrow.message)

    def write(self, rows: pa.RecordBatch) -> Written:
        """See `SchemaReader.write`."""
        names = [field.name for field in self.message.fields]
        columns = fields_of(rows, [*names, *(name + VARIANT for name in names if name + VARIANT not in names)])
        if lacking := [name for name in names if name not in columns]:
            return unwritten(rows.num_rows, f"there is no column {lacking[0]}")
        bad: dict[int, str] = {}
        given = (
            pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
            if columns
            else pa.array([{}] * rows.num_rows, pa.struct([]))
        )
        handler = self._handlers[1]
        try:
            plain = to_plain(self.message, given, self._shaping, Rows(np.arange(rows.num_rows), bad))
            wanted = handler.list_to_record_batch([]).schema
            row = pa.struct(list(wanted))
            batch = pa.RecordBatch.from_struct_array(filled(plain, row).cast(row)).cast(wanted)
            cells = handler.record_batch_to_array(batch)
        except (pa.ArrowException, ValueError, TypeError) as error:
            return unwritten(rows.num_rows, str(error))
        if self._has_groups:
            cells = pa.array([with_groups(cell, self.message) for cell in cells.to_pylist()], pa.binary())
        return Written(cells, bad)

    def same(self, one: bytes, other: bytes) -> bool:
        """Whether two payloads say the same, in whatever order and form."""
        try:
            first, second = self._class.FromString(one), self._class.FromString(other)
        except self._decode_error:
            return False
        return bool(first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True))

    def _without_groups(self, row: int, payload: bytes, bad: dict[int, str]) -> bytes:
        try:
            return without_groups(payload, self.message)
        except ValueError as error:
            bad[row] = f"it is no {self.message.full_name}: {error}"
            return b""

    def _wrong(self, payload: bytes) -> str:
        try:
            self._class.FromString(payload)
        except self._decode_error as error:
            return f"it is no {self.message.full_name}: {error}"
        return ""


def _handler(ptars: Any, message: Any, enums: str) -> Any:
    config = ptars.PtarsConfig(enum_repr=enums, timestamp_unit="ns", list_value_nullable=False)
    return ptars.HandlerPool([message.file], config=config).get_for_message(message)


def message_paths(frames: Frames) -> tuple[dict[tuple[int, ...], Int64s], Frames]:
    """Group rows by their message, and take the message's path off the frames.

    Returns:
        The rows by path; a row whose path can't be read is in none. And all frames, each behind its path.
    """
    first = frames.data[frames.starts]
    plain = (first == 0) & (frames.starts < frames.stops)
    starts = np.where(plain, frames.starts + 1, frames.starts)
    paths: dict[tuple[int, ...], list[int]] = {(0,): np.flatnonzero(plain).tolist()} if plain.any() else {}
    for row in np.flatnonzero(~plain).tolist():
        try:
            path, length = _indexes(frames.payload(row))
        except (IndexError, ValueError):
            continue
        starts[row] += length
        paths.setdefault(path, []).append(row)
    moved = Frames(frames.ids, frames.data, starts, frames.stops)
    return {path: np.array(rows, np.int64) for path, rows in paths.items()}, moved


def _indexes(payload: bytes) -> tuple[tuple[int, ...], int]:
    count, at = _varint(payload, 0)
    if not 0 <= count <= INDEXES_MAX:
        raise ValueError(count)
    path: list[int] = []
    for _ in range(count):
        index, at = _varint(payload, at)
        path.append(index)
    return tuple(path) or (0,), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        if shift > 63:
            raise ValueError(value)
