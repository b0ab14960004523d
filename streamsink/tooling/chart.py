"""The Helm chart's `values.schema.json`, made from its values and our definitions: `make readme`. Defines no key."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from streamsink.config.keys.definition import ConfigKey, KeyType
from streamsink.config.keys.worker import WORKER_KEYS

Json = dict[str, Any]

SCALAR: Json = {"type": ["string", "number", "boolean"]}
OPEN_MAPS = frozenset(
    {
        "annotations",
        "labels",
        "podAnnotations",
        "podLabels",
        "podSecurityContext",
        "securityContext",
        "resources",
        "nodeSelector",
        "affinity",
    }
)
"""Values that are Kubernetes' own objects: any key may be in them."""

ONE_OF = {
    "mode": ["standalone", "distributed"],
    "pullPolicy": ["Always", "IfNotPresent", "Never"],
    "level": ["DEBUG", "INFO", "WARNING", "ERROR"],
}


_SHAPES: tuple[tuple[type, Json], ...] = (
    (bool, {"type": "boolean"}),
    (int, {"type": "integer", "minimum": 0}),
    (str, {"type": "string"}),
    (list, {"type": "array"}),
)


_TEXT: Json = {"type": "string", "minLength": 1}
_SNAPSHOT: Json = {
    "type": "object",
    "required": ["schedule", "database", "archive"],
    "properties": {
        "schedule": _TEXT,
        "timeZone": _TEXT,
        "database": _TEXT,
        "archive": _TEXT,
        "tables": {"type": "array", "items": _TEXT},
        "options": {"type": "object", "additionalProperties": SCALAR},
        "set": {"type": "object", "additionalProperties": SCALAR},
        "format": _TEXT,
        "prefix": _TEXT,
        "rate": {"type": "number", "exclusiveMinimum": 0},
        "suspend": {"type": "boolean"},
        "activeDeadlineSeconds": {"type": "integer", "minimum": 1},
        "resources": {"type": "object"},
    },
    "additionalProperties": False,
}
"""One entry of `databaseSnapshots`."""


def schema(values: Mapping[str, Any]) -> Json:
    """A JSON schema of the chart's values: worker keys by their definitions, the rest by what the defaults are.

    Args:
        values: The chart's default values.
    """
    properties = {name: _of_value(name, value) for name, value in values.items()}
    properties["config"] = {
        "type": "object",
        "properties": {key.name: _of_key(key) for key in WORKER_KEYS},
        "additionalProperties": SCALAR,
    }
    properties["connectors"] = {
        "type": "object",
        "propertyNames": {"pattern": "^[-._a-zA-Z0-9]+$"},
        "additionalProperties": {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean", "array"]},
        },
    }
    properties["databaseSnapshots"] = {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
        "additionalProperties": _SNAPSHOT,
    }
    properties["terminationGracePeriodSeconds"] = {"type": ["integer", "null"], "minimum": 1}
    properties["global"] = {"type": "object"}
    return {
        "$schema": "https://json-schema.org/draft-07/schema#",
        "title": "streamsink",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _of_key(key: ConfigKey) -> Json:
    shape: Json = {"description": key.documentation}
    match key.type:
        case KeyType.INT | KeyType.LONG | KeyType.DOUBLE:
            return {**shape, "type": ["integer", "number", "string"]}
        case KeyType.BOOLEAN:
            return {**shape, "type": ["boolean", "string"]}
        case KeyType.LIST:
            return {**shape, "type": ["string", "array"], "items": {"type": "string"}}
        case _ if key.recommended and key.type is KeyType.STRING:
            return {**shape, "type": "string", "examples": list(key.recommended)}
        case _:
            return {**shape, **SCALAR}


def _of_value(name: str, value: Any) -> Json:
    if isinstance(value, dict):
        inner = {below: _of_value(below, each) for below, each in value.items()}
        return {"type": "object"} | ({} if name in OPEN_MAPS else {"properties": inner, "additionalProperties": False})
    if name in ONE_OF:
        return {"enum": ONE_OF[name]}
    return next((shape for type_, shape in _SHAPES if isinstance(value, type_)), {})


def write(chart: Path) -> None:
    """Write `values.schema.json` beside the chart's `values.yaml`."""
    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    (chart / "values.schema.json").write_text(json.dumps(schema(values), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
