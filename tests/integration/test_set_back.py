"""A group that begins at the beginning of an archived topic archives just what is missing, on a real broker.

Another connector's group begins there, as one does that was set back. `STREAMSINK_SET_BACK_RECORDS` makes the topic
longer.
"""

import os
import random
import time

import orjson
import pytest

from streamsink.archive.open import open_archive
from streamsink.archive.verify import verify_archive
from tests.servers.archives import archive_topic
from tests.servers.worker import WorkerServer, wait_until

RECORDS = int(os.environ.get("STREAMSINK_SET_BACK_RECORDS", "12000"))
PARTITIONS = 2
KILLS = 2
ARCHIVED = {
    "records": {"flush_size": "700", "value_converter": "bytes"},
    "bytes": {"rotate_size_bytes": "60000", "value_converter": "bytes"},
    "fields": {
        "flush_size": "900",
        "partitioner_class": "field",
        "partition_field_name": "level",
        "value_converter": "json",
        "value_converter_schemas_enable": "false",
    },
    "hours": {
        "partitioner_class": "time",
        "path_format": "'hour='HH",
        "partition_duration_ms": "3600000",
        "timestamp_extractor": "Record",
        "rotate_interval_ms": "3600000",
        "locale": "en",
        "timezone": "UTC",
    },
}


@pytest.fixture
def filled(kafka, unique):
    kafka.create_topic(unique, partitions=PARTITIONS, retention_ms="-1")
    producer, dice = kafka.producer(queue_buffering_max_messages=str(2 * RECORDS)), random.Random(1)
    for at in range(RECORDS):
        value = orjson.dumps({"level": dice.choice(["INFO", "WARN", "ERROR"]), "n": at})
        producer.produce(unique, value, partition=at % PARTITIONS, timestamp=1_790_000_000_000 + at * 1000)
        producer.poll(0)
    assert producer.flush(60) == 0
    return unique


def archived(tmp_path):
    return verify_archive(open_archive((tmp_path / "topics").as_uri(), {}))


def objects(tmp_path):
    return {path: path.read_bytes() for path in (tmp_path / "topics").rglob("*.parquet")}


def require_each_once(tmp_path):
    verdict = archived(tmp_path)
    assert (verdict.corrupt, [one.tiling.overlap_count for one in verdict.partitions]) == ([], [0] * PARTITIONS)
    assert verdict.records == RECORDS
    assert sum(one.tiling.offsets_missing for one in verdict.partitions) == 0


@pytest.mark.parametrize("rule", ARCHIVED)
def test_a_group_at_the_beginning_again_fills_in_a_deleted_object_and_stores_nothing_twice(
    rule, filled, kafka, tmp_path
):
    again = {**ARCHIVED[rule], "rotate_age_ms": "300"}
    archive_topic(kafka, filled, tmp_path.as_uri(), **ARCHIVED[rule])
    before = objects(tmp_path)
    require_each_once(tmp_path)
    archive_topic(kafka, filled, tmp_path.as_uri(), name=f"anew-{filled}", **again)
    assert objects(tmp_path) == before
    gone = sorted(before)[len(before) // 2]
    gone.unlink()
    archive_topic(kafka, filled, tmp_path.as_uri(), name=f"filling-{filled}", **again)
    require_each_once(tmp_path)
    after = objects(tmp_path)
    assert {path: after[path] for path in before if path != gone} == {
        path: data for path, data in before.items() if path != gone
    }


def test_another_partitioner_stores_nothing_of_what_the_one_before_stored(filled, kafka, tmp_path):
    archive_topic(kafka, filled, tmp_path.as_uri(), **ARCHIVED["fields"])
    gone = sorted(objects(tmp_path))[3]
    gone.unlink()
    archive_topic(kafka, filled, tmp_path.as_uri(), name=f"anew-{filled}", flush_size="500", value_converter="bytes")
    require_each_once(tmp_path)


class Archivist:
    """A worker with a connector for each rule, all on one topic."""

    def __init__(self, kafka, topic, folder):
        self.kafka, self.topic, self.folder = kafka, topic, folder
        self.groups = {rule: f"connect-{rule}-{topic}" for rule in ARCHIVED}
        self.worker = WorkerServer(folder / "worker", kafka.bootstrap)
        for rule, keys in ARCHIVED.items():
            own = {
                "topics": topic,
                "archive.url": (folder / rule).as_uri(),
                "exactly.once": "required",
                "rotate.age.ms": "1000",
                "consumer.override.session.timeout.ms": "6000",
                "consumer.override.heartbeat.interval.ms": "500",
            }
            own |= {key.replace("_", "."): value for key, value in keys.items()}
            self.worker.connector(f"{rule}-{topic}", own)

    def stored(self):
        return sum(len(objects(self.folder / rule)) for rule in ARCHIVED)

    def done(self):
        counts = (self.kafka.committed(group, self.topic) for group in self.groups.values())
        return all(sum(at for at, _ in found.values()) == RECORDS for found in counts)

    def archive(self):
        self.worker.start()
        wait_until("all is archived", self.done, timeout_s=120 + RECORDS / 1000, worker=self.worker)
        assert self.worker.terminate() == 0

    def kill_while_it_fills(self, more):
        """Kill it once so many objects more are there, at least one of its partitions not being done."""
        before, until = self.stored(), time.monotonic() + 60
        self.worker.start()
        while self.stored() < before + more:
            assert time.monotonic() < until, self.worker.log()[-4000:]
            time.sleep(0.005)
        self.worker.kill()
        return not self.done()


def test_groups_that_are_set_back_and_killed_on_the_way_fill_the_holes_and_store_nothing_twice(filled, kafka, tmp_path):
    archivist = Archivist(kafka, filled, tmp_path)
    archivist.archive()
    before, gone = {}, set()
    for rule in ARCHIVED:
        require_each_once(tmp_path / rule)
        before |= objects(tmp_path / rule)
        holes = sorted(objects(tmp_path / rule))[::2]
        gone.update(holes)
        for path in holes:
            path.unlink()
        kafka.set_back(archivist.groups[rule], filled)
    killed_on_the_way = [archivist.kill_while_it_fills(more) for more in range(1, KILLS + 1)]
    archivist.archive()
    assert killed_on_the_way == [True] * KILLS
    for rule in ARCHIVED:
        require_each_once(tmp_path / rule)
        after = objects(tmp_path / rule)
        assert all(after[path] == data for path, data in before.items() if path not in gone and path in after)
        assert {path for path in before if path not in gone and rule in path.parts} <= after.keys()
