import pytest

from streamsink.observe.snapshot import PartitionSnapshot, TaskSnapshot
from streamsink.record import TopicPartition
from streamsink.worker.distributed.progress import Progress, progress_key, progress_value, read_progress
from streamsink.worker.distributed.status_topic import StatusTable

PARTITION = PartitionSnapshot(
    position=20, frontier=10, committed=None, end=30, open_files=1, waiting_files=0, paused=False, oldest_unstored_s=1.5
)
SNAPSHOT = TaskSnapshot(
    assigned=True,
    guarantee="Exactly once: ...",
    records_total=20,
    last_commit_ms=1_700_000_000_000,
    retrying="store: away",
    partitions={TopicPartition("größe", 3): PARTITION},
)
PROGRESS = Progress("h:1", 1_700_000_000_500, SNAPSHOT)


def test_what_is_written_is_read_back():
    assert read_progress(progress_value(PROGRESS)) == PROGRESS


@pytest.mark.parametrize(
    "value", [None, b"", b"no json", b"[]", b"{}", b'{"worker_id":"h:1","at_ms":1,"partitions":[1]}']
)
def test_what_is_not_of_this_version_is_no_progress(value):
    assert read_progress(value) is None


def test_the_last_record_of_a_task_holds():
    table = StatusTable()
    table.apply(progress_key("a-b", 1).encode(), progress_value(PROGRESS))
    assert table.progress("a-b") == {1: PROGRESS}
    assert table.all_progress() == [("a-b", 1, PROGRESS)]
    table.apply(progress_key("a-b", 1).encode(), None)
    assert table.progress("a-b") == {}
    assert table.all_progress() == []
