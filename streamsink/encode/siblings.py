"""Objects of keys or headers beside an object of values, as Confluent's sink writes them. Writes to memory only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from streamsink.cells import join, packed, pieces
from streamsink.config.sink import Encoding, FormatKind
from streamsink.encode.avro.writer import AvroEncoder
from streamsink.encode.parquet import ParquetEncoder
from streamsink.encode.stream import compress
from streamsink.encode.writer import GroupEncoder

PIECE_BYTES = 4 * 1024 * 1024

HEADER_TYPE = pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.string())])
"""One header as Confluent's sink has it: a text, whatever it was."""

_SINGLE_HEADER = {"type": "record", "name": "ConnectDefault", "namespace": "io.confluent.connect.avro"}


def encode_sibling(column: pa.Array, field: pa.Field, encoding: Encoding, identity: str) -> bytes:
    """Encode the keys or headers of one object.

    Args:
        column: An entry for each record: of JSON Lines and raw bytes what stands in its line, else keys or headers.
        field: The column's.
        encoding: The format.
        identity: Seeds anything arbitrary in it.
    """
    schema = pa.schema([field])
    rows = pa.Table.from_arrays([column], schema=schema)
    match encoding.kind:
        case FormatKind.AVRO:
            return _of_encoder(AvroEncoder(schema, encoding, identity, top=_avro_type(field)), rows)
        case FormatKind.PARQUET:
            return _of_encoder(ParquetEncoder(schema, encoding), rows)
    separator = encoding.separator.encode()
    lines = (packed(join([piece.column(0), separator], piece.num_rows)) for piece in pieces(rows, PIECE_BYTES))
    return b"".join(compress(piece, encoding) for piece in lines if len(piece))


def encode_entries(entries: pa.BinaryArray, schema: object, encoding: Encoding, identity: str) -> bytes:
    """An Avro object of entries that are encoded already.

    Args:
        entries: One for each record.
        schema: The schema that they are encoded by.
        encoding: The codec.
        identity: Seeds the sync marker.
    """
    columns = pa.schema([pa.field("entry", pa.binary())])
    encoder = AvroEncoder(columns, encoding, identity, top=schema, encoded=True)
    return _of_encoder(encoder, pa.Table.from_arrays([entries], schema=columns))


def _of_encoder(encoder: GroupEncoder, rows: pa.Table) -> bytes:
    footer: Mapping[str, str] = {}
    encoder.encode(rows)
    return bytes(encoder.finish(footer).data)


def _avro_type(field: pa.Field) -> Any:
    """The type of an entry by itself: an Avro record of one field is encoded as that field is."""
    if pa.types.is_list(field.type):
        value: Any = ["null", "string"] if field.type.value_type.field("value").nullable else "string"
        fields = [{"name": "key", "type": "string"}, {"name": "value", "type": value}]
        return {"type": "array", "items": {**_SINGLE_HEADER, "fields": fields}}
    return ["null", "string" if pa.types.is_string(field.type) else "bytes"]
