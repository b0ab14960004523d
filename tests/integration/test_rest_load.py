"""REST beside a sink that never runs out of records: calls a second, how long they take, and what memory does.

`STREAMSINK_LOAD_S=600` for the whole of it; `STREAMSINK_LOAD_CALLS` is how many calls a second are asked for.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import multiprocessing
import os
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from statistics import linear_regression

import pytest
from confluent_kafka import Producer

from tests.integration.test_rest_kafka import ask, sink, worker  # noqa: F401 (a fixture)
from tests.servers.kafka import QUIET
from tests.servers.processes import command, family, memory_bytes
from tests.servers.worker import wait_until

pytestmark = pytest.mark.alone

LOAD_S = float(os.environ.get("STREAMSINK_LOAD_S", "3"))
CALLS = float(os.environ.get("STREAMSINK_LOAD_CALLS", "1000"))
LONG_S = 300
"""From here on the run is long enough to hold memory to a line, and p99 to the goal."""

POINTS = 20
CLIENTS = 4
AHEAD = 1_000_000
"""How many records the topic is kept ahead of the sink."""

VALUE = b'{"level":"INFO","service":"checkout","message":"order placed","order":"%020d","duration_ms":12}'


def feed(bootstrap, topic, url):
    """Keep the topic ahead of the sink, in its own process; the test ends it."""
    producer = Producer(
        {
            **QUIET,
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
        }
    )
    values = [VALUE % number for number in range(2000)]
    sent = read = 0
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=30) as answer:
            read = json.load(answer).get("progress", {}).get("records_total", read)
        while sent < read + AHEAD:
            for value in values:
                producer.produce(topic, value, partition=sent % 2)
                sent += 1
            producer.poll(0)
            while len(producer) > 300_000:
                producer.poll(0.05)
        time.sleep(0.3)


@pytest.fixture
def fed(worker, kafka, unique):  # noqa: F811 (a fixture)
    """The name of a sink whose topic never ends."""
    topic = kafka.create_topic(unique, partitions=2, retention_bytes=str(2**29), segment_bytes=str(2**27))
    # Open files are kept in memory: they close often, so that warming up ends soon.
    config = sink(worker, topic, **{"rotate.age.ms": "15000"})
    assert ask(worker, "POST", "/connectors", {"name": unique, "config": config})[0] == 201
    wait_until("it runs", lambda: worker.task(unique).get("state") == "RUNNING", worker=worker)
    url = f"{worker.url}/connectors/{unique}/tasks/0/status"
    feeder = multiprocessing.get_context("spawn").Process(target=feed, args=(kafka.bootstrap, topic, url), daemon=True)
    feeder.start()
    wait_until("it reads", lambda: records(worker, unique) > 0, worker=worker)
    yield unique
    feeder.kill()
    feeder.join(10)
    kafka.delete_topic(topic)


def records(worker, name):  # noqa: F811
    return worker.task(name).get("progress", {}).get("records_total", 0)


def p99_ms(took_s):
    return sorted(took_s)[int(len(took_s) * 0.99)] * 1000 if took_s else 0.0


def call(worker, name, until, number, took_s):  # noqa: F811
    """One client's calls, at its pace; notes what each takes."""
    paths = ["/connectors", f"/connectors/{name}/status", f"/connectors/{name}", "/connectors?expand=status"]
    connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=10)
    made = number
    due = time.perf_counter()
    while time.monotonic() < until:
        due = max(due + CLIENTS / CALLS, time.perf_counter() - 0.1)
        time.sleep(max(0.0, due - time.perf_counter()))
        started = time.perf_counter()
        connection.request("GET", paths[made % len(paths)])
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        took_s.append(time.perf_counter() - started)
        made += 1
    connection.close()


def watch(worker, name, until, took_s):  # noqa: F811
    """(seconds, records read, bytes of the worker, bytes of its children) at even times."""
    processes = [pid for pid in family(worker.pid) if "streamsink" in command(pid)]
    began = time.monotonic()
    found = []
    for point in range(POINTS + 1):
        time.sleep(max(0.0, began + (until - began) * point / POINTS - time.monotonic()))
        # The first is the tests' watchdog, the second the worker.
        held = [memory_bytes(pid) for pid in processes[1:]]
        found.append((time.monotonic() - began, records(worker, name), held[0], sum(held[1:])))
        said = "{:6.0f} s {:12,} records {:7.1f} MiB worker {:7.1f} MiB children".format(
            *found[-1][:2], *(each / 2**20 for each in found[-1][2:])
        )
        print(f"{said} {len(took_s):8,} calls, p99 {p99_ms(took_s):.1f} ms", flush=True)
    return found


@pytest.mark.timeout(LOAD_S + 300)
def test_rest_stays_quick_and_memory_flat_beside_a_sink_at_full_speed(worker, fed):  # noqa: F811
    until = time.monotonic() + LOAD_S
    took_s: list[float] = []
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        watching = pool.submit(watch, worker, fed, until, took_s)
        calling = [pool.submit(call, worker, fed, until, number, took_s) for number in range(CLIENTS)]
        for each in calling:
            each.result()
        points = watching.result()
    took_s.sort()
    rate = (points[-1][1] - points[0][1]) / LOAD_S
    p50_ms = took_s[len(took_s) // 2] * 1000
    print(f"{len(took_s) / LOAD_S:,.0f} calls/s, p50 {p50_ms:.1f} ms, p99 {p99_ms(took_s):.1f} ms")
    print(f"longest {took_s[-1] * 1000:.0f} ms, beside {rate:,.0f} records/s")
    assert len(took_s) / LOAD_S > 100
    assert p99_ms(took_s) < (50 if LOAD_S >= LONG_S else 500)
    assert all(later[1] > earlier[1] for earlier, later in pairwise(points)) or LOAD_S < LONG_S
    assert points[-1][1] > points[0][1]
    for column, minute_max in ((2, 0.5), (3, 4.0)):
        warm = [(point[0] / 60, point[column] / 2**20) for point in points[POINTS // 4 :]]
        assert all(held > 0 for _, held in warm)
        grows = linear_regression(*zip(*warm, strict=True)).slope
        print(f"grows by {grows:.2f} MiB a minute")
        assert grows < minute_max or LOAD_S < LONG_S
