"""Numbered records: one history for all writers, whatever races and lost replies there are."""

import json
import threading

import pytest

from streamsink.errors import AlreadyExistsError, TerminalError, TransientError
from streamsink.upload import numbered
from streamsink.upload.local import LocalStore
from streamsink.upload.memory import MemoryStore
from streamsink.upload.numbered import Appended, NumberedRecord, NumberedRecords


@pytest.fixture(params=["memory", "local"])
def store(request, tmp_path, unique):
    return MemoryStore(unique) if request.param == "memory" else LocalStore(tmp_path)


def of(store, topics_dir="topics"):
    return NumberedRecords(store, "columns", topics_dir)


def test_a_topic_without_records_has_no_newest_one(store):
    assert of(store).newest("orders") is None


def test_the_largest_number_holds_and_not_the_last_name(store):
    records = of(store)
    for number in range(1, 12):
        assert records.append("orders", number, b"%d" % number).ours
    assert records.newest("orders") == NumberedRecord(11, b"11")
    assert records.numbers("orders") == list(range(1, 12))


def test_names_are_as_designed(store):
    assert of(store).name("orders", 3) == "_streamsink/columns/topics/orders/3.json"
    assert of(store, "/a/b/").name("orders", 3) == "_streamsink/columns/a/b/orders/3.json"
    assert of(store, "").name("orders", 3) == "_streamsink/columns/.root/orders/3.json"


def test_other_objects_and_other_topics_are_no_records_of_a_topic(store):
    records = of(store)
    records.append("orders", 1, b"one")
    for name in ("orders/2.txt", "orders/x.json", "orders/deeper/7.json", "orders-2/9.json", "orders/0.json"):
        store.create(f"_streamsink/columns/topics/{name}", b"?", {})
    assert records.newest("orders") == NumberedRecord(1, b"one")


def test_who_comes_second_reads_the_winners(store):
    records = of(store)
    records.append("orders", 1, b"winner's")
    assert records.append("orders", 1, b"ours") == Appended(NumberedRecord(1, b"winner's"), ours=False)
    assert records.append("orders", 1, b"winner's").ours


def test_racing_writers_make_one_history_that_lacks_nothing(store):
    failed = []
    together = threading.Barrier(8)

    def write(writer):
        records = of(store)
        together.wait(30)
        try:
            for turn in range(5):
                mine = f"{writer}.{turn}"
                while True:
                    newest = records.newest("orders")
                    known = json.loads(newest.data) if newest else []
                    number = newest.number + 1 if newest else 1
                    if records.append("orders", number, json.dumps([*known, mine]).encode()).ours:
                        break
        except Exception as error:  # noqa: BLE001 - told in the main thread
            failed.append(error)

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join(60)
    assert not failed
    newest = of(store).newest("orders")
    assert newest.number == 40
    assert sorted(json.loads(newest.data)) == sorted(f"{writer}.{turn}" for writer in range(8) for turn in range(5))


class Faulty(MemoryStore):
    """Writes, or doesn't, and then says something else."""

    def __init__(self, name, *, writes, says, blind=False):
        super().__init__(name)
        self.writes, self.says, self.blind = writes, says, blind

    def create(self, name, data, metadata):
        if self.writes:
            super().create(name, data, metadata)
        raise self.says

    def get(self, name):
        if self.blind:
            raise TransientError("no answer to a get")
        return super().get(name)


def test_a_lost_reply_is_found_to_be_ours(unique):
    records = of(Faulty(unique, writes=True, says=TransientError("no answer")))
    assert records.append("orders", 1, b"ours").ours


def test_a_lost_request_may_be_tried_again(unique):
    with pytest.raises(TransientError, match="no answer"):
        of(Faulty(unique, writes=False, says=TransientError("no answer"))).append("orders", 1, b"ours")
    assert of(MemoryStore(unique)).append("orders", 1, b"ours").ours


def test_a_conflict_where_nothing_was_written_may_be_tried_again(unique):
    with pytest.raises(TransientError):
        of(Faulty(unique, writes=False, says=AlreadyExistsError("409"))).append("orders", 1, b"ours")


def test_what_nobody_can_look_at_is_told_as_it_was(unique):
    store = Faulty(unique, writes=True, says=TransientError("no answer"), blind=True)
    with pytest.raises(TransientError, match="no answer$"):
        of(store).append("orders", 1, b"ours")


def test_numbers_are_bounded(store, monkeypatch):
    monkeypatch.setattr(numbered, "NUMBER_MAX", 3)
    records = of(store)
    for number in (1, 2, 3):
        records.append("orders", number, b"x")
    with pytest.raises(TerminalError, match="at most 3"):
        records.append("orders", 4, b"x")
    store.create("_streamsink/columns/topics/orders/4.json", b"x", {})
    with pytest.raises(TerminalError, match="more than 3"):
        records.newest("orders")
