"""The groups that the contract of `SliceConsumer` is held to: on a real broker under both protocols, and simulated."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from streamsink.database.consumer import SnapshotConsumer
from streamsink.database.feed import record_rows
from streamsink.record import HEADERS_TYPE, RawSlice, TopicPartition
from streamsink.testing.broker import SimBroker, SimPartition
from streamsink.testing.clock import SimClock
from streamsink.testing.commits import CommitFate
from streamsink.testing.consumer import SimConsumer
from streamsink.testing.records import SLICE_ROWS_MAX, SimRecord
from tests.servers.kafka import KafkaServer
from tests.servers.listeners import Listener, Member
from tests.servers.process import free_port
from tests.servers.tcp_proxy import TcpProxy

FIXED_SLICE_ROWS = 700
SESSION_S = 6.0
"""How long a silent member counts as there: of the classic protocol's members, and of the test brokers."""


class FarBroker:
    """A broker that clients reach through a proxy only."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.kafka = KafkaServer(folder, advertised_port=port)
        self.proxy = TcpProxy(port, self.kafka.port)
        self.proxy.start()
        self.kafka.start()

    def stop(self) -> None:
        """End broker and proxy."""
        self.proxy.restore()
        self.kafka.close_clients()
        self.proxy.stop()
        self.kafka.stop()


class KafkaGroups:
    """Groups on a real broker.

    Args:
        broker: Reached through a proxy.
        protocol: Kafka's `group.protocol`.
        native: Whether members read without Python's messages.
    """

    def __init__(self, broker: FarBroker, protocol: str, *, native: bool = False) -> None:
        self._kafka, self._proxy = broker.kafka, broker.proxy
        self.protocol = protocol
        self._native = native
        self._members: list[Member] = []

    def create_topic(self, topic: str, partitions: int) -> None:
        """Make a topic."""
        self._kafka.create_topic(topic, partitions)

    def produce(self, topic: str, count: int, *, partition: int = 0) -> None:
        """Append records."""
        producer = self._kafka.producer()
        for number in range(count):
            producer.produce(topic, str(number).encode(), partition=partition)
        assert producer.flush(30) == 0

    def join(self, group: str, topic: str, **properties: str) -> Member:
        """A new member of a group, which ends with the test."""
        session = {"session_timeout_ms": str(int(SESSION_S * 1000)), "heartbeat_interval_ms": "500"}
        named = {"group_protocol": self.protocol, **session, **properties}
        member = Member(self._kafka.bootstrap, group, [topic], native=self._native, **named)
        self._members.append(member)
        return member

    def committed(self, group: str, topic: str) -> dict[int, tuple[int, str]]:
        """What a group has committed, by partition."""
        return self._kafka.committed(group, topic)

    def silence(self) -> None:
        """Hold back every byte from here on, both ways."""
        self._proxy.stall()

    def cut(self) -> None:
        """Drop all connections, and take none."""
        self._proxy.cut()

    def restore(self) -> None:
        """End the fault; what was held back goes through."""
        self._proxy.restore()

    def answer_within(self, seconds: float, monkeypatch) -> None:
        """Let commits without an answer be told so after that time."""
        monkeypatch.setattr("streamsink.consume.commit_requests.ANSWER_TIMEOUT_S", seconds)

    def close(self) -> None:
        """End all members."""
        self.restore()
        for member in self._members:
            member.on_revoked = lambda _: None
            member.consumer.close()


class PassingClock(SimClock):
    """A simulation's clock that real time moves."""

    def monotonic_s(self) -> float:
        """Real time."""
        return time.monotonic()

    def advance(self, seconds: float) -> None:
        """Wait for that long."""
        time.sleep(seconds)


class SimMember(Listener):
    """A member of a simulated group: the group decides what each poll meets."""

    def __init__(self, groups: "SimGroups", number: int, topic: str) -> None:
        self.groups, self.number, self.topic = groups, number, topic
        self.turn = 0
        super().__init__(
            lambda listener: SimConsumer(
                number, groups.broker, groups.clock, listener, groups.fate, revoke_timeout_s=60.0
            )
        )

    @property
    def client(self) -> SimConsumer:
        """Its consumer."""
        assert isinstance(self.consumer, SimConsumer)
        return self.consumer

    def poll(self, timeout_s: float = 0.2) -> tuple[list, list]:
        self.groups.before_poll(self)
        told = super().poll(timeout_s)
        if told == ([], []):
            time.sleep(min(timeout_s, 0.01))
        return told


class SimGroups:
    """Groups of simulated members: partitions are shared evenly, and change hands as in a cooperative rebalance."""

    def __init__(self) -> None:
        self.broker = SimBroker([])
        self.clock = PassingClock()
        self._members: list[SimMember] = []
        self._silent_since_s: float | None = None

    def fate(self) -> CommitFate:
        """What becomes of a waiting commit."""
        return CommitFate.TAKEN if self._silent_since_s is None else CommitFate.NEVER

    def create_topic(self, topic: str, partitions: int) -> None:
        """Make a topic."""
        for number in range(partitions):
            self.broker.partitions[TopicPartition(topic, number)] = SimPartition()

    def produce(self, topic: str, count: int, *, partition: int = 0) -> None:
        """Append records."""
        for _ in range(count):
            self.broker.append(TopicPartition(topic, partition), SimRecord("p", "s", 1, 10))

    def join(self, group: str, topic: str) -> SimMember:
        """A new member."""
        self._members.append(SimMember(self, len(self._members) + 1, topic))
        return self._members[-1]

    def committed(self, group: str, topic: str) -> dict[int, tuple[int, str]]:
        """What the topic's group has committed, by partition."""
        found = {name: state.committed for name, state in self.broker.partitions.items() if name.topic == topic}
        return {name.partition: committed for name, committed in found.items() if committed is not None}

    def before_poll(self, member: SimMember) -> None:
        """Carry on with the rebalance, answer commits, and let the member fetch from its next partition."""
        if self._silent_since_s is not None or member.client.away:
            return
        self._share(member.topic)
        while member.client.commits.sent:
            member.client.commits.finish(0, CommitFate.TAKEN)
        names = list(member.client.assignments)
        if names:
            member.turn += 1
            member.client.next_fetch = (names[member.turn % len(names)], SLICE_ROWS_MAX)

    def _share(self, topic: str) -> None:
        living = [each for each in self._members if each.topic == topic and not each.client.closed]
        states = {name: state for name, state in self.broker.partitions.items() if name.topic == topic}
        held = {each.number: [name for name, at in states.items() if at.owner == each.number] for each in living}
        most = -(-len(states) // len(living))
        for each in living:
            leaving = tuple(held[each.number][most:])
            if leaving and ("revoked", leaving) not in each.client.rebalances:
                each.client.rebalances.append(("revoked", leaving))
        for name, state in states.items():
            if state.owner is None:
                least = min(living, key=lambda each: len(held[each.number]))
                held[least.number].append(name)
                self.broker.give(name, least.number)
                least.client.rebalances.append(("assigned", (name,)))

    def silence(self) -> None:
        """Neither records nor answers from here on."""
        self._silent_since_s = time.monotonic()

    def cut(self) -> None:
        """No broker from here on."""
        for member in self._members:
            member.client.away = True

    def restore(self) -> None:
        """End the fault; sessions that were silent for too long are over."""
        since_s, self._silent_since_s = self._silent_since_s, None
        for member in self._members:
            member.client.away = False
        if since_s is not None and time.monotonic() - since_s > SESSION_S:
            for name, state in self.broker.partitions.items():
                if state.owner is not None:
                    self.broker.give(name, None)

    def answer_within(self, seconds: float, monkeypatch) -> None:
        """Let commits without an answer be told so after that time."""
        monkeypatch.setattr("streamsink.testing.commits.OVERDUE_S", seconds)

    def close(self) -> None:
        """Nothing runs."""


class FixedFeed:
    """A feed of records that are there as a whole."""

    def __init__(self, partition: TopicPartition, count: int) -> None:
        self.partition = partition
        self.count = count

    def slices(self, start: int) -> Iterator[RawSlice]:
        for first in range(start, self.count, FIXED_SLICE_ROWS):
            end = min(first + FIXED_SLICE_ROWS, self.count)
            values = pa.array([str(number).encode() for number in range(first, end)], pa.binary())
            headers = pa.array([[]] * len(values), HEADERS_TYPE)
            yield RawSlice(self.partition, first, end, record_rows(first, 0, values, values, headers))


class SnapshotSources:
    """A database's snapshots: what there is is there when they are joined, and no place keeps their commits."""

    def __init__(self) -> None:
        self._feeds: dict[TopicPartition, FixedFeed] = {}
        self._members: list[Listener] = []

    def create_topic(self, topic: str, partitions: int) -> None:
        """Make feeds."""
        for number in range(partitions):
            at = TopicPartition(topic, number)
            self._feeds[at] = FixedFeed(at, 0)

    def produce(self, topic: str, count: int, *, partition: int = 0) -> None:
        """Append records."""
        self._feeds[TopicPartition(topic, partition)].count += count

    def join(self, group: str, topic: str) -> Listener:
        """A consumer of the topic's feeds."""
        feeds = [feed for at, feed in self._feeds.items() if at.topic == topic]
        partitions = [feed.partition for feed in feeds]
        member = Listener(SnapshotConsumer(partitions, [lambda: feeds]).listened_to_by)
        self._members.append(member)
        return member

    def close(self) -> None:
        """End all members."""
        for member in self._members:
            member.on_revoked = lambda _: None
            member.consumer.close()


ON_BROKERS = ("classic", "consumer", "native classic", "native consumer")
GROUPS = ("simulated", *ON_BROKERS)
"""Those that have a group. A clause about one holds for these alone: a snapshot's records neither grow nor move to
another member, and where its commits are asked for, the machine looks for what is stored."""

BACKENDS: dict[str, Callable[[Callable[[], FarBroker]], KafkaGroups | SimGroups | SnapshotSources]] = {
    "simulated": lambda _: SimGroups(),
    "classic": lambda broker: KafkaGroups(broker(), "classic"),
    "consumer": lambda broker: KafkaGroups(broker(), "consumer"),
    "native classic": lambda broker: KafkaGroups(broker(), "classic", native=True),
    "native consumer": lambda broker: KafkaGroups(broker(), "consumer", native=True),
    "snapshot": lambda _: SnapshotSources(),
}
