"""`streamsink worker`: reads the worker's configuration and serves. Imported only when that command runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import structlog

from streamsink.cli.serve import MakeHerder, WorkerHerder, serve
from streamsink.config.reading.clients import worker_client_properties
from streamsink.config.reading.files import WorkerConfig, load_worker
from streamsink.config.secrets import Redactor, resolve
from streamsink.errors import ConfigError, Problem
from streamsink.observe.log import configure
from streamsink.rest.access import read_access
from streamsink.rest.app import RestSettings
from streamsink.rest.console import Console
from streamsink.rest.listener import Listener, parse_listeners
from streamsink.rest.tls import make_context
from streamsink.worker.child import TaskSpec
from streamsink.worker.distributed.herder import DistributedHerder
from streamsink.worker.distributed.settings import read_settings, with_sessions
from streamsink.worker.folder import FolderWatch
from streamsink.worker.folder_publisher import FolderSeed
from streamsink.worker.loggers import LogLevels
from streamsink.worker.plan import PLUGINS, make_planner, read_definitions
from streamsink.worker.standalone import StandaloneHerder
from streamsink.worker.supervisor import Patience, TaskSupervisor
from streamsink.worker.validation import make_validator

DRAIN_MARGIN_S = 5.0
"""What a task's process may take beyond its drain timeout, to leave the group and end, before it is killed."""

_log = structlog.get_logger("streamsink.worker")


def run_worker(config: Path | None, connectors: Path | None) -> int:
    """Run a folder's connectors, or a share of a group's, until SIGTERM or SIGINT; then drain them.

    Args:
        config: The worker's configuration file; None for environment and defaults alone.
        connectors: The folder with one file for each connector; None for none.

    Returns:
        The exit status.

    Raises:
        ConfigError: The worker's configuration, or the folder, can't be used.
        TerminalError: It can't listen where it should.
    """
    settings = load_worker(config, os.environ, also=lambda raw: _problems(raw, connectors))
    resolved = resolve(settings.raw)
    redactor = Redactor()
    redactor.learn(resolved)
    configure(settings.log_level, redactor)
    for warning in settings.warnings:
        _log.warning("worker configuration", warning=warning)
    if connectors is None and not settings.distributed:
        _log.warning("no connectors", hint="name the folder with their files: --connectors DIR")

    kafka = worker_client_properties(resolved).properties
    console = Console(settings.raw, writable=settings.console_writable) if settings.console_enabled else None
    listeners, admin_listeners = _listeners(resolved)
    secure = any(listener.secure for listener in (*listeners, *(admin_listeners or ())))
    return serve(
        listeners,
        _maker(settings, resolved, connectors, redactor),
        worker=settings.raw,
        kafka=kafka,
        validate=make_validator(settings.raw, redactor),
        settings=RestSettings(
            topic_tracking=settings.topic_tracking,
            topic_reset=settings.topic_reset,
            admin=admin_listeners is None,
            access=read_access(resolved),
        ),
        admin_listeners=admin_listeners or (),
        tls=make_context(resolved) if secure else None,
        console=console,
    )


def _listeners(raw: Mapping[str, str]) -> tuple[list[Listener], list[Listener] | None]:
    """Where REST listens, and where loggers are served: None is beside the rest, empty nowhere."""
    listeners, admin = parse_listeners(raw["listeners"]), raw.get("admin.listeners")
    if admin is None:
        return listeners, None
    return listeners, parse_listeners(admin, "admin.listeners") if admin.strip() else []


def _maker(
    settings: WorkerConfig, resolved: Mapping[str, str], connectors: Path | None, redactor: Redactor
) -> MakeHerder:
    levels = LogLevels()

    def make_herder(worker_id: str) -> WorkerHerder:
        def supervise(spec: TaskSpec) -> TaskSupervisor:
            patience = Patience(drain_s=spec.drain_timeout_ms / 1000 + DRAIN_MARGIN_S)
            return TaskSupervisor(spec, worker_id=worker_id, patience=patience, levels=levels.told)

        if settings.distributed:
            herder = DistributedHerder(
                read_settings(resolved),
                plan=make_planner(with_sessions(settings.raw), redactor),
                supervise=supervise,
                worker_id=worker_id,
                plugins=PLUGINS,
                levels=levels,
            )
            if connectors:
                FolderSeed(FolderWatch(connectors, read_definitions), herder).start()
            return herder
        return StandaloneHerder(
            FolderWatch(connectors, read_definitions) if connectors else None,
            plan=make_planner(settings.raw, redactor),
            supervise=supervise,
            worker_id=worker_id,
            plugins=PLUGINS,
            levels=levels,
        )

    return make_herder


def _problems(raw: Mapping[str, str], connectors: Path | None) -> list[Problem]:
    """What is wrong beyond the keys themselves, all at once."""
    problems: list[Problem] = []
    resolved = dict(raw)

    def secrets() -> None:
        resolved.update(resolve(raw))

    def tls() -> None:
        if "https://" in f"{raw['listeners']},{raw.get('admin.listeners', '')}":
            make_context(resolved)

    for check in (secrets, lambda: _listeners(raw), lambda: read_access(resolved), tls):
        try:
            check()
        except ConfigError as error:
            problems += error.problems
    if connectors is not None and not connectors.is_dir():
        problems.append(Problem("--connectors", f"{connectors} is no folder: make it, or name another"))
    return problems
