"""Spark's Structured Streaming, in an environment of its own: one thread, all there is in one batch."""

import json
from pathlib import Path

from tests.bench.peers.peer import FIELDS, Job, Peer, cpu_of, environment
from tests.servers.kafka import maven_classpath
from tests.servers.process import CACHE

VERSION = "4.0.0"


def python() -> Path:
    """Its interpreter. PyPI has 434 MB of it."""
    return environment(CACHE / f"spark-{VERSION}", f"pyspark=={VERSION}")


def jars() -> str:
    """Its source for Kafka, which PyPI doesn't bring."""
    return maven_classpath(f"spark-kafka-{VERSION}", ("org.apache.spark", "spark-sql-kafka-0-10_2.13", VERSION))


def run(job: Job) -> float:
    """Do a job."""
    script = Path(__file__).with_name("scripts") / "spark_job.py"
    schema = ", ".join(f"{name} {kind}" for name, kind in FIELDS.items())
    config = {
        "spark.jars": jars().replace(":", ","),
        "spark.driver.memory": "1g",
        "spark.ui.enabled": "false",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.streaming.checkpointLocation": str(job.folder / "checkpoint"),
        "spark.local.dir": str(job.folder / "local"),
        "spark.ui.showConsoleProgress": "false",
    }
    told = [job.bootstrap, job.topic, schema, str(job.archive), json.dumps(config)]
    return cpu_of([python(), script, *told], job.folder, {"SPARK_LOCAL_IP": "127.0.0.1"})


SPARK = Peer(f"Spark {VERSION}", lambda: (python(), jars()), run)
