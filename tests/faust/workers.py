"""Runs Faust workers as their own processes, so that they can be killed."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent


class FaustWorker:
    """One `faust worker` of one of the apps beside this file."""

    def __init__(self, app: str, folder: Path, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log_path = folder / "worker.log"
        self._log = self.log_path.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, str(FOLDER / f"{app}.py"), "--datadir", str(folder), "worker", "--without-web"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """As a power cut."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._log.close()

    def stop(self, timeout_s: float = 40) -> int:
        """In good order; its exit status."""
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(timeout_s)
        self._log.close()
        return status

    def log(self) -> str:
        """What it has said."""
        return self.log_path.read_text(errors="replace")
