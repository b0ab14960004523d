"""Keys of the worker's REST: Kafka Connect's, and ours for who may ask and how often. Definitions only."""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.definition import ConfigKey, Importance, KeyType, Width, grouped

BASIC_AUTH_EXTENSION = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension"
CLIENT_AUTH = ("none", "requested", "required")
HTTPS = "listeners.https."


def _tls(name: str, kind: KeyType, default: str | None, documentation: str) -> ConfigKey:
    return ConfigKey(f"{HTTPS}ssl.{name}", kind, default, documentation, Importance.LOW)


REST_KEYS = grouped(
    "REST",
    [
        ConfigKey(
            "admin.listeners",
            KeyType.LIST,
            None,
            "Where loggers are served instead of beside the rest. Given and empty: nowhere.",
            width=Width.LONG,
        ),
        ConfigKey("topic.tracking.enable", KeyType.BOOLEAN, "true", "Whether connectors' topics are told."),
        ConfigKey("topic.tracking.allow.reset", KeyType.BOOLEAN, "true", "Whether they may be reset."),
        ConfigKey(
            "rest.basic.auth.users",
            KeyType.PASSWORD,
            None,
            "Who may use REST, as user:password joined by commas. Health and metrics are told to everybody.",
        ),
        ConfigKey(
            "rest.basic.auth.file",
            KeyType.STRING,
            None,
            "A properties file with a line user=password for each who may use REST; read at each start.",
        ),
        ConfigKey(
            "rest.extension.classes",
            KeyType.LIST,
            "",
            f"Kafka Connect's key; {BASIC_AUTH_EXTENSION} is understood, and asks for one of the two keys above.",
            Importance.LOW,
        ),
        ConfigKey(
            "rest.requests.per.second.max",
            KeyType.INT,
            "5000",
            "More requests a second than this from one address are answered with 429.",
            Importance.LOW,
            check.at_least(1),
        ),
        _tls(
            "keystore.location",
            KeyType.STRING,
            None,
            "PEM file with REST's certificate chain, and its key unless ssl.keystore.key has it.",
        ),
        _tls("keystore.certificate.chain", KeyType.STRING, None, "The certificate chain itself, as PEM."),
        _tls("keystore.key", KeyType.PASSWORD, None, "The private key, as PEM or as the path of a PEM file."),
        _tls("keystore.type", KeyType.STRING, "PEM", "Only PEM is understood."),
        _tls("key.password", KeyType.PASSWORD, None, "Password of the private key."),
        _tls("truststore.location", KeyType.STRING, None, "PEM file with the authorities that sign clients."),
        ConfigKey(
            f"{HTTPS}ssl.client.auth",
            KeyType.STRING,
            "none",
            "Whether clients must show a certificate.",
            Importance.LOW,
            check.one_of(CLIENT_AUTH),
            recommended=CLIENT_AUTH,
        ),
    ],
)
