"""Reads connector files and the worker's file and environment. Writes nothing, resolves no secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streamsink.config.keys.definition import Values
from streamsink.config.keys.validators import connector_name
from streamsink.config.keys.worker import OPEN_PREFIXES, WORKER
from streamsink.config.reading.flat import PARSERS, FlatMapError, parse_initial_state
from streamsink.errors import ConfigError, Problem

FILE_BYTES_MAX = 1024 * 1024
ENVIRONMENT_PREFIX = "STREAMSINK_"
_ENVIRONMENT_OPEN = (
    "SECURITY_",
    "SASL_",
    "SSL_",
    "CONSUMER_",
    "PRODUCER_",
    "ADMIN_",
    "KEY_CONVERTER_",
    "VALUE_CONVERTER_",
)
"""What environment variables may go on with and set a key that is not defined: properties of clients, converters."""


@dataclass(frozen=True, slots=True)
class ConnectorFile:
    """One file of the connectors folder: its flat map, or the problem with it, which names file and line."""

    name: str
    path: Path
    config: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    initial_state: str = ""


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The worker's configuration. `raw` is its flat map, environment included, secrets as references."""

    bootstrap_servers: str
    group_id: str
    listeners: str
    key_converter: str
    value_converter: str
    log_level: str
    task_shutdown_graceful_timeout_ms: int
    topic_tracking: bool
    topic_reset: bool
    console_enabled: bool
    console_writable: bool
    raw: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def distributed(self) -> bool:
        """Whether the worker shares its work with others of its group."""
        return bool(self.group_id)


def load_connectors(folder: Path) -> dict[str, ConnectorFile]:
    """Read every connector that a folder's files define, by name. A file that can't be used leaves the others alone.

    A name that two files claim is a problem of both: it stands once, with neither's configuration. A file that can't
    be read goes by its stem, or by its whole name where another file has that one.
    """
    read = [_read_connector(path) for path in sorted(folder.iterdir()) if _is_connector(path)]
    found: dict[str, ConnectorFile] = {}
    for file in (one for one in read if not one.problem):
        other = found.get(file.name)
        if other is None:
            found[file.name] = file
        else:
            names = " and ".join(sorted({*_names_in(other), file.path.name}))
            found[file.name] = ConnectorFile(
                file.name, other.path, problem=f"connector {file.name} is defined twice, in {names}: rename one"
            )
    for file in (one for one in read if one.problem):
        name = file.name if file.name not in found else file.path.name
        found[name] = ConnectorFile(name, file.path, problem=file.problem)
    return found


def _names_in(file: ConnectorFile) -> list[str]:
    """The files that already claim the name."""
    if not file.problem:
        return [file.path.name]
    listed = file.problem.partition(", in ")[2].rpartition(": rename")[0]
    return listed.split(" and ")


def _is_connector(path: Path) -> bool:
    return path.suffix.lower() in PARSERS and not path.name.startswith(".") and path.is_file()


def _read_connector(path: Path) -> ConnectorFile:
    try:
        config, state = read_flat(path), read_initial_state(path)
    except ConfigError as error:
        return ConnectorFile(path.stem, path, problem=error.message)
    if not config:
        return ConnectorFile(path.stem, path, problem=f"{path}: defines nothing")
    name = config.get("name", "").strip() or path.stem
    if wrong := connector_name(name):
        return ConnectorFile(path.stem, path, problem=f"{path}: name {wrong}")
    return ConnectorFile(name, path, {**config, "name": name}, initial_state=state)


def read_initial_state(path: Path) -> str:
    """Read the state that a file wants its connector to be in at first; "" where it doesn't say.

    Raises:
        ConfigError: It wants what is no state.
    """
    if path.suffix.lower() != ".json":
        return ""
    try:
        return parse_initial_state(path.read_text(encoding="utf-8-sig"))
    except FlatMapError as error:
        raise ConfigError([Problem(f"{path}:{error.line}", error.message)]) from None
    except (OSError, ValueError) as error:
        raise ConfigError([Problem(str(path), f"has changed while it was read: {error}")]) from None


def read_flat(path: Path) -> dict[str, str]:
    """A file's flat map, in the format that its suffix says.

    Raises:
        ConfigError: It can't be read, or isn't a flat map; the message names file and line.
    """
    parser = PARSERS.get(path.suffix.lower())
    if parser is None:
        raise ConfigError([Problem(str(path), f"is none of {', '.join(PARSERS)}")], hint="give it such a suffix")
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError([Problem(str(path), f"is larger than {FILE_BYTES_MAX} bytes")])
        return parser(path.read_text(encoding="utf-8-sig"))
    except FlatMapError as error:
        where = str(path) if error.line is None else f"{path}:{error.line}"
        raise ConfigError([Problem(where, error.message)]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), f"is not UTF-8 text: {error.reason} at byte {error.start}")]) from None
    except OSError as error:
        raise ConfigError([Problem(str(path), f"can't be read: {error.strerror or error}")]) from None


_NO_BROKERS = (
    "says where Kafka is, and is not given: write `bootstrap.servers: HOST:9092` into the file of --config, or set "
    "STREAMSINK_BOOTSTRAP_SERVERS"
)

Check = Callable[[Mapping[str, str]], Sequence[Problem]]
"""Finds what is wrong with a worker's flat map beyond its keys."""


def load_worker(path: Path | None, environ: Mapping[str, str], *, also: Check | None = None) -> WorkerConfig:
    """Read the worker's configuration: environment over file over defaults.

    `STREAMSINK_BOOTSTRAP_SERVERS` sets `bootstrap.servers`, and so on.

    Args:
        path: A flat map in YAML, JSON or properties; None for none.
        environ: The process's environment. Only names that start with `STREAMSINK_` are read.
        also: Another check of the merged map. Its problems are told with the rest.

    Returns:
        The configuration. Secrets in its `raw` are still references.

    Raises:
        ConfigError: The file can't be read, or a key can't be used; it has every problem.
    """
    raw = read_flat(path) if path is not None else {}
    from_environment, warnings = _from_environment(environ)
    raw |= from_environment
    values = WORKER.read(raw)
    values.warnings.extend(warnings)
    _check_worker(values)
    if not values.given("bootstrap.servers"):
        values.problems = [each for each in values.problems if each.key != "bootstrap.servers"]
        values.problem("bootstrap.servers", _NO_BROKERS)
    values.problems.extend(also({**raw, "listeners": ",".join(values.items("listeners"))}) if also else ())
    if values.problems:
        raise ConfigError(values.problems, hint="correct the worker's configuration")
    servers, listeners = (",".join(values.items(key)) for key in ("bootstrap.servers", "listeners"))
    return WorkerConfig(
        bootstrap_servers=servers,
        group_id=values.text("group.id").strip(),
        listeners=listeners,
        key_converter=values.text("key.converter"),
        value_converter=values.text("value.converter"),
        log_level=values.text("log.level").strip().upper(),
        topic_tracking=values.flag("topic.tracking.enable"),
        topic_reset=values.flag("topic.tracking.allow.reset"),
        console_enabled=values.flag("console.enabled"),
        console_writable=values.flag("console.writable"),
        task_shutdown_graceful_timeout_ms=values.whole("task.shutdown.graceful.timeout.ms"),
        raw={**raw, "bootstrap.servers": servers, "listeners": listeners},
        warnings=tuple(values.warnings),
    )


def _from_environment(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Keys that variables set, and a warning for each that is nearly one. Others are not ours to judge.

    Kubernetes itself sets variables like `STREAMSINK_SERVICE_HOST` where a service is named streamsink.
    """
    known = {_variable(key.name): key.name for key in WORKER}
    found, warnings = {}, []
    for variable, value in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        rest = variable.removeprefix(ENVIRONMENT_PREFIX)
        if variable in known:
            found[known[variable]] = value
        elif rest.startswith(_ENVIRONMENT_OPEN):
            found[rest.lower().replace("_", ".")] = value
        elif near := WORKER.near(rest.lower().replace("_", ".")):
            warnings.append(f"{variable}: unknown variable, is {_variable(near)} meant?")
    return found, warnings


def _variable(key: str) -> str:
    return ENVIRONMENT_PREFIX + re.sub(r"[^A-Z0-9]", "_", key.upper())


def _check_worker(values: Values) -> None:
    for key in values.raw:
        if key in WORKER:
            continue
        near = WORKER.near(key)
        if near and not key.startswith(("consumer.", "producer.", "admin.")):
            values.warn(f"{key}: unknown key, is {near} meant?")
        elif not key.startswith(OPEN_PREFIXES):
            values.warn(f"{key}: unknown key, it has no effect")
    servers = values.items("bootstrap.servers")
    if not servers and not values.wrong("bootstrap.servers"):
        values.problem("bootstrap.servers", "is empty")
    for server in servers:
        found = re.fullmatch(r"(\w+://)?[^\s/]+:([0-9]{1,5})", server)
        if not server.startswith("${") and (found is None or not 0 < int(found[2]) < 65536):
            values.problem("bootstrap.servers", f"{server!r} is not HOST:PORT")
