import pytest

from streamsink.errors import TerminalError
from streamsink.replay.target_settings import RecordFacts, batch_bytes, find_unfit, refuse

DAY_MS = 24 * 3600 * 1000
NOW_MS = 1_790_000_000_000
KEEPS = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * DAY_MS),
    "retention.bytes": "-1",
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": str(2**63 - 1),
    "message.timestamp.after.max.ms": "3600000",
}


def found(facts, **changes):
    settings = {**KEEPS, **{name.replace("_", "."): value for name, value in changes.items()}}
    return [str(one) for one in find_unfit(settings, facts, now_ms=NOW_MS)]


RECENT = RecordFacts(NOW_MS - DAY_MS, NOW_MS - 1000, 1000)
OLD = RecordFacts(NOW_MS - 400 * DAY_MS, NOW_MS - 399 * DAY_MS, 1000)
AHEAD = RecordFacts(NOW_MS, NOW_MS + 2 * 3600 * 1000)


@pytest.mark.parametrize(
    ("facts", "changes", "said"),
    [
        (RECENT, {}, []),
        (RecordFacts(), {}, []),
        (OLD, {"retention_ms": "-1"}, []),
        (OLD, {"cleanup_policy": "compact"}, []),
        (OLD, {}, ["retention.ms=604800000: the oldest record is 400.0 days old, and records older than 7.0 days"]),
        (RECENT, {"message_timestamp_type": "LogAppendTime"}, ["message.timestamp.type=LogAppendTime: each record"]),
        (RECENT, {"message_timestamp_before_max_ms": "3600000"}, ["message.timestamp.before.max.ms=3600000: the"]),
        (AHEAD, {}, ["message.timestamp.after.max.ms=3600000: the broker refuses records more than 3,600 s away"]),
        (RECENT, {"message_timestamp_difference_max_ms": "1"}, ["message.timestamp.difference.max.ms=1: the"]),
        (RECENT, {"retention_bytes": "999"}, ["retention.bytes=999: a partition has 1,000 bytes"]),
        # The brokers' own time is the record's: none is old, and none is refused.
        (OLD, {"message_timestamp_type": "LogAppendTime"}, ["message.timestamp.type=LogAppendTime: each record"]),
    ],
)
def test_settings_that_change_or_drop_records_are_named_with_their_values(facts, changes, said):
    told = found(facts, **changes)
    assert len(told) == len(said)
    assert all(one.startswith(begin) for one, begin in zip(told, said, strict=True))


def test_the_error_names_the_way_out():
    unfit = find_unfit(KEEPS, OLD, now_ms=NOW_MS)
    with pytest.raises(TerminalError, match=r"topic t would not keep .* retention.ms=604800000") as caught:
        refuse("t", unfit)
    assert "--allow-target-changes" in caught.value.hint
    refuse("t", [])


def test_batches_fit_into_what_the_topic_takes():
    assert batch_bytes({"max.message.bytes": "1048588"}, 1_000_000) == 943_729
    assert batch_bytes({"max.message.bytes": "10000000"}, 1_000_000) == 1_000_000
    assert batch_bytes(None, 1_000_000) == 1_000_000
