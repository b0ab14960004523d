"""Aiven's S3 sink: names by template, every output type and its fields, as its documentation has them."""

from __future__ import annotations

import base64
import gzip
import io
import json

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamsink.archive.archive import Archive
from streamsink.archive.check import check_objects, read_object
from streamsink.archive.rows import read_rows
from streamsink.config.reading.connector import validate_sink
from streamsink.config.reading.guarantee import guarantee
from streamsink.errors import CorruptObjectError
from streamsink.replay.fetch import fetch
from streamsink.replay.plan import Candidate
from tests.unit.dropin.play import Play, Record, value

BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"
STRING = "org.apache.kafka.connect.storage.StringConverter"
AIVEN = {
    "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
    "aws.s3.bucket.name": "archive",
    "s3.bucket.name": None,
    "storage.class": None,
    "format.class": None,
    "flush.size": None,
    "file.compression.type": "none",
    "behavior.on.null.values": "write",
    "key.converter": STRING,
}
AT_MS = 1_796_000_123_456  # 2026-11-30T00:55:23.456Z
ONE = Record(value(a=1), key=b"k", time_ms=AT_MS, headers=(("h", b"x"), ("g", None)))
ALL = "key,value,offset,timestamp,headers"


def played(changes, *records, **settings):
    playing = Play({**AIVEN, "file.max.records": str(len(records)), **changes}, **settings)
    playing.poll(*records)
    return playing


def names(playing):
    return [info.name for info in playing.store.list("") if not info.name.startswith("_streamsink/")]


def only(playing):
    [name] = names(playing)
    return playing.store.get(name)


def templated(template, **changes):
    return {"file.name.template": template, "file.name.timestamp.source": "event", **changes}


@pytest.mark.parametrize(
    ("changes", "settings", "wanted"),
    [
        pytest.param({}, {}, "t-0-7", id="the default template"),
        pytest.param({"file.compression.type": "gzip"}, {}, "t-0-7.gz", id="gzip ends the default name"),
        pytest.param({"file.compression.type": "snappy"}, {}, "t-0-7.snappy", id="snappy ends the default name"),
        pytest.param({"file.compression.type": "zstd"}, {}, "t-0-7.zst", id="zstd ends the default name"),
        pytest.param({"format.output.type": "avro"}, {}, "t-0-7.avro", id="Avro ends the default name"),
        pytest.param(
            {"format.output.type": "avro", "file.compression.type": "gzip"}, {}, "t-0-7.avro.gz", id="Avro, compressed"
        ),
        pytest.param({"format.output.type": "parquet"}, {}, "t-0-7", id="Parquet has no ending"),
        pytest.param({"aws.s3.prefix": "raw/"}, {}, f"raw/t-0-{7:020d}", id="a prefix pads the offset"),
        pytest.param({"aws.s3.prefix": "raw-"}, {}, f"raw-t-0-{7:020d}", id="a prefix that is no folder"),
        pytest.param({"file.prefix.template": "a/b/"}, {}, "a/b/t-0-7", id="a prefix template"),
        pytest.param({"file.prefix.template": "{{topic}}/"}, {}, "t/t-0-7", id="a prefix with a variable"),
        pytest.param(
            templated("{{topic}}-{{partition:padding=true}}-{{start_offset:padding=true}}"),
            {},
            f"t-{0:010d}-{7:020d}",
            id="padding",
        ),
        pytest.param(
            templated("{{topic}}-{{partition:padding=false}}-{{start_offset:padding=false}}.gz"),
            {},
            "t-0-7.gz",
            id="no padding, and an ending that is just a name",
        ),
        pytest.param(
            templated("{{ topic }}/{{partition}}/{{ start_offset : padding = true }}"),
            {},
            f"t/0/{7:020d}",
            id="spaces in variables",
        ),
        pytest.param(
            templated(
                "{{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}/{{timestamp:unit=dd}}/{{timestamp:unit=HH}}/"
                "{{topic}}-{{partition}}-{{start_offset}}"
            ),
            {},
            "2026/11/30/00/t-0-7",
            id="a record's time",
        ),
        pytest.param(
            templated(
                "{{timestamp:unit=yyyy}}{{timestamp:unit=MM}}{{timestamp:unit=dd}}-{{topic}}-{{partition}}-{{start_offset}}",
                **{"file.name.timestamp.timezone": "America/New_York"},
            ),
            {},
            "20261129-t-0-7",
            id="a record's time in a zone",
        ),
        pytest.param(
            templated("{{topic}}/{{timestamp:unit=dd}}-{{timestamp:unit=yyyy}}/{{partition}}-{{start_offset}}"),
            {},
            "t/30-2026/0-7",
            id="times in another order",
        ),
        pytest.param(templated("{{topic}}/{{key}}/{{partition}}-{{start_offset}}"), {}, "t/k/0-7", id="grouped by key"),
        pytest.param(
            templated("{{key}}/{{timestamp:unit=yyyy}}/{{topic}}-{{partition}}-{{start_offset}}"),
            {},
            "k/2026/t-0-7",
            id="by key and time",
        ),
        pytest.param(templated("{{key}}"), {}, "k-t-0-7", id="OURS what a name needs is added to a key's"),
        pytest.param(
            templated("{{key}}.json.gz"), {}, "k-t-0-7.json.gz", id="OURS what a name needs is added before its ending"
        ),
        pytest.param(templated("{{topic}}/{{partition}}/{{key}}"), {}, "t/0/k-7", id="OURS the offset alone is added"),
        pytest.param({}, {"topic": "a-1.b", "partition": 12}, "a-1.b-12-7", id="a topic that looks like a name"),
    ],
)
def test_names_follow_the_template(changes, settings, wanted):
    assert names(played(changes, ONE, first=7, **settings)) == [wanted]


def test_a_null_key_is_called_null_and_a_slash_makes_no_folder():
    changes = templated("{{key}}/{{topic}}-{{partition}}-{{start_offset}}")
    playing = played(changes, Record(key=None), Record(key=b"a/b"), Record(key=None))
    Play.wait_until(playing, playing.now_s + 100)
    assert names(playing) == ["a%2Fb/t-0-1", "null/t-0-0"]


@pytest.mark.parametrize("template", ["{{key}}", "{{topic}}/{{partition}}/{{key}}", "{{key}}-{{topic}}"])
def test_ours_where_aivens_keeps_the_last_record_of_a_key_all_are_kept(template):
    playing = Play({**AIVEN, **templated(template, **{"format.output.type": "jsonl"}), "file.max.records": "2"})
    for first in (1, 3):
        playing.poll(*[Record(value(a=number), key=b"k") for number in (first, first + 1)])
    found = sorted(names(playing), key=lambda name: int(name.rpartition("-")[2]))
    lines = [json.loads(line)["value"]["a"] for name in found for line in playing.store.get(name).splitlines()]
    assert lines == [1, 2, 3, 4]
    assert [name.rpartition("-")[2] for name in found] == ["0", "2"]
    assert any("an object of a key is not replaced by the next" in one for one in told(templated(template)).warnings)


def _unsnappy(data):
    """What Java's SnappyInputStream reads: a head of 16 bytes, then blocks behind their length."""
    assert data[:8] == b"\x82SNAPPY\x00"
    length = int.from_bytes(data[16:20], "big")
    return pa.Codec("snappy").decompress(data[20 : 20 + length], decompressed_size=data[20], asbytes=True)


ISO = "2026-11-30T00:55:23.456Z"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param({"format.output.type": "jsonl"}, b'{"value":{"a":1}}\n{"value":{"a":2}}', id="lines of values"),
        pytest.param(
            {"format.output.type": "jsonl", "format.output.envelope": "false"},
            b'{"a":1}\n{"a":2}',
            id="lines without envelope",
        ),
        pytest.param({"format.output.type": "json"}, b'[\n{"value":{"a":1}},\n{"value":{"a":2}}\n]', id="one array"),
        pytest.param(
            {"format.output.type": "json", "format.output.envelope": "false"},
            b'[\n{"a":1},\n{"a":2}\n]',
            id="one array without envelope",
        ),
        pytest.param(
            {"format.output.type": "jsonl", "format.output.fields": ALL},
            b'{"key":"k","value":{"a":1},"offset":0,"timestamp":"%b","headers":[{"key":"h","value":"x"},'
            b'{"key":"g","value":null}]}\n{"key":null,"value":{"a":2},"offset":1,"timestamp":"1970-01-01T00:00:00Z",'
            b'"headers":[]}' % ISO.encode(),
            id="all fields",
        ),
        pytest.param(
            {"format.output.type": "jsonl", "format.output.fields": "offset,value"},
            b'{"offset":0,"value":{"a":1}}\n{"offset":1,"value":{"a":2}}',
            id="fields in another order",
        ),
        pytest.param(
            {"format.output.type": "csv", "value.converter": BYTES},
            b"%b\n%b" % (base64.b64encode(b'{"a": 1}'), base64.b64encode(b'{"a": 2}')),
            id="csv of values in base64",
        ),
        pytest.param(
            {"format.output.type": "csv", "value.converter": BYTES, "format.output.fields.value.encoding": "none"},
            b'{"a": 1}\n{"a": 2}',
            id="csv of values as they are",
        ),
        pytest.param(
            {"format.output.type": "csv", "value.converter": BYTES, "format.output.fields": ALL},
            b"aw==,%b,0,1796000123456,aA==:eA==;Zw==:;\n,%b,1,0,"
            % (base64.b64encode(b'{"a": 1}'), base64.b64encode(b'{"a": 2}')),
            id="csv of all fields",
        ),
        pytest.param(
            {"format.output.type": "csv", "value.converter": BYTES, "format.output.fields": "key,offset"},
            b"aw==,0\n,1",
            id="csv without values",
        ),
        pytest.param(
            {"format.output.type": "jsonl", "value.converter": STRING},
            b'{"value":"{\\"a\\": 1}"}\n{"value":"{\\"a\\": 2}"}',
            id="texts are JSON strings",
        ),
        pytest.param(
            {"format.output.type": "jsonl", "value.converter": BYTES},
            b'{"value":"%b"}\n{"value":"%b"}' % (base64.b64encode(b'{"a": 1}'), base64.b64encode(b'{"a": 2}')),
            id="bytes are base64 in JSON",
        ),
    ],
)
def test_text_is_written_as_aivens_sink_writes_it(changes, wanted):
    assert only(played(changes, ONE, Record(value(a=2)))) == wanted


def test_values_that_were_left_out_are_said_to_be():
    playing = played({"format.output.type": "csv", "format.output.fields": "key,offset"}, ONE)
    archive = Archive(playing.store, playing.store.url, "")
    [entry] = archive.objects()
    assert check_objects(archive, [read_object(archive, entry)])[0].problems == ()
    candidate = Candidate(entry.name, entry.path, entry.size_bytes, 0, "", 0, archive.describe(entry))
    with pytest.raises(CorruptObjectError, match="written without its records' values"):
        fetch(archive, candidate)


def test_a_tombstone_is_null_in_json_and_empty_in_csv():
    records = (Record(value(a=1)), Record(None))
    assert only(played({"format.output.type": "jsonl"}, *records)) == b'{"value":{"a":1}}\n{"value":null}'
    csv = {"format.output.type": "csv", "format.output.fields": "value,offset"}
    assert only(played(csv, *records)).endswith(b",0\n,1")


@pytest.mark.parametrize(
    ("codec", "plain"),
    [
        pytest.param("gzip", gzip.decompress, id="gzip"),
        pytest.param("zstd", lambda data: pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(), id="zstd"),
        pytest.param("snappy", _unsnappy, id="Java's snappy streams"),
    ],
)
def test_text_is_compressed(codec, plain):
    data = only(played({"format.output.type": "jsonl", "file.compression.type": codec}, ONE))
    assert plain(data) == b'{"value":{"a":1}}'


def test_parquet_has_the_value_as_a_member_of_the_envelope():
    data = only(played({"format.output.type": "parquet", "format.output.fields": ALL}, ONE))
    assert pq.read_table(io.BytesIO(data)).to_pylist() == [
        {
            "key": "k",
            "value": {"a": 1},
            "offset": 0,
            "timestamp": AT_MS,
            "headers": [("h", b"x"), ("g", None)],
        }
    ]


def test_parquet_without_envelope_has_the_values_fields():
    data = only(played({"format.output.type": "parquet", "format.output.envelope": "false"}, ONE))
    assert pq.read_table(io.BytesIO(data)).to_pylist() == [{"a": 1}]


def test_parquet_of_bytes_has_one_column():
    data = only(played({"format.output.type": "parquet", "value.converter": BYTES}, ONE))
    assert pq.read_table(io.BytesIO(data)).to_pylist() == [{"value": b'{"a": 1}'}]


def test_avro_is_compressed_as_a_whole():
    changes = {"format.output.type": "avro", "file.compression.type": "gzip"}
    data = gzip.decompress(only(played(changes, ONE)))
    assert list(fastavro.reader(io.BytesIO(data))) == [{"value": {"a": 1}}]


def test_file_max_records_is_never_exceeded():
    playing = Play({**AIVEN, "file.max.records": "2"})
    playing.poll(*[Record(value(n=number)) for number in range(5)])
    assert names(playing) == ["t-0-0", "t-0-2"]
    assert playing.played.committed == 4


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"format.output.type": kind, "file.compression.type": codec, **more}, id=f"{kind} {codec} {about}")
        for kind, codec, about, more in [
            ("csv", "gzip", "", {"value.converter": BYTES}),
            ("csv", "none", "as they are", {"format.output.fields.value.encoding": "none"}),
            ("json", "zstd", "all fields", {"format.output.fields": ALL}),
            ("json", "snappy", "", {}),
            ("jsonl", "gzip", "by key", templated("{{key}}/{{topic}}-{{partition}}-{{start_offset}}")),
            ("jsonl", "none", "without envelope", {"format.output.envelope": "false"}),
            ("parquet", "snappy", "all fields", {"format.output.fields": ALL}),
            ("parquet", "gzip", "without envelope", {"format.output.envelope": "false"}),
            ("avro", "gzip", "", {}),
            ("avro", "none", "named like Parquet", templated("{{topic}}-{{partition}}-{{start_offset}}.parquet")),
        ]
    ],
)
def test_verification_and_replay_read_what_was_written(changes):
    playing = Play({**AIVEN, "file.max.records": "100", **changes})
    playing.poll(ONE, Record(value(a=2), key=b"k"), Record(value(a=3, b="x\ny"), key=b"l"))
    playing.wait_until(playing.now_s + 100)
    archive = Archive(playing.store, playing.store.url, "")
    entries = list(archive.objects())
    checked = check_objects(archive, [read_object(archive, entry) for entry in entries])
    assert [one.problems for one in checked] == [()] * len(entries)
    runs = [run for one in checked for run in zip(one.runs.firsts.tolist(), one.runs.lasts.tolist(), strict=True)]
    assert sorted(offset for first, last in runs for offset in range(first, last + 1)) == [0, 1, 2]
    rows = [row for entry in entries for batch in read_rows(archive, entry) for row in batch.to_pylist()]
    rows.sort(key=lambda row: row["_kafka"]["offset"])
    assert [row["_kafka"]["key"] for row in rows] == [b"k", b"k", b"l"]
    assert [meaning(row) for row in rows] == [1, 2, 3]


def meaning(row):
    return json.loads(row["value"])["a"] if "value" in row else row["a"]


def test_an_object_whose_sidecar_is_damaged_is_placed_by_none():
    playing = played({}, ONE)
    [described] = [info.name for info in playing.store.list("_streamsink/sidecar/") if info.name.endswith(".json")]
    playing.store.delete(described)
    playing.store.create(described, b"{", {})
    assert list(Archive(playing.store, playing.store.url, "").objects()) == []


def told(changes):
    raw = {key: text for key, text in {**AIVEN, "name": "a", "topics": "t", **changes}.items() if text is not None}
    return validate_sink(raw, {"bootstrap.servers": "broker:9092"})


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        pytest.param(templated("{{colour}}"), ["file.name.template"], id="an unknown variable"),
        pytest.param(templated("{{topic}}-{{timestamp}}"), ["file.name.template"], id="a time without unit"),
        pytest.param(templated("{{topic}}-{{timestamp:unit=mm}}"), ["file.name.template"], id="an unknown unit"),
        pytest.param(templated("{{topic}}-{{partition:padding=yes}}"), ["file.name.template"], id="a padding of yes"),
        pytest.param(templated("../{{topic}}"), ["file.name.template"], id="a name outside"),
        pytest.param(templated("{{topic}}//{{partition}}"), ["file.name.template"], id="an empty folder"),
        pytest.param({"aws.s3.prefix": "{{utc_date}}/"}, ["aws.s3.prefix"], id="the date of the old prefix"),
        pytest.param({"format.output.fields": "key,colour"}, ["format.output.fields"], id="an unknown field"),
        pytest.param(
            {"format.output.type": "jsonl", "format.output.fields": "key,value", "format.output.envelope": "false"},
            ["format.output.envelope"],
            id="two fields without envelope",
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(changes, keys):
    assert [problem.key for problem in told(changes).problems] == keys


def test_names_that_say_too_little_are_said_to_be_completed():
    assert any(
        "are added to names, since an object is never overwritten" in one for one in told(templated("{{key}}")).warnings
    )


def test_a_template_with_the_wall_clock_is_at_least_once():
    times = "{{timestamp:unit=yyyy}}/{{topic}}-{{partition}}-{{start_offset}}"
    by_clock = told({"file.name.template": times}).config
    assert guarantee(by_clock, atomic_create=True).startswith("At least once")
    assert guarantee(told(templated(times)).config, atomic_create=True).startswith("Exactly once")


@pytest.mark.parametrize(
    ("changes", "url", "options"),
    [
        pytest.param(
            {
                "connector.class": "io.aiven.kafka.connect.gcs.GcsSinkConnector",
                "gcs.bucket.name": "box",
                "gcs.credentials.path": "/key.json",
            },
            "gs://box",
            {"service_account_path": "/key.json"},
            id="Google Cloud Storage",
        ),
        pytest.param(
            {
                "connector.class": "io.aiven.kafka.connect.azure.sink.AzureBlobSinkConnector",
                "azure.storage.container.name": "box",
                "azure.storage.connection.string": "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=a2V5==;"
                "EndpointSuffix=core.windows.net",
            },
            "az://box",
            {"account_name": "me", "account_key": "a2V5=="},
            id="Azure",
        ),
    ],
)
def test_the_sinks_for_google_and_azure_are_known(changes, url, options):
    report = told({"aws.s3.bucket.name": None, "file.name.prefix": "raw/", **changes})
    assert report.problems == ()
    config = report.config
    assert (config.archive_url, config.naming.topics_dir) == (url, "raw")
    assert config.archive_options.items() >= options.items()
    assert config.naming.template == "{topic}-{partition}-{start_offset}"


def test_a_bucket_is_asked_for_by_the_classes_own_key():
    changes = {"connector.class": "io.aiven.kafka.connect.gcs.GcsSinkConnector", "aws.s3.bucket.name": None}
    assert [problem.key for problem in told(changes).problems] == ["gcs.bucket.name"]
