"""The worker's main thread: joins herder, REST and metrics, and turns signals into a drain. Reads no configuration."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog
from fastapi import FastAPI

from streamsink import __version__
from streamsink.cli.stopping import INTERRUPTED
from streamsink.observe.metrics import TaskMetrics, make_registry
from streamsink.observe.otlp_metrics import send_metrics
from streamsink.observe.signals import set_on_signal
from streamsink.rest.app import RestSettings, make_admin_app, make_app
from streamsink.rest.console import Console
from streamsink.rest.listener import Listener, bind
from streamsink.rest.server import RestServer
from streamsink.worker.cluster import ClusterId
from streamsink.worker.first_look import look_for_brokers
from streamsink.worker.herder import Herder
from streamsink.worker.status import State
from streamsink.worker.validation import Validate

_log = structlog.get_logger("streamsink.worker")


class WorkerHerder(Herder, Protocol):
    """A herder with the loop that runs its tasks."""

    def run(self, stop: threading.Event) -> None:
        """Run until `stop`, then drain every task."""
        ...

    def task_metrics(self) -> list[TaskMetrics]:
        """How every task of this worker does."""
        ...


MakeHerder = Callable[[str], WorkerHerder]
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
    admin_listeners: Sequence[Listener] = (),
    tls: ssl.SSLContext | None = None,
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
        admin_listeners: Where loggers are served, if not beside the rest.
        tls: For listeners of https.

    Returns:
        The exit status: 0 once every task is drained.

    Raises:
        TerminalError: It can't listen where it should.
    """
    stop = threading.Event()
    _listen_for_signals(stop)
    settings = settings or RestSettings()
    sockets = [bind(listener) for listener in listeners]
    admin_sockets = [bind(listener) for listener in admin_listeners]
    herder = make_herder(_worker_id(worker, listeners[0], sockets[0]))
    registry = make_registry(herder.task_metrics, states=[state.value for state in State])
    servers: list[RestServer] = []
    app = make_app(
        herder,
        dead=lambda: [server.problem for server in servers],
        registry=registry,
        cluster_id=ClusterId(kafka),
        validate=validate,
        settings=settings,
        console=console,
    )
    servers += _servers("rest", app, listeners, sockets, tls)
    if admin_listeners:
        servers += _servers("admin", make_admin_app(herder, settings.access), admin_listeners, admin_sockets, tls)
    for server in servers:
        server.start()
    for listener, bound in zip(listeners, sockets, strict=True):
        host, port = bound.getsockname()[:2]
        url = f"{listener.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        _log.info("worker started", version=__version__, listening=url, worker_id=herder.worker_id)
        if not listener.local and not settings.access.users:
            _log.warning(
                "REST takes orders from anyone who reaches it",
                listening=url,
                hint="name users in rest.basic.auth.users, or listen on 127.0.0.1 only",
            )
    look_for_brokers(kafka.get("bootstrap.servers", ""))
    close_metrics = send_metrics(registry)
    herder.run(stop)
    close_metrics()
    for server in servers:
        server.stop()
    return 0


def _servers(
    name: str,
    app: FastAPI,
    listeners: Sequence[Listener],
    sockets: Sequence[socket.socket],
    tls: ssl.SSLContext | None,
) -> list[RestServer]:
    """One server for all plain listeners, one for all of https."""
    servers = []
    for secure in (False, True):
        mine = [bound for listener, bound in zip(listeners, sockets, strict=True) if listener.secure is secure]
        if mine:
            servers.append(RestServer(app, mine, tls=tls if secure else None, name=f"{name}-{secure}"))
    return servers


def _worker_id(worker: Mapping[str, str], listener: Listener, bound: socket.socket) -> str:
    host = worker.get("rest.advertised.host.name") or listener.reachable_host
    port = worker.get("rest.advertised.port") or bound.getsockname()[1]
    return f"{host}:{port}"


def _listen_for_signals(stop: threading.Event) -> None:
    """SIGTERM and the first SIGINT drain; a second SIGINT is from somebody who won't wait."""

    def leave(number: int) -> None:
        if number == signal.SIGINT:
            os.write(sys.stderr.fileno(), b"streamsink: interrupted again, leaves without draining\n")
            os._exit(INTERRUPTED)

    set_on_signal(stop, (signal.SIGTERM, signal.SIGINT), again=leave)
