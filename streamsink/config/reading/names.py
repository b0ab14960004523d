"""Class names of Connect, Confluent and Aiven, and the short names they stand for. Values only."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from streamsink.config.keys.definition import NEAR_CUTOFF
from streamsink.config.sink import Converter, ExtractorKind, FormatKind, PartitionerKind

T = TypeVar("T")

_STORES = ("s3", "gcs", "azure.blob")
_PARTITIONER = "io.confluent.connect.storage.partitioner."
_EXTRACTOR = f"{_PARTITIONER}TimeBasedPartitioner$"

JSON_CONVERTER_CLASS = "org.apache.kafka.connect.json.JsonConverter"

_OWN_FORMATS = ("parquet", "avro", "jsonl", "raw")

FORMATS: dict[str, FormatKind] = {name: FormatKind(name) for name in _OWN_FORMATS} | {
    "json": FormatKind.JSONL,
    "bytearray": FormatKind.RAW,
    "bytes": FormatKind.RAW,
}
for _store in _STORES:
    FORMATS |= {
        f"io.confluent.connect.{_store}.format.avro.AvroFormat": FormatKind.AVRO,
        f"io.confluent.connect.{_store}.format.parquet.ParquetFormat": FormatKind.PARQUET,
        f"io.confluent.connect.{_store}.format.json.JsonFormat": FormatKind.JSONL,
        f"io.confluent.connect.{_store}.format.bytearray.ByteArrayFormat": FormatKind.RAW,
    }

_OWN_PARTITIONERS = ("default", "field", "time", "hourly", "daily", "fieldtime")

PARTITIONERS: dict[str, PartitionerKind] = {name: PartitionerKind(name) for name in _OWN_PARTITIONERS} | {
    f"{_PARTITIONER}DefaultPartitioner": PartitionerKind.DEFAULT,
    f"{_PARTITIONER}FieldPartitioner": PartitionerKind.FIELD,
    f"{_PARTITIONER}TimeBasedPartitioner": PartitionerKind.TIME,
    f"{_PARTITIONER}HourlyPartitioner": PartitionerKind.HOURLY,
    f"{_PARTITIONER}DailyPartitioner": PartitionerKind.DAILY,
}

EXTRACTORS: dict[str, ExtractorKind] = {kind.value: kind for kind in ExtractorKind} | {
    f"{_EXTRACTOR}WallclockTimestampExtractor": ExtractorKind.WALLCLOCK,
    f"{_EXTRACTOR}RecordTimestampExtractor": ExtractorKind.RECORD,
    f"{_EXTRACTOR}RecordFieldTimestampExtractor": ExtractorKind.RECORD_FIELD,
}

_OWN_CONVERTERS = ("bytes", "string", "json", "avro", "protobuf", "jsonschema", "bson")

CONVERTERS: dict[str, Converter] = {name: Converter(name) for name in _OWN_CONVERTERS} | {
    "org.apache.kafka.connect.converters.ByteArrayConverter": Converter.BYTES,
    "org.apache.kafka.connect.storage.StringConverter": Converter.STRING,
    JSON_CONVERTER_CLASS: Converter.JSON,
    "io.confluent.connect.avro.AvroConverter": Converter.AVRO,
    "io.confluent.connect.protobuf.ProtobufConverter": Converter.PROTOBUF,
    "io.confluent.connect.json.JsonSchemaConverter": Converter.JSON_SCHEMA,
}

CONVERTERS_LATER = frozenset(
    {
        *(f"org.apache.kafka.connect.converters.{name}Converter" for name in ("Boolean", "Short", "Integer", "Long")),
        *(f"org.apache.kafka.connect.converters.{name}Converter" for name in ("Float", "Double")),
    }
)
"""Converters that are known and not supported yet."""

DEFAULT_CREDENTIALS_CLASSES = frozenset(
    {
        "com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
        "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
        "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
        "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider",
    }
)
"""Java classes that find credentials where the store's client finds them as well."""


def find(table: Mapping[str, T], text: str) -> T | None:
    """Find the kind that a class name stands for, or a short name in any case.

    Args:
        table: Kinds by class name and short name. A short name has no dot.
        text: The name as it was configured; spaces around it don't count.

    Returns:
        The kind, or None where the name is unknown.
    """
    bare = text.strip()
    if bare in table:
        return table[bare]
    short = {name.lower(): kind for name, kind in table.items() if "." not in name}
    return short.get(bare.lower())


def unknown(table: Mapping[str, T], text: str) -> str:
    """Say what is wrong with a name that a table doesn't have: which of its names is meant, or which there are.

    Args:
        table: Things by their names; those without dots are its short names.
        text: The name.
    """
    short = [name for name in table if "." not in name]
    near = difflib.get_close_matches(text.strip().lower(), short, n=1, cutoff=NEAR_CUTOFF)
    meant = f"is {near[0]} meant? Known" if near else "known"
    return f"{text!r} is unknown; {meant} are {', '.join(short)}"
