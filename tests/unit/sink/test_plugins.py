"""Plugins, converters and formats, by the very example that README gives."""

from __future__ import annotations

import importlib

import pyarrow as pa
import pytest

from streamsink.config.reading.connector import parse_sink, validate_sink
from streamsink.config.reading.layout import layout_fingerprint
from streamsink.config.reading.plugins import all_plugins
from streamsink.encode.formats import make_format
from streamsink.encode.read import open_object
from streamsink.errors import ConvertError, DecodeError, TerminalError, TransientError
from streamsink.sink.transforming import with_transforms
from tests.plugins import forget, install
from tests.unit.transform.conftest import WORKER, raw_slice

BASE = {
    "name": "c",
    "connector.class": "streamsink.ArchiveSink",
    "topics": "logs",
    "archive.url": "file:///tmp/archive",
    "value.converter": "Pipes",
    "value.converter.fields": "name,age",
    "format.class": "ArrowStream",
}


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    install(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()


def decoder(**more):
    config, warnings = parse_sink(BASE | {key.replace("__", "."): value for key, value in more.items()}, WORKER)
    assert warnings == []
    return with_transforms(config)


def plain(decoded):
    return [{key: value for key, value in row.items() if key != "_kafka"} for row in decoded.rows.to_pylist()]


def pipes():
    return importlib.import_module("my_package.pipes").Pipes


def test_readmes_converter_makes_columns_and_a_tombstone_is_a_row_of_nulls():
    decoded = decoder().decode(raw_slice([b"ann|4", None, b"bo|5"]))
    assert plain(decoded) == [{"name": "ann", "age": "4"}, {"name": None, "age": None}, {"name": "bo", "age": "5"}]
    assert [row["_kafka"]["offset"] for row in decoded.rows.to_pylist()] == [100, 101, 102]


def test_a_slice_of_tombstones_has_the_converters_columns():
    assert plain(decoder().decode(raw_slice([None, None]))) == [{"name": None, "age": None}] * 2


def test_values_it_names_are_bad_and_the_others_are_kept():
    decoded = decoder(errors__tolerance="all").decode(raw_slice([b"ann|4", b"?", None, b"bo|5", b"a|b|c"]))
    assert plain(decoded) == [{"name": "ann", "age": "4"}, {"name": None, "age": None}, {"name": "bo", "age": "5"}]
    assert [(bad.offset, bad.stage, bad.error, bad.value) for bad in decoded.bad] == [
        (101, "VALUE_CONVERTER", "1 fields", b"?"),
        (104, "VALUE_CONVERTER", "3 fields", b"a|b|c"),
    ]


def test_a_value_that_makes_it_raise_whatever_is_found_alone():
    values = [b"n%d|1" % number for number in range(50)]
    values[7], values[31] = b"\xff|1", b"\xfe|1"
    decoded = decoder(errors__tolerance="all").decode(raw_slice(values))
    assert [bad.offset for bad in decoded.bad] == [107, 131]
    assert "ArrowInvalid" in decoded.bad[0].error
    assert [row["name"] for row in plain(decoded)] == [f"n{n}" for n in range(50) if n not in {7, 31}]


def test_without_tolerance_the_first_bad_value_is_named():
    with pytest.raises(DecodeError, match="logs-3@101: 1 fields"):
        decoder().decode(raw_slice([b"ann|4", b"?"]))


def test_columns_widen_and_stay_so(monkeypatch):
    def decode(self, topic, values):
        wide = b"wide" in values.to_pylist()
        columns = {"a": pa.array([1.5] * len(values))} | ({"b": values} if wide else {})
        return pa.record_batch(columns if wide or not len(values) else {"a": pa.array([1] * len(values), pa.int32())})

    monkeypatch.setattr(pipes(), "decode", decode)
    one = decoder()
    assert one.decode(raw_slice([b"x"])).rows.schema.field("a").type == pa.int32()
    wide, later = one.decode(raw_slice([b"wide"])), one.decode(raw_slice([b"x"]))
    assert wide.rows.schema == later.rows.schema
    assert plain(later) == [{"a": 1.0, "b": None}]


@pytest.mark.parametrize("given", [pa.record_batch({"a": [1]}), [1, 2], None])
def test_what_are_no_rows_for_the_values_stops_the_task(monkeypatch, given):
    monkeypatch.setattr(pipes(), "decode", lambda self, topic, values: given)
    with pytest.raises(TerminalError, match="for 2 values"):
        decoder(errors__tolerance="all").decode(raw_slice([b"a", b"b"]))


def test_values_to_be_read_again_later_are_no_bad_ones(monkeypatch):
    def away(self, topic, values):
        raise TransientError("away", hint="wait")

    monkeypatch.setattr(pipes(), "decode", away)
    with pytest.raises(TransientError):
        decoder(errors__tolerance="all").decode(raw_slice([b"a|1"]))


def test_an_error_without_rows_is_found_as_any_other(monkeypatch):
    def decode(self, topic, values):
        if b"bad" in values.to_pylist():
            raise ConvertError("no good")
        return pa.record_batch({"a": values})

    monkeypatch.setattr(pipes(), "decode", decode)
    decoded = decoder(errors__tolerance="all").decode(raw_slice([b"x", b"bad", b"y"]))
    assert [(bad.offset, bad.error) for bad in decoded.bad] == [(101, "my_package.pipes.Pipes: no good")]


def test_its_fields_are_there_for_transforms_and_beside_raw_values_for_partitions():
    upper = {"transforms": "only", "transforms.only.type": "ReplaceField$Value", "transforms.only.include": "age"}
    assert plain(decoder(**upper).decode(raw_slice([b"ann|4"]))) == [{"age": "4"}]
    by_name = {"archive.value": "raw", "partitioner.class": "field", "partition.field.name": "name"}
    decoded = decoder(**by_name).decode(raw_slice([b"ann|4"]))
    assert (plain(decoded), decoded.partition_columns.column("name").to_pylist()) == ([{"value": b"ann|4"}], ["ann"])


def test_a_format_gives_back_the_rows_it_was_given():
    config, _ = parse_sink(BASE | {"format.compression": "zstd", "row.group.bytes": "1048576"}, WORKER)
    rows = with_transforms(config).decode(raw_slice([b"n%d|1" % number for number in range(40_000)])).rows
    format_ = make_format(config.encoding, config.rotation)
    writer = format_.open(rows.schema, identity="logs-3/100")
    for start in range(0, rows.num_rows, 500):
        writer.append(rows.slice(start, 500))
    assert writer.size_bytes > 0
    file = writer.finish({"streamsink.topic": "logs"})
    reader = open_object(f"x{format_.extension}", file.data, file.sidecar)
    assert (format_.extension, reader.footer()) == (".arrows", {"streamsink.topic": "logs"})
    batches = list(reader.batches())
    assert len(batches) > 1
    assert pa.Table.from_batches(batches).combine_chunks().to_batches()[0].equals(rows)
    assert b"zstd" not in file.sidecar


def test_a_format_that_fails_or_cannot_read_says_its_name(monkeypatch):
    arrows = importlib.import_module("my_package.arrows")
    config, _ = parse_sink(BASE, WORKER)
    rows = with_transforms(config).decode(raw_slice([b"a|1"])).rows
    writer = make_format(config.encoding, config.rotation).open(rows.schema, identity="x")
    writer.append(rows)
    file = writer.finish({})
    monkeypatch.delattr(arrows.ArrowStream, "read")
    with pytest.raises(TerminalError, match="ArrowStream, which only writes"):
        list(open_object("x.arrows", file.data, file.sidecar).batches())
    monkeypatch.setattr(arrows.Writer, "write", lambda self, rows: 1 / 0)
    with pytest.raises(TerminalError, match="ArrowStream fails: ZeroDivisionError"):
        make_format(config.encoding, config.rotation).open(rows.schema, identity="x").append(rows)


@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        ("value.converter", {"value.converter.fields": ""}, "say which"),
        ("format.class", {"format.compression": "rot13"}, "refuses its settings"),
        ("format.class", {"format.class": "Taken"}, "not end in any"),
        ("s3.compression.type", {"s3.compression.type": "gzip"}, "its own matter"),
        ("value.converter", {"value.converter": "Pipe"}, "unknown"),
    ],
)
def test_what_cannot_be_used_is_a_problem_of_its_key(key, change, words):
    problems = validate_sink(BASE | change, WORKER).problems
    assert [one.key for one in problems] == [key]
    assert words in problems[0].message


def test_both_are_plugins_by_their_class_and_in_the_layout():
    kinds = {one.name: one.type for one in all_plugins() if one.name.startswith("my_package")}
    assert kinds["my_package.pipes.Pipes"] == "converter"
    assert kinds["my_package.arrows.ArrowStream"] == "format"
    by_class = {"value.converter": "my_package.pipes.Pipes", "format.class": "my_package.arrows.ArrowStream"}
    layouts = [
        layout_fingerprint(parse_sink(BASE | change, WORKER)[0])
        for change in ({}, by_class, {"value.converter.fields": "x,y"}, {"format.compression": "lz4"})
    ]
    assert layouts[0] == layouts[1]
    assert len(set(layouts)) == 3


def test_the_workers_converter_has_the_workers_settings():
    own = {key: text for key, text in BASE.items() if not key.startswith("value.converter")}
    worker = WORKER | {"value.converter": "Pipes", "value.converter.fields": "f"}
    config, _ = parse_sink(own, worker)
    assert config.value_plugin.settings == {"fields": "f"}


def test_as_a_key_converter_it_is_passed_over_and_that_is_said():
    report = validate_sink(BASE | {"key.converter": "Pipes"}, WORKER)
    assert report.problems == ()
    assert "keys are kept as bytes" in report.warnings[0]
