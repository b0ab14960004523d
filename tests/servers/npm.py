"""Packages of npm for tests, into a cache outside the tree."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.servers.process import CACHE as TEST_CACHE
from tests.servers.process import ServerError

CACHE = TEST_CACHE / "npm"
INSTALL_TIMEOUT_S = 400


def npm_file(package: str, version: str, path: str) -> Path:
    """A file of a package, which is installed where this version isn't there yet."""
    folder = CACHE / f"{package}@{version}"
    folder.mkdir(parents=True, exist_ok=True)
    found = folder / "node_modules" / package / path
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            npm = shutil.which("npm")
            if npm is None:
                raise ServerError(f"npm brings {package}, and it is not on the PATH")
            argv = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", f"{package}@{version}"]
            built = subprocess.run(
                argv, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
            )
            assert built.returncode == 0, built.stderr[-2000:]
    return found
