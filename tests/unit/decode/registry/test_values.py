"""Which lane a value is in, and whose columns it is written in."""

import io
import json

import fastavro
import pyarrow as pa
import pytest

from streamsink.config.sink import Compatibility, Converter, RegistryRules, SubjectStrategy
from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry, UnknownSchemaError
from streamsink.decode.registry.evolution import ProjectionError, fits, projected
from streamsink.decode.registry.values import SCHEMA_KEY, RegistryValues

ONE = [{"name": "id", "type": "int"}]
TWO = [{"name": "id", "type": "long"}, {"name": "more", "type": "string", "default": "none"}]
THREE = [
    {"name": "id", "type": "long"},
    {"name": "other", "type": ["null", "string"], "aliases": ["more"], "default": None},
]
CLASH = [{"name": "id", "type": "string"}]
VERSIONS = {10: ONE, 20: TWO, 30: THREE, 40: CLASH}


def schema(fields):
    return {"type": "record", "name": "R", "namespace": "n", "fields": fields}


class Versioned(SchemaRegistry):
    """A subject's versions, in the order of their ids, without a server."""

    def __init__(self):
        super().__init__(RegistryRules({"url": "http://registry:8081"}))
        self.asked = []

    def _fetch(self, schema_id):
        if schema_id not in VERSIONS:
            self.asked.append(schema_id)
            raise UnknownSchemaError(f"the Schema Registry has no schema id {schema_id}")
        return RegisteredSchema(schema_id, "AVRO", json.dumps(schema(VERSIONS[schema_id])))

    def versions(self, subject, *, having=None):
        self.asked.append(subject)
        return dict(enumerate(VERSIONS, start=1))


def value(schema_id, record):
    stream = io.BytesIO()
    stream.write(b"\0" + schema_id.to_bytes(4, "big"))
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema(VERSIONS[schema_id])), record)
    return stream.getvalue()


OLD = [value(10, {"id": 1}), value(10, {"id": 2})]
NEW = [value(20, {"id": 3, "more": "m"}), value(20, {"id": 4, "more": "n"})]


def reader(compatibility, **rules):
    return RegistryValues(
        Converter.AVRO,
        Versioned(),
        RegistryRules({"url": "http://registry:8081"}, **rules),
        compatibility=compatibility,
    )


def read(values, taken):
    """Rows of each part, by tag; the id whose columns they have."""
    found = parts(values, taken)
    assert len(dict(found)) == len(found), "each lane has one part"
    return dict(found)


def parts(values, taken):
    """Tag, and rows with the id whose columns they have, of each part."""
    given = pa.array(taken, pa.binary())
    found = []
    for rows in values.split("t", given):
        part = values.read("t", given.take(pa.array(rows)))
        schema_of = pa.schema(part.fields)
        columns = pa.RecordBatch.from_arrays(part.arrays, schema=schema_of).to_pylist() if part.arrays else []
        found.append((part.tag, (columns, (part.metadata or {}).get(SCHEMA_KEY, "").rpartition("/")[2], part.bad)))
    return found


def test_without_compatibility_each_id_has_a_lane():
    found = read(reader(Compatibility.NONE), [OLD[0], NEW[0], OLD[1], None, NEW[1]])
    assert found["schema=10"] == ([{"id": 1}, {"id": 2}], "10", {})
    assert found["schema=20"] == ([{"id": 3, "more": "m"}, {"id": 4, "more": "n"}], "20", {})
    assert found[""][0] == []


@pytest.mark.parametrize("compatibility", [Compatibility.BACKWARD, Compatibility.FULL])
def test_backward_brings_older_values_into_the_newest_version_read(compatibility):
    values = reader(compatibility)
    assert read(values, [OLD[0]]) == {"schema=10": ([{"id": 1}], "10", {})}
    mixed = parts(values, [OLD[0], NEW[0], OLD[1]])
    wanted = [{"id": 3, "more": "m"}, {"id": 2, "more": "none"}]
    assert mixed == [("schema=10", ([{"id": 1}], "10", {})), ("schema=10", (wanted, "20", {}))]
    assert read(values, [OLD[1]]) == {"schema=10": ([{"id": 2, "more": "none"}], "20", {})}


def test_the_latest_version_may_be_taken_from_the_start():
    found = read(reader(Compatibility.BACKWARD, use_latest_version=True), [NEW[0], OLD[0]])
    assert found == {"schema=10": ([{"id": 3, "other": "m"}, {"id": 1, "other": None}], "30", {})}


def test_forward_brings_newer_values_into_the_oldest_version_read():
    longs = {50: [{"name": "id", "type": "int"}, {"name": "more", "type": "string", "default": ""}]}
    VERSIONS.update(longs)
    try:
        registry = Versioned()
        registry.versions = lambda subject, having=None: {1: 10, 2: 50}
        rules = RegistryRules({"url": "http://registry:8081"})
        values = RegistryValues(Converter.AVRO, registry, rules, compatibility=Compatibility.FORWARD)
        newer = value(50, {"id": 7, "more": "x"})
        found = parts(values, [newer, OLD[0], newer])
        assert found == [
            ("schema=10", ([{"id": 7, "more": "x"}], "50", {})),
            ("schema=10", ([{"id": 1}, {"id": 7}], "10", {})),
        ]
    finally:
        VERSIONS.pop(50)


def test_versions_that_can_not_be_brought_together_have_lanes_of_their_own():
    found = read(reader(Compatibility.BACKWARD), [OLD[0], value(40, {"id": "x"}), OLD[1]])
    assert set(found) == {"schema=10", "schema=40"}


def test_a_lane_follows_from_the_record_whatever_was_read_before():
    fresh, used = reader(Compatibility.BACKWARD), reader(Compatibility.BACKWARD)
    read(used, [value(40, {"id": "x"}), NEW[0]])
    for taken in ([OLD[0]], [NEW[1]], [value(40, {"id": "y"})]):
        assert list(read(fresh, taken)) == list(read(used, taken))


def test_the_subject_is_the_strategys():
    for strategy, wanted in (
        ("TopicNameStrategy", "t-value"),
        ("RecordNameStrategy", "n.R"),
        ("TopicRecordNameStrategy", "t-n.R"),
    ):
        values = reader(Compatibility.FULL, strategy=SubjectStrategy(strategy))
        read(values, [OLD[0]])
        assert wanted in values._registry.asked


def test_what_has_no_schema_is_bad_and_named_and_an_unknown_id_is_asked_for_once():
    values = reader(Compatibility.NONE)
    bad = [b"\0\0\0\0\x63x", b"\1\0\0\0\x0ax", b"\0\0"]
    found = read(values, [OLD[0], *bad, *bad])
    assert found["schema=10"][0] == [{"id": 1}]
    reasons = [found[""][2][row] for row in range(6)]
    assert reasons[:3] == reasons[3:]
    assert "schema id 99" in reasons[0]
    assert "magic, is 1 and not 0" in reasons[1]
    assert "2 bytes" in reasons[2]
    assert values._registry.asked.count(99) == 1


def test_fields_that_partitions_are_made_of_are_read_of_all_versions_together():
    found = reader(Compatibility.NONE).read_apart("t", pa.array([NEW[0], None, OLD[0]], pa.binary()), frozenset({"id"}))
    assert [array.to_pylist() for array in found.arrays] == [[3, None, 1]]


def test_lists_maps_and_nested_records_are_brought_along():
    narrow = pa.struct([pa.field("a", pa.list_(pa.int32())), pa.field("m", pa.map_(pa.string(), pa.int32()))])
    wide = pa.struct([pa.field("a", pa.list_(pa.int64())), pa.field("m", pa.map_(pa.string(), pa.float64()))])
    given = pa.array([{"a": [1], "m": [("k", 2)]}, {"a": None, "m": []}, None], narrow)
    assert projected(given, wide).to_pylist() == [{"a": [1], "m": [("k", 2.0)]}, {"a": None, "m": []}, None]
    assert projected(given.slice(1), wide).to_pylist() == [{"a": None, "m": []}, None]
    assert fits(narrow, wide)
    assert not fits(wide, narrow)
    with pytest.raises(ProjectionError, match="int64 does not become int32"):
        projected(pa.array([1]), pa.int32())


@pytest.mark.parametrize(
    ("narrow", "wide", "exact"),
    [
        (pa.int32(), pa.int64(), True),
        (pa.int32(), pa.float64(), True),
        (pa.float32(), pa.float64(), True),
        (pa.int64(), pa.float64(), False),
        (pa.int32(), pa.float32(), False),
        (pa.int64(), pa.float32(), False),
    ],
)
def test_a_number_becomes_a_wider_one_only_where_none_of_its_digits_can_be_lost(narrow, wide, exact):
    assert fits(narrow, wide) is exact


def enum(*symbols, **more):
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


@pytest.mark.parametrize(
    ("compatibility", "older", "newer", "lanes"),
    [
        (Compatibility.FORWARD, enum("A", "B"), enum("A", "B", "C"), 2),
        (Compatibility.FORWARD, enum("A", "B"), enum("A"), 1),
        (Compatibility.FORWARD, enum("A", "B"), "string", 2),
        (Compatibility.BACKWARD, enum("A", "B"), enum("A", default="A"), 2),
        (Compatibility.BACKWARD, enum("A", "B"), enum("A", "B", "C"), 1),
        (Compatibility.BACKWARD, enum("A", "B"), "string", 1),
        (Compatibility.BACKWARD, "long", "double", 2),
        (Compatibility.BACKWARD, "int", "double", 1),
        (Compatibility.BACKWARD, {"type": "array", "items": ["null", "int"]}, {"type": "array", "items": "int"}, 2),
        (Compatibility.BACKWARD, ["null", "int", "string"], ["null", "int", "boolean"], 2),
        (Compatibility.BACKWARD, ["null", "int", "string"], ["null", "int", "string", "boolean"], 1),
    ],
)
def test_a_value_that_its_files_schema_can_not_say_begins_another_lane(compatibility, older, newer, lanes):
    texts = {
        number: {"type": "record", "name": "R", "fields": [{"name": "a", "type": type_}]}
        for number, type_ in ((1, older), (2, newer))
    }

    class Two(SchemaRegistry):
        def _fetch(self, schema_id):
            return RegisteredSchema(schema_id, "AVRO", json.dumps(texts[schema_id]))

        def versions(self, subject, *, having=None):
            return {1: 1, 2: 2}

    rules = RegistryRules({"url": "http://registry:8081"})
    values = RegistryValues(Converter.AVRO, Two(rules), rules, compatibility=compatibility)
    given = pa.array([b"\0\0\0\0\1\0", b"\0\0\0\0\2\0"], pa.binary())
    tags = {values.read("t", pa.array([payload], pa.binary())).tag for payload in given.to_pylist()}
    assert len(tags) == lanes
