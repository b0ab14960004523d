"""Workers in Kafka's group, on a real broker, under both of its protocols: slots are shared, handed over, and kept."""

import threading

import pytest

from streamsink.worker.distributed.member import GroupMember
from streamsink.worker.distributed.settings import read_settings
from tests.servers.worker import wait_until

SLOTS = 8


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_slots_are_shared_and_each_is_somebodys_while_a_worker_comes_and_goes(kafka, unique, protocol):
    kafka.create_topic(unique, SLOTS)
    settings = read_settings(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": unique,
            "group.protocol": protocol,
            "session.timeout.ms": "6000",
            "heartbeat.interval.ms": "500",
        }
    )
    let_go = threading.Event()
    stays = GroupMember(unique, settings.group, settings.member, lambda _: let_go.set())
    members = [stays]
    stays.start()
    try:
        wait_until("the first has all slots", lambda: len(stays.slots) == SLOTS)
        for _ in range(2):
            let_go.clear()
            comes = GroupMember(unique, settings.group, settings.member, lambda _: None)
            members.append(comes)
            comes.start()
            wait_until("both have half", lambda comes=comes: len(comes.slots) == len(stays.slots) == SLOTS // 2)
            assert let_go.is_set()
            assert stays.slots | comes.slots == set(range(SLOTS))
            assert (stays.problem, comes.problem) == ("", "")
            comes.stop()
            wait_until("the first has all slots again", lambda: len(stays.slots) == SLOTS)
    finally:
        for member in members:
            member.stop()
