"""Targets that would change records or drop them, on a real broker: refused by name, or allowed by name."""

import json

import pytest

from streamsink.cli.main import run
from streamsink.upload.local import LocalStore
from tests.servers.topics import read_topic
from tests.unit.archive.made import FIRST_MS, put

WEEK_MS = str(7 * 24 * 3600 * 1000)


@pytest.fixture
def replay(kafka, tmp_path, unique, capfd):
    """Replays 20 records of weeks ago, of 3,000 bytes each."""
    put(LocalStore(tmp_path), range(20), value=b"x" * 3_000)

    def call(*options, to=""):
        capfd.readouterr()
        words = ["replay", f"{tmp_path.as_uri()}/topics", "--to", to or unique, "--bootstrap-server", kafka.bootstrap]
        status = run([*words, *options])
        out, err = capfd.readouterr()
        return status, out, err

    return call


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("retention_ms", "3600000", "retention.ms=3600000: the oldest record is"),
        ("message_timestamp_type", "LogAppendTime", "message.timestamp.type=LogAppendTime: each record would get"),
        ("message_timestamp_before_max_ms", "60000", "message.timestamp.before.max.ms=60000: the broker refuses"),
        ("max_message_bytes", "2000", "max.message.bytes=2000: the largest record has 3,1"),
        ("retention_bytes", "100", "retention.bytes=100: a partition has"),
    ],
)
def test_a_topic_that_would_change_or_drop_records_gets_none(kafka, replay, unique, setting, value, said):
    kafka.create_topic(unique, 1, **{setting: value})
    for options in ([], ["--dry-run"]):
        status, out, err = replay(*options)
        assert said in out + err
        assert "--allow-target-changes" in out + err
        assert status == (0 if options else 1)
    assert kafka.end_offsets(unique) == {0: 0}


def test_it_is_allowed_by_name_and_said_again(kafka, replay, unique):
    kafka.create_topic(unique, 1, message_timestamp_type="LogAppendTime", retention_ms=WEEK_MS)
    status, out, err = replay("--allow-target-changes", "--json")
    assert status == 0, err
    told = json.loads(out)
    assert told["records"] == 20
    assert told["target_changes"][0].startswith(f"topic {unique} has message.timestamp.type=LogAppendTime")
    assert all(time_ms > FIRST_MS + 20 for _, time_ms, *_ in read_topic(kafka, unique)[0])


def test_records_without_keys_are_not_sent_to_a_compacted_topic(kafka, unique, tmp_path, replay):
    kafka.create_topic(unique, 1, cleanup_policy="compact")
    assert replay()[0] == 0
    other = kafka.create_topic(f"{unique}-2", 1, cleanup_policy="compact")
    put(LocalStore(tmp_path), range(20, 25), keyless=True)
    status, _, err = replay(to=other)
    assert (status, kafka.end_offsets(other)) == (1, {0: 0})
    assert "cleanup.policy=compact: 5 records have no key" in err


def test_small_records_fit_into_a_topic_that_takes_small_batches(kafka, replay, unique):
    kafka.create_topic(unique, 1, max_message_bytes="20000")
    assert replay()[0] == 0
    assert len(read_topic(kafka, unique)[0]) == 20


def test_a_topic_that_is_made_keeps_old_records(kafka, replay, unique, monkeypatch):
    from streamsink.replay import target  # noqa: PLC0415

    make = target.NewTopic
    short = {"retention.ms": WEEK_MS}
    # As brokers do whose log.retention.hours is 168, which is Kafka's default.
    monkeypatch.setattr(target, "NewTopic", lambda *names, **more: make(*names, config=short, **more))
    status, out, err = replay("--create-topic")
    assert status == 0, err
    assert f"topic {unique} was made with retention.ms=-1: the oldest record is" in out
    assert [record[1] for record in read_topic(kafka, unique)[0]] == [FIRST_MS + at for at in range(20)]
