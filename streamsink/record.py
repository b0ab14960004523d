"""Values every stage shares: topic partitions, slices of records, and the columns they have. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from streamsink.names import ENVELOPE as ENVELOPE  # noqa: PLC0414 (told on)
from streamsink.names import TopicPartition as TopicPartition  # noqa: PLC0414 (told on)

HEADERS_TYPE = pa.list_(pa.struct([pa.field("key", pa.string()), pa.field("value", pa.binary())]))
"""Kafka's headers: ordered, duplicates kept, a value may be null. A key never is, but a list's item may be by its type,
and Parquet takes no required field in one: this is the type that files have, so that no slice is cast to it."""

TIMESTAMP_TYPE = pa.timestamp("ms", tz="UTC")
"""A record's timestamp; null where the broker kept none."""

RAW_SCHEMA = pa.schema(
    [
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp", TIMESTAMP_TYPE),
        pa.field("timestamp_type", pa.int8(), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", HEADERS_TYPE, nullable=False),
    ]
)
"""Columns of a `RawSlice`. `timestamp_type` is Kafka's: 0 CreateTime, 1 LogAppendTime, -1 none."""

ENVELOPE_FIELDS = (
    pa.field("partition", pa.int32(), nullable=False),
    pa.field("offset", pa.int64(), nullable=False),
    pa.field("timestamp", TIMESTAMP_TYPE),
    pa.field("timestamp_type", pa.int8(), nullable=False),
    pa.field("key", pa.binary()),
    pa.field("headers", HEADERS_TYPE, nullable=False),
)
"""Fields of `_kafka`. `ENVELOPE_VALUE` follows with `archive.value=both`, `ENVELOPE_TOMBSTONE` with columns."""

ENVELOPE_VALUE = pa.field("value", pa.binary())
"""The value's bytes in `_kafka`; null for a tombstone."""

ENVELOPE_TOMBSTONE = pa.field("tombstone", pa.bool_(), nullable=False)
"""Whether the value is null in Kafka: `{}` has columns that are all null as well."""

JSON_TEXT_METADATA = {"streamsink": "json"}
"""Metadata of a string field whose values are JSON texts (a string reads `"x"`, quotes included), not plain strings."""

PLAIN_TEXT_METADATA = {"streamsink": "text"}
"""Metadata of a string field that holds the whole value, as the string converter reads it."""

VARIANT_OF = "streamsink.variant_of"
"""Metadata of a variant: the name of the column beside it whose values go here where they don't fit that one. Empty
for the column of values that are no objects."""

REST = "_rest"
"""Column for the value's fields that have no column: a JSON object's text. It counts as a variant of itself."""

AVRO_RECORD = "streamsink.avro"
"""Metadata of a binary field whose values are encoded Avro records, to be copied: the schema they are written in."""

AVRO_COLUMNS = "streamsink.arrow"
"""Beside it, the Arrow schema of the decoded records, as base64 of its IPC message."""


@dataclass(frozen=True, slots=True)
class RawSlice:
    """A contiguous run of one topic partition as the broker gave it.

    `rows` has the columns of `RAW_SCHEMA`, in offset order. Offsets in `[start, next_offset)` that `rows` lacks
    are holes: aborted transactions, control records, compaction. Records that could not even be read are in `bad`.
    """

    topic_partition: TopicPartition
    start: int
    next_offset: int
    rows: pa.RecordBatch
    bad: tuple[BadRecord, ...] = ()

    @property
    def value_bytes(self) -> int:
        """Bytes the slice's columns hold in memory."""
        return int(self.rows.nbytes)


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that a stage could not take, with its original bytes (Connect's dead letter shape).

    `executing` is the class of the converter or transform at fault, where it isn't that of the error.
    """

    topic_partition: TopicPartition
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    stage: str
    error: str
    error_class: str
    executing: str = ""


@dataclass(frozen=True, slots=True)
class DecodedSlice:
    """A slice after decoding: the rows to write, and the facts that the machine needs.

    `rows` has one row per record kept, in offset order, in the columns that the object will have.
    `offsets` (int64, never null) and `timestamps` (int64 milliseconds, null where unknown) run beside it.
    Records that could not be decoded are in `bad` and in no column. `schema_tag` tells apart records of one slice
    that must not share a file (registry schema ids); it is empty where every record fits one widening schema.
    `partition_columns` holds, beside `rows`, the value's fields that the encoded partition is made of where `rows`
    keeps only raw bytes. `topics` are where transforms route rows to, None if none does.
    """

    topic_partition: TopicPartition
    start: int
    next_offset: int
    rows: pa.RecordBatch
    offsets: pa.Int64Array
    timestamps: pa.Int64Array
    bad: tuple[BadRecord, ...] = ()
    schema_tag: str = ""
    partition_columns: pa.RecordBatch | None = None
    topics: pa.DictionaryArray | None = None

    def take(self, rows: pa.IntegerArray) -> DecodedSlice:
        """Some of the rows, by number, with all that runs beside them.

        Args:
            rows: Numbers of rows, in the order to give them.
        """
        return replace(
            self,
            rows=self.rows.take(rows),
            offsets=self.offsets.take(rows),
            timestamps=self.timestamps.take(rows),
            partition_columns=None if self.partition_columns is None else self.partition_columns.take(rows),
            topics=None if self.topics is None else self.topics.take(rows),
        )
