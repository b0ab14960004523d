"""`streamsink worker`: reads the worker's configuration and serves. Imported only when that command runs."""

from __future__ import annotations

import os
from pathlib import Path

from streamsink.cli.serve import serve
from streamsink.config.files import load_worker
from streamsink.errors import ConfigError, Problem
from streamsink.observe.log import configure
from streamsink.rest.listener import parse_listeners
from streamsink.worker.folder import FolderWatch
from streamsink.worker.plan import PLUGINS, make_planner, patience_for, read_definitions
from streamsink.worker.standalone import StandaloneHerder
from streamsink.worker.supervisor import TaskSupervisor


def run_worker(config: Path | None, connectors: Path | None) -> int:
    """Run the connectors of a folder until SIGTERM or SIGINT, drain them, and return the exit status.

    Raises:
        ConfigError: The worker's configuration, or the folder, can't be used.
        TerminalError: It can't listen where it should.
    """
    settings = load_worker(config, os.environ)
    configure()
    if connectors is not None and not connectors.is_dir():
        raise ConfigError([Problem("--connectors", f"{connectors} is no folder")], hint="make it, or name another")

    def make_herder(worker_id: str) -> StandaloneHerder:
        return StandaloneHerder(
            FolderWatch(connectors, read_definitions) if connectors else None,
            plan=make_planner(settings.raw),
            supervise=lambda spec: TaskSupervisor(spec, worker_id=worker_id, patience=patience_for(spec.config)),
            worker_id=worker_id,
            plugins=PLUGINS,
        )

    kafka = {"bootstrap.servers": settings.bootstrap_servers}
    return serve(parse_listeners(settings.listeners), make_herder, worker=settings.raw, kafka=kafka)
