"""rsync: the machine's own, or Debian's package, unpacked into a cache: nothing is installed."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.process import ServerError

CACHE = Path.home() / ".cache" / "streamsink" / "rsync"
PACKAGES = ("rsync", "libpopt0", "libxxhash0", "liblz4-1", "libzstd1", "libacl1")


def rsync(*arguments: str) -> None:
    """Run it; fails with what it says."""
    program, environment = _program()
    done = subprocess.run(
        [program, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _program() -> tuple[str, dict[str, str]]:
    found = shutil.which("rsync")
    if found:
        return found, {}
    CACHE.mkdir(parents=True, exist_ok=True)
    root = CACHE / "root"
    program = root / "usr" / "bin" / "rsync"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            if not _run(["apt-get", "download", "-q", *PACKAGES]):
                _run(["apt-get", "update", "-q"])
                _run(["apt-get", "download", "-q", *PACKAGES])
            for package in sorted(CACHE.glob("*.deb")):
                _run(["dpkg", "-x", str(package), str(root)])
        if not program.exists():
            raise ServerError("rsync can't be had: neither on the PATH nor as Debian's package")
    folders = {str(path.parent) for path in root.rglob("*.so.*")}
    return str(program), {"LD_LIBRARY_PATH": ":".join(sorted(folders))}


def _run(argv: list[str]) -> bool:
    return subprocess.run(argv, cwd=CACHE, capture_output=True, timeout=300, check=False).returncode == 0
