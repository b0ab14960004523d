from streamsink.worker.distributed.slots import (
    LOCK_S,
    FlushAsked,
    Flushed,
    RestartTaskAsked,
    SlotsTable,
    flush_record,
    flushed_record,
    lock_record,
    pin_record,
    restart_task_record,
    slots_record,
)


def tell(table, record, now=0.0):
    key, value = record
    return table.apply(key.encode(), value, now)


def test_a_slot_is_its_last_claimants():
    table = SlotsTable()
    tell(table, slots_record("one", frozenset({0, 1, 2})), 1.0)
    tell(table, slots_record("two", frozenset({2, 3})), 2.0)
    assert table.owners() == {0: "one", 1: "one", 2: "two", 3: "two"}
    assert table.silent() == []
    tell(table, slots_record("two", frozenset({0, 1, 2, 3})), 3.0)
    assert (table.silent(), table.changed_at) == (["one"], 3.0)
    tell(table, slots_record("two", None), 4.0)
    assert table.owners() == {0: "one", 1: "one", 2: "one"}


def test_pins_are_kept_by_task_whatever_the_connectors_name():
    table = SlotsTable()
    tell(table, pin_record(('a"-[1]', 3), 7))
    tell(table, pin_record(("b", 0), 1))
    tell(table, pin_record(("b", 0), None))
    assert table.pins == {('a"-[1]', 3): 7}


def test_the_first_to_ask_holds_the_lock_until_it_gives_it_back():
    table = SlotsTable()
    tell(table, lock_record("c", "n1", "one"), 0.0)
    tell(table, lock_record("c", "n2", "two"), 0.1)
    tell(table, lock_record("other", "n3", "two"), 0.1)
    assert [table.holds("c", nonce, 1.0) for nonce in ("n1", "n2")] == [True, False]
    assert table.holds("other", "n3", 1.0) is True
    tell(table, lock_record("c", "n1", None), 10.0)
    assert table.holds("c", "n2", 10.0 + LOCK_S - 0.1) is True
    assert table.holds("c", "n1", 10.0) is None


def test_a_silent_holder_loses_the_lock_and_the_next_one_has_its_full_time():
    table = SlotsTable()
    tell(table, lock_record("c", "n1", "one"), 0.0)
    tell(table, lock_record("c", "n2", "two"), 1.0)
    assert table.holds("c", "n1", LOCK_S) is None
    assert table.holds("c", "n2", LOCK_S) is True
    assert table.holds("c", "n2", 2 * LOCK_S) is None
    assert table.before("c", "n2") == ["n1"]


def test_never_do_two_hold_one_lock():
    table = SlotsTable()
    for number in range(5):
        tell(table, lock_record("c", f"n{number}", "w"), number * 2.0)
    for tenth in range(1000):
        holders = [number for number in range(5) if table.holds("c", f"n{number}", 8.0 + tenth / 10)]
        assert len(holders) <= 1


def test_requests_are_handed_on():
    table = SlotsTable()
    assert tell(table, restart_task_record(("c", 1), "n")) == RestartTaskAsked("c", 1)
    assert tell(table, flush_record("c", "n", "one")) == FlushAsked("c", "n")
    assert tell(table, flushed_record("one", "n", "")) == Flushed("one", "n", "")
    assert tell(table, flush_record("c", "n", None)) is None


def test_what_is_no_record_of_ours_is_left_alone():
    table = SlotsTable()
    for key in (b"", None, b"[", b"7", b'["pin","a"]', b'["pin","a","b"]', b"\xff"):
        assert table.apply(key, b'{"slot":1}', 0.0) is None
    assert table.pins == {}
