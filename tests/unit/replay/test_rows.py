import pyarrow as pa
import pytest

from streamsink.config.reading.source import parse_source, validate_source
from streamsink.errors import ConfigError, TerminalError
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS, HEADERS_TYPE
from streamsink.replay.encode_value import encode_values
from streamsink.replay.lanes import reached
from streamsink.replay.plan import Position, Selection, lane_tag, make_plan
from streamsink.replay.position import Kept, from_metadata, read_positions, to_metadata
from streamsink.replay.rows import Beside, Kind, chosen, foreign_headers, kind_of, restore, with_beside
from tests.unit.archive.made import FIRST_MS, raw_rows
from tests.unit.replay.test_plan import an_object


def test_raw_rows_are_records_as_they_were():
    records = restore(raw_rows(range(5, 8)), 0)
    assert records.column("offset").to_pylist() == [5, 6, 7]
    assert records.column("timestamp").to_pylist() == [FIRST_MS + 5, FIRST_MS + 6, FIRST_MS + 7]
    assert records.column("key").to_pylist() == [b"key-5", b"key-6", b"key-7"]
    assert records.column("value").to_pylist() == [b"same"] * 3
    assert records.column("headers").null_count == 3


def test_values_beside_columns_are_preferred_and_rows_may_be_cut():
    raw = raw_rows(range(10)).column(0)
    fields = [*ENVELOPE_FIELDS, pa.field("value", pa.binary())]
    headers = pa.array([[{"key": "h", "value": None}, {"key": "h", "value": b""}]] * 10, HEADERS_TYPE)
    columns = [raw.field(at) for at in range(5)] + [headers, pa.array([b'{"n": 1}', None] * 5, pa.binary())]
    envelope = pa.StructArray.from_arrays(columns, fields=fields)
    rows = pa.RecordBatch.from_arrays([envelope, pa.array([1, None] * 5)], names=[ENVELOPE, "n"]).slice(4, 2)
    assert kind_of(rows.schema) is Kind.BOTH
    records = restore(rows, 0)
    assert records.column("offset").to_pylist() == [4, 5]
    assert records.column("value").to_pylist() == [b'{"n": 1}', None]
    assert records.column("headers").to_pylist()[0] == [{"key": "h", "value": None}, {"key": "h", "value": b""}]


def test_columns_are_encoded_anew_and_a_row_of_nulls_is_a_tombstone():
    rows = pa.RecordBatch.from_pydict({"n": [1, None, 3], "s": ["a", None, None]})
    assert encode_values(rows).to_pylist() == [b'{"n":1,"s":"a"}', None, b'{"n":3}']


def test_records_are_chosen_by_offset_time_and_key():
    records = restore(raw_rows(range(10)), 0)
    assert chosen(records, Selection(), 0) is None
    mask = chosen(records, Selection(from_ms=FIRST_MS + 2, until_ms=FIRST_MS + 8, until_offset=7), 4)
    assert records.filter(mask).column("offset").to_pylist() == [4, 5, 6]
    mask = chosen(records, Selection(key=b"key-3"), 0)
    assert records.filter(mask).column("offset").to_pylist() == [3]


class Reader:
    def __init__(self, *batches):
        self._batches = batches

    def batches(self):
        return iter([pa.RecordBatch.from_pydict({"value": batch}) for batch in self._batches])


def test_keys_and_headers_beside_come_in_batches_of_their_own_sizes():
    keys = Beside(Reader([b"a", b"b", b"c"], [b"d"]), lambda rows: rows.column(0))
    assert keys.take(2).to_pylist() == [b"a", b"b"]
    assert keys.take(2).to_pylist() == [b"c", b"d"]
    with pytest.raises(TerminalError, match="lacks 1 rows"):
        keys.take(1)
    headers = foreign_headers(pa.RecordBatch.from_pydict({"value": [b'{"headers":[{"key":"h","value":"1"}]}', b"[]"]}))
    rows = with_beside(restore(pa.RecordBatch.from_pydict({"value": [b"x", b"y"]}), 7), None, headers)
    assert rows.to_pylist()[0] == {
        "offset": 7,
        "timestamp": None,
        "key": None,
        "value": b"x",
        "headers": [{"key": "h", "value": b"1"}],
    }


def test_a_growing_archives_position_is_one_for_each_lane():
    plan = make_plan("t", [an_object(0, 90, lane="a"), an_object(5, 60, lane="b")], Selection(), {}).partitions[0]
    at = reached(plan, Position(70))
    assert at == Position(0, 0, {lane_tag("a"): 70, lane_tag("b"): 61})
    (text,) = to_metadata(Kept({0: at}), "x")
    assert from_metadata({0: text}, "x", "id").next == {0: at}
    assert read_positions([text, "something else"]) == {0: at}
    # An object of b that came later, behind what was read of a, is still to be read; the rest of a too.
    later = [an_object(0, 90, lane="a"), an_object(5, 60, lane="b"), an_object(62, 65, lane="b")]
    again = make_plan("t", later, Selection(), {0: at}).partitions[0]
    assert [one.candidate.first_offset for one in again.objects] == [0, 62]


SOURCE = {
    "name": "back",
    "connector.class": "streamsink.ArchiveSource",
    "archive.url": "file:///archive",
    "target.topic": "new-${topic}",
}
WORKER = {"bootstrap.servers": "127.0.0.1:9092"}


def test_a_sources_keys_become_what_its_tasks_run_on():
    config, warnings = parse_source({**SOURCE, "mode": "continuous", "tasks.max": "3"}, WORKER)
    assert (config.location, config.group, config.target_of("a")) == ("file:///archive/topics", "connect-back", "new-a")
    assert (config.continuous, config.tasks_max, config.transactional, warnings) == (True, 3, True, [])
    assert config.producer["bootstrap.servers"] == "127.0.0.1:9092"


def test_confluents_source_is_a_profile():
    raw = {"name": "s3", "connector.class": "S3SourceConnector", "s3.bucket.name": "b", "mode": "RESTORE_BACKUP"}
    config, _ = parse_source(raw, WORKER)
    assert (config.location, config.target_of("a"), config.allow_same_topic) == ("s3://b/topics", "a", True)
    assert (config.continuous, config.poll_interval_ms) == (True, 60_000)


@pytest.mark.parametrize("url", ["s3://b", "gs://b", "az://b", "file:///b", "memory://b"])
def test_a_source_reads_every_kind_of_store(url):
    assert parse_source({**SOURCE, "archive.url": url}, WORKER)[0].location == f"{url}/topics"


@pytest.mark.parametrize(
    ("key", "value"),
    [("mode", "sometimes"), ("archive.url", ""), ("target.topic", ""), ("transforms", "a"), ("poll.interval.ms", "0")],
)
def test_what_cannot_be_used_is_named(key, value):
    assert key in {problem.key for problem in validate_source({**SOURCE, key: value}, WORKER).problems}
    with pytest.raises(ConfigError, match=key):
        parse_source({**SOURCE, key: value}, WORKER)


def test_bytes_that_a_converter_decoded_are_no_original_values():
    schema = raw_rows(range(1)).schema
    assert kind_of(schema) is Kind.RAW
    assert kind_of(schema.with_metadata({"streamsink.value.converter": "avro"})) is Kind.COLUMNS
