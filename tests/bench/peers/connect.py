"""Kafka Connect with Iceberg's sink, from Maven: a standalone worker with one task, a table in a folder."""

import json
import time
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from tests.bench.peers.peer import TIMEOUT_S, Job, Peer, PeerError
from tests.bench.processes import cpu_seconds
from tests.servers.kafka import LOG4J, QUIET, VERSION, maven_classpath
from tests.servers.process import ServerProcess, free_port

ICEBERG_VERSION = "1.9.2"
HADOOP_VERSION = "3.4.2"
LOG4J_VERSION = "2.24.3"
COMMIT_MS = 5000
"""Between commits, and until an unanswered one is given up: a new task misses the first one's question."""


def classpath() -> str:
    """Its jars."""
    kafka, iceberg, log4j = "org.apache.kafka", "org.apache.iceberg", "org.apache.logging.log4j"
    return maven_classpath(
        f"connect-iceberg-{VERSION}-{ICEBERG_VERSION}",
        (kafka, "connect-runtime", VERSION),
        (kafka, "connect-json", VERSION),
        (iceberg, "iceberg-kafka-connect", ICEBERG_VERSION),
        (iceberg, "iceberg-parquet", ICEBERG_VERSION),
        ("org.apache.hadoop", "hadoop-client-runtime", HADOOP_VERSION),
        (log4j, "log4j-core", LOG4J_VERSION),
        (log4j, "log4j-slf4j-impl", LOG4J_VERSION),
    )


def worker_keys(job: Job) -> dict[str, str]:
    """The worker's properties."""
    return {
        "bootstrap.servers": job.bootstrap,
        "listeners": f"http://127.0.0.1:{free_port()}",
        "offset.storage.file.filename": str(job.folder / "offsets"),
        "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "plugin.discovery": "service_load",
        # At a topic's end a task sleeps for so long before it answers its coordinator.
        "offset.flush.interval.ms": "1000",
    }


def sink_keys(job: Job) -> dict[str, str]:
    """The connector's properties."""
    return {
        "name": job.name,
        "connector.class": "org.apache.iceberg.connect.IcebergSinkConnector",
        "tasks.max": "1",
        "topics": job.topic,
        "consumer.override.auto.offset.reset": "earliest",
        "consumer.override.max.poll.records": "10000",
        "iceberg.catalog.type": "hadoop",
        "iceberg.catalog.warehouse": job.archive.as_uri(),
        "iceberg.tables": "peers.logs",
        "iceberg.tables.auto-create-enabled": "true",
        "iceberg.tables.auto-create-props.write.parquet.compression-codec": "zstd",
        "iceberg.control.topic": f"{job.name}_control",
        "iceberg.control.commit.interval-ms": str(COMMIT_MS),
        "iceberg.control.commit.timeout-ms": str(COMMIT_MS),
    }


def run(job: Job) -> float:
    """Do a job: it is done when the table has so many rows."""
    job.folder.mkdir(parents=True)
    control = sink_keys(job)["iceberg.control.topic"]
    admin = AdminClient({**QUIET, "bootstrap.servers": job.bootstrap})
    admin.create_topics([NewTopic(control, 1, 1)])[control].result(30)
    worker, sink = job.folder / "worker.properties", job.folder / "sink.json"
    worker.write_text("\n".join(f"{key}={value}" for key, value in worker_keys(job).items()))
    sink.write_text(json.dumps({"name": job.name, "config": sink_keys(job)}))
    logging = job.folder / "log4j2.xml"
    logging.write_text(LOG4J)
    java = ["java", "-Xmx1g", f"-Dlog4j2.configurationFile={logging}", "-cp", classpath()]
    main = ["org.apache.kafka.connect.cli.ConnectStandalone", str(worker), str(sink)]
    log = job.folder / "log"
    process = ServerProcess.start("connect", ["taskset", "-c", "0", *java, *main], log_path=log)
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while rows_committed(job.archive) < job.count:
            if time.monotonic() > deadline:
                raise PeerError(f"it wrote {rows_committed(job.archive)} rows:\n{process.log_tail()[-3000:]}")
            time.sleep(0.2)
        return cpu_seconds(process.pid)[0]
    finally:
        process.kill()


def rows_committed(archive: Path) -> int:
    """How many rows the table's newest snapshot has."""
    found = list(archive.rglob("v*.metadata.json"))
    newest = max(found, key=lambda path: int(path.name[1:].partition(".")[0]), default=None)
    snapshots = json.loads(newest.read_text()).get("snapshots", []) if newest else []
    return max((int(one["summary"].get("total-records", 0)) for one in snapshots), default=0)


CONNECT = Peer(f"Kafka Connect {VERSION} (Iceberg {ICEBERG_VERSION})", classpath, run)
