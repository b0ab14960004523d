"""The seam between a registry's schemas and columns: one reader for each schema. Does no I/O."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import pyarrow as pa

from streamsink.config.sink import Converter
from streamsink.decode.avro.columns import Columns, read_columns
from streamsink.decode.avro.copy import copied, copied_field
from streamsink.decode.avro.fitting import takes
from streamsink.decode.avro.json_text import JsonTexts
from streamsink.decode.avro.named_types import AvroSchemaError, whole_schema
from streamsink.decode.avro.native_reader import native_records
from streamsink.decode.avro.types import AvroKind, avro_type
from streamsink.decode.avro.write import Written, write_rows
from streamsink.decode.envelope import fields_of
from streamsink.decode.json.columns import JsonColumns, JsonRules
from streamsink.decode.json.shape import Kind, Shape
from streamsink.decode.registry.client import RegisteredSchema
from streamsink.decode.registry.wire import Frames
from streamsink.native.avro_reader import AvroRecords

KINDS = {Converter.AVRO: "AVRO", Converter.PROTOBUF: "PROTOBUF", Converter.JSON_SCHEMA: "JSON"}
"""What registries call the kind of schema each converter reads."""

VALUE = "value"
"""The column of values that are no records."""


class SchemaReader(Protocol):
    """Reads values of one schema."""

    @property
    def arrow(self) -> pa.StructType:
        """The Arrow type of the values."""
        ...

    def read(self, frames: Frames) -> Columns:
        """Read each value as a struct; one that can't be read is in `bad`, by its place in `frames`."""
        ...

    def takes(self, narrow: SchemaReader) -> bool:
        """Whether values of another schema that have a place in this one's columns can be written in this one."""
        ...

    def write(self, rows: pa.RecordBatch) -> Written:
        """The inverse: columns, as an object has them beside its envelope, as values without their heads."""
        ...

    def same(self, one: bytes, other: bytes) -> bool:
        """Whether two values say the same, in whatever form they are encoded.

        Args:
            one: The value's bytes behind the head with its schema's id.
            other: As `one`.
        """
        ...


class UnreadableSchemaError(ValueError):
    """A schema can't be understood."""


class AvroReader:
    """Values of one Avro schema.

    Raises:
        UnreadableSchemaError: It is none.
    """

    def __init__(self, schema: RegisteredSchema) -> None:
        try:
            self.type = avro_type(schema.text, schema.references)
            self._whole = whole_schema(schema.text, schema.references)
        except AvroSchemaError as error:
            raise UnreadableSchemaError(str(error)) from error
        self.copied = copied_field(schema, self.type)
        self.bare = self.type.kind is not AvroKind.RECORD
        self.arrow = (
            pa.struct([pa.field(VALUE, self.type.arrow, nullable=self.type.nullable)]) if self.bare else self.type.arrow
        )

    def read(self, frames: Frames) -> Columns:
        """See `SchemaReader.read`."""
        if self._native is not None:
            array = self._native.read(frames.data, frames.starts, frames.stops)
            if array is not None:
                return Columns(array, {})
        columns = read_columns(self.type, frames.data, frames.starts, frames.stops)
        if not self.bare:
            return columns
        return Columns(pa.StructArray.from_arrays([columns.array], fields=list(self.arrow)), columns.bad)

    def takes(self, narrow: SchemaReader) -> bool:
        """See `SchemaReader.takes`."""
        return isinstance(narrow, AvroReader) and takes(self.type, narrow.type)

    def write(self, rows: pa.RecordBatch) -> Written:
        """See `SchemaReader.write`."""
        names = (VALUE,) if self.bare else self.type.names
        columns = fields_of(rows, names)
        if lacking := [name for name in names if name not in columns]:
            return unwritten(rows.num_rows, f"there is no column {lacking[0]}")
        try:
            if self.bare:
                return write_rows(self.type, columns[VALUE])
            if not names:
                return write_rows(self.type, pa.array([{}] * rows.num_rows, self.type.arrow))
            return write_rows(self.type, pa.StructArray.from_arrays([columns[name] for name in names], names))
        except pa.ArrowException as error:
            return unwritten(rows.num_rows, str(error))

    def same(self, one: bytes, other: bytes) -> bool:
        """See `SchemaReader.same`."""
        try:
            (first, first_size), (second, second_size) = (self._plainly.read(payload) for payload in (one, other))
        except ValueError:
            return False
        return first == second and (first_size, second_size) == (len(one), len(other))

    @cached_property
    def _native(self) -> AvroRecords | None:
        return native_records(self.type)

    @cached_property
    def _plainly(self) -> JsonTexts:
        return JsonTexts(self._whole, by_value=True)


def unwritten(count: int, why: str) -> Written:
    """Rows of which none can be written.

    Args:
        count: How many rows there are.
        why: The reason of all, for an operator.
    """
    return Written(pa.array([b""] * count, pa.binary()), dict.fromkeys(range(count), why))


class JsonSchemaReader:
    """Reads values that a JSON Schema describes: the values' fields make the columns, which only ever widen."""

    def __init__(self, columns_max: int) -> None:
        self._columns = JsonColumns(
            JsonRules(declared=Shape(Kind.STRUCT), schemas_enable=False, columns_max=columns_max)
        )
        self.arrow = pa.struct([])

    def read(self, frames: Frames) -> Columns:
        """See `SchemaReader.read`."""
        found = self._columns.read(copied(frames))
        self.arrow = pa.struct(found.fields)
        if not found.fields:
            return Columns(pa.array([{}] * len(frames.ids), self.arrow), found.bad)
        return Columns(pa.StructArray.from_arrays(found.arrays, fields=found.fields), found.bad)

    def takes(self, narrow: SchemaReader) -> bool:  # noqa: ARG002 - the protocol's shape
        """See `SchemaReader.takes`: JSON says its types itself."""
        return True

    def write(self, rows: pa.RecordBatch) -> Written:
        """See `SchemaReader.write`: JSON comes back in meaning only, which is not this one's to say."""
        return unwritten(rows.num_rows, "JSON has no separate form that it could come back in")

    def same(self, one: bytes, other: bytes) -> bool:
        """See `SchemaReader.same`."""
        return one == other
