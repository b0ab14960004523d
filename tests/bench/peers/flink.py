"""Flink, from Maven: one JVM with one task slot, a SQL job from the topic's beginning to its end."""

import subprocess
from pathlib import Path

from tests.bench.peers.peer import FIELDS, Job, Peer, cpu_of
from tests.servers.kafka import maven_classpath
from tests.servers.process import CACHE

VERSION = "2.2.0"
KAFKA_VERSION = "5.0.0-2.2"
HADOOP_VERSION = "3.4.2"
MODULES = ("clients", "table-planner-loader", "table-api-java-bridge", "table-runtime", "json", "connector-files")
OPENS = ("java.lang", "java.util", "java.net", "java.nio")
JOB = """
CREATE TABLE logs ({columns}) WITH (
  'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{bootstrap}',
  'properties.group.id' = '{name}', 'properties.max.poll.records' = '10000',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'json');
CREATE TABLE files ({columns}) WITH (
  'connector' = 'filesystem', 'path' = '{path}', 'format' = 'parquet', 'parquet.compression' = 'ZSTD');
INSERT INTO files SELECT * FROM logs
"""


def classpath() -> str:
    """Its jars, and the class that runs statements."""
    flink = "org.apache.flink"
    found = maven_classpath(
        f"flink-{VERSION}",
        (flink, "flink-connector-kafka", KAFKA_VERSION),
        *((flink, f"flink-{module}", VERSION) for module in (*MODULES, "parquet")),
        ("org.apache.hadoop", "hadoop-client-runtime", HADOOP_VERSION),
    )
    classes = CACHE / f"flink-{VERSION}" / "classes"
    source = Path(__file__).with_name("scripts") / "FlinkJob.java"
    subprocess.run(["javac", "-cp", found, "-d", str(classes), str(source)], check=True, timeout=120)
    return f"{classes}:{found}"


def run(job: Job) -> float:
    """Do a job."""
    columns = ", ".join(f"`{name}` {kind}" for name, kind in FIELDS.items())
    sql = JOB.format(
        columns=columns, topic=job.topic, bootstrap=job.bootstrap, name=job.name, path=job.archive.as_uri()
    )
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENS]
    return cpu_of(["java", "-Xmx1g", *opened, "-cp", classpath(), "FlinkJob", sql], job.folder)


FLINK = Peer(f"Flink {VERSION}", classpath, run)
