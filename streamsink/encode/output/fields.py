"""Makes the fields that other products' sinks write of a record, as cells of text or as columns. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.cells import Part, binary, choose, fold, join
from streamsink.config.output import OutputField, OutputRules, TextLayout
from streamsink.encode.json.rows import base64_cells, escape
from streamsink.record import ENVELOPE, PLAIN_TEXT_METADATA, TopicPartition

VALUE = "value"


def member(rows: pa.RecordBatch, name: str) -> pa.Array:
    """A member of `_kafka` as a column.

    Args:
        rows: Rows with `_kafka`.
        name: The member's, as `offset` or `headers`.
    """
    return pc.struct_field(rows.column(ENVELOPE), name)


def texts_of(values: pa.Array) -> pa.StringArray:
    """Bytes as text; bytes that are no UTF-8 are replaced, as Java does."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        plain = [None if one is None else one.decode(errors="replace") for one in values.to_pylist()]
        return pa.array(plain, pa.string())


def times_ms(rows: pa.RecordBatch) -> pa.Int64Array:
    """Milliseconds since 1970, null where there is no time."""
    return member(rows, "timestamp").cast(pa.int64())


def field_cells(rows: pa.RecordBatch, field: OutputField, rules: OutputRules, source: TopicPartition) -> pa.BinaryArray:
    """One field of each record as text; the value comes as `value` has it.

    Args:
        rows: `_kafka` and `value`; keys and header values are JSON where the layout is.
        field: The field to make.
        rules: The layout.
        source: Where the records come from.
    """
    made = _csv(rows, field, rules) if rules.layout is TextLayout.CSV else _json(rows, field, source)
    return made if isinstance(made, pa.BinaryArray) else join(made, rows.num_rows)


def _csv(rows: pa.RecordBatch, field: OutputField, rules: OutputRules) -> pa.BinaryArray:
    match field:
        case OutputField.KEY:
            return base64_cells(binary(member(rows, "key")))
        case OutputField.VALUE:
            values = binary(rows.column(VALUE))
            return base64_cells(values) if rules.base64 else values
        case OutputField.HEADERS:
            headers = member(rows, "headers")
            items = headers.flatten()
            names = base64_cells(binary(items.field("key")))
            return fold(headers, join([names, b":", base64_cells(binary(items.field("value"))), b";"], len(items)))
        case OutputField.OFFSET:
            return binary(member(rows, "offset").cast(pa.string()))
    return binary(times_ms(rows).cast(pa.string()))


def _json(rows: pa.RecordBatch, field: OutputField, source: TopicPartition) -> pa.BinaryArray | list[Part]:
    match field:
        case OutputField.KEY | OutputField.VALUE:
            lines = member(rows, "key") if field is OutputField.KEY else rows.column(VALUE)
            return choose(lines.is_valid(), binary(lines), b"null")
        case OutputField.OFFSET:
            return binary(member(rows, "offset").cast(pa.string()))
        case OutputField.TIMESTAMP:
            return _or_null(rows, [b'"', _instants(times_ms(rows)), b'"'])
        case OutputField.HEADERS:
            return [b"[", _headers(rows, b'{"key":"', b'","value":', b"}"), b"]"]
        case OutputField.HEADER_MAP:
            return [b"{", _headers(rows, b'"', b'":', b""), b"}"]
    offset = binary(member(rows, "offset").cast(pa.string()))
    time = _or_null(rows, [binary(times_ms(rows).cast(pa.string()))])
    where = f',"topic":"{source.topic}","partition":{source.partition},"offset":'.encode()
    return [b'{"timestamp":', time, where, offset, b"}"]


def _or_null(rows: pa.RecordBatch, parts: list[Part]) -> pa.BinaryArray:
    return choose(member(rows, "timestamp").is_valid(), join(parts, rows.num_rows), b"null")


def _headers(rows: pa.RecordBatch, before: bytes, between: bytes, behind: bytes) -> pa.BinaryArray:
    headers = member(rows, "headers")
    items = headers.flatten()
    cells = items.field("value")
    values = choose(cells.is_valid(), binary(cells), b"null")
    entries = join([before, escape(binary(items.field("key"))), between, values, behind], len(items))
    counts = pc.list_value_length(headers).to_numpy(zero_copy_only=False)
    firsts = np.zeros(len(items), bool)
    firsts[(np.cumsum(counts) - counts)[counts > 0]] = True
    return fold(headers, choose(pa.array(firsts), entries, b"") if firsts.all() else _with_commas(entries, firsts))


def _with_commas(entries: pa.BinaryArray, firsts: np.ndarray) -> pa.BinaryArray:
    commas = pc.if_else(pa.array(firsts), pa.scalar(b"", pa.binary()), pa.scalar(b",", pa.binary()))
    return join([commas, entries], len(entries))


def _instants(times: pa.Int64Array) -> pa.BinaryArray:
    """Times as Java's ISO_INSTANT writes them: milliseconds only where there are some."""
    filled = times.fill_null(0).to_numpy(zero_copy_only=False)
    seconds = pa.array(filled // 1000).cast(pa.timestamp("s"))
    milliseconds = filled % 1000
    written = binary(pc.strftime(seconds, format="%Y-%m-%dT%H:%M:%S"))
    fraction = pc.utf8_lpad(pa.array(milliseconds).cast(pa.string()), 3, "0")
    tails = choose(pa.array(milliseconds != 0), join([b".", binary(fraction)], len(times)), b"")
    return join([written, tails, b"Z"], len(times))


def columns_of(
    rows: pa.RecordBatch, rules: OutputRules, source: TopicPartition | None, *, text_keys: bool
) -> pa.RecordBatch:
    """The fields as columns: with the envelope one for each field, else the value's.

    Args:
        rows: `_kafka`, and the value's columns or `value`.
        rules: Say which fields.
        source: Where the records come from, None where that makes no difference.
        text_keys: Whether keys are texts.
    """
    names = [name for name in rows.schema.names if name != ENVELOPE]
    if not rules.envelope:
        return rows.select(names)
    topic = "" if source is None else source.topic
    made = [
        _metadata(rows, topic) if field is OutputField.METADATA else _column(rows, names, field, text_keys=text_keys)
        for field in rules.fields
    ]
    fields = [pa.field(field.word, column.type) for field, column in zip(rules.fields, made, strict=True)]
    return pa.RecordBatch.from_arrays(made, schema=pa.schema(fields, metadata=rows.schema.metadata))


def _column(rows: pa.RecordBatch, names: list[str], field: OutputField, *, text_keys: bool) -> pa.Array:
    match field:
        case OutputField.VALUE:
            if names == [VALUE] and _is_whole(rows.schema.field(VALUE)):
                return rows.column(VALUE)
            values = rows.select(names)
            fields = list(values.schema)
            return pa.StructArray.from_arrays(values.columns, fields=fields, mask=_tombstones(rows))
        case OutputField.KEY:
            keys = member(rows, "key")
            return texts_of(keys) if text_keys else keys
        case OutputField.HEADERS | OutputField.HEADER_MAP:
            headers = member(rows, "headers")
            items = headers.flatten()
            offsets = pc.subtract(headers.offsets, headers.offsets[0]).cast(pa.int32())
            return pa.MapArray.from_arrays(offsets, items.field("key"), items.field("value"))
        case OutputField.OFFSET:
            return member(rows, "offset")
    return times_ms(rows)


def _metadata(rows: pa.RecordBatch, topic: str) -> pa.StructArray:
    topics = pa.array([topic] * rows.num_rows, pa.string())
    columns = [times_ms(rows), topics, member(rows, "partition"), member(rows, "offset")]
    return pa.StructArray.from_arrays(columns, names=["timestamp", "topic", "partition", "offset"])


def _is_whole(field: pa.Field) -> bool:
    """Whether the column is the whole value: its bytes, or its text."""
    whole = (field.metadata or {}).items() >= {k.encode(): v.encode() for k, v in PLAIN_TEXT_METADATA.items()}.items()
    return pa.types.is_binary(field.type) or bool(whole)


def _tombstones(rows: pa.RecordBatch) -> pa.BooleanArray | None:
    if rows.schema.field(ENVELOPE).type.get_field_index("tombstone") < 0:
        return None
    found = member(rows, "tombstone")
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
