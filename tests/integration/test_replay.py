"""The round-trip law: topic, archive, new topic give the same records in each partition, byte for byte."""

import json
import os
import uuid

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from streamsink.cli.main import run
from tests.servers.archives import archive_topic
from tests.servers.topics import fill_awkwardly, read_topic

EXAMPLES = int(os.environ.get("STREAMSINK_ROUND_TRIPS", "2"))
PARTITIONS = 2

some_bytes = st.one_of(st.none(), st.binary(max_size=40), st.sampled_from([b"", b"\n", b"\x00\xff", b"null"]))
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
documents = st.dictionaries(st.sampled_from(["a", "b", "c d", "ä"]), scalars | st.lists(st.integers(0, 9)), max_size=4)
json_values = st.one_of(st.none(), documents.map(orjson.dumps), documents.map(lambda one: json.dumps(one).encode()))


def records(values):
    headers = st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=8), some_bytes), max_size=4)
    # librdkafka takes 0 for no time, and brokers refuse times to come.
    times = st.integers(1, 1_700_000_000_000)
    return st.lists(
        st.tuples(st.integers(0, PARTITIONS - 1), some_bytes, values, headers, times), min_size=60, max_size=300
    )


def produce(kafka, topic, made):
    producer = kafka.producer()
    for partition, key, value, headers, time_ms in made:
        producer.produce(topic, value, key=key, headers=headers, timestamp=time_ms, partition=partition)
    assert producer.flush(30) == 0


def without_offsets(found):
    return {partition: [record[1:] for record in rows] for partition, rows in found.items() if rows}


@pytest.fixture
def place(request, tmp_path, seaweedfs, unique):
    """An archive on the store under test: its URL, and options for it."""
    if request.param == "local":
        return tmp_path.as_uri(), {}
    return seaweedfs.url(unique), seaweedfs.options


def round_trip(kafka, place, made, **config):
    url, options = place
    topic = f"round-{uuid.uuid4().hex[:12]}"
    kafka.create_topic(topic, PARTITIONS)
    produce(kafka, topic, made)
    assert sum(kafka.end_offsets(topic).values()) == len(made)
    archive_topic(kafka, topic, url, options=options, flush_size="40", **config)
    words = ["replay", f"{url}/topics", "--topic", topic, "--to", f"{topic}-new", "--create-topic"]
    words += [word for key, value in options.items() for word in ("--option", f"{key}={value}")]
    assert run([*words, "--bootstrap-server", kafka.bootstrap]) == 0
    return without_offsets(read_topic(kafka, topic)), without_offsets(read_topic(kafka, f"{topic}-new"))


law = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize(
    ("place", "format_class", "codec"),
    [("local", "parquet", "zstd"), ("s3", "avro", "deflate"), ("local", "jsonl", "gzip"), ("s3", "raw", "zstd")],
    indirect=["place"],
)
def test_records_of_any_bytes_come_back(kafka, place, format_class, codec):
    keys = {"parquet": "parquet_codec", "avro": "avro_codec"}

    @law
    @given(records(some_bytes))
    def check(made):
        more = {keys[format_class]: codec} if format_class in keys else {}
        before, after = round_trip(kafka, place, made, format_class=format_class, **more)
        assert before == after

    check()


@pytest.mark.parametrize(
    ("place", "format_class"), [("s3", "parquet"), ("local", "avro"), ("local", "jsonl")], indirect=["place"]
)
def test_values_kept_beside_columns_come_back_byte_for_byte(kafka, place, format_class):
    @law
    @given(records(json_values))
    def check(made):
        before, after = round_trip(
            kafka, place, made, format_class=format_class, value_converter="json", archive_value="both"
        )
        assert before == after

    check()


@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_columns_come_back_as_equal_json(kafka, place, capsys):
    row = st.fixed_dictionaries({"n": st.integers(0, 2**40), "s": st.text(min_size=1), "x": st.floats(0.5, 1e6)})

    @law
    @given(records(st.one_of(st.none(), row.map(orjson.dumps))))
    def check(made):
        before, after = round_trip(kafka, place, made, value_converter="json", archive_value="columns")
        assert {p: [(*r[:3], r[3] and orjson.loads(r[3]), r[4]) for r in rows] for p, rows in before.items()} == {
            p: [(*r[:3], r[3] and orjson.loads(r[3]), r[4]) for r in rows] for p, rows in after.items()
        }

    check()
    said = "JSON values are equal to the archived ones but for fields that were null or absent, spaces and the order"
    assert said in capsys.readouterr().out


def test_lanes_that_interleave_and_holes_come_back_in_order(kafka, unique, tmp_path):
    kafka.create_topic(unique, 4)
    fill_awkwardly(kafka, unique, 8000, partitions=4)
    archive_topic(
        kafka,
        unique,
        tmp_path.as_uri(),
        flush_size="300",
        partitioner_class="daily",
        timestamp_extractor="Record",
        timezone="UTC",
    )
    words = ["replay", f"{tmp_path.as_uri()}/topics", "--to", f"{unique}-new", "--create-topic"]
    assert run([*words, "--bootstrap-server", kafka.bootstrap]) == 0
    assert without_offsets(read_topic(kafka, f"{unique}-new")) == without_offsets(read_topic(kafka, unique))
