"""Makes a chain of transforms from their specifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamsink.config.keys.transform import TRANSFORM_PACKAGE
from streamsink.config.reading.plugins import PluginType, find_plugin
from streamsink.config.sink import PredicateSpec, TransformSpec
from streamsink.errors import TerminalError
from streamsink.transform import cast, fields, headers, mask, predicates, routers, times
from streamsink.transform.chain import Step, TransformChain
from streamsink.transform.protocol import Predicate, Transform

_SIDED: dict[str, Callable[..., Transform]] = {
    "Cast": cast.Cast,
    "ExtractField": fields.ExtractField,
    "Flatten": fields.Flatten,
    "HeaderFrom": headers.HeaderFrom,
    "HoistField": fields.HoistField,
    "InsertField": fields.InsertField,
    "MaskField": mask.MaskField,
    "ReplaceField": fields.ReplaceField,
    "SetSchemaMetadata": fields.SetSchemaMetadata,
    "TimestampConverter": times.TimestampConverter,
}
_PLAIN: dict[str, Callable[..., Transform]] = {
    "DropHeaders": headers.DropHeaders,
    "Filter": routers.Filter,
    "InsertHeader": headers.InsertHeader,
    "RegexRouter": routers.RegexRouter,
    "TimestampRouter": routers.TimestampRouter,
    "ValueToKey": fields.ValueToKey,
}
_PREDICATES: dict[str, Callable[..., Predicate]] = {
    "HasHeaderKey": predicates.HasHeaderKey,
    "RecordIsTombstone": predicates.RecordIsTombstone,
    "TopicNameMatches": predicates.TopicNameMatches,
}


def make_chain(specs: tuple[TransformSpec, ...]) -> TransformChain:
    """The chain of a connector's transforms.

    Raises:
        TerminalError: A plugin is not installed any more.
    """
    return TransformChain([make_step(spec) for spec in specs])


def make_step(spec: TransformSpec) -> Step:
    """Make one step of the chain.

    Raises:
        TerminalError: A plugin is not installed any more.
    """
    transform: Transform
    side = f"${spec.side.capitalize()}" if spec.side else ""
    if spec.plugin:
        transform = _users(PluginType.TRANSFORMATION, spec.kind)(spec.settings)
    elif spec.side:
        transform = _SIDED[spec.kind](spec.settings, key=spec.side == "key")
    else:
        transform = _PLAIN[spec.kind](spec.settings)
    kind = spec.kind if spec.plugin else f"{TRANSFORM_PACKAGE}{spec.kind}{side}"
    return Step(spec.name, kind, transform, _predicate(spec.predicate), negate=spec.negate)


def _predicate(spec: PredicateSpec | None) -> Predicate | None:
    if spec is None:
        return None
    made: Predicate
    if spec.plugin:
        made = _users(PluginType.PREDICATE, spec.kind)(spec.settings)
    else:
        made = _PREDICATES[spec.kind](spec.settings)
    return made


def _users(kind: PluginType, name: str) -> Callable[..., Any]:
    plugin = find_plugin(kind, name)
    if plugin is None:
        raise TerminalError(f"{name} is not installed", hint=f"install the package that has this {kind}")
    made: Callable[..., Any] = plugin.load()
    return made
