"""Versions of a schema under each mode of `schema.compatibility`, as Confluent documents it, and what ours does better.

A registry's answers are given without a server; `tests/integration/test_registry.py` has a real one.
"""

from __future__ import annotations

import io
import json

import fastavro
import pyarrow.parquet as pq
import pytest

from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry
from tests.unit.dropin.play import Play, Record

FIELDS = {
    1: [{"name": "id", "type": "int"}],
    2: [{"name": "id", "type": "int"}, {"name": "more", "type": "string", "default": "none"}],
    3: [{"name": "id", "type": "long"}, {"name": "more", "type": "string", "default": "none"}],
    4: [{"name": "id", "type": "string"}],
}
CONFLUENT = {
    "format.class": "io.confluent.connect.s3.format.avro.AvroFormat",
    "value.converter": "io.confluent.connect.avro.AvroConverter",
    "value.converter.schema.registry.url": "http://registry:8081",
    "value.converter.schemas.enable": None,
}
PARQUET = {"format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat", "parquet.codec": "none"}


def schema(version):
    return {"type": "record", "name": "R", "namespace": "n", "fields": FIELDS[version]}


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """A subject with every version, whose ids are their numbers."""

    def fetch(_self, schema_id):
        return RegisteredSchema(schema_id, "AVRO", json.dumps(schema(schema_id)))

    monkeypatch.setattr(SchemaRegistry, "_fetch", fetch)
    monkeypatch.setattr(
        SchemaRegistry, "versions", lambda _self, _subject, *, having=None: {one: one for one in FIELDS}
    )


def record(version, number=0):
    ids = {1: number, 2: number, 3: number, 4: str(number)}
    made = {"id": ids[version], **({"more": "m"} if version in {2, 3} else {})}
    stream = io.BytesIO()
    stream.write(b"\0" + version.to_bytes(4, "big"))
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema(version)), made)
    return Record(stream.getvalue())


def played(mode, versions, *, flush_size="100", together=False, **changes):
    playing = Play({**CONFLUENT, "schema.compatibility": mode, "flush.size": flush_size, **changes})
    records = [record(version, number) for number, version in enumerate(versions)]
    for polled in [records] if together else [[one] for one in records]:
        playing.poll(*polled)
    return playing


def objects(playing):
    return [tuple(offsets) for offsets in playing.played.objects.values()]


def framed(version, number):
    made = {"id": number, **({"more": "m"} if version == 2 else {})}
    stream = io.BytesIO()
    stream.write(b"\0" + version.to_bytes(4, "big"))
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema(version)), made)
    return stream.getvalue()


AVRO_KEYS = {
    **CONFLUENT,
    "store.kafka.keys": "true",
    "key.converter": "io.confluent.connect.avro.AvroConverter",
    "key.converter.schema.registry.url": "http://registry:8081",
}


@pytest.mark.parametrize(
    ("keys", "top", "wanted"),
    [
        pytest.param(
            [framed(1, 5), framed(1, 6)], "record", [{"id": 5}, {"id": 6}], id="keys are records in their own schema"
        ),
        pytest.param([framed(1, 5), None], ["null", "record"], [{"id": 5}, None], id="a null key is null"),
        pytest.param(
            [framed(1, 5), framed(2, 6)],
            ["null", "bytes"],
            [framed(1, 5), framed(2, 6)],
            id="OURS keys of two schemas are bytes",
        ),
        pytest.param([b"plain", b"x"], ["null", "bytes"], [b"plain", b"x"], id="keys without a schema are bytes"),
    ],
)
def test_avro_keys_are_stored_as_the_registry_has_them(keys, top, wanted):
    playing = Play({**AVRO_KEYS, "flush.size": "2"})
    playing.poll(*[Record(record(1, number).value, key=key) for number, key in enumerate(keys)])
    reader = fastavro.reader(io.BytesIO(playing.store.get("topics/t/partition=0/t+0+0000000000.keys.avro")))
    written = reader.writer_schema
    shown = (
        written["type"]
        if isinstance(written, dict)
        else [branch if isinstance(branch, str) else branch["type"] for branch in written]
    )
    assert (shown, list(reader)) == (top, wanted)


MODES = ("NONE", "BACKWARD", "FORWARD", "FULL")


@pytest.mark.parametrize(
    ("mode", "versions", "flush_size", "stored", "committed"),
    [
        *[
            pytest.param(mode, [1, 1, 1], "3", [(0, 1, 2)], 3, id=f"{mode}: one version fills its file")
            for mode in MODES
        ],
        pytest.param("NONE", [1, 1, 2, 2], "4", [(0, 1), (2, 3)], 4, id="NONE: OURS a flip closes nothing"),
        pytest.param("NONE", [1, 2, 1, 2], "4", [(0, 2), (1, 3)], 4, id="NONE: OURS versions in turn fill a file each"),
        pytest.param("NONE", [1, 4, 1, 4], "4", [(0, 2), (1, 3)], 4, id="NONE: OURS types in turn as well"),
        pytest.param("BACKWARD", [1, 1, 2], "100", [(0, 1)], 2, id="BACKWARD: a newer version closes the file"),
        pytest.param("BACKWARD", [2, 1, 2, 1], "4", [(0, 1, 2, 3)], 4, id="BACKWARD: an older one is projected"),
        pytest.param("BACKWARD", [1, 2, 1], "3", [(0,)], 1, id="BACKWARD: flush.size counts anew behind a flip"),
        pytest.param(
            "BACKWARD", [1, 2, 1, 1], "3", [(0,), (1, 2, 3)], 4, id="BACKWARD: after a flip the older one is projected"
        ),
        pytest.param("BACKWARD", [1, 2, 3], "100", [(0,), (1,)], 2, id="BACKWARD: each newer version closes"),
        pytest.param("BACKWARD", [3, 2, 1], "3", [(0, 1, 2)], 3, id="BACKWARD: an int is widened to the newer long"),
        pytest.param(
            "BACKWARD", [1, 4, 1, 4], "4", [(0, 2), (1, 3)], 4, id="BACKWARD: OURS what can't be projected is apart"
        ),
        pytest.param("FULL", [1, 1, 2], "100", [(0, 1)], 2, id="FULL: a newer version closes the file"),
        pytest.param("FULL", [2, 1, 2, 1], "4", [(0, 1, 2, 3)], 4, id="FULL: an older one is projected"),
        pytest.param("FORWARD", [2, 2, 1], "100", [(0, 1)], 2, id="FORWARD: an older version closes the file"),
        pytest.param("FORWARD", [1, 2, 1, 2], "4", [(0, 1, 2, 3)], 4, id="FORWARD: a newer one is projected"),
        pytest.param(
            "FORWARD", [1, 4, 1, 4], "4", [(0, 2), (1, 3)], 4, id="FORWARD: OURS what can't be projected is apart"
        ),
    ],
)
@pytest.mark.parametrize("together", [False, True], ids=["each by itself", "in one poll"])
def test_flips_close_files_and_commit_up_to_them(mode, versions, flush_size, stored, committed, together):
    playing = played(mode, versions, flush_size=flush_size, together=together)
    assert sorted(objects(playing)) == sorted(stored)
    assert (playing.played.committed or 0) == committed


@pytest.mark.parametrize(
    ("mode", "versions", "columns"),
    [
        pytest.param("NONE", [1, 1], ["id"], id="NONE has the version's columns"),
        pytest.param("BACKWARD", [2, 1], ["id", "more"], id="BACKWARD has the newer columns"),
        pytest.param("FULL", [2, 1], ["id", "more"], id="FULL has the newer columns"),
        pytest.param("FORWARD", [1, 2], ["id"], id="FORWARD has the older columns"),
    ],
)
@pytest.mark.parametrize("kind", ["avro", "parquet"])
def test_a_file_has_the_columns_of_one_version(mode, versions, columns, kind):
    playing = played(mode, versions, flush_size="2", **(PARQUET if kind == "parquet" else {}))
    [name] = playing.played.objects
    data = io.BytesIO(playing.store.get(name))
    rows = pq.read_table(data).to_pylist() if kind == "parquet" else list(fastavro.reader(data))
    assert [list(row) for row in rows] == [columns, columns]


def test_a_projected_value_has_the_defaults_of_the_newer_version():
    playing = played("BACKWARD", [2, 1], flush_size="2")
    [name] = playing.played.objects
    rows = list(fastavro.reader(io.BytesIO(playing.store.get(name))))
    assert rows == [{"id": 0, "more": "m"}, {"id": 1, "more": "none"}]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("together", [True, False], ids=["in one poll", "each by itself"])
def test_each_record_is_in_one_object_whatever_the_mode(mode, together):
    versions = [1, 2, 1, 2, 4, 1, 3, 2]
    playing = played(mode, [*versions, *versions], flush_size="4", together=together)
    stored = sorted(offset for offsets in objects(playing) for offset in offsets)
    assert stored == sorted(set(stored))
    assert stored[: playing.played.committed] == list(range(playing.played.committed))


def test_a_flip_in_one_folder_closes_all_files_of_the_partition():
    changes = {
        "partitioner.class": "io.confluent.connect.storage.partitioner.FieldPartitioner",
        "partition.field.name": "id",
    }
    playing = Play({**CONFLUENT, **changes, "schema.compatibility": "BACKWARD", "flush.size": "100"})
    for version, number in ((1, 7), (1, 8), (2, 7)):
        playing.poll(record(version, number))
    assert sorted(objects(playing)) == [(0,), (1,)]
    assert playing.played.committed == 2
