"""Keys of the archive itself: where it is and what is in it. Definitions only.

Names are Confluent's wherever its storage sinks have one for the same thing.
"""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.connector import FORMATS
from streamsink.config.keys.definition import ConfigKey, Importance, KeyType, Width, grouped
from streamsink.config.keys.rotation import LIMIT_KEYS, MIB, PARTITION_KEYS, ROTATION_KEYS

PARQUET_CODECS = ("zstd", "snappy", "gzip", "lz4", "brotli", "none")
AVRO_CODECS = ("null", "deflate", "snappy", "zstandard", "bzip2")
STREAM_CODECS = ("none", "gzip", "zstd")

WHERE_KEYS = grouped(
    "Archive",
    [
        ConfigKey(
            "archive.url",
            KeyType.STRING,
            "",
            "Where the archive is: file:///folder, s3://bucket/prefix, gs://bucket, az://container or "
            "webdav+https://host/path. Options of the store follow as archive.option.*.",
            Importance.HIGH,
            width=Width.LONG,
        ),
        ConfigKey(
            "topics.dir",
            KeyType.STRING,
            "topics",
            "Folder below the archive's URL that has a folder for each topic; may be empty.",
            validator=check.relative_folder,
        ),
        ConfigKey(
            "directory.delim",
            KeyType.STRING,
            "/",
            "What separates folders in objects' names.",
            Importance.LOW,
            check.delimiter,
            width=Width.SHORT,
        ),
        ConfigKey(
            "file.delim",
            KeyType.STRING,
            "+",
            "What separates topic, partition and offset in objects' names.",
            Importance.LOW,
            check.delimiter,
            width=Width.SHORT,
        ),
        ConfigKey(
            "filename.offset.zero.pad.width",
            KeyType.INT,
            "10",
            "How many digits offsets in objects' names have at least.",
            Importance.LOW,
            check.between(0, 40),
            width=Width.SHORT,
        ),
        ConfigKey(
            "exactly.once",
            KeyType.STRING,
            "preferred",
            "What happens where the store can't create objects atomically, or where another connector archives a "
            "topic at the same place: required refuses to run, preferred goes on storing each record at least once "
            "and says so.",
            validator=check.one_of(("required", "preferred")),
            recommended=("preferred", "required"),
            width=Width.SHORT,
        ),
    ],
)

CONTENT_KEYS = grouped(
    "Content",
    [
        ConfigKey(
            "format.class",
            KeyType.CLASS,
            "parquet",
            "What objects are: parquet, avro, jsonl or raw, the class name of Confluent's format, or one of your own.",
            Importance.HIGH,
            recommended=FORMATS,
        ),
        ConfigKey(
            "parquet.codec",
            KeyType.STRING,
            "zstd",
            "How Parquet objects are compressed; in small ones, all but the columns of `_kafka` that would grow by it.",
            validator=check.one_of((*PARQUET_CODECS, "uncompressed")),
            recommended=PARQUET_CODECS,
            width=Width.SHORT,
        ),
        ConfigKey(
            "avro.codec",
            KeyType.STRING,
            "null",
            "How Avro objects are compressed.",
            validator=check.one_of(AVRO_CODECS),
            recommended=AVRO_CODECS,
            width=Width.SHORT,
        ),
        ConfigKey(
            "compression.type",
            KeyType.STRING,
            "none",
            "How JSON Lines and raw objects are compressed.",
            validator=check.one_of(STREAM_CODECS),
            recommended=STREAM_CODECS,
            width=Width.SHORT,
        ),
        ConfigKey(
            "compression.level",
            KeyType.INT,
            "-1",
            "How hard the codec tries, in its own numbers; -1 is its default.",
            Importance.LOW,
            check.between(-1, 22),
            width=Width.SHORT,
        ),
        ConfigKey(
            "row.group.bytes",
            KeyType.INT,
            str(8 * MIB),
            "How many bytes of rows wait in memory before they are encoded: a row group in Parquet, blocks elsewhere.",
            Importance.LOW,
            check.between(64 * 1024, 1024 * MIB),
        ),
        ConfigKey(
            "format.bytearray.extension",
            KeyType.STRING,
            ".bin",
            "How names of raw objects end.",
            Importance.LOW,
            width=Width.SHORT,
        ),
        ConfigKey(
            "format.bytearray.separator",
            KeyType.STRING,
            "\n",
            "What follows each value in raw objects, spaces included.",
            Importance.LOW,
            width=Width.SHORT,
        ),
        ConfigKey(
            "archive.value",
            KeyType.STRING,
            "",
            "What a value becomes: raw keeps its bytes in one column, columns decodes it into one column a field, both "
            "does both. columns alone is no byte-exact backup: replay makes values anew of the fields, where null and "
            "absent ones are the same. If empty: both where values are decoded (json, the converters with a Schema "
            "Registry, and where a transform changes values), else raw.",
            Importance.HIGH,
            check.one_of(("", "raw", "columns", "both")),
            ("raw", "columns", "both"),
            Width.SHORT,
        ),
        ConfigKey(
            "archive.envelope",
            KeyType.BOOLEAN,
            "true",
            "Whether each row has _kafka: partition, offset, timestamp, key and headers. Restoring needs it.",
        ),
        ConfigKey(
            "value.schema",
            KeyType.STRING,
            "",
            'The columns of JSON values, as Connect writes a schema: {"type":"struct","fields":[...]}. Without it '
            "they follow from the values: a number with a point becomes a double, as in Connect, so that digits past "
            "the 17th are in its bytes only (archive.value=both).",
            validator=check.value_schema,
            width=Width.LONG,
        ),
        ConfigKey(
            "value.columns.max",
            KeyType.INT,
            "1000",
            "How many columns JSON values may make; further fields go as JSON text into _rest.",
            Importance.LOW,
            check.between(1, 100_000),
        ),
        ConfigKey(
            "value.check.sample",
            KeyType.INT,
            "100000",
            "One Avro or Protobuf record in so many is written again from its columns and compared with its bytes, the "
            "first one of each schema among them; 0 for none, 1 for all. Once a value did not come back, all of its "
            "schema are looked at. With archive.value=columns such a record is a bad record, by errors.tolerance; with "
            "both, whose bytes are kept, a warning in the log counts them.",
            Importance.LOW,
            check.between(0, 1_000_000_000),
        ),
        ConfigKey(
            "behavior.on.null.values",
            KeyType.STRING,
            "write",
            "What a record without a value (a tombstone) does: write archives it, ignore leaves it out, fail stops the "
            "task.",
            validator=check.one_of(("write", "ignore", "fail")),
            recommended=("write", "ignore", "fail"),
            width=Width.SHORT,
        ),
        ConfigKey(
            "schema.compatibility",
            KeyType.STRING,
            "NONE",
            "How values of different schema versions share files. NONE: each version has separate files. BACKWARD "
            "and FULL: in the columns of the newest version read. FORWARD: in the columns of the oldest, without newer "
            "fields. "
            "Versions that can't be brought together have separate files in any case.",
            validator=check.one_of(("NONE", "BACKWARD", "FORWARD", "FULL")),
            recommended=("NONE", "BACKWARD", "FORWARD", "FULL"),
            width=Width.SHORT,
        ),
    ],
)

ARCHIVE_KEYS = (*WHERE_KEYS, *CONTENT_KEYS, *PARTITION_KEYS, *ROTATION_KEYS, *LIMIT_KEYS)
