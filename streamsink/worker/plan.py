"""Turns connector files into definitions, and definitions into tasks to run. Starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from streamsink import __version__
from streamsink.config.connector import parse_sink
from streamsink.config.files import load_connectors
from streamsink.config.secrets import mask, resolve
from streamsink.errors import ConfigError, Problem
from streamsink.worker.child import TaskSpec, run_sink
from streamsink.worker.folder import Definition
from streamsink.worker.lifecycle import Plan, Planner
from streamsink.worker.status import Plugin
from streamsink.worker.supervisor import Patience

DRAIN_MARGIN_S = 5.0
"""What a process may take beyond its drain timeout, to leave the group and end, before it is killed."""

DRAIN_DEFAULT_MS = 30_000
TASKS_MAX = 1000

PLUGINS = tuple(
    Plugin(name, "sink", __version__) for name in ("streamsink.ArchiveSink", "io.confluent.connect.s3.S3SinkConnector")
)


def read_definitions(folder: Path, stamps: Mapping[Path, str]) -> list[Definition]:
    """Every connector the folder defines; a file that can't be used is a definition with a problem."""
    definitions = []
    for name, file in load_connectors(folder).items():
        stamp = stamps.get(file.path, "")
        if file.problem:
            definitions.append(Definition(name, file.path, stamp, problem=file.problem))
        else:
            definitions.append(Definition(name, file.path, stamp, file.config, mask(file.config)))
    return definitions


def make_planner(worker: Mapping[str, str]) -> Planner:
    """A planner that validates against the worker's configuration, in this process, before any task starts."""

    def plan(definition: Definition) -> Plan:
        assert definition.config is not None
        config = {**definition.config, "name": definition.name}
        _, warnings = parse_sink(resolve(config), resolve(worker))
        tasks = tuple(
            TaskSpec(definition.name, number, config, worker, run_sink) for number in range(_tasks_max(config))
        )
        return Plan("sink", tasks, tuple(warnings))

    return plan


def _tasks_max(config: Mapping[str, str]) -> int:
    text = config.get("tasks.max", "1").strip()
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= TASKS_MAX:
        return int(text)
    raise ConfigError([Problem("tasks.max", f"{text!r} is no number from 1 to {TASKS_MAX}")])


def patience_for(config: Mapping[str, str]) -> Patience:
    """How long a task of this connector may take to drain."""
    text = config.get("drain.timeout.ms", "").strip()
    drain_ms = int(text) if text.isascii() and text.isdecimal() else DRAIN_DEFAULT_MS
    return Patience(drain_s=drain_ms / 1000 + DRAIN_MARGIN_S)
