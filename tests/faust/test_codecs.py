"""What `streamsink[faust]` brings along: an app reads topics whatever they are compressed with."""

import tomllib
from pathlib import Path

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder


@pytest.mark.parametrize("codec", ["LZ4", "SNAPPY", "ZSTD", "GZIP"])
def test_an_app_reads_batches_of_every_codec(codec):
    batch = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=getattr(DefaultRecordBatch, f"CODEC_{codec}"),
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=100_000,
    )
    for offset in range(50):
        batch.append(offset, 1_700_000_000_000, b"key", b"the same words again and again", [])
    written = DefaultRecordBatch(batch.build())
    assert written.compression_type == getattr(DefaultRecordBatch, f"CODEC_{codec}")
    assert [record.value for record in written] == [b"the same words again and again"] * 50


def test_the_extra_asks_for_the_codecs():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (aiokafka,) = (each for each in project["optional-dependencies"]["faust"] if each.startswith("aiokafka"))
    assert {"lz4", "snappy", "zstd"} <= set(aiokafka.partition("[")[2].partition("]")[0].split(","))
