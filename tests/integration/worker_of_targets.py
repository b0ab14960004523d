"""A worker without Kafka, as a program: runs the tasks of tests/unit/worker/targets.py from a folder until killed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from streamsink.worker.folder import FolderWatch
from streamsink.worker.standalone import StandaloneHerder
from tests.unit.worker.conftest import Journal, planner_for, read_json_folder, supervise_quickly

if __name__ == "__main__":
    folder, journal = Path(sys.argv[1]), Journal(Path(sys.argv[2]))
    StandaloneHerder(
        FolderWatch(folder, read_json_folder),
        plan=planner_for(journal),
        supervise=supervise_quickly,
        worker_id="127.0.0.1:8083",
    ).run(threading.Event())
