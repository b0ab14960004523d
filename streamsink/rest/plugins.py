"""Connect's `/connector-plugins`: lists plugins and their keys, and validates configurations."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.exceptions import HTTPException

from streamsink.config.reading.plugins import Plugin, PluginType, all_plugins
from streamsink.config.vendors.profiles import find_class
from streamsink.config.vendors.sources import find_source
from streamsink.errors import BadRequestError
from streamsink.rest import shapes
from streamsink.rest.bodies import Config, patch_of
from streamsink.rest.strict_json import StrictRoute
from streamsink.worker.herder import Herder
from streamsink.worker.validation import Validate

CONNECTOR_TYPES = frozenset({PluginType.SINK, PluginType.SOURCE})


def plugins_router(herder: Herder, validate: Validate) -> APIRouter:
    """Make every endpoint below `/connector-plugins`.

    Args:
        herder: Says which connector classes the worker runs, and has the stored configuration of a connector.
        validate: Checks a flat map. Where the connector exists, its stored map comes with it, for secrets that were
            shown masked.
    """
    router = APIRouter(route_class=StrictRoute, tags=["plugins"])

    @router.get("/connector-plugins")
    def plugins(connectors_only: Annotated[str, Query(alias="connectorsOnly")] = "true") -> list[dict[str, Any]]:
        """The connector classes this worker runs; with `connectorsOnly=false` everything that may be plugged in."""
        shown = [shapes.plugin(each) for each in herder.plugins()]
        if connectors_only.strip().lower() != "false":
            return shown
        others = (each for each in all_plugins() if each.type not in CONNECTOR_TYPES)
        return [
            *shown,
            *({"class": each.name, "type": each.type.value, "version": each.version} for each in others),
        ]

    @router.get("/connector-plugins/{plugin}/config")
    def plugin_config(plugin: str) -> list[dict[str, Any]]:
        """The keys of a plugin."""
        found = _find(plugin)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"Unknown plugin {plugin}.")
        return [shapes.config_key(key) for key in found.keys]

    @router.put("/connector-plugins/{plugin}/config/validate")
    def validate_config(plugin: str, config: Annotated[Config, Body()]) -> dict[str, Any]:
        """Everything that is wrong with a configuration, and in words what a usable one guarantees."""
        given = patch_of(config)
        raw = {key: value for key, value in given.items() if value is not None}
        nulls = frozenset(given) - frozenset(raw)
        name = raw.get("connector.class", "").strip()
        if not name:
            raise BadRequestError(f"Connector config {sorted(raw)} contains no connector type")
        if not name.removesuffix("Connector").endswith(plugin.removesuffix("Connector")):
            raise BadRequestError(f"Included connector type {name} does not match request type {plugin}")
        if not known_class(herder, name):
            raise BadRequestError(unknown_class(herder, name))
        report = validate(raw, herder.stored_config(raw.get("name", "")))
        return shapes.config_report(name, report.with_nulls(nulls))

    return router


def known_class(herder: Herder, name: str) -> bool:
    """Tell whether the worker runs connectors of a class.

    Args:
        herder: Has the classes that `/connector-plugins` lists.
        name: As `connector.class` has it: another product's name, or a short one, is known too.
    """
    kind = find_class(name)
    known = name in {each.name for each in herder.plugins()}
    return known or kind is not None or find_source(name) is not None


def unknown_class(herder: Herder, name: str) -> str:
    """Say in Connect's words that a class is unknown.

    Args:
        herder: Has the classes that are named instead.
        name: The class.
    """
    available = ", ".join(each.name for each in herder.plugins())
    return (
        f"Failed to find any class that implements Connector and which name matches {name}, available connectors are: "
        f"{available}"
    )


def _find(name: str) -> Plugin | None:
    kind = find_class(name) or find_source(name)
    wanted = {name, kind.name} if kind is not None else {name}
    for plugin in all_plugins():
        short = plugin.name.rpartition(".")[2]
        if plugin.name in wanted or name in {short, short.removesuffix("Converter"), plugin.short}:
            return plugin
    return None
