"""Three real workers of one group, and what tests ask of them over REST."""

import json
import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.worker import WorkerServer, wait_until

SESSION_S = 6
KEYS = {
    "session.timeout.ms": str(SESSION_S * 1000),
    "heartbeat.interval.ms": "500",
    "config.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "slots.storage.replication.factor": "1",
}


class WorkerGroup:
    """Workers that share their work."""

    def __init__(self, folder: Path, bootstrap: str, group: str, *, count: int = 3, **keys: str) -> None:
        self.group = group
        self.workers = [
            WorkerServer(folder / f"worker-{number}", bootstrap, **{"group.id": group, **KEYS, **keys})
            for number in range(count)
        ]

    def start(self) -> "WorkerGroup":
        """Start all, and wait until each has its slots."""
        for worker in self.workers:
            worker.start()
        for worker in self.workers:
            self.wait_ready(worker)
        return self

    def wait_ready(self, worker: WorkerServer) -> None:
        """Wait until a worker is one of its group."""
        wait_until("the worker is ready", lambda: worker.get("/health/ready") is not None, worker=worker)

    def stop(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            if worker.running:
                worker.kill()

    def ask(self, number: int, method: str, path: str, body: object = None) -> tuple[int, object]:
        """Status and JSON of a request to one of them."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.workers[number].url + path, data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                content = answer.read()
                return answer.status, json.loads(content) if content else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def placed(self, name: str, *, asked: int = 0) -> dict[int, str]:
        """Which worker runs each running task, as one of them says."""
        status = self.workers[asked].get(f"/connectors/{name}/status") or {}
        return {task["id"]: task["worker_id"] for task in status.get("tasks", []) if task["state"] == "RUNNING"}

    def worker_id(self, number: int) -> str:
        """What a worker is called in statuses."""
        return f"127.0.0.1:{self.workers[number].port}"
