"""One replay, killed at random moments and resumed each time: read_committed readers see each record once, in order."""

import json
import os
import random
import signal
import subprocess
import sys
import time

from streamsink.upload.local import LocalStore
from tests.servers.topics import read_topic
from tests.unit.archive.made import put

KILLS = int(os.environ.get("STREAMSINK_REPLAY_KILLS", "10"))
RECORDS = 400_000
RATE = 20_000


def test_a_replay_killed_at_random_moments_sends_each_record_once_in_order(kafka, unique, tmp_path):
    store = LocalStore(tmp_path)
    for partition in (0, 1):
        for first in range(0, RECORDS // 2, 20_000):
            put(store, range(first, first + 20_000), partition=partition)
    kafka.create_topic(unique, 2)
    command = [sys.executable, "-m", "streamsink", "replay", f"{tmp_path.as_uri()}/topics", "--to", unique]
    command += ["--bootstrap-server", kafka.bootstrap, "--resume-id", f"id-{unique}", "--json"]
    dice = random.Random(unique)
    kills, killed_while_sending = 0, 0
    while kills < KILLS:
        process = subprocess.Popen([*command, "--rate", str(RATE)], stdout=subprocess.DEVNULL)
        before = sum(kafka.end_offsets(unique).values())
        deadline = time.monotonic() + 60
        # From the moment it has sent something, at any moment of the next two transactions.
        while process.poll() is None and sum(kafka.end_offsets(unique).values()) == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(dice.random() * 1.6)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        kills += 1
        killed_while_sending += sum(kafka.end_offsets(unique).values()) > before
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    again = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert json.loads(again.stdout)["records"] == 0
    assert (kills, killed_while_sending) == (KILLS, KILLS)
    wanted = [b"key-%d" % offset for offset in range(RECORDS // 2)]
    found = {partition: [record[3] for record in rows] for partition, rows in read_topic(kafka, unique).items()}
    assert {partition: len(rows) for partition, rows in found.items()} == {0: len(wanted), 1: len(wanted)}
    assert found == {0: wanted, 1: wanted}
