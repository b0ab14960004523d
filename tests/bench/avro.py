"""Avro by a Schema Registry: values decoded into Parquet's columns, and copied into Avro objects undecoded."""

import io
import json
from collections.abc import Callable
from functools import partial

import fastavro

from tests.bench.registry import BOTH, COLUMNS, NATIVE, PARQUET, Archive, archive_cases
from tests.servers.kafka import KafkaServer
from tests.servers.registry import RegistryServer

SCHEMA = {
    "type": "record",
    "name": "Line",
    "fields": [
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "level", "type": {"type": "enum", "name": "Level", "symbols": ["INFO", "WARN", "ERROR"]}},
        {"name": "host", "type": "string"},
        {"name": "path", "type": "string"},
        {"name": "status", "type": "int"},
        {"name": "ms", "type": ["null", "double"], "default": None},
        {"name": "trace", "type": "string"},
        {"name": "msg", "type": "string"},
    ],
}
AVRO = {"format.class": "avro", "archive.value": "both"}
CASES = {
    "Avro to Parquet zstd, columns": PARQUET | COLUMNS,
    "the same, native": PARQUET | COLUMNS | NATIVE,
    "Avro to Parquet zstd, both": PARQUET | BOTH,
    "the same with both, native": PARQUET | BOTH | NATIVE,
    "Avro to Avro null, both": AVRO | {"avro.codec": "null"},
    "Avro to Avro zstandard, both": AVRO | {"avro.codec": "zstandard"},
}
"""A value's bytes are kept beside its columns where `archive.value` doesn't say otherwise."""


def main(lines: list[bytes], count: int, archive: Archive, consume_only: Callable[[KafkaServer, str], float]) -> int:
    """Run the cases on the log lines of the other benches."""
    return archive_cases("avro", partial(_encoded, lines), CASES, count, archive, consume_only)


def _encoded(lines: list[bytes], registry: RegistryServer) -> list[bytes]:
    schema_id = registry.register("lines-value", json.dumps(SCHEMA))
    parsed = fastavro.parse_schema(SCHEMA)
    values = []
    for line in lines:
        stream = io.BytesIO()
        stream.write(b"\0" + schema_id.to_bytes(4, "big"))
        fastavro.schemaless_writer(stream, parsed, json.loads(line))
        values.append(stream.getvalue())
    return values
