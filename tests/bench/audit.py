"""`make bench BENCH=audit`: `archive audit` of a long topic, beside reading topic and archive and comparing nothing.

One record is taken out of an object, one is put in, and one is changed; the audit has to name all three. The values are
of eight bytes. `STREAMSINK_BENCH_RECORDS` says how many there are.
"""

import dataclasses
import resource
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from streamsink.archive.archive import Archive
from streamsink.archive.open import open_archive
from streamsink.audit.archived import ArchivedPartition
from streamsink.audit.audit import audit_archive
from streamsink.audit.compare import PartitionAudit
from streamsink.audit.topic import TopicReader
from streamsink.config.sink import Encoding, Rotation
from streamsink.encode.formats import make_format
from streamsink.encode.read import open_object
from streamsink.replay.find import find_topic
from streamsink.upload.description import ObjectDescription
from tests.servers.archives import archive_topic
from tests.servers.kafka import KafkaServer

PARTITIONS = 4
OBJECT_RECORDS = 50_000


def _fill(kafka: KafkaServer, records: int) -> None:
    producer = kafka.producer(compression_type="lz4", queue_buffering_max_messages="1000000")
    for number in range(records):
        producer.produce("logs", b"%08d" % number, partition=number % PARTITIONS, timestamp=1_790_000_000_000 + number)
        if number % 10_000 == 0:
            producer.poll(0)
    assert producer.flush(300) == 0


def _rewrite(path: Path, change) -> None:
    """Put another object in one's place: whole, described, and with other rows."""
    reader = open_object(path.name, path.read_bytes())
    about = ObjectDescription.from_footer(path.name, reader.footer())
    table = change(pa.Table.from_batches(list(reader.batches())))
    writer = make_format(Encoding(), Rotation()).open(table.schema, identity=path.name)
    for batch in table.to_batches():
        writer.append(batch)
    path.write_bytes(writer.finish(dataclasses.replace(about, record_count=table.num_rows).to_footer()).data)


def _change(table: pa.Table) -> pa.Table:
    values = table.column("value").to_pylist()
    values[100] = b"changed!"
    at = table.schema.get_field_index("value")
    return table.set_column(at, table.schema.field(at), pa.chunked_array([pa.array(values, pa.binary())]))


def _damage(folder: Path) -> None:
    """Take a record out of the first object, put one in the second again, change one in the third."""
    paths = sorted((folder / "topics").rglob("*.parquet"))
    _rewrite(paths[0], lambda table: pa.concat_tables([table.slice(0, 10), table.slice(11)]))
    _rewrite(paths[1], lambda table: pa.concat_tables([table.slice(0, 21), table.slice(20)]))
    _rewrite(paths[2], _change)


def _read_alone(archive: Archive, kafka: KafkaServer) -> int:
    """Both sides, record by record in columns, one after the other."""
    reader, count = TopicReader({"bootstrap.servers": kafka.bootstrap}, "logs"), 0
    _, candidates = find_topic(archive, "logs")
    for number in range(PARTITIONS):
        of_partition = [one for one in candidates if one.partition == number]
        archived = ArchivedPartition(archive, of_partition, PartitionAudit("logs", number))
        count += sum(batch.num_rows for batch in reader.records(number, *reader.range(number)))
        count += sum(batch.num_rows for batch in archived.records())
    reader.close()
    return count


def main(records: int) -> int:
    """Print both rates, and whether all three were found."""
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        kafka = KafkaServer(Path(text) / "kafka")
        kafka.start()
        try:
            kafka.create_topic("logs", PARTITIONS)
            _fill(kafka, records)
            folder = Path(text) / "archive"
            keys = {"flush_size": str(OBJECT_RECORDS), "value_converter": "bytes"}
            archive_topic(kafka, "logs", folder.as_uri(), timeout_s=600, **keys)
            _damage(folder)
            took_s: list[float] = []
            for look in (_read_alone, _audited):
                began, cpu = time.perf_counter(), time.process_time()
                count = look(open_archive((folder / "topics").as_uri(), {}), kafka)
                took_s.append(time.perf_counter() - began)
                cpu_s = time.process_time() - cpu
                rate = f"{count / took_s[-1]:,.0f} records/s by the clock, {count / cpu_s:,.0f} per CPU-second"
                print(f"{look.__name__.strip('_'):11} {count:,} records of both sides: {rate}", flush=True)
        finally:
            kafka.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"the audit runs at {took_s[0] / took_s[1]:.2f} of reading alone; peak {peak / 1e6:.0f} MB")
    return 0


def _audited(archive: Archive, kafka: KafkaServer) -> int:
    found = audit_archive(archive, {"bootstrap.servers": kafka.bootstrap})
    counts = [
        sum(getattr(one, kind).count for one in found.partitions) for kind in ("only_topic", "twice", "differing")
    ]
    assert counts == [1, 1, 1], counts
    return sum(one.topic_records + one.archive_records for one in found.partitions)
