"""A real Prometheus, from Debian's package, unpacked into a cache: nothing is installed."""

import contextlib
import fcntl
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from tests.servers.process import ServerError, ServerProcess, free_port

CACHE = Path.home() / ".cache" / "streamsink" / "prometheus"


def program(name: str) -> Path:
    """`prometheus` or `promtool`."""
    CACHE.mkdir(parents=True, exist_ok=True)
    found = CACHE / "root" / "usr" / "bin" / name
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            if not _run(["apt-get", "download", "-q", "prometheus"]):
                _run(["apt-get", "update", "-q"])
                _run(["apt-get", "download", "-q", "prometheus"])
            packages = sorted(CACHE.glob("prometheus_*.deb"))
            if not packages or not _run(["dpkg", "-x", str(packages[-1]), str(CACHE / "root")]):
                raise ServerError("Debian's prometheus package can't be had (apt-get download prometheus)")
    return found


def _run(argv: list[str]) -> bool:
    return subprocess.run(argv, cwd=CACHE, capture_output=True, timeout=300, check=False).returncode == 0


class PrometheusServer:
    """Scrapes one target every second."""

    def __init__(self, folder: Path, target_port: int, rules: str) -> None:
        self.port = free_port()
        (folder / "rules.yaml").write_text(rules)
        (folder / "prometheus.yaml").write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": ["rules.yaml"],
                    "scrape_configs": [
                        {"job_name": "streamsink", "static_configs": [{"targets": [f"127.0.0.1:{target_port}"]}]}
                    ],
                }
            )
        )
        argv = [
            str(program("prometheus")),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self._process = ServerProcess.start("prometheus", argv, log_path=folder / "prometheus.log")
        self._process.wait_for_port(self.port, timeout_s=30)
        self._wait_ready()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5).close()
                return
            time.sleep(0.1)
        raise ServerError(f"prometheus is not ready:\n{self._process.log_tail()}")

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def query(self, expression: str) -> list[dict]:
        """What an expression evaluates to now; fails where it can't be evaluated."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{query}", timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    def rules(self) -> list[dict]:
        """Every alert rule, with its state and health."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/rules", timeout=10) as answer:
            return [rule for group in json.load(answer)["data"]["groups"] for rule in group["rules"]]
