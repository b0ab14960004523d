"""What every peer has in common: what it is asked, how its CPU is counted, and what its files must hold."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FIELDS = {
    "ts": "BIGINT",
    "level": "STRING",
    "host": "STRING",
    "path": "STRING",
    "status": "INT",
    "ms": "DOUBLE",
    "trace": "STRING",
    "msg": "STRING",
}
"""Of a log record, with the types that SQL has for them."""
TIMEOUT_S = 240
SUBREAPER = 36


class PeerError(AssertionError):
    """A peer that does not do what is measured."""


@dataclass(frozen=True, slots=True)
class Job:
    """A topic to be written into a folder as Parquet with Zstandard. `name` is new in each run, and has no hyphen."""

    bootstrap: str
    topic: str
    count: int
    name: str
    folder: Path

    @property
    def archive(self) -> Path:
        """Where the files go."""
        return self.folder / "archive"


@dataclass(frozen=True, slots=True)
class Peer:
    """One that is set beside this sink.

    `fetch` brings it into the cache, and does nothing where it is there. `run` does a job, and gives the CPU seconds
    of all its processes with their start.
    """

    name: str
    fetch: Callable[[], object]
    run: Callable[[Job], float]


def environment(folder: Path, *wanted: str) -> Path:
    """The interpreter of an environment of its own, made once.

    Args:
        folder: Where it is.
        wanted: What pip installs.
    """
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"fetching {wanted[0]}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=120)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=True, timeout=1800)
        (folder / "ready").touch()
    return python


def cpu_of(argv: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> float:
    """CPU seconds of a command on one core and of all that it starts.

    Args:
        argv: The command.
        folder: Where it works, and where its log is.
        env: What it has in its environment besides.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    with log.open("wb") as out:
        counter = subprocess.Popen(
            [sys.executable, __file__, *map(str, argv)],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=out,
            start_new_session=True,
        )
        try:
            told, _ = counter.communicate(timeout=TIMEOUT_S)
        except BaseException:
            os.killpg(counter.pid, signal.SIGKILL)
            counter.wait()
            raise
    if counter.returncode:
        raise PeerError(f"{Path(argv[0]).name} failed:\n{log.read_text(errors='replace')[-3000:]}")
    return float(told)


def check_files(job: Job) -> None:
    """Every record is a row, every field a column, and every column is compressed with Zstandard."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - the counter starts without it

    rows = 0
    for path in sorted(job.archive.rglob("*")):
        hidden = any(part.startswith((".", "_")) for part in path.relative_to(job.archive).parts)
        if hidden or not _is_parquet(path):
            continue
        about = pq.read_metadata(path)
        rows += about.num_rows
        group = about.row_group(0)
        columns = {group.column(at).path_in_schema: group.column(at) for at in range(group.num_columns)}
        if missing := FIELDS.keys() - columns.keys():
            raise PeerError(f"{path.name} lacks {sorted(missing)}")
        if codecs := {columns[field].compression for field in FIELDS} - {"ZSTD"}:
            raise PeerError(f"{path.name} is compressed with {codecs}")
    if rows != job.count:
        raise PeerError(f"{rows} of {job.count} records were written")


def _is_parquet(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _count(argv: list[str]) -> int:
    """Run a command, wait for all that it left, and print what they used."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    os.sched_setaffinity(0, {0})
    code = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode
    try:
        while True:
            os.wait()
    except ChildProcessError:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(used.ru_utime + used.ru_stime)
    return 1 if code else 0


if __name__ == "__main__":
    raise SystemExit(_count(sys.argv[1:]))
