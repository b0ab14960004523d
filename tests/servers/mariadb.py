"""A real MariaDB server, of Debian's packages."""

import contextlib
import subprocess
import time
from pathlib import Path

import pymysql

from tests.servers.debian import program
from tests.servers.process import ServerError, ServerProcess, free_port

PASSWORD = "root: secret"


def _program(name: str) -> str:
    return program(name, "mariadb-server-core", "mariadb-client-core")


class MariaServer:
    """A server with one user, root, and a binary log."""

    def __init__(self, folder: Path, *extra: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._extra = extra
        self._process: ServerProcess | None = None

    def start(self) -> None:
        data = self.folder / "data"
        if not data.exists():
            made = subprocess.run(
                [
                    _program("mariadb-install-db"),
                    "--no-defaults",
                    f"--datadir={data}",
                    f"--user={_owner()}",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                ],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
            init = self.folder / "init.sql"
            init.write_text(f"ALTER USER root@localhost IDENTIFIED BY '{PASSWORD}';")
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        argv = [
            _program("mariadbd"),
            "--no-defaults",
            f"--user={_owner()}",
            f"--datadir={data}",
            f"--socket={self.folder / 's'}",
            # A server that starts removes other servers' tables from a shared one.
            f"--tmpdir={temporary}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            "--server-id=1",
            f"--log-bin={data / 'binlog'}",
            "--binlog-format=ROW",
            "--binlog-row-metadata=FULL",
            "--gtid-strict-mode=ON",
            # Only the machine's own end could lose what isn't flushed, and the test ends with it.
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-flush-method=nosync",
            "--sync-frm=OFF",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=32M",
            f"--init-file={self.folder / 'init.sql'}",
            *self._extra,
        ]
        self._process = ServerProcess.start("mariadbd", argv, log_path=self.folder / "mariadbd.log")
        self._process.wait_for_port(self.port, timeout_s=60)
        self._wait_for_login()

    def _wait_for_login(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self.connect().close()
            except pymysql.err.Error as error:
                if time.monotonic() > deadline:
                    raise ServerError(f"no login at MariaDB: {error}\n{self._process.log_tail()}") from error
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def connect(self, database: str | None = None, **options: object) -> pymysql.Connection:
        """A connection of root's, or of the user that `options` name."""
        return pymysql.connect(
            **{
                "host": "127.0.0.1",
                "port": self.port,
                "user": "root",
                "password": PASSWORD,
                "database": database,
                "charset": "utf8mb4",
                "autocommit": True,
                "connect_timeout": 10,
                "read_timeout": 120,
                "write_timeout": 120,
                **options,
            }
        )

    def run(self, *statements: str, database: str | None = None) -> tuple:
        """Run statements as root; the rows of the last one."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

    def make_database(self, name: str) -> None:
        """A fresh, empty database."""
        self.run(f"DROP DATABASE IF EXISTS `{name}`", f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")

    @property
    def options(self) -> dict[str, str]:
        return {"username": "root", "password": PASSWORD}

    def url(self, database: str) -> str:
        return f"mariadb://127.0.0.1:{self.port}/{database}"


def _owner() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True, timeout=10).stdout.strip()
