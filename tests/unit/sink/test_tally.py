from __future__ import annotations

from streamsink.observe.traces import NoTraces
from streamsink.record import TopicPartition
from streamsink.sink.tally import Tally

P, Q = TopicPartition("t", 0), TopicPartition("t", 1)


def test_a_commit_that_moves_no_offset_is_not_told_as_the_last_one():
    tally = Tally("", NoTraces())
    tally.committed(P, 100)
    tally.committed(P, 100)
    tally.committed(Q, 7)
    assert tally.last_commit_ms is None
    tally.committed(P, 120)
    assert tally.last_commit_ms is not None
    assert tally.commits_total == 4
