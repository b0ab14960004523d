"""How long writers race for a name before a store is believed."""

import threading
import uuid
from typing import ClassVar

import pytest

from streamsink.errors import AlreadyExistsError
from streamsink.upload import check
from streamsink.upload.open import open_store


class LetsTwoWin:
    """A store of which one race has two winners, as a server has that looks for a name and then moves."""

    lock = threading.Lock()
    twice: ClassVar[set[str]] = set()

    def __init__(self, url, *, at):
        self.store, self.at, self.url = open_store(url, {}), at, "webdav+https://a.store"

    def __getattr__(self, name):
        return getattr(self.store, name)

    def create(self, name, data, metadata):
        try:
            self.store.create(name, data, metadata)
        except AlreadyExistsError:
            with self.lock:
                if not name.endswith(f"race-{self.at}") or name in self.twice:
                    raise
                self.twice.add(name)


def report(*, at=None, rounds=None):
    url = f"memory://{uuid.uuid4().hex}"
    return check.check_store(lambda: LetsTwoWin(url, at=at), size_bytes=1000, rounds=rounds)


def test_writers_race_until_two_win():
    found = report(at=80)
    assert (len(found.winners), found.winners[-1], found.create_atomic) == (81, 2, False)
    assert not found.exactly_once


def test_a_store_that_lets_none_win_twice_is_believed_after_many_rounds(monkeypatch):
    monkeypatch.setattr(check, "ROUNDS_MAX_WEBDAV", 150)
    found = report()
    assert (found.winners, found.exactly_once) == ([1] * 150, True)


def test_races_end_when_their_time_is_over(monkeypatch):
    monkeypatch.setattr(check, "RACE_S_MAX", 0.0)
    assert len(report(at=80).winners) == check.ROUNDS_MIN


@pytest.mark.parametrize("rounds", [1, 7])
def test_as_many_rounds_are_run_as_were_asked_for(rounds):
    assert len(report(rounds=rounds).winners) == rounds


def test_what_was_raced_for_is_removed():
    url = f"memory://{uuid.uuid4().hex}"
    found = check.check_store(lambda: open_store(url, {}), size_bytes=1000, rounds=3)
    assert found.deletes
    assert list(open_store(url, {}).list("")) == []


def test_each_piece_of_work_is_told_when_it_begins():
    told = []
    url = f"memory://{uuid.uuid4().hex}"
    check.check_store(lambda: open_store(url, {}), size_bytes=2_000_000, rounds=3, stage=told.append)
    assert told == [
        "creating one name twice",
        "8 writers race for one name",
        "reading it again",
        "measuring with 2 MB",
    ]
