"""The storms' own judge and dice: a wrong object is found out, and a seed draws one storm."""

import io

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streamsink.record import ENVELOPE_FIELDS
from tests.storm.harness.oracle import SCHEMA, Truth, compare, rows_of
from tests.storm.harness.plan import Protocol, draw_plan

PLACE = ("logs", 0)


def row(offset, **changes):
    headers = [{"key": "h", "value": None}] if offset % 2 else []
    return {
        "offset": offset,
        "ms": 1_700_000_000_000 + offset,
        "kind": 0,
        "key": None if offset % 3 else b"",
        "value": b"value %d" % offset,
        "headers": headers,
        **changes,
    }


def truth(rows, required=None):
    table = pa.Table.from_pylist(rows, SCHEMA)
    offsets = [each["offset"] for each in rows] if required is None else required
    return {PLACE: Truth(table, np.array(offsets, np.int64))}


def envelope(each):
    told = {name: each[name] for name in ("offset", "key", "headers")}
    return {**told, "partition": 0, "timestamp": each["ms"], "timestamp_type": each["kind"]}


def parquet(rows):
    about = pa.array([envelope(each) for each in rows], pa.struct(ENVELOPE_FIELDS))
    sink = io.BytesIO()
    pq.write_table(pa.table({"value": pa.array([each["value"] for each in rows], pa.binary()), "_kafka": about}), sink)
    return f"topics/logs/partition=0/logs+0+{rows[0]['offset']:010}.zstd.parquet", sink.getvalue()


def avro(rows):
    header = {"type": "record", "name": "H", "fields": [field("key", "string"), field("value", ["null", "bytes"])]}
    fields = [
        field("partition", "int"),
        field("offset", "long"),
        field("timestamp", ["null", {"type": "long", "logicalType": "timestamp-millis"}]),
        field("timestamp_type", "int"),
        field("key", ["null", "bytes"]),
        field("headers", {"type": "array", "items": header}),
    ]
    about = {"type": "record", "name": "K", "fields": fields}
    schema = {"type": "record", "name": "R", "fields": [field("value", ["null", "bytes"]), field("_kafka", about)]}
    sink = io.BytesIO()
    fastavro.writer(sink, schema, [{"value": each["value"], "_kafka": envelope(each)} for each in rows])
    return f"topics/logs/partition=0/logs+0+{rows[0]['offset']:010}.avro", sink.getvalue()


def field(name, type_):
    return {"name": name, "type": type_}


def test_what_is_stored_as_it_was_is_good_in_both_formats():
    rows = [row(offset) for offset in range(6)]
    verdict = compare("now", truth(rows), rows_of([parquet(rows[:3]), avro(rows[3:]), ("topics/logs/other", b"")]))
    assert verdict.good, verdict.lines()
    assert verdict.counts["records"] == 6


def test_lost_doubled_differing_and_invented_records_are_named_by_offset():
    rows = [row(offset) for offset in range(10)]
    objects = [
        parquet([rows[0], row(1, value=b"other"), row(2, ms=5)]),
        parquet([rows[2], row(4, headers=[])]),
        avro([row(5, key=b"k"), row(11)]),
    ]
    verdict = compare("now", truth(rows[:6]), rows_of(objects))
    assert verdict.lost == {PLACE: [3]}
    assert verdict.doubled == {PLACE: [2]}
    assert verdict.beyond == {PLACE: [11]}
    assert verdict.differing[PLACE] == [1, 2, 5]
    assert not verdict.good
    assert "now: lost in logs-0: 1 records, 3" in verdict.lines()


def test_a_record_that_need_not_be_stored_is_not_missed_and_must_be_right():
    rows = [row(offset) for offset in range(4)]
    assert compare("now", truth(rows, required=[3]), rows_of([parquet(rows[1:])])).good
    wrong = compare("now", truth(rows, required=[3]), rows_of([parquet([row(1, kind=1), rows[3]])]))
    assert wrong.differing == {PLACE: [1]}


def test_only_what_is_committed_has_to_be_stored_while_a_storm_goes_on():
    rows = [row(offset) for offset in range(4)]
    stored = rows_of([parquet(rows[:2])])
    assert compare("now", truth(rows), stored, below={PLACE: 2}).good
    assert compare("now", truth(rows), stored, below={PLACE: 3}).lost == {PLACE: [2]}


def test_a_seed_draws_one_storm():
    first, again, other = (draw_plan(seed, protocol=Protocol.CLASSIC, seconds=60) for seed in (7, 7, 8))
    assert first == again
    assert first.targets != other.targets
    assert set(first.targets) >= {"worker-0", "worker-1", "worker-2", "broker", "topic"}
