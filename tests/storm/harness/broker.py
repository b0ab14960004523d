"""A real broker behind a proxy that is its advertised address; the harness itself goes round it."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from tests.servers.kafka import QUIET, KafkaServer
from tests.servers.process import free_port
from tests.servers.tcp_proxy import TcpProxy
from tests.storm.harness.oracle import Place
from tests.storm.harness.plan import SESSION_S, Fault, Kind

PATIENCE_S = 120.0
CLIENT = {**QUIET, "reconnect.backoff.max.ms": 500}
PROPERTIES = {
    "group.consumer.min.session.timeout.ms": str(SESSION_S * 1000),
    "group.consumer.session.timeout.ms": str(SESSION_S * 1000),
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "1000",
    "log.cleaner.backoff.ms": "2000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}


class StormBroker:
    """One broker, and the faults it may suffer."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.server = KafkaServer(folder, advertised_port=port, properties=PROPERTIES)
        self.proxy = TcpProxy(port, self.server.port)
        self.bootstrap, self.direct = self.server.bootstrap, self.server.direct
        self._admin: AdminClient | None = None
        self._askers: dict[str, Consumer] = {}

    def start(self) -> None:
        """Start broker and proxy."""
        self.server.start()
        self.proxy.start()

    def stop(self) -> None:
        """End both."""
        for asking in self._askers.values():
            asking.close()
        self._askers.clear()
        self._admin = None
        self.proxy.stop()
        self.server.stop()

    def suffer(self, fault: Fault, sleep: Callable[[float], object]) -> None:
        """Carry a fault out, and end it."""
        match fault.kind:
            case Kind.BROKER_KILL:
                self.server.stop()
                sleep(fault.lasts_s)
                self.server.start()
                return
            case Kind.BROKER_CUT:
                self.proxy.cut()
            case Kind.BROKER_DELAY:
                self.proxy.delay(fault.amount)
            case Kind.BROKER_STALL:
                self.proxy.stall()
            case Kind.BROKER_HALF_OPEN:
                self.proxy.half_open()
        sleep(fault.lasts_s)
        self.proxy.restore()

    @property
    def admin(self) -> AdminClient:
        """A client that no fault but the broker's own death reaches."""
        if self._admin is None:
            self._admin = AdminClient({**CLIENT, "bootstrap.servers": self.direct})
        return self._admin

    def create_topic(self, name: str, partitions: int, config: dict[str, str]) -> None:
        """Make a topic and wait until it is there."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
        self.admin.create_topics([topic])[name].result(30)
        _within(30, f"{name} is listed", lambda: name in self.admin.list_topics(timeout=10).topics)

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until it is gone."""
        self.admin.delete_topics([name])[name].result(30)
        _within(30, f"{name} is gone", lambda: name not in self.admin.list_topics(timeout=10).topics)

    def configure_topic(self, name: str, key: str, value: str) -> None:
        """Set one of a topic's settings."""
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(30)

    def delete_records(self, place: Place, before: int) -> None:
        """Let retention take everything below an offset."""
        for future in self.admin.delete_records([TopicPartition(*place, before)]).values():
            future.result(30)

    def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """Committed offsets; a partition without one stands at 0."""
        asked = [TopicPartition(*place) for place in places]
        found = _until_answered(lambda: self._asking(group).committed(asked, timeout=10))
        return {(at.topic, at.partition): max(0, at.offset) for at in found}

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """End offsets."""
        asking = self._asking("ends")
        return {
            place: _until_answered(lambda at=place: asking.get_watermark_offsets(TopicPartition(*at), timeout=10))[1]
            for place in places
        }

    def _asking(self, group: str) -> Consumer:
        """A consumer that only asks: the admin client's call crashes when a coordinator is busy."""
        if group not in self._askers:
            self._askers[group] = Consumer({**CLIENT, "bootstrap.servers": self.direct, "group.id": group})
        return self._askers[group]


def _until_answered(ask):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            found = ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
        else:
            failed = [at.error for at in found if at.error] if isinstance(found, list) else []
            if not failed:
                return found
            if time.monotonic() > deadline:
                raise KafkaException(failed[0])
        time.sleep(0.3)


def _within(seconds, what, condition):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
