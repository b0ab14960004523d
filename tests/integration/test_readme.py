"""The README's example, command by command, on a real broker and a real S3: the first things a stranger types."""

import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import duckdb
import orjson
import pytest

from streamsink.upload.open import open_store
from tests.servers.process import WATCHDOG, free_port
from tests.servers.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.servers.topics import read_topic
from tests.servers.worker import wait_until

README = (Path(__file__).parents[2] / "README.md").read_text()
EXAMPLE = README.partition("## A topic to S3")[2].partition("\n## ")[0]
COMMANDS = re.findall(r"^    (.+)$", EXAMPLE, re.MULTILINE)
RECORDS = 1000


class Stranger:
    """Types the README's commands in an empty folder, with this broker, bucket and topic in place of the example's."""

    def __init__(self, folder, kafka, seaweedfs, topic):
        self.folder = folder
        self.prefix = f"{BUCKET}/{topic}"
        self._other = {"broker:9092": kafka.bootstrap, "s3://my-bucket": f"s3://{self.prefix}", "logs": topic}
        url = f"http://127.0.0.1:{free_port()}"
        self.environ = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL": seaweedfs.endpoint,
            "STREAMSINK_LISTENERS": url,
            "STREAMSINK_URL": url,
        }

    def own(self, text):
        """The README's words with this test's broker, bucket and topic."""
        for example, real in self._other.items():
            text = re.sub(rf"(?<!\w){re.escape(example)}(?!\w)", real, text)
        return text

    def command(self, beginning):
        """The one command of the example that begins so."""
        (found,) = [line for line in COMMANDS if line.startswith(beginning)]
        return self.own(found)

    def type(self, command, *, timeout_s=60):
        """Run it in a shell until it ends; give what it printed."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, command):
        """Run what doesn't end by itself, in a process group that ends with the test; at the end, ask it to stop."""
        with (self.folder / "printed").open("wb") as printed:
            process = subprocess.Popen(
                [sys.executable, "-c", WATCHDOG, *shlex.split(command)],
                stdin=subprocess.PIPE,
                cwd=self.folder,
                env=self.environ,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            with process:
                try:
                    yield
                finally:
                    os.killpg(process.pid, signal.SIGTERM)
                    assert process.wait(60) == 0, (self.folder / "printed").read_text()


@pytest.fixture
def stranger(tmp_path, kafka, seaweedfs, unique):
    kafka.create_topic(unique, 1)
    producer = kafka.producer()
    for number in range(RECORDS):
        producer.produce(unique, orjson.dumps({"level": ("INFO", "WARN")[number % 2], "number": number}))
    assert producer.flush(30) == 0
    return Stranger(tmp_path, kafka, seaweedfs, unique)


def files_of(stranger, seaweedfs):
    """The archive's objects, copied below the stranger's folder: DuckDB's S3 extension isn't in its package."""
    store = open_store(f"s3://{stranger.prefix}", seaweedfs.options)
    for found in store.list(""):
        path = stranger.folder / "copied" / found.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.get(found.name))
    store.close()
    return stranger.folder / "copied"


def test_the_first_example_works_as_written(stranger, kafka, seaweedfs, unique):
    (connector,) = re.findall(r"```yaml\n# connectors.d/logs.yaml\n(.+?)```", EXAMPLE, re.DOTALL)
    (stranger.folder / "connectors.d").mkdir()
    (stranger.folder / "connectors.d" / f"{unique}.yaml").write_text(stranger.own(connector))
    stranger.type(stranger.command("echo"))
    with stranger.running(stranger.command("streamsink worker")):
        wait_until("its connector runs", lambda: "RUNNING" in stranger.type("streamsink connectors list || true"))
        said = stranger.type(f"streamsink connectors validate connectors.d/{unique}.yaml")
        assert "Exactly once" in said
        assert f"{unique}-0" in stranger.type("streamsink top --once")
        (flush,) = re.findall(r"`(streamsink connectors flush .+?)`", EXAMPLE)
        stranger.type(stranger.own(flush))
    query = shlex.split(stranger.command("duckdb"))[2].replace(
        f"s3://{stranger.prefix}", str(files_of(stranger, seaweedfs))
    )
    assert sorted(duckdb.sql(query).fetchall()) == [("INFO", RECORDS // 2), ("WARN", RECORDS // 2)]
    assert "sound" in stranger.type(stranger.command("streamsink archive verify"))
    stranger.type(stranger.command("streamsink replay"))
    assert read_topic(kafka, f"{unique}-restored") == read_topic(kafka, unique)
