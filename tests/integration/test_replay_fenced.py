"""Two replays with one resume id, on a real broker: the older one ends and says why."""

import pyarrow as pa
import pytest

from streamsink.errors import TerminalError
from streamsink.replay.committed import Place
from streamsink.replay.rows import RECORDS
from streamsink.replay.send import Sender
from tests.servers.topics import read_topic

RECORD = {"timestamp": 1, "key": b"k", "value": b"v", "headers": None}
BATCH = pa.RecordBatch.from_pylist([{**RECORD, "offset": at} for at in range(1_000)], schema=RECORDS)


def sender(kafka, topic):
    made = Sender({"bootstrap.servers": kafka.bootstrap}, topic, resume_id=f"id-{topic}", transactional=True)
    made.begin()
    return made


def send_and_commit(to):
    to.send(BATCH, 0)
    to.commit([Place(0, 1_000, "x")])


@pytest.mark.parametrize("reached", ["begun", "sent", "delivered"])
def test_the_older_of_two_replays_with_one_resume_id_is_fenced_and_says_so(kafka, unique, reached):
    kafka.create_topic(unique, 1)
    older = sender(kafka, unique)
    if reached != "begun":
        older.send(BATCH, 0)
    if reached == "delivered":
        older.flush()
    newer = sender(kafka, unique)
    with pytest.raises(TerminalError, match="another replay with the same resume id has begun") as caught:
        send_and_commit(older)
    assert "nothing is lost or doubled" in caught.value.hint
    older.close()
    send_and_commit(newer)
    newer.close()
    assert len(read_topic(kafka, unique)[0]) == 1_000
