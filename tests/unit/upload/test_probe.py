"""What the start-up probe finds out about stores that are not as they should be."""

import pytest

from streamsink.errors import AlreadyExistsError, TerminalError, TransientError
from streamsink.upload.memory import MemoryStore
from streamsink.upload.probe import ATTEMPTS, FOLDER, probe_create


def test_a_store_that_overwrites_is_found_out(unique):
    class Overwriting(MemoryStore):
        def create(self, name, data, metadata):
            self.delete(name)
            super().create(name, data, metadata)

    store = Overwriting(unique)
    assert probe_create(store) is False
    assert list(store.list()) == []


def test_a_first_create_that_was_repeated_on_the_way_is_no_trouble(unique):
    class Repeating(MemoryStore):
        def create(self, name, data, metadata):
            super().create(name, data, metadata)
            if data == b"first":
                raise AlreadyExistsError(name)

    assert probe_create(Repeating(unique)) is True


def test_a_store_that_forbids_deleting_keeps_the_probe_beside_the_topics(unique):
    class Undeletable(MemoryStore):
        def delete(self, name):
            raise TerminalError("denied")

    store = Undeletable(unique)
    assert probe_create(store) is True
    assert [info.name.rpartition("/")[0] for info in store.list()] == [FOLDER]


def test_a_store_that_can_not_be_written_to_says_so(unique):
    class Denied(MemoryStore):
        def create(self, name, data, metadata):
            raise TerminalError("access denied", hint="look at the access key")

    with pytest.raises(TerminalError, match="access denied"):
        probe_create(Denied(unique))


@pytest.mark.parametrize("failing", [b"first", b"second"])
def test_a_store_that_stumbles_is_asked_again(unique, failing):
    waits = []

    class Stumbling(MemoryStore):
        def create(self, name, data, metadata):
            if data == failing and len(waits) < ATTEMPTS - 1:
                raise TransientError("409 ConditionalRequestConflict")
            super().create(name, data, metadata)

    assert probe_create(Stumbling(unique), wait=waits.append) is True
    assert len(waits) == ATTEMPTS - 1


def test_a_store_that_is_away_is_asked_for_a_while_and_no_longer(unique):
    waits = []

    class Away(MemoryStore):
        def create(self, name, data, metadata):
            raise TransientError("no answer")

    with pytest.raises(TransientError):
        probe_create(Away(unique), wait=waits.append)
    assert len(waits) == ATTEMPTS - 1
