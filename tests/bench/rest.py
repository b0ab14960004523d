"""`make bench BENCH=rest`: REST at 1,000 calls a second while sinks run at full speed, one after the other.

Prints each minute's calls a second, latencies and the worker's memory. `STREAMSINK_LOAD_S` says for how long (600).
"""

import http.client
import itertools
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.servers.kafka import KafkaServer
from tests.servers.worker import WorkerServer, wait_until

SECONDS = float(os.environ.get("STREAMSINK_LOAD_S", "600"))
CALLS_PER_SECOND = 1000
CLIENTS = 4


class Load:
    """Clients that keep a pace, and what their calls took.

    Args:
        port: The worker's.
        connector: Asked about, among others.
    """

    def __init__(self, port: int, connector: str) -> None:
        self._port = port
        self._paths = itertools.cycle(
            ["/connectors", f"/connectors/{connector}/status", f"/connectors/{connector}", "/connectors?expand=status"]
        )
        self._took_s: list[float] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        self.failed: list[str] = []

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def minute(self) -> list[float]:
        """What calls have taken since the last time, sorted."""
        took_s, self._took_s = self._took_s, []
        return sorted(took_s)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        next_s = time.monotonic()
        while not self._stop.is_set():
            path = next(self._paths)
            began_s = time.perf_counter()
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            self._took_s.append(time.perf_counter() - began_s)
            if response.status not in {200, 404}:
                self.failed.append(f"{path}: {response.status}")
            next_s += CLIENTS / CALLS_PER_SECOND
            time.sleep(max(0.0, next_s - time.monotonic()))
        connection.close()


def main(kafka: KafkaServer, topic: str, folder: Path, records: int) -> int:
    """Load a worker; gives the exit status."""
    worker = WorkerServer(folder / "worker", kafka.bootstrap)
    worker.start()
    wait_until("the worker answers", lambda: worker.get("/") is not None, worker=worker)
    load = Load(worker.port, "load")
    deadline_s = time.monotonic() + SECONDS
    archived = [0]
    archive_all = partial(_sinks, worker, kafka, topic, records, lambda: time.monotonic() < deadline_s, archived)
    sinks = threading.Thread(target=archive_all)
    sinks.start()
    load.start()
    memory: list[float] = []
    worst_ms = 0.0
    minute_s = min(60.0, SECONDS / 2)
    while time.monotonic() < deadline_s:
        began_s, before = time.monotonic(), archived[0]
        time.sleep(max(0.0, min(minute_s, deadline_s - began_s)))
        took_s, passed_s = load.minute(), time.monotonic() - began_s
        p99_ms = took_s[int(len(took_s) * 0.99)] * 1000
        worst_ms = max(worst_ms, p99_ms)
        memory.append(resident_mb("-m streamsink worker"))
        middle_ms = took_s[len(took_s) // 2] * 1000
        rate = (archived[0] - before) / passed_s
        print(
            f"{len(took_s) / passed_s:6,.0f} calls/s, p50 {middle_ms:5.1f} ms, p99 {p99_ms:5.1f} ms; "
            f"{rate:9,.0f} records/s archived; worker {memory[-1]:.0f} MB",
            flush=True,
        )
    load.stop()
    sinks.join(120)
    assert worker.terminate() == 0
    print(f"worst p99 {worst_ms:.1f} ms; {memory[0]:.0f} MB, in the end {memory[-1]:.0f} MB; {len(load.failed)} failed")
    return 1 if load.failed else 0


def _sinks(
    worker: WorkerServer, kafka: KafkaServer, topic: str, records: int, goes_on: Callable[[], bool], archived: list[int]
) -> None:
    """Archive the whole topic, again and again, each time into a new archive by a group that starts anew."""
    for number in itertools.count():
        if not goes_on():
            return
        place = worker.folder / f"archive-{number}"
        config = {
            "connector.class": "streamsink.ArchiveSink",
            "topics": topic,
            "archive.url": place.as_uri(),
            "value.converter": "json",
            "rotate.age.ms": "2000",
            "consumer.override.group.id": f"load-{number}",
        }
        assert _ask(worker, "POST", "/connectors", {"name": "load", "config": config}) == 201
        before = archived[0]
        done = 0
        while done < records and goes_on():
            time.sleep(0.5)
            done = sum(at for at, _ in kafka.committed(f"load-{number}", topic).values())
            archived[0] = before + done
        assert _ask(worker, "DELETE", "/connectors/load") == 204
        wait_until("it is gone", lambda: worker.get("/connectors") == [], worker=worker)
        shutil.rmtree(place, ignore_errors=True)


def _ask(worker: WorkerServer, method: str, path: str, body: object = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=90)
    connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


def resident_mb(command: str) -> float:
    """Resident memory of the one process whose command line has this, in MB."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if entry.name.isdigit() and command in words and " -c " not in words:
                found += [line for line in (entry / "status").read_text().splitlines() if line.startswith("VmRSS:")]
        except OSError:
            continue
    (line,) = found
    return int(line.split()[1]) / 1000
