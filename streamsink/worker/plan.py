"""Turns connector files into definitions, and definitions into tasks to run. Starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from streamsink import __version__
from streamsink.config.reading.connector import parse_sink
from streamsink.config.reading.database import is_database_source, parse_database_source
from streamsink.config.reading.files import load_connectors
from streamsink.config.reading.source import parse_source
from streamsink.config.secrets import Redactor, mask, require_secrets, resolve
from streamsink.config.vendors.profiles import CLASSES
from streamsink.config.vendors.sources import SOURCES, find_source
from streamsink.errors import ConfigError, Problem
from streamsink.worker.archived import Wanted, tell_archived
from streamsink.worker.child import TaskSpec, run_sink, run_source
from streamsink.worker.database_offsets import DatabaseOffsets
from streamsink.worker.folder import Definition
from streamsink.worker.lifecycle import Plan, Planner
from streamsink.worker.offsets import SinkOffsets
from streamsink.worker.source_offsets import SourceOffsets
from streamsink.worker.status import Plugin, TargetState

TASKS_MAX = 1000
"""More tasks of one connector than this are a mistake: each is a process."""

SOURCE_DRAIN_MS = 30_000
"""A source has a transaction to commit, or to give up, when it is stopped."""

PLUGINS = (
    *(Plugin(known.name, "sink", __version__) for known in CLASSES),
    *(Plugin(known.name, "source", __version__) for known in SOURCES),
)


def read_definitions(folder: Path, stamps: Mapping[Path, str]) -> list[Definition]:
    """Read every connector that a folder defines. A file that can't be used becomes a definition with a problem.

    Args:
        folder: The connectors folder, with one file for each.
        stamps: Each file's stamp, which changes with its content.

    Returns:
        One definition for each connector.
    """
    definitions = []
    for name, file in load_connectors(folder).items():
        stamp = stamps.get(file.path, "")
        if file.problem:
            definitions.append(Definition(name, file.path, stamp, problem=file.problem))
        else:
            first = TargetState(file.initial_state) if file.initial_state else None
            definitions.append(Definition(name, file.path, stamp, file.config, mask(file.config), initial_state=first))
    return definitions


def make_planner(worker: Mapping[str, str], redactor: Redactor) -> Planner:
    """A planner that validates in this process, before any task starts, against the worker's configuration.

    Args:
        worker: The worker's flat map, secrets as references.
        redactor: Learns each connector's secrets, and keeps them out of what is said about its configuration.

    Returns:
        A function that makes a connector's tasks of its definition, or raises ConfigError with every problem.
    """

    def plan(definition: Definition) -> Plan:
        assert definition.config is not None
        config = dict(definition.config)
        require_secrets(config)
        resolved = resolve(config)
        redactor.learn(resolved)
        try:
            if find_source(resolved.get("connector.class", "")) is not None:
                return _plan_source(definition.name, config, worker, redactor)
            parsed, warnings = parse_sink(resolved, resolve(worker))
            tasks_max = _tasks_max(resolved)
        except ConfigError as error:
            told = [Problem(problem.key, redactor.redact(problem.message)) for problem in error.problems]
            raise ConfigError(told, hint=error.hint) from None
        tasks = tuple(
            TaskSpec(definition.name, number, config, worker, run_sink, parsed.drain_timeout_ms)
            for number in range(tasks_max)
        )

        def consumer() -> Mapping[str, str]:
            return parse_sink(resolve(config), resolve(worker))[0].consumer

        def archived(wanted: Wanted) -> str:
            return redactor.redact(tell_archived(config, worker, wanted))

        told_warnings = tuple(redactor.redact(warning) for warning in warnings)
        return Plan("sink", tasks, told_warnings, SinkOffsets(definition.name, consumer, archived))

    return plan


def _plan_source(name: str, config: dict[str, str], worker: Mapping[str, str], redactor: Redactor) -> Plan:
    database = is_database_source(config)
    _, warnings = (parse_database_source if database else parse_source)(resolve(config), resolve(worker))
    tasks_max = _tasks_max(config)
    tasks = tuple(TaskSpec(name, number, config, worker, run_source, SOURCE_DRAIN_MS) for number in range(tasks_max))
    told = tuple(redactor.redact(warning) for warning in warnings)
    if database:
        return Plan(
            "source",
            tasks,
            told,
            DatabaseOffsets(name, lambda: parse_database_source(resolve(config), resolve(worker))[0]),
        )
    return Plan("source", tasks, told, SourceOffsets(name, lambda: parse_source(resolve(config), resolve(worker))[0]))


def _tasks_max(config: Mapping[str, str]) -> int:
    tasks_max = int(config.get("tasks.max", "1"))
    if tasks_max > TASKS_MAX:
        raise ConfigError(
            [Problem("tasks.max", f"{tasks_max} is more than {TASKS_MAX}")], hint="each task is a process"
        )
    return tasks_max
