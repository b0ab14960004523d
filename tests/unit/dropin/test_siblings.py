"""Objects of keys and headers beside objects of values, as Confluent documents them, tombstones among them."""

from __future__ import annotations

import gzip
import hashlib
import io

import fastavro
import pyarrow.parquet as pq
import pytest

from streamsink.archive.archive import Archive
from streamsink.archive.check import check_objects, read_object
from streamsink.config.reading.connector import validate_sink
from streamsink.encode.read import open_object
from streamsink.errors import AlreadyExistsError, TerminalError, TransientError
from streamsink.upload.description import ObjectDescription
from streamsink.upload.memory import MemoryStore
from streamsink.upload.siblings import create_sibling
from streamsink.upload.sidecar import read_sidecar
from tests.unit.dropin.play import CONFLUENT, Play, Record, value

FORMAT = "io.confluent.connect.s3.format."
AVRO, JSON = f"{FORMAT}avro.AvroFormat", f"{FORMAT}json.JsonFormat"
PARQUET, BYTES = f"{FORMAT}parquet.ParquetFormat", f"{FORMAT}bytearray.ByteArrayFormat"
STRING = "org.apache.kafka.connect.storage.StringConverter"
KEYS = {"store.kafka.keys": "true", "key.converter": STRING}
HEADERS = {"store.kafka.headers": "true"}
STEM = "topics/t/partition=0/t+0+0000000000"


def stored(changes, *records):
    playing = Play({"flush.size": str(len(records)), **changes})
    playing.poll(*records)
    return playing


def names(playing):
    return [info.name for info in playing.store.list("topics/")]


def avro(data):
    reader = fastavro.reader(io.BytesIO(data))
    return reader.writer_schema, list(reader)


def parquet(data):
    return pq.read_table(io.BytesIO(data)).to_pylist()


TWO = (Record(value(a=1), key=b"k", headers=(("h", b"x"), ("h", b"y"))), Record(value(a=2), key=None))


@pytest.mark.parametrize(
    ("changes", "endings"),
    [
        pytest.param(KEYS, [".json", ".keys.avro"], id="keys are Avro by default"),
        pytest.param(HEADERS, [".headers.avro", ".json"], id="headers are Avro by default"),
        pytest.param({**KEYS, **HEADERS}, [".headers.avro", ".json", ".keys.avro"], id="keys and headers"),
        pytest.param({**KEYS, "keys.format.class": JSON}, [".json", ".keys.json"], id="keys as lines of JSON"),
        pytest.param(
            {**KEYS, "keys.format.class": PARQUET},
            [".json", ".keys.snappy.parquet"],
            id="keys as Parquet, in its codec",
        ),
        pytest.param(
            {**KEYS, "keys.format.class": PARQUET, "parquet.codec": "gzip"},
            [".json", ".keys.gz.parquet"],
            id="keys as Parquet of another codec",
        ),
        pytest.param({**KEYS, "keys.format.class": BYTES}, [".json", ".keys.bin"], id="keys as bytes"),
        pytest.param(
            {**KEYS, "keys.format.class": JSON, "s3.compression.type": "gzip"},
            [".json.gz", ".keys.json.gz"],
            id="keys are compressed as values are",
        ),
        pytest.param(
            {**KEYS, "format.class": PARQUET}, [".keys.avro", ".snappy.parquet"], id="values as Parquet, keys as Avro"
        ),
        pytest.param(
            {**HEADERS, "headers.format.class": PARQUET}, [".headers.snappy.parquet", ".json"], id="headers as Parquet"
        ),
        pytest.param(
            {**KEYS, "format.class": BYTES, "format.bytearray.extension": ".log", "keys.format.class": BYTES},
            [".keys.log", ".log"],
            id="keys as bytes of the values' extension",
        ),
    ],
)
def test_siblings_are_named_after_the_object_of_values(changes, endings):
    assert names(stored(changes, *TWO)) == [f"{STEM}{ending}" for ending in endings]


@pytest.mark.parametrize(
    ("changes", "ending", "read", "wanted"),
    [
        pytest.param(
            KEYS, ".keys.avro", avro, (["null", "string"], ["k", None]), id="a key of texts is an Avro string"
        ),
        pytest.param(
            {"store.kafka.keys": "true", "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter"},
            ".keys.avro",
            avro,
            (["null", "bytes"], [b"k", None]),
            id="a key of bytes is Avro bytes",
        ),
        pytest.param(
            {**KEYS, "keys.format.class": PARQUET},
            ".keys.snappy.parquet",
            parquet,
            [{"key": "k"}, {"key": None}],
            id="Parquet wraps a key in a record",
        ),
        pytest.param(
            {**KEYS, "keys.format.class": JSON}, ".keys.json", bytes, b'"k"\nnull\n', id="JSON has each key in its line"
        ),
        pytest.param(
            {**KEYS, "keys.format.class": JSON, "s3.compression.type": "gzip"},
            ".keys.json.gz",
            gzip.decompress,
            b'"k"\nnull\n',
            id="JSON is compressed",
        ),
        pytest.param(
            {**KEYS, "keys.format.class": BYTES}, ".keys.bin", bytes, b"k\n\n", id="bytes have their separator"
        ),
        pytest.param(
            {**HEADERS, "headers.format.class": JSON},
            ".headers.json",
            bytes,
            b'{"headers":[{"key":"h","value":"x"},{"key":"h","value":"y"}]}\n{"headers":[]}\n',
            id="JSON wraps headers in an object",
        ),
        pytest.param(
            {**HEADERS, "headers.format.class": PARQUET},
            ".headers.snappy.parquet",
            parquet,
            [{"headers": [{"key": "h", "value": "x"}, {"key": "h", "value": "y"}]}, {"headers": []}],
            id="Parquet wraps headers in a record",
        ),
    ],
)
def test_siblings_hold_an_entry_for_each_record(changes, ending, read, wanted):
    assert read(stored(changes, *TWO).store.get(f"{STEM}{ending}")) == wanted


def test_headers_are_an_avro_array_of_texts():
    schema, entries = avro(stored(HEADERS, *TWO).store.get(f"{STEM}.headers.avro"))
    assert schema["type"] == "array"
    assert [field["name"] for field in schema["items"]["fields"]] == ["key", "value"]
    assert entries == [[{"key": "h", "value": "x"}, {"key": "h", "value": "y"}], []]


def test_a_json_key_is_written_by_itself():
    changes = {
        "store.kafka.keys": "true",
        "keys.format.class": JSON,
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "false",
    }
    playing = stored(changes, Record(key=b'{ "id" : 1.50 }'), Record(key=b"7"))
    assert playing.store.get(f"{STEM}.keys.json") == b'{"id":1.5}\n7\n'


def test_values_hold_what_confluents_hold_and_no_more():
    playing = stored({**KEYS, **HEADERS, "format.class": PARQUET}, *TWO)
    assert parquet(playing.store.get(f"{STEM}.snappy.parquet")) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("kind", [JSON, PARQUET, AVRO, BYTES])
def test_a_reader_of_ours_finds_keys_headers_and_offsets_again(kind):
    playing = stored({**KEYS, **HEADERS, "format.class": kind}, *TWO)
    [name] = [name for name in names(playing) if ".keys" not in name and ".headers" not in name]
    data = playing.store.get(name)
    sidecar = read_sidecar(playing.store, name, hashlib.sha256(data).hexdigest())
    [rows] = open_object(name, data, sidecar).batches()
    envelopes = rows.column("_kafka").to_pylist()
    assert [(one["offset"], one["key"]) for one in envelopes] == [(0, b"k"), (1, None)]
    assert [len(one["headers"]) for one in envelopes] == [2, 0]


def test_tombstones_are_objects_of_keys_in_a_folder_of_their_own():
    changes = {**KEYS, "behavior.on.null.values": "write"}
    playing = stored(changes, Record(key=b"a"), Record(None, key=b"gone"), Record(key=b"b"))
    assert names(playing) == [
        f"{STEM}.json",
        f"{STEM}.keys.avro",
        "topics/t/tombstone/t+0+0000000001.keys.avro",
    ]
    assert avro(playing.store.get("topics/t/tombstone/t+0+0000000001.keys.avro"))[1] == ["gone"]
    assert playing.played.committed == 3


def test_tombstones_go_where_tombstone_encoded_partition_says():
    changes = {**KEYS, "behavior.on.null.values": "write", "tombstone.encoded.partition": "deleted=true"}
    assert names(stored(changes, Record(None, key=b"gone"))) == ["topics/t/deleted=true/t+0+0000000000.keys.avro"]


def test_tombstones_need_no_field_to_be_filed():
    changes = {
        **KEYS,
        "behavior.on.null.values": "write",
        "partitioner.class": "io.confluent.connect.storage.partitioner.FieldPartitioner",
        "partition.field.name": "a",
    }
    playing = stored(changes, Record(value(a=1)), Record(None, key=b"gone"), Record(value(a=2)))
    folders = sorted({name.split("/")[2] for name in names(playing)})
    assert folders == ["a=1", "a=2", "tombstone"]


def archive_of(playing):
    return Archive(playing.store, playing.store.url, "topics/")


def checked(playing):
    archive = archive_of(playing)
    return check_objects(archive, [read_object(archive, entry) for entry in archive.objects()])


@pytest.mark.parametrize("kind", [JSON, PARQUET, AVRO, BYTES])
def test_verification_takes_siblings_for_what_they_are(kind):
    changes = {**KEYS, **HEADERS, "format.class": kind, "behavior.on.null.values": "write"}
    found = checked(stored(changes, *TWO, Record(None, key=b"gone")))
    assert [(one.problems, one.records, one.runs.first_offset, one.runs.last_offset) for one in found] == [
        ((), 2, 0, 1),
        ((), 1, 2, 2),
    ]


def test_verification_misses_a_sibling_that_is_gone():
    playing = stored({**KEYS, **HEADERS}, *TWO)
    playing.store.delete(f"{STEM}.keys.avro")
    [one] = checked(playing)
    assert one.problems == ("the object of its keys is missing: its name would end in .keys.avro",)


def test_verification_counts_what_a_sibling_holds():
    playing = stored({**KEYS, "keys.format.class": JSON}, *TWO)
    playing.store.delete(f"{STEM}.keys.json")
    playing.store.create(f"{STEM}.keys.json", b'"k"\n', {})
    [one] = checked(playing)
    assert one.problems == ("the object of its keys has 1 entries, and it 2 records",)


def test_whoever_meets_an_object_makes_the_siblings_that_its_writer_did_not():
    playing = stored({**KEYS, **HEADERS}, *TWO)
    whole = {name: playing.store.get(name) for name in names(playing)}
    for ending in (".keys.avro", ".headers.avro"):
        playing.store.delete(f"{STEM}{ending}")
    info = playing.store.head(f"{STEM}.json")
    about = ObjectDescription.from_metadata(info.name, info.metadata, size_bytes=info.size_bytes)
    playing.siblings.complete(playing.store, about)
    assert {name: playing.store.get(name) for name in names(playing)} == whole
    playing.siblings.complete(playing.store, about)


def test_a_sibling_of_another_program_is_never_taken_for_ours():
    playing = stored(KEYS, *TWO)
    playing.store.delete(f"{STEM}.keys.avro")
    playing.store.create(f"{STEM}.keys.avro", stored(KEYS, Record(key=b"x")).store.get(f"{STEM}.keys.avro"), {})
    info = playing.store.head(f"{STEM}.json")
    about = ObjectDescription.from_metadata(info.name, info.metadata, size_bytes=info.size_bytes)
    with pytest.raises(TerminalError, match="holds other keys"):
        playing.siblings.complete(playing.store, about)


@pytest.mark.parametrize(
    ("changes", "key", "why"),
    [
        pytest.param({"keys.format.class": "x.Y"}, "keys.format.class", "'x.Y' is unknown", id="an unknown format"),
        pytest.param(
            {**HEADERS, "headers.format.class": BYTES}, "headers.format.class", "headers are no bytes", id="bytes"
        ),
        pytest.param(
            {"key.converter": "org.apache.kafka.connect.json.JsonConverter"},
            "keys.format.class",
            "keys of JSON make lines",
            id="JSON keys as Avro",
        ),
        pytest.param(
            {"behavior.on.null.values": "write", "tombstone.encoded.partition": "../x"},
            "tombstone.encoded.partition",
            "must be the name of a folder",
            id="a folder outside",
        ),
        pytest.param(
            {"store.kafka.keys": "false", **HEADERS, "behavior.on.null.values": "write"},
            "behavior.on.null.values",
            "write needs store.kafka.keys=true",
            id="tombstones without keys",
        ),
    ],
)
def test_what_siblings_cannot_be_is_said(changes, key, why):
    report = validate_sink({**CONFLUENT, **KEYS, **changes}, {"bootstrap.servers": "broker:9092"})
    assert [(one.key, why in one.message) for one in report.problems] == [(key, True)]


def test_a_conflict_about_nothing_is_tried_again():
    class Busy(MemoryStore):
        def create(self, name, data, metadata):
            raise AlreadyExistsError(f"{name} exists")

        def head(self, name):
            return None

    with pytest.raises(TransientError):
        create_sibling(Busy("busy"), "a.keys.json", b"", lambda _name, _data: [])
