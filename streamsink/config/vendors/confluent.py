"""Checks Confluent's keys that ours say in another way. Opens nothing."""

from __future__ import annotations

from streamsink.config.keys.definition import Values
from streamsink.config.sink import Converter, SinkConfig

_AFFIX = "s3.schema.partition.affix.type"
_PLAIN = frozenset({Converter.BYTES, Converter.STRING, Converter.JSON})
_KEEPING = ("store.kafka.keys", "store.kafka.headers")


def warn_of_envelope(values: Values) -> None:
    """Say where keys and headers are if not beside the objects, since the connector's own key asks for them."""
    asked = [key for key in _KEEPING if not values.wrong(key) and values.flag(key)]
    if asked and values.flag("archive.envelope"):
        values.warn(
            f"{asked[0]}: archive.envelope=true keeps keys, headers and times in the column _kafka or the object's "
            "sidecar; without it they are separate objects"
        )


def check_affix(values: Values, config: SinkConfig) -> None:
    """Refuse a folder of the schema's name where values have a schema. Those without one are all in `schema_name=null`.

    Args:
        values: The connector's map; the problem goes here.
        config: The same map, read.
    """
    plain = config.value_converter in _PLAIN and not config.schemas_enable
    if config.partitioning.schema_affix and not plain:
        values.problem(_AFFIX, "has a name to go by only where values have no schema: leave it out, or use NONE")
