"""Avro by a Schema Registry: values decoded into Parquet's columns, and copied into Avro objects undecoded."""

import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import fastavro

from tests.servers.kafka import KafkaServer
from tests.servers.registry import RegistryServer

PARTITIONS = 4
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
PARQUET, AVRO = {"format.class": "parquet"}, {"format.class": "avro", "archive.value": "both"}
COLUMNS, BOTH = {"archive.value": "columns"}, {"archive.value": "both"}
NATIVE = {"consumer.native": "true"}
CASES = {
    "Avro to Parquet zstd, columns": PARQUET | COLUMNS,
    "the same, native": PARQUET | COLUMNS | NATIVE,
    "Avro to Parquet zstd, both": PARQUET | BOTH,
    "the same with both, native": PARQUET | BOTH | NATIVE,
    "Avro to Avro null, both": AVRO | {"avro.codec": "null"},
    "Avro to Avro zstandard, both": AVRO | {"avro.codec": "zstandard"},
}
"""A value's bytes are kept beside its columns where `archive.value` doesn't say otherwise."""

Archive = Callable[[KafkaServer, str, str, dict[str, str], Path], tuple[float, float, int, float]]


def main(lines: list[bytes], count: int, archive: Archive, consume_only: Callable[[KafkaServer, str], float]) -> int:
    """Run the cases on the log lines of the other benches."""
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        folder = Path(text)
        kafka, registry = KafkaServer(folder / "kafka"), RegistryServer(folder / "registry")
        kafka.start()
        registry.start()
        try:
            kafka.create_topic("lines", PARTITIONS)
            schema_id = registry.register("lines-value", json.dumps(SCHEMA))
            values = list(_encoded(lines, schema_id))
            fill(kafka, values, count)
            raw = consume_only(kafka, "lines")
            print(f"{count:,} records of {sum(map(len, values)) / len(values):.0f} bytes, worker on one core")
            print(f"{'consume() alone':34} {raw:>12,.0f} records per CPU-second")
            settings = {"value.converter": "avro", "value.converter.schema.registry.url": registry.url}
            for number, (case, config) in enumerate(CASES.items()):
                rate, wall, peak, _ = archive(
                    kafka, "lines", f"bench-{number}", settings | config, folder / f"case-{number}"
                )
                print(
                    f"{case:34} {rate:>12,.0f} records per CPU-second ({rate / raw:.2f} of consume()), "
                    f"{wall:,.0f}/s by the clock, task peak {peak / 1e6:.0f} MB",
                    flush=True,
                )
        finally:
            registry.stop()
            kafka.stop()
    return 0


def _encoded(lines: list[bytes], schema_id: int) -> list[bytes]:
    parsed = fastavro.parse_schema(SCHEMA)
    values = []
    for line in lines:
        stream = io.BytesIO()
        stream.write(b"\0" + schema_id.to_bytes(4, "big"))
        fastavro.schemaless_writer(stream, parsed, json.loads(line))
        values.append(stream.getvalue())
    return values


def fill(kafka: KafkaServer, values: list[bytes], count: int) -> None:
    producer = kafka.producer(compression_type="lz4", queue_buffering_max_messages="1000000")
    for number in range(count):
        producer.produce(
            "lines", values[number % len(values)], key=b"key-%d" % (number % 1000), partition=number % PARTITIONS
        )
        if number % 10_000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0
