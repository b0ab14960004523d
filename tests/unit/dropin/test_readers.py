"""What reads Confluent's objects reads ours: DuckDB and pyarrow's datasets find folders and columns alike."""

from __future__ import annotations

import duckdb
import pyarrow.dataset as ds
import pytest

from tests.unit.dropin.play import STORAGE, Play, Record, value

FORMAT = "io.confluent.connect.s3.format."
BY_HOUR = {
    "partitioner.class": f"{STORAGE}TimeBasedPartitioner",
    "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
    "partition.duration.ms": "3600000",
    "timestamp.extractor": "Record",
    "timezone": "UTC",
    "locale": "en",
}
BY_FIELD = {"partitioner.class": f"{STORAGE}FieldPartitioner", "partition.field.name": "country"}
PARQUET = {"format.class": f"{FORMAT}parquet.ParquetFormat"}
KEPT = {
    "store.kafka.keys": "true",
    "store.kafka.headers": "true",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "behavior.on.null.values": "write",
}
HOUR_MS = 3_600_000
RECORDS = [
    Record(value(id=number, country=["de", "fr"][number % 2]), number * HOUR_MS, key=b"%d" % number)
    for number in range(4)
]


def written(folder, changes):
    """The archive on a disk, topics.dir included."""
    playing = Play({"flush.size": "4", **changes})
    playing.poll(*RECORDS)
    for info in playing.store.list("topics/"):
        place = folder / info.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(playing.store.get(info.name))
    return folder / "topics" / "t"


@pytest.mark.parametrize("kept", [{}, KEPT], ids=["values alone", "with keys and headers"])
def test_duckdb_finds_hive_partitions_of_time(tmp_path, kept):
    place = written(tmp_path, {**PARQUET, **BY_HOUR, **kept})
    found = f"read_parquet('{place}/**/*.parquet', hive_partitioning=true)"
    rows = duckdb.sql(f"SELECT year, month, day, hour, id FROM {found} ORDER BY id").fetchall()
    assert [(int(year), int(month), int(day), int(hour), id_) for year, month, day, hour, id_ in rows] == [
        (1970, 1, 1, number, number) for number in range(4)
    ]


def test_duckdb_reads_lines_of_json_by_field(tmp_path):
    place = written(tmp_path, {**BY_FIELD, "s3.compression.type": "gzip"})
    query = (
        f"SELECT country, count(*) FROM read_json('{place}/**/*.json.gz', hive_partitioning=true) GROUP BY 1 ORDER BY 1"
    )
    assert duckdb.sql(query).fetchall() == [("de", 2), ("fr", 2)]


@pytest.mark.parametrize("kept", [{}, KEPT], ids=["values alone", "with keys and headers"])
def test_pyarrow_finds_hive_partitions(tmp_path, kept):
    place = written(tmp_path, {**PARQUET, **BY_HOUR, **kept})
    files = [str(file) for file in place.rglob("*.snappy.parquet")]
    dataset = ds.dataset(files, format="parquet", partitioning="hive", partition_base_dir=str(place))
    assert set(dataset.schema.names) == {"country", "id", "year", "month", "day", "hour"}
    assert dataset.to_table(filter=ds.field("hour") == 2).column("id").to_pylist() == [2]


def test_values_have_no_column_that_confluents_lack(tmp_path):
    place = written(tmp_path, {**PARQUET, **KEPT})
    dataset = ds.dataset(str(place), format="parquet", exclude_invalid_files=True)
    assert sorted(dataset.schema.names) == ["country", "id"]
