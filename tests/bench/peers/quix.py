"""Quix Streams, in an environment of its own: one process, its sink for files, a commit each 200,000 records."""

from pathlib import Path

from tests.bench.peers.peer import Job, Peer, cpu_of, environment
from tests.servers.process import CACHE

VERSION = "3.28.1"


def python() -> Path:
    """Its interpreter."""
    return environment(CACHE / f"quix-{VERSION}", f"quixstreams=={VERSION}", "pyarrow")


def run(job: Job) -> float:
    """Do a job."""
    script = Path(__file__).with_name("scripts") / "quix_job.py"
    # It takes no path with a hyphen.
    argv = [python(), script, job.bootstrap, job.topic, job.name, job.archive.name, str(job.count)]
    return cpu_of(argv, job.folder)


QUIX = Peer(f"Quix Streams {VERSION}", python, run)
