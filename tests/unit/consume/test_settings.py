import pytest
from confluent_kafka import Consumer

from streamsink.consume.settings import committed_timeout_s, consumer_settings

REACH = {"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": "0"}


@pytest.mark.parametrize("protocol", ["classic", "consumer", " Consumer "])
def test_librdkafka_takes_the_settings_under_either_protocol(protocol):
    settings, ignored = consumer_settings({**REACH, "group.protocol": protocol})
    assert ignored == {}
    Consumer(settings).close()


def test_keys_that_only_brokers_decide_are_left_out_with_the_brokers_key_named():
    given = {"session.timeout.ms": "9000", "heartbeat.interval.ms": "900", "max.poll.interval.ms": "60000"}
    settings, ignored = consumer_settings({**REACH, **given, "group.protocol": "consumer"})
    assert ignored.keys() == {"session.timeout.ms", "heartbeat.interval.ms"}
    assert "group.consumer.session.timeout.ms" in ignored["session.timeout.ms"]
    assert settings["max.poll.interval.ms"] == "60000"
    Consumer(settings).close()


def test_a_classic_group_keeps_its_own_session():
    settings, ignored = consumer_settings({**REACH, "session.timeout.ms": "9000"})
    assert (settings["session.timeout.ms"], ignored) == ("9000", {})
    assert settings["partition.assignment.strategy"] == "cooperative-sticky"


def test_what_the_promise_rests_on_is_ignored_and_said():
    settings, ignored = consumer_settings({**REACH, "enable.auto.commit": "true"})
    assert settings["enable.auto.commit"] == "false"
    assert "promise" in ignored["enable.auto.commit"]


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({}, 10),
        ({"session.timeout.ms": "6000"}, 3),
        ({"session.timeout.ms": "6000", "max.poll.interval.ms": "8000"}, 2),
    ],
)
def test_committed_offsets_are_never_asked_for_as_long_as_session_or_group_wait(settings, seconds):
    assert committed_timeout_s(settings) == seconds
