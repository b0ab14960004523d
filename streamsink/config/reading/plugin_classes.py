"""Reads which plugin a connector's converter or format is, and its settings. Converts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamsink.config.keys.definition import Values
from streamsink.config.reading import names
from streamsink.config.reading.plugins import PluginError, PluginType, find_plugin, make_plugin
from streamsink.config.sink import PluginSpec

CONVERTER_PREFIX = "value.converter."
FORMAT_PREFIX = "format."

_TAKEN = (".parquet", ".avro", ".json", ".json.gz", ".json.zst")
"""Ends of names by which objects of our own formats are read."""


def plugin_converter(values: Values, worker: Mapping[str, str]) -> PluginSpec | None:
    """Find the plugin that `value.converter` names, in the connector's map or the worker's.

    Args:
        values: The connector's map. A plugin that refuses its settings is a problem here.
        worker: The worker's flat map, which holds where the connector names no converter.

    Returns:
        The plugin and its settings, None where the name is no plugin's.
    """
    own = values.text("value.converter")
    text = (own or worker.get("value.converter", "")).strip()
    plugin = None if names.find(names.CONVERTERS, text) else find_plugin(PluginType.CONVERTER, text)
    if plugin is None:
        return None
    source = values.raw if own else worker
    spec = PluginSpec(plugin.name, _settings(source, CONVERTER_PREFIX))
    _made(values, "value.converter", PluginType.CONVERTER, spec)
    return spec


def plugin_format(values: Values) -> PluginSpec | None:
    """The plugin that `format.class` names; None if it is no such one."""
    plugin = find_plugin(PluginType.FORMAT, values.text("format.class"))
    if plugin is None:
        return None
    settings = _settings(values.raw, FORMAT_PREFIX)
    own = {key: text for key, text in settings.items() if f"{FORMAT_PREFIX}{key}" not in values.definition}
    spec = PluginSpec(plugin.name, own)
    made = _made(values, "format.class", PluginType.FORMAT, spec)
    extension = getattr(made, "extension", None)
    if made is not None and not _usable(extension):
        taken = ", ".join(_TAKEN)
        values.problem(
            "format.class",
            f"{plugin.name}.extension is {extension!r}: it must be a dot and then letters or digits, and not end in "
            f"any of {taken}",
        )
    return spec


def _usable(extension: object) -> bool:
    if not isinstance(extension, str) or not extension.startswith(".") or ".." in extension or len(extension) < 2:
        return False
    plain = extension.isascii() and all(char.isalnum() or char in "._-" for char in extension)
    return plain and not extension.endswith(_TAKEN)


def _settings(source: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): source[key] for key in sorted(source) if key.startswith(prefix)}


def _made(values: Values, key: str, kind: PluginType, spec: PluginSpec) -> Any:
    """One made to see whether it takes its settings."""
    try:
        return make_plugin(kind, spec.name, spec.settings)
    except PluginError as error:
        values.problem(key, str(error))
        return None
