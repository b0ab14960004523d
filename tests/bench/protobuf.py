"""Protobuf by a Schema Registry into Parquet's columns, beside `consume()` alone."""

import json
from collections.abc import Callable
from functools import partial

from google.protobuf import descriptor_pool, message_factory

from streamsink.decode.protobuf.schema import compiled
from streamsink.decode.registry.client import RegisteredSchema
from tests.bench.registry import BOTH, COLUMNS, NATIVE, PARQUET, Archive, archive_cases
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
    return archive_cases("protobuf", partial(_encoded, lines), CASES, count, archive, consume_only)


def _encoded(lines: list[bytes], registry: RegistryServer) -> list[bytes]:
    schema_id = registry.register("lines-value", SCHEMA, "PROTOBUF")
    pool = descriptor_pool.DescriptorPool()
    for file in compiled(RegisteredSchema(schema_id, "PROTOBUF", SCHEMA, {})):
        pool.AddSerializedFile(file.SerializeToString())
    line = message_factory.GetMessageClass(pool.FindMessageTypeByName("Line"))
    # After the schema's number comes the message's place in it: the first.
    head = b"\0" + schema_id.to_bytes(4, "big") + b"\0"
    return [head + line(**json.loads(text)).SerializeToString() for text in lines]
