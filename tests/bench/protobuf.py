"""Protobuf by a Schema Registry into Parquet's columns, beside `consume()` alone."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from google.protobuf import descriptor_pool, message_factory

from streamsink.decode.protobuf.schema import compiled
from streamsink.decode.registry.client import RegisteredSchema
from tests.bench.avro import BOTH, COLUMNS, NATIVE, PARQUET, PARTITIONS, Archive, fill
from tests.servers.kafka import KafkaServer
from tests.servers.registry import RegistryServer

SCHEMA = """syntax = "proto3";
message Line {
  enum Level { INFO = 0; WARN = 1; ERROR = 2; }
  int64 ts = 1;
  Level level = 2;
  string host = 3;
  string path = 4;
  int32 status = 5;
  optional double ms = 6;
  string trace = 7;
  string msg = 8;
}
"""
CASES = {
    "Protobuf to Parquet zstd, columns": PARQUET | COLUMNS,
    "the same, native": PARQUET | COLUMNS | NATIVE,
    "Protobuf to Parquet zstd, both": PARQUET | BOTH,
}


def main(lines: list[bytes], count: int, archive: Archive, consume_only: Callable[[KafkaServer, str], float]) -> int:
    """Run the cases on the log lines of the other benches."""
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        folder = Path(text)
        kafka, registry = KafkaServer(folder / "kafka"), RegistryServer(folder / "registry")
        kafka.start()
        registry.start()
        try:
            kafka.create_topic("lines", PARTITIONS)
            values = _encoded(lines, registry.register("lines-value", SCHEMA, "PROTOBUF"))
            fill(kafka, values, count)
            raw = consume_only(kafka, "lines")
            print(f"{count:,} records of {sum(map(len, values)) / len(values):.0f} bytes, worker on one core")
            print(f"{'consume() alone':34} {raw:>12,.0f} records per CPU-second")
            settings = {"value.converter": "protobuf", "value.converter.schema.registry.url": registry.url}
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
    pool = descriptor_pool.DescriptorPool()
    for file in compiled(RegisteredSchema(schema_id, "PROTOBUF", SCHEMA, {})):
        pool.AddSerializedFile(file.SerializeToString())
    line = message_factory.GetMessageClass(pool.FindMessageTypeByName("Line"))
    # After the schema's number comes the message's place in it: the first.
    head = b"\0" + schema_id.to_bytes(4, "big") + b"\0"
    return [head + line(**json.loads(text)).SerializeToString() for text in lines]
