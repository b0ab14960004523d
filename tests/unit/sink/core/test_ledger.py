from streamsink.sink.core.ledger import CommitMetadata, Ledger


def test_the_frontier_is_the_position_when_no_file_is_open():
    ledger = Ledger(10)
    ledger.advance(25)
    assert ledger.frontier == 25


def test_the_frontier_is_the_smallest_start_of_any_file_not_yet_stored():
    ledger = Ledger(0)
    ledger.opened(1, 3)
    ledger.opened(2, 1)
    ledger.advance(9)
    assert (ledger.frontier, ledger.oldest_file_id) == (1, 2)
    ledger.stored(2, "b", 7)
    assert ledger.frontier == 3
    ledger.discarded(1)
    assert ledger.frontier == 9


def test_lanes_stored_beyond_the_frontier_are_ahead_and_forgotten_once_it_has_passed():
    ledger = Ledger(0)
    ledger.opened(1, 0)
    ledger.opened(2, 1)
    ledger.advance(6)
    ledger.stored(2, "b", 5)
    assert ledger.ahead() == {"b": 5}
    ledger.stored(1, "a", 4)
    assert ledger.frontier == 6
    assert ledger.ahead() == {}


def test_a_rewind_takes_the_frontier_back_no_further_than_what_is_stored():
    ledger = Ledger(0)
    ledger.opened(1, 0)
    ledger.advance(50)
    ledger.stored(1, "a", 20)
    ledger.rewind(21)
    assert ledger.frontier == 21


def test_metadata_comes_back_as_it_was_written():
    said = CommitMetadata("9f2c", {"dt=2026-11-22": 1841, "café": 3}, drained=True)
    assert CommitMetadata.decode(said.encode()) == said


def test_metadata_of_others_is_not_ours():
    for text in ("", "null", "[]", "{}", '{"v":2,"layout":"x"}', "hello", "\ufffd"):
        assert CommitMetadata.decode(text) is None


def test_metadata_has_the_form_that_the_design_fixes():
    assert CommitMetadata("9f2c", {"dt=2026-11-22": 1841}).encode() == (
        '{"v":1,"layout":"9f2c","ahead":{"dt=2026-11-22":1841}}'
    )
