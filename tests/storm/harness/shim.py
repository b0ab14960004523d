"""Moves the clock of a worker's processes and fills their disk: a preloaded library that follows a small shared file.

The library is compiled once, into the tests' cache.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import subprocess
from pathlib import Path

from tests.servers.kafka import CACHE

SOURCE = Path(__file__).with_name("shim.c")
_ORDERS = struct.Struct("qq")


class Shim:
    """What one worker's processes believe of clock and disk."""

    def __init__(self, folder: Path) -> None:
        path = folder / "orders"
        path.write_bytes(bytes(_ORDERS.size))
        with path.open("r+b") as file:
            self._mapped = mmap.mmap(file.fileno(), _ORDERS.size)
        self.environ = {"LD_PRELOAD": str(_library()), "STORM_ORDERS": str(path)}
        self._clock_s, self._disk_full = 0, False

    def clock(self, seconds: int) -> None:
        """Move the wall clock by so much from the true one."""
        self._clock_s = seconds
        self._tell()

    def disk(self, *, full: bool) -> None:
        """Let every write to a file fail, or none."""
        self._disk_full = full
        self._tell()

    def _tell(self) -> None:
        self._mapped[:] = _ORDERS.pack(self._clock_s, int(self._disk_full))


def _library() -> Path:
    stamp = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    library = CACHE / f"storm-shim-{stamp}.so"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "storm-shim.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not library.exists():
            made = library.with_suffix(f".{os.getpid()}")
            subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", made, SOURCE, "-ldl", "-lpthread"], check=True)
            made.rename(library)
    return library
