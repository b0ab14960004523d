"""An archive's columns are counted with their variants, and the view joins those again."""

from __future__ import annotations

import json

import duckdb
import pyarrow as pa
import pytest

from streamsink.archive.column_sql import Dialect, view
from streamsink.archive.columns import to_json, topic_columns
from streamsink.archive.open import open_archive
from streamsink.cli.main import run
from streamsink.config.sink import Encoding, FormatKind
from streamsink.decode.column_history import ColumnHistory
from streamsink.decode.json.columns import JsonRules
from streamsink.decode.json.set_columns import SetColumns
from streamsink.decode.json.shape import Kind, Shape
from streamsink.errors import NothingThereError
from streamsink.sink.column_shelf import StoreColumns
from streamsink.upload.local import LocalStore
from tests.unit.archive.made import put, raw_rows

FIRST = [
    {"ms": 1, "http": {"status": 200, "from": {"port": 80}}, "tags": [1], "it's": {"a": 1}},
    {"ms": 2, "http": {"status": 404}, "tags": []},
]
LATER = [
    {"ms": 2.5, "http": {"status": "gone", "from": {"port": "http"}}, "tags": ["x"], "it's": {"a": "b"}},
    {"ms": 3, "http": "GET", "who": "ann"},
    {"ms": 4, "ms__string": "a field of that name", "http": None},
    {"ms": "late"},
    {},
    "text",
]


@pytest.fixture
def root(tmp_path):
    """Two objects of a topic, as two slices of JSON leave them, in a folder of an odd name."""
    root = tmp_path / "it's an archive"
    store = LocalStore(root)
    columns = SetColumns(
        JsonRules(declared=Shape(Kind.STRUCT), columns_max=20), ColumnHistory(StoreColumns(store, "topics"), "logs")
    )
    offset = 0
    for values in (FIRST, LATER[:3], LATER[3:]):
        found = columns.read(pa.array([json.dumps(value).encode() for value in values], pa.binary()))
        envelope = raw_rows(range(offset, offset + len(values)))
        fields = [envelope.schema.field(0), *found.fields]
        rows = pa.RecordBatch.from_arrays([envelope.column(0), *found.arrays], schema=pa.schema(fields))
        put(store, range(offset, offset + len(values)), encoding=Encoding(kind=FormatKind.PARQUET), rows=rows)
        offset += len(values)
    return root


def found(root):
    return topic_columns(open_archive((root / "topics").as_uri(), {}), "logs")


def test_columns_are_listed_with_their_types_variants_and_counts(root):
    told = to_json(found(root))
    assert (told["objects"], told["rows"]) == (3, len(FIRST + LATER))
    assert told["column_set"] == 3
    columns = {one["name"]: (one["type"], one["variant_of"], one["values"]) for one in told["columns"]}
    assert columns["ms"] == ("int64", None, 4)
    assert columns["ms__double"] == ("double", "ms", 1)
    assert columns["http"] == ("struct", None, 3)
    assert columns["http.status"] == ("int64", None, 2)
    assert columns["http.status__string"] == ("string", "status", 1)
    assert columns["http__string"] == ("string", "http", 1)
    assert columns["tags"] == ("list<int64>", None, 2)
    assert columns["tags__json"] == ("json", "tags", 1)
    assert columns["_rest.ms"] == ("json", "ms", 1)
    assert columns["value"] == ("json", "", 1)


def test_a_topic_without_objects_is_named(root):
    with pytest.raises(NothingThereError, match="nothing"):
        topic_columns(open_archive((root / "topics").as_uri(), {}), "nothing")


def test_the_view_joins_variants_at_every_level_and_from_rest(root):
    with duckdb.connect() as base:
        base.sql(view(found(root), Dialect.DUCKDB, str(root / "topics" / "logs")))
        cursor = base.execute('SELECT * FROM logs_joined ORDER BY _kafka."offset"')
        names = [one[0] for one in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert [row["ms"] for row in rows] == ["1", "2", "2.5", "3", "4", "late", None, None]
    assert [row["ms__string"] for row in rows if row["ms__string"]] == ["a field of that name"]
    http = [row["http"] and (row["http"] if row["http"] == "GET" else json.loads(row["http"])) for row in rows]
    assert http[0] == {"status": "200", "from": {"port": "80"}}
    assert http[2] == {"status": "gone", "from": {"port": "http"}}
    assert http[3:5] == ["GET", None]
    assert [row["it's"] for row in rows if row["it's"]] == [{"a": "1"}, {"a": "b"}]
    assert [row["tags"] for row in rows[:3]] == ["[1]", "[]", '["x"]']
    assert not {name for name in names if name.startswith(("http__", "tags__", "ms__d"))}


@pytest.mark.parametrize("dialect", list(Dialect))
def test_the_command_prints_a_view_and_a_table(root, dialect, capsys):
    where = [str(root / "topics"), "--topic", "logs"]
    assert run(["archive", "columns", *where, "--sql", dialect.value]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("CREATE OR REPLACE")
    assert printed.endswith(";\n")
    assert run(["archive", "columns", *where]) == 0
    assert "ms__double" in capsys.readouterr().out


def test_spark_and_athena_have_their_own_words(root):
    spark = view(found(root), Dialect.SPARK, "s3a://bucket/logs")
    assert "named_struct('status', COALESCE(CAST((`http`).`status` AS STRING), (`http`).`status__string`)" in spark
    assert "named_struct('a', " in spark
    assert "get_json_object(`_rest`, '$.ms')" in spark
    assert "FROM parquet.`s3a://bucket/logs`;" in spark
    athena = view(found(root), Dialect.ATHENA, "")
    assert "json_extract_scalar(\"_rest\", '$.ms')" in athena
    assert 'COALESCE(json_format(CAST("http" AS JSON)), "http__string") AS "http"' in athena
