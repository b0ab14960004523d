"""A worker without Kafka, as a program: runs the tasks of tests/unit/worker/targets.py from a folder."""

from __future__ import annotations

import sys
from pathlib import Path

from streamsink.cli.serve import serve
from streamsink.config.secrets import Redactor
from streamsink.rest.listener import parse_listeners
from streamsink.worker.folder import FolderWatch
from streamsink.worker.standalone import StandaloneHerder
from streamsink.worker.validation import make_validator
from tests.unit.worker.conftest import Journal, planner_for, read_json_folder, supervise_quickly


def main(folder, journal, listeners):
    def make_herder(worker_id):
        return StandaloneHerder(
            FolderWatch(Path(folder), read_json_folder),
            plan=planner_for(Journal(Path(journal))),
            supervise=supervise_quickly,
            worker_id=worker_id,
        )

    validate = make_validator({"bootstrap.servers": "127.0.0.1:1"}, Redactor())
    kafka = {"bootstrap.servers": "127.0.0.1:1"}
    return serve(parse_listeners(listeners), make_herder, worker={}, kafka=kafka, validate=validate)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
