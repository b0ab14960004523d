"""Judges a connector's configuration for `validate`: every key, and as a whole; then store and brokers, within a bound.

Keeps nothing and starts no task.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from streamsink.config.keys.definition import ConfigKey, Definition, Importance, KeyType, parse
from streamsink.config.reading.connector import ValidationReport, validate_sink
from streamsink.config.reading.database import is_database_source, validate_database_source
from streamsink.config.reading.guarantee import guarantee
from streamsink.config.reading.source import validate_source
from streamsink.config.secrets import Redactor, mask, resolve, unmask
from streamsink.config.vendors.sources import find_source
from streamsink.errors import ConfigError, Problem
from streamsink.worker.connectivity import NAME_OF_NO_CONNECTOR, Reach, check_reach

NULL_VALUE = "Null value can not be supplied as the configuration value."
_MISSING = "Missing required configuration"
MISSING = "Missing required configuration {0!r} which has no default value."


@dataclass(frozen=True, slots=True)
class KeyReport:
    """One key, the value it has or would have, fit to be shown, and what is wrong with it."""

    key: ConfigKey
    value: str | None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """A validation's whole answer. `guarantee` is "" while the configuration can't be used."""

    keys: tuple[KeyReport, ...]
    warnings: tuple[str, ...] = ()
    guarantee: str = ""

    def with_nulls(self, names: Collection[str]) -> ConfigReport:
        """The report of a configuration that has these keys as well, with no value: Connect refuses that."""
        known = {each.key.name for each in self.keys}
        keys = [
            replace(
                each, value=None, errors=(*(one for one in each.errors if not one.startswith(_MISSING)), NULL_VALUE)
            )
            if each.key.name in names
            else each
            for each in self.keys
        ]
        others = [KeyReport(_unknown(name), None, (NULL_VALUE,)) for name in sorted(set(names) - known)]
        return replace(self, keys=(*keys, *others))

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of keys, in order."""
        return tuple(dict.fromkeys(each.key.group for each in self.keys if each.key.group))


Validate = Callable[[Mapping[str, str], Mapping[str, str]], ConfigReport]
"""Judges a flat map, which may have been shown masked, given the one that is stored. May block, within a bound."""


def make_validator(worker: Mapping[str, str], redactor: Redactor) -> Validate:
    """Make a function that judges configurations against the worker's.

    Args:
        worker: The worker's flat map, secrets as references.
        redactor: Learns each connector's secrets, and keeps them out of what is said.

    Returns:
        The function. It may block for as long as store and brokers are tried.
    """

    def validate(raw: Mapping[str, str], stored: Mapping[str, str]) -> ConfigReport:
        problems: list[Problem] = []
        # Only the name may be missing: Connect's clients validate before they have one.
        config = {"name": NAME_OF_NO_CONNECTOR, **_each(raw, problems, lambda one: unmask(one, stored))}
        resolved = _each(config, problems, resolve)
        redactor.learn(resolved)
        source = find_source(resolved.get("connector.class", "")) is not None
        judge = validate_source if source else validate_sink
        judge = validate_database_source if is_database_source(resolved) else judge
        report = judge(resolved, _each(worker, [], resolve))
        problems += [one for one in report.problems if one.key not in {problem.key for problem in problems}]
        reach = Reach() if problems or source else check_reach(config, worker)
        problems += reach.problems
        if "name" not in raw:
            problems.insert(0, Problem("name", MISSING.format("name").replace("'", '"')))
        told = [Problem(problem.key, redactor.redact(problem.message)) for problem in problems]
        said = guarantee(report.config, atomic_create=None) if report.config is not None else ""
        return ConfigReport(
            _keys(report, raw, told),
            tuple(redactor.redact(warning) for warning in (*report.warnings, *reach.warnings)),
            said,
        )

    return validate


def _each(
    raw: Mapping[str, str], problems: list[Problem], change: Callable[[Mapping[str, str]], dict[str, str]]
) -> dict[str, str]:
    """Each key changed by itself; what can't be is a problem, and stands as it is."""
    changed: dict[str, str] = {}
    for key, value in raw.items():
        try:
            changed |= change({key: value})
        except ConfigError as error:
            problems += error.problems
            changed[key] = value
    return changed


def _keys(report: ValidationReport, raw: Mapping[str, str], problems: list[Problem]) -> tuple[KeyReport, ...]:
    wrong: dict[str, tuple[str, ...]] = {}
    for problem in problems:
        wrong[problem.key] = (*wrong.get(problem.key, ()), problem.message)
    shown = mask(raw)
    keys = [KeyReport(key, _value(key, raw, shown), wrong.get(key.name, ())) for key in report.definition]
    others = [name for name in wrong if name not in report.definition]
    keys += [KeyReport(_undefined(name, report.definition), shown.get(name), wrong[name]) for name in others]
    return tuple(keys)


def _value(key: ConfigKey, raw: Mapping[str, str], shown: Mapping[str, str]) -> str | None:
    """As Connect tells it: what was given, else the default, and nothing in place of what has no meaning."""
    if key.name not in raw:
        return key.default_text
    _, unusable = parse(key, raw[key.name])
    return None if unusable and "${" not in raw[key.name] else shown[key.name]


def _undefined(name: str, definition: Definition) -> ConfigKey:
    """A key that is wrong and in no definition: of a client, a transform, a store."""
    documentation = f"Not a key by itself; see {definition.near(name) or 'the prefix it begins with'}."
    return ConfigKey(name, KeyType.STRING, "", documentation, Importance.LOW, display_name=name)


def _unknown(name: str) -> ConfigKey:
    return ConfigKey(name, KeyType.STRING, "", "Not a key by itself.", Importance.LOW, display_name=name)
