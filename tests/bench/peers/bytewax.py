"""Bytewax, in an environment of its own: one worker, its Kafka source, orjson, and pyarrow behind a sink of files."""

from pathlib import Path

from tests.bench.peers.peer import Job, Peer, cpu_of, environment
from tests.servers.process import CACHE

VERSION = "0.21.1"


def python() -> Path:
    """Its interpreter."""
    return environment(CACHE / f"bytewax-{VERSION}", f"bytewax[kafka]=={VERSION}", "orjson", "pyarrow")


def run(job: Job) -> float:
    """Do a job."""
    job.archive.mkdir(parents=True)
    script = Path(__file__).with_name("scripts") / "bytewax_job.py"
    return cpu_of([python(), script, job.bootstrap, job.topic, job.archive], job.folder)


BYTEWAX = Peer(f"Bytewax {VERSION}", python, run)
