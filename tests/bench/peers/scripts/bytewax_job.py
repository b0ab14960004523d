"""Archives a topic to its end with Bytewax; runs in its environment."""

import sys
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main
from confluent_kafka import OFFSET_BEGINNING

FILE_RECORDS = 200_000


class Files(StatelessSinkPartition[Any]):
    """Writes a file each 200,000 records, and one of what is left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records: list[Any] = []
        self._files = 0

    def write_batch(self, items: list[Any]) -> None:
        self._records += items
        if len(self._records) >= FILE_RECORDS:
            self._write()

    def close(self) -> None:
        if self._records:
            self._write()

    def _write(self) -> None:
        path = self._folder / f"{self._files}.parquet"
        pq.write_table(pa.Table.from_pylist(self._records), path, compression="zstd")
        self._files += 1
        self._records = []


class Folder(DynamicSink[Any]):
    """A folder of files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def build(self, _step_id: str, _worker_index: int, _worker_count: int) -> Files:
        return Files(self._folder)


def main(bootstrap: str, topic: str, folder: str) -> None:
    source = KafkaSource([bootstrap], [topic], tail=False, starting_offset=OFFSET_BEGINNING, batch_size=10_000)
    flow = Dataflow("peer")
    messages = op.input("topic", flow, source)
    rows = op.flat_map_batch("json", messages, lambda batch: [orjson.loads(one.value) for one in batch])
    op.output("files", rows, Folder(Path(folder)))
    cli_main(flow)


if __name__ == "__main__":
    main(*sys.argv[1:])
