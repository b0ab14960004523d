"""The example, as it stands in README: it enriches, archives and goes through the archive again."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.faust.workers import FOLDER, ROOT, FaustWorker

ORDERS = 400


def test_the_example_enriches_archives_and_rebuilds(kafka, tmp_path):
    kafka.create_topic("orders", 4)
    producer = kafka.producer()
    for number in range(ORDERS):
        producer.produce(
            "orders", json.dumps({"id": number, "amount": number % 10}), key=str(number), partition=number % 4
        )
    assert producer.flush(30) == 0
    environment = {"BROKER": f"kafka://{kafka.bootstrap}", "ARCHIVE": (tmp_path / "archive").as_uri()}
    worker = FaustWorker("orders", tmp_path / "worker", **environment)
    try:
        deadline = time.monotonic() + 60
        while kafka.committed("shop", "orders") != dict.fromkeys(range(4), (ORDERS // 4, "")):
            assert worker.alive, worker.log()[-3000:]
            assert time.monotonic() < deadline, worker.log()[-3000:]
            time.sleep(0.3)
        assert worker.stop() == 0
    finally:
        worker.kill()
    rebuilt = subprocess.run(
        [sys.executable, str(FOLDER / "orders.py"), "--datadir", str(tmp_path), "rebuild"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    expected = sum(round(number % 10 * 1.2, 2) for number in range(ORDERS))
    assert rebuilt.stdout.strip().endswith(f"360 orders, {expected:.2f} in all"), rebuilt.stdout + rebuilt.stderr


def test_readme_has_the_example_as_it_stands():
    example = (FOLDER / "orders.py").read_text().partition('"""\n\n')[2]
    assert example in Path(ROOT / "streamsink" / "faust" / "README.md").read_text()
