"""Reads `transforms.*` and `predicates.*`: which transforms run, in which order, on which records. Runs none."""

from __future__ import annotations

from collections.abc import Mapping

from streamsink.config.keys.definition import Definition, Values
from streamsink.config.keys.transform import (
    PREDICATE_PACKAGE,
    PREDICATES,
    TRANSFORM_PACKAGE,
    TRANSFORMS,
    TransformKind,
)
from streamsink.config.reading.plugins import Plugin, PluginError, PluginType, find_plugin
from streamsink.config.sink import PredicateSpec, TransformSpec

HIDING = frozenset({"MaskField", "ReplaceField"})
"""Transforms that are there to keep something out of the archive."""

_OWN = frozenset({"type", "predicate", "negate"})
_NULLS = "replace.null.with.default"
_CONVERTERS_NULLS = f"value.converter.{_NULLS} decides it"
_EVERYTHING = frozenset({"key", "value", "topic"})


def read_transforms(values: Values) -> tuple[TransformSpec, ...]:
    """The transforms in their order; what is wrong with them becomes problems of their keys."""
    known = {name: _predicate(values, name) for name in dict.fromkeys(values.items("predicates"))}
    names = values.items("transforms")
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        values.problem("transforms", f"{name} is given twice")
    found = [_transform(values, name, known) for name in dict.fromkeys(names)]
    used = {values.raw.get(f"transforms.{name}.predicate", "").strip() for name in names}
    for name in known.keys() - used:
        values.warn(f"predicates.{name}: no transform has it")
    for prefix, aliases in (("transforms.", names), ("predicates.", tuple(known))):
        strays = {key.split(".")[1] for key in values.raw if key.startswith(prefix)} - set(aliases)
        for name in sorted(strays):
            values.warn(f"{prefix}{name}: has no effect, {prefix.rstrip('.')} does not list {name}")
    return tuple(one for one in found if one is not None)


def mentioned_fields(transforms: tuple[TransformSpec, ...]) -> frozenset[str]:
    """Find the top-level fields that transforms name, so that each of them has a column."""
    kinds = {one.name: one for one in TRANSFORMS}
    names: set[str] = set()
    for one in transforms:
        if one.side == "key":
            continue
        if one.plugin:
            listed = ",".join(one.settings.values())
        else:
            listed = ",".join(one.settings.get(key, "") for key in kinds[one.kind].names)
        for item in listed.split(","):
            name = item.split(":")[0].strip().rstrip("?!")
            names |= {name, name.split(".")[0].strip("`")}
    return frozenset(names - {""})


def _transform(values: Values, name: str, predicates: Mapping[str, PredicateSpec | None]) -> TransformSpec | None:
    prefix = f"transforms.{name}."
    settings = _settings(values, prefix)
    predicate = _predicate_of(values, prefix, predicates)
    negate = _negate(values, prefix)
    text = values.raw.get(f"{prefix}type", "").strip()
    if not text:
        values.problem(f"{prefix}type", "is required and has no default")
        return None
    bare = text.removeprefix(TRANSFORM_PACKAGE)
    kind_name, _, side = bare.partition("$")
    kind = next((one for one in TRANSFORMS if one.name == kind_name), None)
    if kind is None:
        return _users_transform(values, prefix, text, settings, predicate, negate=negate)
    if kind.sided != (side in {"Key", "Value"}) or (side and not kind.sided):
        forms = f"{kind.name}$Key or {kind.name}$Value" if kind.sided else kind.name
        values.problem(f"{prefix}type", f"{text!r} is unknown: it is {forms}")
        return None
    _check(values, prefix, kind, settings)
    touched = frozenset({side.lower()}) if side else frozenset[str]()
    writes = touched | kind.writes
    if kind.name == "SetSchemaMetadata" or (kind.name == "HeaderFrom" and settings.get("operation") != "move"):
        writes = frozenset()
    return TransformSpec(
        name=name,
        kind=kind.name,
        side=side.lower(),
        settings=settings,
        predicate=predicate,
        negate=negate,
        reads=touched | kind.reads,
        writes=writes,
    )


def _users_transform(
    values: Values,
    prefix: str,
    text: str,
    settings: Mapping[str, str],
    predicate: PredicateSpec | None,
    *,
    negate: bool,
) -> TransformSpec | None:
    plugin = find_plugin(PluginType.TRANSFORMATION, text)
    if plugin is None:
        known = ", ".join(one.name for one in TRANSFORMS)
        values.problem(
            f"{prefix}type", f"{text!r} is unknown; known are {known}, and entry points streamsink.transforms"
        )
        return None
    made = _made(values, prefix, plugin, settings)
    return TransformSpec(
        name=prefix.split(".")[1],
        kind=plugin.name,
        settings=settings,
        predicate=predicate,
        negate=negate,
        reads=frozenset(getattr(made, "reads", _EVERYTHING)),
        writes=frozenset(getattr(made, "writes", _EVERYTHING)),
        plugin=True,
    )


def _made(values: Values, prefix: str, plugin: Plugin, settings: Mapping[str, str]) -> object:
    """A plugin made once, to see whether it takes its settings."""
    try:
        return plugin.load()(settings)
    except PluginError as error:
        values.problem(f"{prefix}type", str(error))
    except Exception as error:  # noqa: BLE001 - a plugin may do anything with its settings
        values.problem(f"{prefix}type", f"{plugin.name} refuses its settings: {type(error).__name__}: {error}")
    return None


def _predicate(values: Values, name: str) -> PredicateSpec | None:
    prefix = f"predicates.{name}."
    settings = _settings(values, prefix)
    text = values.raw.get(f"{prefix}type", "").strip()
    if not text:
        values.problem(f"{prefix}type", "is required and has no default")
        return None
    kind = next((one for one in PREDICATES if one.name == text.removeprefix(PREDICATE_PACKAGE)), None)
    if kind is not None:
        _check(values, prefix, kind, settings)
        return PredicateSpec(kind.name, settings)
    plugin = find_plugin(PluginType.PREDICATE, text)
    if plugin is None:
        values.problem(f"{prefix}type", f"{text!r} is unknown; known are {', '.join(one.name for one in PREDICATES)}")
        return None
    _made(values, prefix, plugin, settings)
    return PredicateSpec(plugin.name, settings, plugin=True)


def _predicate_of(values: Values, prefix: str, predicates: Mapping[str, PredicateSpec | None]) -> PredicateSpec | None:
    name = values.raw.get(f"{prefix}predicate", "").strip()
    if name and name not in predicates:
        values.problem(f"{prefix}predicate", f"{name!r} is not in predicates")
    return predicates.get(name)


def _negate(values: Values, prefix: str) -> bool:
    text = values.raw.get(f"{prefix}negate", "").strip().lower()
    if text not in {"", "true", "false"}:
        values.problem(f"{prefix}negate", f"{text!r} is neither true nor false")
    if text == "true" and not values.raw.get(f"{prefix}predicate", "").strip():
        values.problem(f"{prefix}negate", "there is no predicate to negate")
    return text == "true"


def _settings(values: Values, prefix: str) -> dict[str, str]:
    own = {key.removeprefix(prefix): value for key, value in values.raw.items() if key.startswith(prefix)}
    return {key: value for key, value in sorted(own.items()) if key not in _OWN}


def _check(values: Values, prefix: str, kind: TransformKind, settings: Mapping[str, str]) -> None:
    """Problems and warnings of a built-in one's settings, under their full keys."""
    definition = Definition(kind.keys)
    read = definition.read(settings)
    for problem in read.problems:
        values.problem(f"{prefix}{problem.key}", problem.message)
    for key in settings:
        if key not in definition and not (kind.name == "ReplaceField" and key in {"blacklist", "whitelist"}):
            near = definition.near(key)
            values.warn(f"{prefix}{key}: unknown key, {f'is {prefix}{near} meant?' if near else 'it has no effect'}")
    if settings.get(_NULLS, "").strip().lower() == "false" and _NULLS in definition:
        values.warn(f"{prefix}{_NULLS}: has no effect, nulls have become defaults before, or stay: {_CONVERTERS_NULLS}")
    if kind.check is not None and not read.problems:
        wrong = kind.check(settings)
        if wrong:
            key, _, message = wrong.partition(": ")
            values.problem(f"{prefix}{key}", message)
