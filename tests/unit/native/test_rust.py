"""The native library's own tests, with checks that its release leaves out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from streamsink.tooling.native import SOURCE


def test_records_and_messages_of_all_sorts_go_through_the_border_without_a_panic():
    target = Path.home() / ".cache" / "streamsink" / "native" / "tests"
    tested = subprocess.run(
        ["cargo", "test", "--locked", "--offline"],
        cwd=SOURCE,
        env={**os.environ, "CARGO_TARGET_DIR": str(target), "RUSTFLAGS": "-D warnings"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "1 passed" in tested.stdout, "avro.rs"
    assert "2 passed" in tested.stdout, "json.rs"
    assert "3 passed" in tested.stdout, "kafka.rs"
