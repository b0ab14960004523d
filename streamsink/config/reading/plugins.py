"""Lists the classes that configurations may name: those built in, and plugins from entry points. Starts none of them.

`GET /connector-plugins` lists this. A user's package declares its classes in pyproject.toml, for instance

    [project.entry-points."streamsink.transforms"]
    Redact = "my_package.redact:Redact"

and configurations then call them `Redact` or `my_package.redact.Redact`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any

from streamsink.config.keys.definition import ConfigKey
from streamsink.config.keys.transform import PREDICATE_PACKAGE, PREDICATES, TRANSFORM_PACKAGE, TRANSFORMS
from streamsink.config.reading import names
from streamsink.config.vendors.profiles import CLASSES
from streamsink.config.vendors.sources import SOURCES


class PluginType(StrEnum):
    """Connect's types of plugins, and two of ours."""

    SINK = "sink"
    SOURCE = "source"
    TRANSFORMATION = "transformation"
    PREDICATE = "predicate"
    CONVERTER = "converter"
    HEADER_CONVERTER = "header_converter"
    PARTITIONER = "partitioner"
    FORMAT = "format"


GROUPS = {
    PluginType.TRANSFORMATION: "streamsink.transforms",
    PluginType.PREDICATE: "streamsink.predicates",
    PluginType.PARTITIONER: "streamsink.partitioners",
    PluginType.CONVERTER: "streamsink.converters",
    PluginType.FORMAT: "streamsink.formats",
}
"""Entry points' groups of plugins."""


class PluginError(ValueError):
    """A plugin can't be loaded, or not be made with its settings. Turned into a problem where it is asked for."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One class that a configuration may name.

    `keys` are those the class adds to a configuration, without the prefix its alias gives them. `entry_point` is set
    for plugins.
    """

    name: str
    type: PluginType
    version: str
    short: str = ""
    keys: tuple[ConfigKey, ...] = ()
    documentation: str = ""
    entry_point: EntryPoint | None = None

    def load(self) -> Any:
        """Import a plugin's class.

        Raises:
            PluginError: It can't be imported.
        """
        assert self.entry_point is not None, "built-in classes are chosen by the stages"
        try:
            return self.entry_point.load()
        except Exception as error:  # whatever a user's module does when it is imported
            raise PluginError(f"{self.name} can't be loaded: {type(error).__name__}: {error}") from error


def all_plugins() -> tuple[Plugin, ...]:
    """Everything there is, built in and from entry points, by type and name."""
    return tuple(sorted((*_built_in(), *_users()), key=lambda plugin: (plugin.type, plugin.name)))


def find_plugin(kind: PluginType, name: str) -> Plugin | None:
    """Find a user's plugin by the name of its entry point or its class.

    Args:
        kind: Transform, converter, and so on; each kind has its entry point group.
        name: As configured; spaces around it don't count.

    Returns:
        The plugin, None where none of this kind has the name.
    """
    bare = name.strip()
    return next((one for one in _users() if one.type is kind and bare in {one.name, one.short}), None)


def make_plugin(kind: PluginType, name: str, settings: Mapping[str, str]) -> Any:
    """Make an object of a plugin's class.

    Args:
        kind: Transform, converter, and so on.
        name: The entry point's name, or the class's.
        settings: Given to the class, without the prefix that they have in the connector's map.

    Returns:
        Whatever the class makes. Its methods are the caller's to check.

    Raises:
        PluginError: It isn't installed, can't be imported, or refuses its settings.
    """
    plugin = find_plugin(kind, name)
    if plugin is None:
        raise PluginError(f"{name} is not installed: no entry point of {GROUPS[kind]} has this name")
    made = plugin.load()
    try:
        return made(settings)
    except Exception as error:  # a plugin may do anything with its settings
        raise PluginError(f"{plugin.name} refuses its settings: {type(error).__name__}: {error}") from error


def _own_version() -> str:
    return version("streamsink")


@functools.cache
def _built_in() -> tuple[Plugin, ...]:
    own = _own_version()
    return (
        *(Plugin(one.name, PluginType.SINK, own, keys=tuple(one.definition)) for one in CLASSES),
        *(Plugin(one.name, PluginType.SOURCE, own, keys=tuple(one.definition)) for one in SOURCES),
        *_transforms(own),
        *_named(own),
    )


def _transforms(own: str) -> Iterator[Plugin]:
    for one in TRANSFORMS:
        for side in ("$Key", "$Value") if one.sided else ("",):
            name = f"{TRANSFORM_PACKAGE}{one.name}{side}"
            kind = PluginType.TRANSFORMATION
            yield Plugin(name, kind, own, f"{one.name}{side}", one.keys, one.documentation)
    for one in PREDICATES:
        name = f"{PREDICATE_PACKAGE}{one.name}"
        yield Plugin(name, PluginType.PREDICATE, own, one.name, one.keys, one.documentation)


def _named(own: str) -> Iterator[Plugin]:
    """Converters, partitioners and formats, by their class names."""
    tables: dict[PluginType, Mapping[str, object]] = {
        PluginType.CONVERTER: names.CONVERTERS,
        PluginType.PARTITIONER: names.PARTITIONERS,
        PluginType.FORMAT: names.FORMATS,
    }
    for kind, table in tables.items():
        for name, short in table.items():
            if "." in name:
                yield Plugin(name, kind, own, str(short))
    for name in ("org.apache.kafka.connect.storage.SimpleHeaderConverter",):
        yield Plugin(name, PluginType.HEADER_CONVERTER, own)


def _users() -> tuple[Plugin, ...]:
    return _users_on(tuple(sys.path))


@functools.lru_cache(maxsize=4)
def _users_on(_path: tuple[str, ...]) -> tuple[Plugin, ...]:
    """Read once for each search path: reading all that is installed takes longer than the rest of a validation."""
    return tuple(_read_users())


def _read_users() -> Iterator[Plugin]:
    for kind, group in GROUPS.items():
        for point in entry_points(group=group):
            own = point.dist.version if point.dist is not None else "undefined"
            yield Plugin(point.value.replace(":", "."), kind, own, point.name, entry_point=point)
