"""The worker's main thread: joins configuration, herder and REST, and turns signals into a drain."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import structlog

from streamsink import __version__
from streamsink.config.files import load_worker
from streamsink.errors import ConfigError, Problem
from streamsink.observe.log import configure
from streamsink.observe.metrics import make_registry
from streamsink.rest.app import make_app
from streamsink.rest.listener import Listener, bind, parse_listeners
from streamsink.rest.server import RestServer
from streamsink.worker.child import TaskSpec
from streamsink.worker.cluster import ClusterId
from streamsink.worker.folder import FolderWatch
from streamsink.worker.plan import PLUGINS, make_planner, patience_for, read_definitions
from streamsink.worker.standalone import StandaloneHerder
from streamsink.worker.status import State
from streamsink.worker.supervisor import TaskSupervisor

INTERRUPTED = 130

_log = structlog.get_logger("streamsink.worker")


def run_worker(config: Path | None, connectors: Path | None) -> int:
    """Run the connectors of a folder until SIGTERM or SIGINT, drain them, and return.

    Raises:
        ConfigError: The worker's configuration, or the folder, can't be used.
        TerminalError: It can't listen where it should.
    """
    settings = load_worker(config, os.environ)
    configure()
    if connectors is not None and not connectors.is_dir():
        raise ConfigError([Problem("--connectors", f"{connectors} is no folder")], hint="make it, or name another")
    listeners = parse_listeners(settings.listeners)
    sockets = [bind(listener) for listener in listeners]
    worker_id = _worker_id(settings.raw, listeners[0], sockets[0])
    herder = StandaloneHerder(
        FolderWatch(connectors, read_definitions) if connectors else None,
        plan=make_planner(settings.raw),
        supervise=lambda spec: _supervisor(spec, worker_id),
        worker_id=worker_id,
        plugins=PLUGINS,
    )
    registry = make_registry(herder.task_metrics, states=[state.value for state in State])
    cluster_id = ClusterId({"bootstrap.servers": settings.bootstrap_servers})
    server = RestServer(make_app(herder, registry=registry, cluster_id=cluster_id), sockets)
    stop = threading.Event()
    _listen_for_signals(stop)
    server.start()
    for bound in sockets:
        host, port = bound.getsockname()[:2]
        _log.info("worker started", version=__version__, listening=f"http://{host}:{port}", worker_id=worker_id)
    herder.run(stop)
    server.stop()
    return 0


def _supervisor(spec: TaskSpec, worker_id: str) -> TaskSupervisor:
    return TaskSupervisor(spec, worker_id=worker_id, patience=patience_for(spec.config))


def _worker_id(worker: Mapping[str, str], listener: Listener, bound: socket.socket) -> str:
    host = worker.get("rest.advertised.host.name") or listener.reachable_host
    port = worker.get("rest.advertised.port") or bound.getsockname()[1]
    return f"{host}:{port}"


def _listen_for_signals(stop: threading.Event) -> None:
    """SIGTERM and the first SIGINT drain; a second SIGINT is from somebody who won't wait."""

    def drain(_number: int, _frame: object) -> None:
        stop.set()

    interrupted = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal interrupted
        if interrupted:
            os.write(sys.stderr.fileno(), b"streamsink: interrupted again, leaves without draining\n")
            os._exit(INTERRUPTED)
        interrupted = True
        stop.set()

    signal.signal(signal.SIGTERM, drain)
    signal.signal(signal.SIGINT, interrupt)
