"""What most of these tests begin with."""

import pytest

from tests.servers.worker import WorkerServer


@pytest.fixture
def worker(kafka, tmp_path):
    """A worker with its folder in `tmp_path`, not started yet; it ends with the test."""
    server = WorkerServer(tmp_path, kafka.bootstrap)
    yield server
    if server.running:
        server.kill()
