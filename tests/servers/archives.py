"""Archives a real topic as a sink connector does, in this process, until its group stands at the topic's end."""

import threading
import time
from collections.abc import Mapping

from streamsink.config.reading.connector import parse_sink
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.sink.build import run_sink_task
from tests.servers.kafka import KafkaServer


def archive_topic(
    kafka: KafkaServer,
    topic: str,
    url: str,
    *,
    options: Mapping[str, str] | None = None,
    timeout_s: float = 90,
    **config: str,
) -> None:
    """Archive everything the topic has. Keywords are connector keys, `_` for `.`."""
    keys = {key.replace("_", "."): value for key, value in config.items()}
    raw = {
        "name": f"archive-{topic}",
        "connector.class": "streamsink.ArchiveSink",
        "topics": topic,
        "archive.url": url,
        "rotate.age.ms": "1000",
        **{f"archive.option.{key}": value for key, value in (options or {}).items()},
        **keys,
    }
    parsed, _ = parse_sink(raw, {"bootstrap.servers": kafka.bootstrap})
    stop, latest, failures = threading.Event(), [TaskSnapshot()], []

    def run() -> None:
        try:
            run_sink_task(parsed, task_id=0, stop=stop, report=lambda snapshot: latest.__setitem__(0, snapshot))
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    ends = {partition: end for partition, end in kafka.end_offsets(topic).items() if end}
    deadline = time.monotonic() + timeout_s
    while thread.is_alive() and time.monotonic() < deadline:
        if {p.partition: at.committed for p, at in latest[0].partitions.items() if at.committed} == ends:
            break
        time.sleep(0.05)
    else:
        failures.append(AssertionError(f"{topic} was not archived within {timeout_s} s"))
    stop.set()
    thread.join(60)
    if failures:
        raise failures[0]
