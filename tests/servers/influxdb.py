"""A real InfluxDB 1.6, of Debian's package."""

from pathlib import Path
from urllib.parse import urlencode

import msgpack
import urllib3

from tests.servers.debian import program
from tests.servers.process import ServerProcess, free_port

PASSWORD = "admin: secret"

_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{backup}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = true
  log-enabled = false
"""


class InfluxServer:
    """A server with an administrator, which asks for a login."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: ServerProcess | None = None
        self._pool = urllib3.PoolManager(retries=False, timeout=30)

    def start(self) -> None:
        config = self.folder / "influxdb.conf"
        config.write_text(_CONFIG.format(folder=self.folder, port=self.port, backup=free_port()))
        argv = [program("influxd", "influxdb"), "-config", str(config)]
        self._process = ServerProcess.start("influxd", argv, log_path=self.folder / "influxd.log")
        self._process.wait_for_port(self.port, timeout_s=60)
        self.query(f"CREATE USER admin WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def query(self, statement: str, database: str = "") -> list:
        """All rows of a statement's result, asked as the administrator."""
        answer = self._ask("/query", {"q": statement, "db": database, "epoch": "ns"}, b"")
        results = msgpack.unpackb(answer)["results"]
        assert not [one for one in results if "error" in one], results
        return [row for one in results for series in one.get("series", ()) for row in series.get("values", ())]

    def write(self, lines: list[str], database: str, policy: str = "") -> None:
        """Write points, times in nanoseconds."""
        self._ask("/write", {"db": database, "rp": policy, "precision": "ns"}, "\n".join(lines).encode())

    def _ask(self, path: str, query: dict[str, str], body: bytes) -> bytes:
        headers = {"Accept": "application/x-msgpack", **urllib3.make_headers(basic_auth=f"admin:{PASSWORD}")}
        url = f"http://127.0.0.1:{self.port}{path}?{urlencode(query)}"
        answer = self._pool.request("POST", url, body=body, headers=headers)
        assert answer.status in {200, 204}, answer.data
        return answer.data

    def url(self, database: str) -> str:
        """As `streamsink database` takes it."""
        return f"influxdb://127.0.0.1:{self.port}/{database}"

    @property
    def options(self) -> dict[str, str]:
        return {"username": "admin", "password": PASSWORD}
