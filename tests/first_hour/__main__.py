"""`python -m tests.first_hour`: a stranger's first hour on a clean machine, each command with what it prints.

It installs a wheel into a new virtual environment, follows the README to S3, and then breaks one thing after another:
keys, the brokers, the bucket, the disk, the worker. Needs root, for a disk of a megabyte. It fails where a command ends
with another status than it should; whether its words are good is for a reader to say.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from tests.first_hour.terminal import FirstHourError, Terminal
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port
from tests.servers.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedServer
from tests.servers.topics import read_topic

ROOT = Path(__file__).parents[2]
RECORDS = 3000
LINES_SHOWN = 9
CONNECTOR = f"""connector.class: streamsink.ArchiveSink
topics: logs
value.converter: json
archive.url: s3://{BUCKET}
archive.option.region: us-east-1
partitioner.class: hourly
timestamp.extractor: Record
"""
CONFLUENT = {
    "name": "logs-as-before",
    "config": {
        "connector.class": "io.confluent.connect.s3.S3SinkConnector",
        "tasks.max": "1",
        "topics": "logs",
        "s3.bucket.name": BUCKET,
        "s3.region": "us-east-1",
        "s3.part.size": "5242880",
        "topics.dir": "confluent",
        "storage.class": "io.confluent.connect.s3.storage.S3Storage",
        "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
        "flush.size": "1000",
        "rotate.schedule.interval.ms": "60000",
        "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
        "path.format": "'year'=YYYY/'month'=MM/'day'=dd",
        "partition.duration.ms": "86400000",
        "locale": "en-US",
        "timezone": "UTC",
        "timestamp.extractor": "Record",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
    },
}


class FirstHour:
    """The servers that a stranger has already, an empty folder, and what is typed there."""

    def __init__(self, folder: Path, kafka: KafkaServer, s3: SeaweedServer) -> None:
        self.folder, self.kafka = folder, kafka
        self.rest = f"http://127.0.0.1:{free_port()}"
        self._environ = {
            "PATH": f"{folder}/venv/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(folder),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL": s3.endpoint,
            "STREAMSINK_LISTENERS": self.rest,
            "STREAMSINK_URL": self.rest,
        }
        self.tty = Terminal(folder, self._environ)
        self.sent = 0

    def produce(self, count: int = RECORDS) -> None:
        """More lines of a log."""
        producer = self.kafka.producer()
        for number in range(self.sent, self.sent + count):
            producer.produce("logs", orjson.dumps({"level": ("INFO", "WARN")[number % 2], "number": number}))
        if producer.flush(30):
            raise FirstHourError("the log can't be produced")
        self.sent += count

    def write(self, name: str, text: str) -> None:
        """A file that the stranger writes, shown."""
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)
        self.tty.type(f"cat {name}")

    def install(self, wheel: Path) -> None:
        say("Install")
        shutil.copy(wheel, self.folder)
        self.tty.type(f"{sys.executable} -m venv venv", show=False)
        self.tty.type(f"pip install --quiet --disable-pip-version-check ./{wheel.name}")
        self.tty.type("streamsink --version")

    def demo(self) -> None:
        say("The demo, without any service")
        self.tty.type("streamsink demo --dir demo")

    def quick_start(self) -> None:
        say("A topic to S3, as the README says; the topic has 3,000 records by now")
        self.kafka.create_topic("logs", 2)
        self.produce()
        self.write("connectors.d/logs.yaml", CONNECTOR)
        self.tty.type(f"echo 'bootstrap.servers: {self.kafka.bootstrap}' > worker.yaml")
        self.worker = self.tty.start("streamsink worker --config worker.yaml --connectors connectors.d")
        self.tty.until("the connector runs", "streamsink connectors status logs", r"logs-0 +RUNNING.*in \d+ min")
        self.tty.type("streamsink connectors validate connectors.d/logs.yaml")
        self.tty.type("streamsink connectors status logs")
        self.tty.type("streamsink connectors flush logs")
        self.tty.type("streamsink archive ls --connector logs")

    def typo(self) -> None:
        say("A typo: in a key, in an option, in a value")
        text = CONNECTOR.replace("extractor:", "extractr:").replace("region", "regoin").replace("hourly", "horly")
        self.write("typo.yaml", text)
        self.tty.type("streamsink connectors validate typo.yaml", status=2)
        self.tty.type("streamsink connectors create typo.yaml", status=2)

    def dead_broker(self) -> None:
        say("The broker dies, and comes back")
        self.kafka.stop()
        self.tty.until("it says so", "streamsink connectors status logs", "broker")
        self.tty.type("streamsink connectors status logs")
        self.tty.type("streamsink connectors validate connectors.d/logs.yaml", status=2)
        self.kafka.start()
        self.tty.until("it goes on", "streamsink connectors status logs", r"logs-0 +RUNNING[^a-z]*\d+ +\d+ s ago")
        self.tty.type("streamsink connectors status logs")

    def no_bucket(self) -> None:
        say("A bucket that doesn't exist")
        self.write("nowhere.yaml", CONNECTOR.replace(BUCKET, "my-buckt"))
        self.tty.type("streamsink connectors validate nowhere.yaml", status=2)
        self.tty.type("streamsink connectors create nowhere.yaml --wait", status=1)
        self.tty.type("streamsink connectors list")
        self.tty.type("streamsink connectors delete nowhere")

    def full_disk(self) -> None:
        say("A full disk")
        small = self.folder / "small"
        small.mkdir()
        with mounted(small):
            fill = small / "fill"
            fill.write_bytes(bytes(1_013_000))
            self.tty.type("df -h small --output=size,used,avail")
            text = CONNECTOR.replace(f"s3://{BUCKET}", small.as_uri()).replace("archive.option.region: us-east-1\n", "")
            self.write("small.yaml", f"{text}rotate.age.ms: 1s\n")
            self.tty.type("streamsink connectors create small.yaml --wait")
            self.tty.until("it says so", "streamsink connectors status small", "No space left")
            self.tty.type("streamsink connectors status small")
            self.tty.type("rm small/fill")
            self.tty.until("it goes on", "streamsink connectors status small", r"small-0 +RUNNING.* 0 +\d+ s ago")
            self.tty.type("streamsink archive verify --connector small")
            self.tty.type("streamsink connectors stop small")
            self.tty.type("streamsink connectors delete small")

    def confluent(self) -> None:
        say("A Kafka Connect configuration of Confluent's S3 sink, posted unchanged")
        config = {**CONFLUENT["config"], "store.url": self._environ["AWS_ENDPOINT_URL"]}
        (self.folder / "s3-sink.json").write_bytes(
            orjson.dumps({**CONFLUENT, "config": config}, option=orjson.OPT_INDENT_2)
        )
        self.tty.type("head -7 s3-sink.json")
        post = "curl -s -o answer.json -w 'HTTP %{http_code}' -H 'Content-Type: application/json'"
        self.tty.type(f"{post} --data @s3-sink.json {self.rest}/connectors")
        self.tty.until("it runs", "streamsink connectors status logs-as-before", r"before-0 +RUNNING.* s ago")
        self.tty.type("streamsink connectors flush logs-as-before")
        self.tty.type("streamsink connectors list")
        self.tty.type("streamsink archive ls --connector logs-as-before --objects")

    def kill(self) -> None:
        say("kill -9 of the worker while 3,000 more records come, and a start as before")
        self.produce()
        self.worker.kill()
        print("(kill -9 of the worker and its tasks)\n")
        self.tty.type("streamsink connectors list", status=1)
        self.worker = self.tty.start("streamsink worker --config worker.yaml --connectors connectors.d")
        self.tty.until("the task is there", "streamsink connectors status logs", r"joins its group")
        self.tty.type("streamsink connectors status logs")
        self.tty.until("it has partitions", "streamsink connectors status logs", r"logs-0 +RUNNING.*in \d+ min")
        self.tty.type("streamsink connectors status logs")
        self.tty.type("streamsink connectors flush logs")

    def verify(self) -> None:
        say("Verify, and put it back")
        archive = f"s3://{BUCKET}/topics"
        self.tty.type(f"streamsink archive verify {archive}")
        broker = f"--bootstrap-server {self.kafka.bootstrap}"
        self.tty.type(f"streamsink replay {archive} --to logs-restored --create-topic {broker}")
        if read_topic(self.kafka, "logs-restored") != read_topic(self.kafka, "logs"):
            raise FirstHourError("the new topic differs from the first one")
        print(f"(all {self.sent:,} records of logs-restored equal those of logs)\n")

    def end(self) -> None:
        say("Ctrl-C ends the worker; the end of what its terminal shows")
        status = self.worker.end()
        print("...\n" + "\n".join(self.worker.lines()[-LINES_SHOWN:]))
        if status:
            raise FirstHourError(f"the worker ended with {status}")


def say(what: str) -> None:
    """A heading."""
    print(f"{'-' * 80}\n# {what}\n", flush=True)


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """A disk of a megabyte."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def build_wheel(folder: Path) -> Path:
    """The wheel of this tree."""
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(wheel, check=True, timeout=600)
    (made,) = folder.glob("*.whl")
    return made


def main() -> int:
    """Play all of it; 0 where every command ended as it should."""
    if os.geteuid():
        print("first_hour: needs root, for a disk of a megabyte", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="first-hour-") as name:
        folder = Path(name)
        kafka, s3 = KafkaServer(folder / "kafka"), SeaweedServer(folder / "s3")
        (folder / "s3").mkdir()
        (folder / "home").mkdir()
        hour = FirstHour(folder / "home", kafka, s3)
        try:
            kafka.start()
            s3.start()
            hour.install(build_wheel(folder))
            for scene in (
                hour.demo,
                hour.quick_start,
                hour.typo,
                hour.dead_broker,
                hour.no_bucket,
                hour.full_disk,
                hour.confluent,
                hour.kill,
                hour.verify,
                hour.end,
            ):
                scene()
        finally:
            if hasattr(hour, "worker"):
                hour.worker.kill()
            s3.stop()
            kafka.close_clients()
            kafka.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
