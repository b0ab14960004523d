"""Keys of converters that have their schemas from a Schema Registry, Confluent's names. Definitions only."""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.definition import ConfigKey, Importance, KeyType, Width, grouped

PREFIX = "value.converter."
KEY_PREFIX = "key.converter."
STRATEGIES = ("TopicNameStrategy", "RecordNameStrategy", "TopicRecordNameStrategy")
CREDENTIALS_SOURCES = ("URL", "USER_INFO")


def _client_keys(prefix: str, what: str) -> list[ConfigKey]:
    """How a converter reaches its registry."""
    return [
        ConfigKey(
            f"{prefix}schema.registry.url",
            KeyType.STRING,
            None,
            what,
            Importance.HIGH,
            width=Width.LONG,
        ),
        ConfigKey(
            f"{prefix}basic.auth.credentials.source",
            KeyType.STRING,
            "URL",
            "Where the registry's user and password are: URL, in the URL itself, or USER_INFO, in "
            f"{prefix}basic.auth.user.info.",
            validator=check.one_of(CREDENTIALS_SOURCES),
            recommended=CREDENTIALS_SOURCES,
            width=Width.SHORT,
        ),
        ConfigKey(
            f"{prefix}basic.auth.user.info",
            KeyType.PASSWORD,
            None,
            "The registry's user and password, joined by a colon.",
        ),
        ConfigKey(
            f"{prefix}schema.registry.ssl.truststore.location",
            KeyType.STRING,
            None,
            "A PEM file, or a folder of them, of the authorities that the registry's certificate may be from.",
            width=Width.LONG,
        ),
        ConfigKey(
            f"{prefix}schema.registry.ssl.keystore.location",
            KeyType.STRING,
            None,
            "A PEM file of the client's own certificate, and its key unless another file has it.",
            width=Width.LONG,
        ),
        ConfigKey(
            f"{prefix}schema.registry.ssl.key.location",
            KeyType.STRING,
            None,
            "A PEM file of the client's key.",
            width=Width.LONG,
        ),
        ConfigKey(
            f"{prefix}schema.registry.ssl.key.password",
            KeyType.PASSWORD,
            None,
            "What the client's key is encrypted with.",
        ),
    ]


REGISTRY_KEYS = grouped(
    "Schema Registry",
    [
        *_client_keys(
            PREFIX,
            "The Schema Registry that avro, protobuf and jsonschema values have their schemas in; several URLs of one "
            "registry are joined by commas.",
        ),
        ConfigKey(
            f"{PREFIX}value.subject.name.strategy",
            KeyType.CLASS,
            "TopicNameStrategy",
            "Which subject the versions of a schema are in: TopicNameStrategy, RecordNameStrategy, "
            "TopicRecordNameStrategy, or Confluent's class of that name. For schema.compatibility only: schemas are "
            "found by the id in each value.",
            Importance.LOW,
            recommended=STRATEGIES,
        ),
        ConfigKey(
            f"{PREFIX}use.latest.version",
            KeyType.BOOLEAN,
            "false",
            "With schema.compatibility BACKWARD or FULL: whether values are written in the subject's latest version "
            "from the start, not in the newest that has been read.",
            Importance.LOW,
        ),
        *_client_keys(
            KEY_PREFIX,
            "The Schema Registry that avro and protobuf keys have their schemas in; for transforms that look at keys.",
        ),
    ],
)
