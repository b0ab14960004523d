"""Measures what an archive costs an agent: the same agent with and without it, in turns, on one broker.

Run by hand: python -m tests.faust.throughput [ORDERS] [TURNS]
"""

import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.faust.workers import FaustWorker
from tests.servers.kafka import KafkaServer


def measure(kafka, folder, topic, count, name, *, archive):
    """Records a second of one worker's agent, its first tenth left out."""
    environment = {"APP": name, "BROKER": f"kafka://{kafka.bootstrap}", "TOPIC": topic, "COUNT": str(count)}
    if archive:
        environment["ARCHIVE"] = (folder / "archive").as_uri()
    worker = FaustWorker("throughput_app", folder, **environment)
    try:
        deadline = time.monotonic() + 240
        while (told := re.search(r"SECONDS ([\d.]+)", worker.log())) is None:
            assert time.monotonic() < deadline, worker.log()[-2000:]
            assert worker.alive, worker.log()[-2000:]
            time.sleep(0.2)
        assert worker.stop() == 0
    finally:
        worker.kill()
    return (count - count // 10) / float(told[1])


def main(count, turns):
    folder = Path(tempfile.mkdtemp())
    kafka = KafkaServer(folder / "kafka")
    kafka.start()
    found = {False: [], True: []}
    try:
        topic = kafka.create_topic("orders", 1)
        producer = kafka.producer(queue_buffering_max_messages="1000000")
        for number in range(count):
            order = {"id": number, "customer": f"customer-{number % 1000}", "amount": number % 97 / 7}
            producer.produce(topic, json.dumps(order).encode(), key=str(number % 1000).encode())
            producer.poll(0)
        assert producer.flush(60) == 0
        for turn in range(2 * turns):
            archive = turn % 2 == 1
            rate = measure(kafka, folder / f"turn-{turn}", topic, count, f"throughput-{turn}", archive=archive)
            found[archive].append(rate)
            print(f"{'with' if archive else 'without':7} archive: {rate:8.0f} records/s", flush=True)
    finally:
        kafka.stop()
    without, within = statistics.median(found[False]), statistics.median(found[True])
    print(f"median without {without:.0f}, with {within:.0f}: {within / without:.1%}")


if __name__ == "__main__":
    main(*(int(argument) for argument in (sys.argv[1:] + ["60000", "3"][len(sys.argv) - 1 :])))
