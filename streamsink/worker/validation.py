"""Judges a connector's configuration for `validate`: every key, and as a whole; then store and brokers, within a bound.

Keeps nothing and starts no task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streamsink.config.connector import ValidationReport, validate_sink
from streamsink.config.definition import ConfigKey, Definition, Importance, KeyType, parse
from streamsink.config.guarantee import guarantee
from streamsink.config.secrets import Redactor, mask, resolve
from streamsink.config.source import validate_source
from streamsink.config.source_keys import find_source
from streamsink.errors import ConfigError, Problem
from streamsink.worker.reach import check_reach

MISSING = "Missing required configuration {0!r} which has no default value."
_UNSAID = "__name_of_no_connector__"


@dataclass(frozen=True, slots=True)
class KeyReport:
    """One key, the value it has or would have, fit to be shown, and what is wrong with it."""

    key: ConfigKey
    value: str | None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """All there is to say about a configuration. `guarantee` is "" while it can't be used."""

    keys: tuple[KeyReport, ...]
    warnings: tuple[str, ...] = ()
    guarantee: str = ""

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of keys, in order."""
        return tuple(dict.fromkeys(each.key.group for each in self.keys if each.key.group))


Validate = Callable[[Mapping[str, str]], ConfigReport]
"""Judges a flat map, secrets as references. May block, within a bound."""


def make_validator(worker: Mapping[str, str], redactor: Redactor) -> Validate:
    """A validator against the worker's configuration.

    Args:
        worker: The worker's flat map, secrets as references.
        redactor: Learns each connector's secrets, and keeps them out of what is said.
    """

    def validate(raw: Mapping[str, str]) -> ConfigReport:
        # Only the name may be missing: Connect's clients validate before they have one.
        config = {"name": _UNSAID, **raw}
        problems: list[Problem] = []
        resolved = _resolve(config, problems)
        redactor.learn(resolved)
        source = find_source(resolved.get("connector.class", "")) is not None
        report = (validate_source if source else validate_sink)(resolved, _resolve(worker, []))
        problems += [one for one in report.problems if one.key not in {problem.key for problem in problems}]
        if not problems and not source:
            problems += check_reach(config, worker)
        if "name" not in raw:
            problems.insert(0, Problem("name", MISSING.format("name").replace("'", '"')))
        told = [Problem(problem.key, redactor.redact(problem.message)) for problem in problems]
        said = guarantee(report.config, atomic_create=None) if report.config is not None else ""
        return ConfigReport(
            _keys(report, raw, told), tuple(redactor.redact(warning) for warning in report.warnings), said
        )

    return validate


def _resolve(raw: Mapping[str, str], problems: list[Problem]) -> dict[str, str]:
    """References replaced; those that lead nowhere are problems, and stand as they are."""
    resolved: dict[str, str] = {}
    for key, value in raw.items():
        try:
            resolved |= resolve({key: value})
        except ConfigError as error:
            problems += error.problems
            resolved[key] = value
    return resolved


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
    documentation = f"Not a key of its own; see {definition.near(name) or 'the prefix it begins with'}."
    return ConfigKey(name, KeyType.STRING, "", documentation, Importance.LOW, display_name=name)
