"""`make bench BENCH=first-record`: from a worker's start to its first object in the store, and `--help` to its end.

The connector's age is 200 ms. The broker of the tests sets `group.initial.rebalance.delay.ms` to 0; Kafka's own default
adds its 3 s to the first start of a group.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from streamsink.upload.open import open_store
from tests.servers.kafka import KafkaServer
from tests.servers.seaweedfs import SeaweedServer
from tests.servers.worker import WorkerServer

STARTS = 10
FIRST_RECORD_S = 60.0
LOOK_EVERY_S = 0.01


def main() -> int:
    """Print the median, the least and the most of each."""
    program = str(Path(sys.executable).parent / "streamsink")
    _say("streamsink --help", [_seconds_of([program, "--help"]) for _ in range(STARTS)])
    _say("python -c 'import cyclopts'", [_seconds_of([sys.executable, "-c", "import cyclopts"]) for _ in range(STARTS)])
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as name:
        folder = Path(name)
        kafka, s3 = KafkaServer(folder / "kafka"), SeaweedServer(folder / "s3")
        (folder / "s3").mkdir()
        try:
            kafka.start()
            s3.start()
            kafka.create_topic("logs", 1)
            producer = kafka.producer()
            for number in range(1000):
                producer.produce("logs", b'{"level": "INFO", "number": %d}' % number)
            assert producer.flush(30) == 0
            options = {f"archive.option.{key}": value for key, value in s3.options.items()}
            for what, place, more in (
                ("first object on a disk", (folder / "archive").as_uri(), {}),
                ("first object on S3", s3.url("first-record"), options),
            ):
                taken = [
                    _first_object(kafka, folder / f"{what}-{number}", f"{place}/{number}", more)
                    for number in range(STARTS)
                ]
                _say(what, taken)
        finally:
            s3.stop()
            kafka.stop()
    return 0


def _seconds_of(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=60)
    return time.monotonic() - began


def _first_object(kafka: KafkaServer, folder: Path, url: str, more: dict[str, str]) -> float:
    """Seconds from the worker's start until the store lists an object of the topic."""
    options = {key.removeprefix("archive.option."): value for key, value in more.items()}
    store = open_store(url, options)
    worker = WorkerServer(folder, kafka.bootstrap)
    config = {"topics": "logs", "value.converter": "json", "archive.url": url, "rotate.age.ms": "200", **more}
    worker.connector(folder.name.replace(" ", "-"), config)
    began = time.monotonic()
    worker.start()
    try:
        while not next(iter(store.list("topics/logs/")), None):
            assert time.monotonic() < began + FIRST_RECORD_S, worker.log()
            time.sleep(LOOK_EVERY_S)
        return time.monotonic() - began
    finally:
        (folder / "printed").write_text(worker.log())
        worker.terminate()
        store.close()


def _say(what: str, seconds: list[float]) -> None:
    least, most = min(seconds), max(seconds)
    print(
        f"{what:32} {statistics.median(seconds):8.3f} s   ({least:.3f} to {most:.3f}, {len(seconds)} times)", flush=True
    )
