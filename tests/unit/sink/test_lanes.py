"""A slice sorted by lane: a record that has no lane is a bad record, and stops no other."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from streamsink.config.sink import (
    ArchiveValue,
    Converter,
    ErrorHandling,
    ExtractorKind,
    PartitionerKind,
    Partitioning,
    SinkConfig,
)
from streamsink.decode.decoder import make_decoder
from streamsink.errors import DecodeError, PartitionError
from streamsink.partition.partitioner import make_partitioner
from streamsink.record import HEADERS_TYPE, RAW_SCHEMA, TIMESTAMP_TYPE, BadRecord, RawSlice, TopicPartition
from streamsink.sink.lanes import LaneSorter, cut_slice

LOGS = TopicPartition("logs", 3)
HOURLY = Partitioning(
    PartitionerKind.HOURLY,
    path_format="YYYY-MM-dd-HH",
    duration_ms=3_600_000,
    extractor=ExtractorKind.RECORD_FIELD,
    timestamp_field="ts",
)
BY_FIELD = Partitioning(PartitionerKind.FIELD, fields=("f",))
GOOD = b'{"ts":1795861230123,"f":"x"}'


def raw_slice(values, bad=()):
    count = len(values)
    columns = [
        pa.array(range(100, 100 + count), pa.int64()),
        pa.array([1_000] * count, TIMESTAMP_TYPE),
        pa.array([0] * count, pa.int8()),
        pa.array([b"k"] * count, pa.binary()),
        pa.array(values, pa.binary()),
        pa.array([[{"key": "h", "value": b"v"}]] * count, HEADERS_TYPE),
    ]
    return RawSlice(LOGS, 100, 100 + count, pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA), tuple(bad))


def sorter(partitioning, *, tolerant, partitioner=None):
    config = SinkConfig(
        name="s",
        archive_url="memory://",
        consumer={},
        value_converter=Converter.JSON,
        archive_value=ArchiveValue.COLUMNS,
        partitioning=partitioning,
        errors=ErrorHandling(tolerate_all=tolerant),
    )
    made = partitioner or make_partitioner(config)
    return LaneSorter(make_decoder(config), made, with_times=False, tolerant=tolerant)


@pytest.mark.parametrize(
    ("bad", "partitioning", "said"),
    [
        (b'{"f":"y"}', HOURLY, "timestamp.field 'ts' is null or missing"),
        (b'{"ts":null}', HOURLY, "timestamp.field 'ts' is null or missing"),
        (b'{"ts":"soon"}', HOURLY, "'soon', which tells no time"),
        (None, HOURLY, "timestamp.field 'ts' is null or missing"),
        (b'{"f":[1]}', BY_FIELD, "the field 'f' holds a list"),
        (b'{"f":{"a":1}}', BY_FIELD, "the field 'f' holds a"),
    ],
)
def test_a_record_without_a_path_is_a_bad_record(bad, partitioning, said):
    polled, told = sorter(partitioning, tolerant=True).sort(raw_slice([GOOD, bad, GOOD]), now_ms=0)
    assert sorted(offset for run in polled.runs for offset in run.offsets.tolist()) == [100, 102]
    assert [(record.offset, record.stage, record.value) for record in told] == [(101, "TASK_PUT", bad)]
    assert told[0].headers == (("h", b"v"),)
    assert said in told[0].error
    with pytest.raises(DecodeError, match="TASK_PUT: logs-3@101: ") as caught:
        sorter(partitioning, tolerant=False).sort(raw_slice([GOOD, bad, GOOD]), now_ms=0)
    assert caught.value.hint


class Moody:
    """Doesn't take rows whose field says so, and doesn't tell which."""

    deterministic = True

    def encode(self, rows, *, now_ms):
        if "bad" in rows.rows.column("f").to_pylist():
            raise PartitionError("Moody: KeyError: bad")
        return "here"


def test_a_partitioner_that_names_no_row_is_asked_for_fewer():
    values = [json.dumps({"f": "bad" if number in {3, 11} else "x"}).encode() for number in range(20)]
    moody = sorter(BY_FIELD, tolerant=True, partitioner=Moody())
    polled, told = moody.sort(raw_slice(values), now_ms=0)
    assert [record.offset for record in told] == [103, 111]
    assert sum(len(run.offsets) for run in polled.runs) == 18


def unreadable(offset, error="a header's key is not UTF-8"):
    return BadRecord(
        LOGS, offset, None, b"k", b"v", (), "HEADER_CONVERTER", "a header's key is not UTF-8", "DecodeError"
    )


def test_a_record_that_could_not_be_read_is_told_once_and_in_order():
    raw = raw_slice([GOOD, b"{", GOOD, GOOD], bad=[unreadable(99), unreadable(150)])
    polled, told = sorter(BY_FIELD, tolerant=True).sort(raw, now_ms=0)
    assert [record.offset for record in told] == [99, 101, 150]
    assert sum(len(run.offsets) for run in polled.runs) == 3
    with pytest.raises(DecodeError, match="HEADER_CONVERTER: logs-3@99"):
        sorter(BY_FIELD, tolerant=False).sort(raw, now_ms=0)


def test_a_slice_that_is_cut_keeps_each_bad_record_once():
    raw = raw_slice([GOOD] * 8, bad=[unreadable(offset) for offset in (99, 102, 107, 150)])
    parts = list(cut_slice(raw, 1))
    assert len(parts) == 8
    assert [record.offset for part in parts for record in part.bad] == [99, 102, 107, 150]
