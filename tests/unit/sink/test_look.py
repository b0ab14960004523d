"""Looking for what is stored, beside objects that another program wrote."""

from __future__ import annotations

import uuid

import pytest

from streamsink.config.sink import Naming
from streamsink.errors import TerminalError
from streamsink.record import TopicPartition
from streamsink.sink.look import Look
from streamsink.upload.memory import MemoryStore

PARTITION = TopicPartition("t", 0)


@pytest.fixture
def store():
    return MemoryStore(uuid.uuid4().hex)


def leave(store, *starts, ending=".json"):
    """Objects as another sink leaves them: nothing says what they hold."""
    for start in starts:
        store.create(f"topics/t/partition=0/t+0+{start:010d}{ending}", b'{"a":1}\n', {})


def test_objects_of_another_program_below_the_offset_are_left_alone(store):
    leave(store, 0, 50)
    assert Look(store, Naming(), "A").find(PARTITION, 100).last == -1


def test_an_object_of_another_program_that_the_group_has_not_come_to_is_an_error(store):
    leave(store, 50, 100)
    with pytest.raises(TerminalError, match=r"0000000100.json is another program's, and the group has not come to it"):
        Look(store, Naming(), "A").find(PARTITION, 100)


def test_keys_and_headers_of_another_program_are_no_objects_of_values(store):
    leave(store, 0)
    leave(store, 0, ending=".keys.avro")
    leave(store, 0, ending=".headers.avro")
    assert len(list(Look(store, Naming(), "A")._listed(PARTITION))) == 1
