"""The seam between a registry's schemas and columns: one reader for each schema. Does no I/O."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from streamsink.config.sink import Converter
from streamsink.decode.avro_columns import Columns, read_columns
from streamsink.decode.avro_copy import copied, copied_field
from streamsink.decode.avro_names import AvroSchemaError
from streamsink.decode.avro_types import AvroKind, avro_type
from streamsink.decode.json_columns import JsonColumns, JsonRules
from streamsink.decode.registry import RegisteredSchema
from streamsink.decode.shape import Kind, Shape
from streamsink.decode.wire import Frames

KINDS = {Converter.AVRO: "AVRO", Converter.PROTOBUF: "PROTOBUF", Converter.JSON_SCHEMA: "JSON"}
"""What registries call the kind of schema each converter reads."""

VALUE = "value"
"""The column of values that are no records."""


class SchemaReader(Protocol):
    """Reads values of one schema."""

    @property
    def arrow(self) -> pa.StructType:
        """What values become."""
        ...

    def read(self, frames: Frames) -> Columns:
        """A struct for each value; what can't be read is in `bad`, by its place in `frames`."""
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
        except AvroSchemaError as error:
            raise UnreadableSchemaError(str(error)) from error
        self.copied = copied_field(schema, self.type)
        self.bare = self.type.kind is not AvroKind.RECORD
        self.arrow = (
            pa.struct([pa.field(VALUE, self.type.arrow, nullable=self.type.nullable)]) if self.bare else self.type.arrow
        )

    def read(self, frames: Frames) -> Columns:
        """See `SchemaReader.read`."""
        columns = read_columns(self.type, frames.data, frames.starts, frames.stops)
        if not self.bare:
            return columns
        return Columns(pa.StructArray.from_arrays([columns.array], fields=list(self.arrow)), columns.bad)


class JsonSchemaReader:
    """Values that a JSON Schema describes: their columns are those that the values have, which only ever widen."""

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
