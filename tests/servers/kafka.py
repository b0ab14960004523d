"""A real Apache Kafka: one KRaft process, from Maven, for a session of tests."""

import fcntl
import shutil
import subprocess
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from tests.servers.process import CACHE, ServerError, ServerProcess, free_port

VERSION = "4.1.0"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
DEPENDENCY = "    <dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
LOG4J = """<Configuration><Appenders><Console name="out"><PatternLayout pattern="%d %p %c %m%n"/></Console></Appenders>
<Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""
QUIET: dict[str, str | int] = {"log_level": 0}
"""For the tests' own clients: a broker that a test stops is not worth thousands of lines."""
ASKERS_MAX = 8
"""Groups of which a consumer is kept."""


def kafka_classpath() -> str:
    """Kafka's jars."""
    return maven_classpath(
        f"kafka-{VERSION}", ("org.apache.kafka", "kafka_2.13", VERSION), ("org.slf4j", "slf4j-simple", "1.7.36")
    )


def maven_classpath(name: str, *dependencies: tuple[str, str, str]) -> str:
    """Jars with all they need, fetched once into a cache outside the tree."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise ServerError(f"{tool} is needed to run {name} for this test, and is not on the PATH")
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    ready = folder / "classpath"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.exists() and all(Path(jar).exists() for jar in ready.read_text().split(":")):
            return ready.read_text()
        written = "\n".join(DEPENDENCY.format(*dependency) for dependency in dependencies)
        (folder / "pom.xml").write_text(POM.format(dependencies=written))
        found = folder / "found"
        done = subprocess.run(
            ["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={found}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"Maven could not resolve {name}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        ready.write_text(found.read_text().strip())
        return ready.read_text()


class KafkaServer:
    """A broker, and what tests ask of it."""

    def __init__(
        self, folder: Path, *, advertised_port: int | None = None, properties: Mapping[str, str] | None = None
    ) -> None:
        """`advertised_port` is a proxy's, if there is one; `direct` goes round it. `properties` are the broker's."""
        self.folder = folder
        self.port = free_port()
        self.controller_port = free_port()
        self.bootstrap = f"127.0.0.1:{advertised_port or self.port}"
        self._advertised_port = advertised_port or self.port
        self._direct_port = free_port()
        self.direct = f"127.0.0.1:{self._direct_port}"
        self._own = dict(properties or {})
        self._process: ServerProcess | None = None
        self._formatted = False
        self._askers: dict[str, Consumer] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start, or start again on the same data."""
        classpath = kafka_classpath()
        properties = self.folder / "server.properties"
        properties.write_text(self._properties())
        (self.folder / "log4j2.xml").write_text(LOG4J)
        java = [
            "java",
            "-Xmx512m",
            "-Xms128m",
            f"-Dlog4j2.configurationFile={self.folder}/log4j2.xml",
            "-cp",
            classpath,
        ]
        if not self._formatted:
            formatted = subprocess.run(
                [*java, "kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER, "-c", str(properties)],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            if formatted.returncode:
                raise ServerError(f"Kafka could not format its folder:\n{formatted.stdout}{formatted.stderr}")
            self._formatted = True
        self._process = ServerProcess.start(
            "kafka", [*java, "kafka.Kafka", str(properties)], log_path=self.folder / "kafka.log"
        )
        self._process.wait_for_port(self.port, timeout_s=90)
        deadline = time.monotonic() + 60
        while True:
            try:
                admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{self.port}", "log_level": 0})
                admin.list_topics(timeout=5)
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                break

    def stop(self) -> None:
        """End it at once; its data stay."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def close_clients(self) -> None:
        """Let go of every client that questions were asked with, while there is a broker to take leave of."""
        for asking in self._askers.values():
            asking.close()
        self._askers.clear()
        if "_watcher" in self.__dict__:
            self._watcher.close()
            del self._watcher

    def _properties(self) -> str:
        own = "\n".join(f"{key}={value}" for key, value in self._own.items())
        return f"""
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{self.controller_port}
listeners=PLAINTEXT://127.0.0.1:{self.port},DIRECT://{self.direct},CONTROLLER://127.0.0.1:{self.controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{self._advertised_port},DIRECT://{self.direct}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=DIRECT
log.dirs={self.folder}/data
num.partitions=4
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.consumer.min.session.timeout.ms=6000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
log.retention.hours=-1
log.cleaner.enable=true
num.network.threads=2
num.io.threads=2
{own}
"""

    @cached_property
    def admin(self) -> AdminClient:
        """An admin client, kept: its answers end with it."""
        return AdminClient({**QUIET, "bootstrap.servers": self.bootstrap})

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> str:
        """Make a topic and wait until it is there."""
        settings = {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=settings)
        self.admin.create_topics([topic])[name].result(30)
        deadline = time.monotonic() + 30
        while name not in self.admin.list_topics(timeout=10).topics:
            assert time.monotonic() < deadline, f"{name} was made and is not listed"
            time.sleep(0.05)
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic, and wait until it is gone."""
        admin = self.admin
        admin.delete_topics([name])[name].result(30)
        deadline = time.monotonic() + 30
        while name in admin.list_topics(timeout=10).topics:
            assert time.monotonic() < deadline, f"{name} is still there"
            time.sleep(0.1)

    def producer(self, **config: str) -> Producer:
        """A producer with properties of the test's."""
        settings = {key.replace("_", "."): value for key, value in config.items()}
        return Producer({**QUIET, "bootstrap.servers": self.bootstrap, "linger.ms": 5, **settings})

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Each partition's end, as a `read_committed` reader sees it: an open transaction's records are beyond it."""
        partitions = self._watcher.list_topics(topic, timeout=10).topics[topic].partitions
        return {p: self._watcher.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in partitions}

    def wait_for_markers(self, topic: str) -> None:
        """Wait until no transaction is open: the broker writes its markers after the producer's commit has returned."""
        asked = {TopicPartition(topic, partition): OffsetSpec.latest() for partition in self.end_offsets(topic)}
        deadline = time.monotonic() + 30
        while True:
            ends = [
                {
                    at.partition: answer.result(10).offset
                    for at, answer in self.admin.list_offsets(asked, isolation_level=level).items()
                }
                for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
            ]
            if ends[0] == ends[1]:
                return
            assert time.monotonic() < deadline, f"a transaction on {topic} is still open: {ends}"
            time.sleep(0.02)

    @cached_property
    def _watcher(self) -> Consumer:
        """One consumer for all questions: clients made and closed many times a second have crashed in librdkafka."""
        return Consumer({**QUIET, "bootstrap.servers": self.bootstrap, "group.id": "end-offsets"})

    def committed(self, group: str, topic: str) -> dict[int, tuple[int, str]]:
        """Each partition's committed offset and metadata.

        Asked by a consumer that never subscribes: the admin client's call for this crashes in librdkafka 2.16 when a
        coordinator answers that it is busy.
        """
        asking = self._askers.get(group)
        if asking is None:
            asking = Consumer({**QUIET, "bootstrap.servers": self.bootstrap, "group.id": group})
            self._askers[group] = asking
            if len(self._askers) > ASKERS_MAX:
                self._askers.pop(next(iter(self._askers))).close()
        partitions = asking.list_topics(topic, timeout=10).topics[topic].partitions
        deadline = time.monotonic() + 30
        while True:
            try:
                found = asking.committed([TopicPartition(topic, number) for number in partitions], timeout=10)
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return {at.partition: (at.offset, at.metadata or "") for at in found if at.offset >= 0}

    def set_back(self, group: str, topic: str) -> None:
        """Set a group without members to the beginning of a topic; what its commits said is gone."""
        named = [TopicPartition(topic, partition, 0) for partition in self.end_offsets(topic)]
        told = self.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, named)])
        assert all(one.error is None for one in told[group].result(30).topic_partitions)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Let retention take everything below an offset."""
        for future in self.admin.delete_records([TopicPartition(topic, partition, before)]).values():
            future.result(30)
