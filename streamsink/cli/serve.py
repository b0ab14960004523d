"""The worker's main thread: joins herder, REST and metrics, and turns signals into a drain. Reads no configuration."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping

import structlog

from streamsink import __version__
from streamsink.observe.metrics import make_registry
from streamsink.rest.app import RestSettings, make_app
from streamsink.rest.console import Console
from streamsink.rest.listener import Listener, bind
from streamsink.rest.server import RestServer
from streamsink.worker.cluster import ClusterId
from streamsink.worker.standalone import StandaloneHerder
from streamsink.worker.status import State
from streamsink.worker.validation import Validate

INTERRUPTED = 130

_log = structlog.get_logger("streamsink.worker")

MakeHerder = Callable[[str], StandaloneHerder]
"""Makes the herder of the worker of this id; no task may run yet."""


def serve(
    listeners: list[Listener],
    make_herder: MakeHerder,
    *,
    worker: Mapping[str, str],
    kafka: Mapping[str, str],
    validate: Validate,
    settings: RestSettings | None = None,
    console: Console | None = None,
) -> int:
    """Run until SIGTERM or SIGINT, drain every task, and return the exit status.

    Args:
        listeners: Where REST listens.
        make_herder: Makes what runs the tasks.
        worker: The worker's flat map; `rest.advertised.*` of it is used here.
        kafka: How to reach the brokers, in librdkafka's words.
        validate: Judges configurations of connectors.
        settings: What REST goes by.
        console: What the console may do, or None for no console.

    Raises:
        TerminalError: It can't listen where it should.
    """
    stop = threading.Event()
    _listen_for_signals(stop)
    sockets = [bind(listener) for listener in listeners]
    herder = make_herder(_worker_id(worker, listeners[0], sockets[0]))
    registry = make_registry(herder.task_metrics, states=[state.value for state in State])
    app = make_app(
        herder,
        registry=registry,
        cluster_id=ClusterId(kafka),
        validate=validate,
        settings=settings,
        console=console,
    )
    server = RestServer(app, sockets)
    server.start()
    for bound in sockets:
        host, port = bound.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        _log.info("worker started", version=__version__, listening=f"http://{shown}:{port}", worker_id=herder.worker_id)
    herder.run(stop)
    server.stop()
    return 0


def _worker_id(worker: Mapping[str, str], listener: Listener, bound: socket.socket) -> str:
    host = worker.get("rest.advertised.host.name") or listener.reachable_host
    port = worker.get("rest.advertised.port") or bound.getsockname()[1]
    return f"{host}:{port}"


def _listen_for_signals(stop: threading.Event) -> None:
    """SIGTERM and the first SIGINT drain; a second SIGINT is from somebody who won't wait."""
    interrupted = False

    def drain(_number: int, _frame: object) -> None:
        stop.set()

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal interrupted
        if interrupted:
            os.write(sys.stderr.fileno(), b"streamsink: interrupted again, leaves without draining\n")
            os._exit(INTERRUPTED)
        interrupted = True
        stop.set()

    signal.signal(signal.SIGTERM, drain)
    signal.signal(signal.SIGINT, interrupt)
