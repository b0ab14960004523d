"""`streamsink demo` as somebody tries it first: it needs no service, and ends with what it began with."""

import subprocess
import sys


def test_the_demo_archives_verifies_replays_and_compares(tmp_path):
    command = [sys.executable, "-m", "streamsink", "demo", "--dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "The new topic gives the same 40,000 records, in the same order in each partition." in done.stdout
    assert list(tmp_path.rglob("*.parquet"))
