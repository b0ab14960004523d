from __future__ import annotations

import pyarrow as pa
import pytest

from streamsink.config.reading.connector import parse_sink
from streamsink.record import HEADERS_TYPE, RAW_SCHEMA, TIMESTAMP_TYPE, RawSlice, TopicPartition
from streamsink.sink.transforming import with_transforms

WORKER = {"bootstrap.servers": "broker:9092"}
BASE = {
    "name": "c",
    "connector.class": "streamsink.ArchiveSink",
    "topics": "logs",
    "archive.url": "file:///tmp/archive",
    "value.converter": "json",
}
DAY_MS = 86_400_000


def chain_of(*steps, **more):
    """Configuration keys of these transforms: (type, settings) each, a predicate as `predicate=(type, settings)`."""
    raw = {"transforms": ",".join(f"t{number}" for number in range(len(steps)))} if steps else {}
    for number, (kind, settings) in enumerate(steps):
        raw[f"transforms.t{number}.type"] = kind
        for key, value in settings.items():
            if key == "predicate":
                raw["predicates"] = f"{raw['predicates']},p{number}" if "predicates" in raw else f"p{number}"
                raw[f"transforms.t{number}.predicate"] = f"p{number}"
                raw[f"predicates.p{number}.type"] = value[0]
                raw |= {f"predicates.p{number}.{name}": text for name, text in value[1].items()}
            else:
                raw[f"transforms.t{number}.{key}"] = value
    return raw | {key.replace("__", "."): value for key, value in more.items()}


def raw_slice(values, *, keys=None, headers=None, times=None, start=100, topic="logs"):
    count = len(values)
    columns = [
        pa.array(range(start, start + count), pa.int64()),
        pa.array(times or [1_000 + row for row in range(count)], TIMESTAMP_TYPE),
        pa.array([1] * count, pa.int8()),
        pa.array(keys or [b"k"] * count, pa.binary()),
        pa.array(values, pa.binary()),
        pa.array(headers or [[]] * count, HEADERS_TYPE),
    ]
    rows = pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA)
    return RawSlice(TopicPartition(topic, 3), start, start + count, rows)


class Pipeline:
    def __init__(self, raw):
        self.config, self.warnings = parse_sink(BASE | raw, WORKER)
        self.decoder = with_transforms(self.config)

    def __call__(self, values, **more):
        return self.decoder.decode(raw_slice(values, **more))

    def rows(self, values, **more):
        """Columns without the envelope, row by row."""
        return [{k: v for k, v in row.items() if k != "_kafka"} for row in self(values, **more).rows.to_pylist()]

    def envelopes(self, values, **more):
        return [row["_kafka"] for row in self(values, **more).rows.to_pylist()]


@pytest.fixture
def pipeline():
    def make(*steps, **more):
        return Pipeline(chain_of(*steps, **more))

    return make
