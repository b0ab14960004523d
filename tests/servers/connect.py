"""A real Apache Kafka Connect: one distributed worker with the file connectors, from Maven. The reference for REST."""

import subprocess
import time
import urllib.request
from pathlib import Path

from tests.servers.kafka import LOG4J, VERSION, maven_classpath
from tests.servers.process import ServerError, ServerProcess, free_port

LOG4J_VERSION = "2.24.3"


def connect_classpath() -> str:
    """Kafka Connect's jars."""
    kafka = "org.apache.kafka"
    return maven_classpath(
        f"connect-{VERSION}",
        (kafka, "connect-runtime", VERSION),
        (kafka, "connect-file", VERSION),
        (kafka, "connect-json", VERSION),
        ("org.apache.logging.log4j", "log4j-core", LOG4J_VERSION),
        ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION),
    )


def _compiled_sinks(folder: Path, classpath: str) -> Path:
    """The stand-ins' classes, and the file that makes Connect find them."""
    services = folder / "META-INF" / "services"
    services.mkdir(parents=True, exist_ok=True)
    (services / "org.apache.kafka.connect.sink.SinkConnector").write_text("io.confluent.connect.s3.S3SinkConnector\n")
    source = Path(__file__).parent / "connect_sinks" / "S3SinkConnector.java"
    done = subprocess.run(
        ["javac", "-cp", classpath, "-d", str(folder), str(source)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"the stand-in can't be compiled:\n{done.stderr}")
    return folder


class ConnectServer:
    """One worker, alone in its cluster."""

    def __init__(self, folder: Path, bootstrap: str, *, sinks: bool = False) -> None:
        """`sinks` is whether it has a class that stands for Confluent's sink."""
        self._sinks = sinks
        self.folder = folder
        self.bootstrap = bootstrap
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: ServerProcess | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> "ConnectServer":
        """Start it and wait until its herder answers."""
        properties = self.folder / "connect.properties"
        properties.write_text(self._properties())
        (self.folder / "log4j2.xml").write_text(LOG4J)
        classpath = connect_classpath()
        if self._sinks:
            classpath += f":{_compiled_sinks(self.folder / 'sinks', classpath)}"
        self._process = ServerProcess.start(
            "connect",
            [
                *("java", "-Xmx384m", "-Xms128m", "-XX:TieredStopAtLevel=1"),
                f"-Dlog4j2.configurationFile={self.folder}/log4j2.xml",
                *("-cp", classpath, "org.apache.kafka.connect.cli.ConnectDistributed", str(properties)),
            ],
            log_path=self.folder / "connect.log",
        )
        self._process.wait_for_port(self.port, timeout_s=90)
        deadline = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=12):
                    return self
            except OSError:
                if time.monotonic() > deadline:
                    raise ServerError(f"Connect is not healthy:\n{self._process.log_tail()}") from None
                time.sleep(0.2)

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _properties(self) -> str:
        return f"""
bootstrap.servers={self.bootstrap}
listeners={self.url}
group.id=reference
config.storage.topic=reference-configs
status.storage.topic=reference-statuses
offset.storage.topic=reference-offsets
config.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.replication.factor=1
offset.storage.partitions=1
status.storage.partitions=1
key.converter=org.apache.kafka.connect.converters.ByteArrayConverter
value.converter=org.apache.kafka.connect.converters.ByteArrayConverter
offset.flush.interval.ms=500
plugin.discovery=service_load
"""
