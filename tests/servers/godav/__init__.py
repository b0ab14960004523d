"""A real server of golang.org/x/net/webdav, the handler that Pydio Cells is built on. Built once, in some 3 s."""

import fcntl
import hashlib
import subprocess
from pathlib import Path

from tests.servers.dav_endpoint import DavEndpoint
from tests.servers.go_tools import CACHE
from tests.servers.process import ServerProcess

SOURCE = Path(__file__).parent
FILES = ("main.go", "go.mod", "go.sum")
USERNAME, PASSWORD = "süd", "go-test: secret"
BUILD_TIMEOUT_S = 300


def program() -> Path:
    """The server's program, built where this version isn't there yet."""
    version = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    folder = CACHE / f"godav@{version}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "godav").exists():
            built = subprocess.run(
                ["go", "build", "-o", str(folder / "godav"), "."],
                cwd=SOURCE,
                capture_output=True,
                text=True,
                timeout=BUILD_TIMEOUT_S,
                check=False,
            )
            assert built.returncode == 0, built.stderr[-2000:]
    return folder / "godav"


class GoDavServer(DavEndpoint):
    """An endpoint with one user, below `/dav`."""

    username, password = USERNAME, PASSWORD

    def start(self) -> None:
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        argv = [str(program()), str(data), f"127.0.0.1:{self.port}", USERNAME, PASSWORD]
        self._process = ServerProcess.start("godav", argv, log_path=self.folder / "godav.log")
        self._process.wait_for_port(self.port, timeout_s=30)
