"""Keys of the worker: Kafka Connect's, and how it reaches Kafka. Definitions only."""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.connector import CONVERTERS
from streamsink.config.keys.definition import REQUIRED, ConfigKey, Definition, Importance, KeyType, Width, grouped
from streamsink.config.keys.rest import REST_KEYS

OFFSET_FLUSH_INTERVAL_MS = "60000"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
POLICIES = ("All", "None", "Principal")

BASIC_KEYS = grouped(
    "Worker",
    [
        ConfigKey(
            "bootstrap.servers",
            KeyType.LIST,
            REQUIRED,
            "Brokers to start from, HOST:PORT joined by commas.",
            Importance.HIGH,
            width=Width.LONG,
        ),
        ConfigKey(
            "group.id",
            KeyType.STRING,
            "",
            "Workers of one group.id share the work (distributed). Empty: one worker by itself (standalone).",
            Importance.HIGH,
        ),
        ConfigKey(
            "listeners",
            KeyType.LIST,
            "http://127.0.0.1:8083",
            "Where REST listens. The default is reachable from this machine only.",
            Importance.HIGH,
            width=Width.LONG,
        ),
        ConfigKey("rest.advertised.host.name", KeyType.STRING, "", "Host that others reach REST by.", Importance.LOW),
        ConfigKey(
            "rest.advertised.port",
            KeyType.INT,
            None,
            "Port that others reach REST by.",
            Importance.LOW,
            check.between(1, 65535),
        ),
        ConfigKey(
            "rest.advertised.listener", KeyType.STRING, "", "How others reach REST: http or https.", Importance.LOW
        ),
        ConfigKey(
            "key.converter",
            KeyType.CLASS,
            "bytes",
            "How keys are read where a connector doesn't say.",
            Importance.HIGH,
            recommended=CONVERTERS,
        ),
        ConfigKey(
            "value.converter",
            KeyType.CLASS,
            "bytes",
            "How values are read where a connector doesn't say.",
            Importance.HIGH,
            recommended=CONVERTERS,
        ),
        ConfigKey(
            "header.converter",
            KeyType.CLASS,
            None,
            "How headers are understood where a connector doesn't say.",
            Importance.LOW,
        ),
        ConfigKey(
            "log.level",
            KeyType.STRING,
            "INFO",
            "Least severity that is logged.",
            validator=check.one_of(LOG_LEVELS),
            recommended=LOG_LEVELS,
        ),
        ConfigKey("console.enabled", KeyType.BOOLEAN, "true", "Whether the console is served, at /ui."),
        ConfigKey(
            "console.writable",
            KeyType.BOOLEAN,
            "false",
            "Whether the console shows what makes, pauses and deletes connectors. REST takes such orders either way.",
        ),
        ConfigKey(
            "connector.client.config.override.policy",
            KeyType.STRING,
            "All",
            "Which consumer.override.* and producer.override.* keys connectors may set: All, None, or Principal (how "
            "to log in).",
            validator=check.one_of(POLICIES),
            recommended=POLICIES,
        ),
        ConfigKey(
            "task.shutdown.graceful.timeout.ms",
            KeyType.LONG,
            "5000",
            "How long tasks may take to end beyond their own drain.timeout.ms.",
            validator=check.at_least(0),
        ),
        ConfigKey(
            "offset.flush.interval.ms",
            KeyType.LONG,
            OFFSET_FLUSH_INTERVAL_MS,
            "Kafka Connect's key. Objects are committed when stored; connectors of Aiven's class rotate by it.",
            Importance.LOW,
            check.at_least(1),
        ),
        ConfigKey(
            "offset.flush.timeout.ms",
            KeyType.LONG,
            "5000",
            "Kafka Connect's key; without effect.",
            Importance.LOW,
            check.at_least(1),
        ),
    ],
)


def _topic(name: str, what: str, ending: str) -> tuple[ConfigKey, ...]:
    default = f" Empty: the group.id with -{ending}." if ending else ""
    return (
        ConfigKey(f"{name}.topic", KeyType.STRING, "", f"Compacted topic that keeps {what}.{default}", Importance.HIGH),
        ConfigKey(
            f"{name}.replication.factor",
            KeyType.INT,
            "3",
            f"Replicas of the topic that keeps {what}, where it has to be made; -1 is the broker's default."
            f"{'' if name == 'config.storage' else ' Not given: as config.storage has.'}",
            Importance.LOW,
            check.between(-1, 32767),
        ),
    )


DISTRIBUTED_KEYS = grouped(
    "Distributed",
    [
        *_topic("config.storage", "connectors and their states", "configs"),
        *_topic("status.storage", "statuses", "status"),
        *_topic("slots.storage", "the slots that tasks are placed in", "slots"),
        *_topic("offset.storage", "offsets of Kafka Connect's source connectors; without effect", ""),
        ConfigKey(
            "status.storage.partitions",
            KeyType.INT,
            "5",
            "Partitions of the status topic.",
            Importance.LOW,
            check.between(-1, 1000),
        ),
        ConfigKey(
            "slots.storage.partitions",
            KeyType.INT,
            "32",
            "Slots, where the topic has to be made: more workers than this have nothing to do.",
            Importance.LOW,
            check.between(1, 1000),
        ),
        ConfigKey(
            "group.instance.id",
            KeyType.STRING,
            "",
            "A name of this worker's own: its tasks wait for its return, for session.timeout.ms.",
            Importance.LOW,
        ),
        ConfigKey(
            "offset.storage.partitions",
            KeyType.INT,
            "25",
            "Partitions of the offset topic.",
            Importance.LOW,
            check.between(-1, 1000),
        ),
        ConfigKey(
            "scheduled.rebalance.max.delay.ms",
            KeyType.INT,
            "300000",
            "Kafka Connect's key; without effect: see session.timeout.ms and group.instance.id.",
            Importance.LOW,
            check.at_least(0),
        ),
        ConfigKey(
            "group.protocol",
            KeyType.STRING,
            "classic",
            "Kafka's protocol for the workers' group: classic, or consumer (KIP-848, from Kafka 4.0 on), where brokers "
            "set the session's times. A connector's own is consumer.override.group.protocol.",
            Importance.LOW,
            check.one_of(("classic", "consumer")),
        ),
        ConfigKey(
            "session.timeout.ms",
            KeyType.INT,
            "10000",
            "How long a silent worker counts as there, and its tasks' consumers by default; with "
            "group.protocol=consumer, group.consumer.session.timeout.ms of the brokers counts.",
            Importance.LOW,
            check.at_least(1),
        ),
        ConfigKey(
            "heartbeat.interval.ms",
            KeyType.INT,
            "3000",
            "How often a worker says it is there.",
            Importance.LOW,
            check.at_least(1),
        ),
        ConfigKey(
            "rebalance.timeout.ms",
            KeyType.INT,
            "60000",
            "How long a rebalance waits for a worker.",
            Importance.LOW,
            check.at_least(1),
        ),
        ConfigKey(
            "connect.protocol", KeyType.STRING, "sessioned", "Kafka Connect's key; without effect.", Importance.LOW
        ),
    ],
)

SECURITY_KEYS = grouped(
    "Security",
    [
        ConfigKey(
            "security.protocol",
            KeyType.STRING,
            "PLAINTEXT",
            "How brokers are spoken to.",
            validator=check.one_of(("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")),
            recommended=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        ),
        ConfigKey("sasl.mechanism", KeyType.STRING, "", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI."),
        ConfigKey("sasl.username", KeyType.STRING, "", "User to log in as."),
        ConfigKey("sasl.password", KeyType.PASSWORD, None, "The user's password."),
        ConfigKey(
            "sasl.jaas.config",
            KeyType.PASSWORD,
            None,
            "Java's form of user and password; PlainLoginModule, ScramLoginModule and OAuthBearerLoginModule are read.",
        ),
        ConfigKey("ssl.ca.location", KeyType.STRING, "", "File of certificates that sign the brokers', in PEM."),
        ConfigKey("ssl.certificate.location", KeyType.STRING, "", "File of the client's certificate, in PEM."),
        ConfigKey("ssl.key.location", KeyType.STRING, "", "File of the client's key, in PEM."),
        ConfigKey("ssl.key.password", KeyType.PASSWORD, None, "Password of the client's key."),
        ConfigKey("ssl.truststore.location", KeyType.STRING, "", "Java's form of ssl.ca.location; must be PEM."),
        ConfigKey("ssl.keystore.location", KeyType.STRING, "", "Java's form of certificate and key; PEM or PKCS#12."),
        ConfigKey("ssl.keystore.password", KeyType.PASSWORD, None, "Password of ssl.keystore.location."),
    ],
)

WORKER_KEYS = (*BASIC_KEYS, *REST_KEYS, *DISTRIBUTED_KEYS, *SECURITY_KEYS)
WORKER = Definition(WORKER_KEYS)

OPEN_PREFIXES = (
    *("security.", "sasl.", "ssl.", "consumer.", "producer.", "admin.", "key.converter.", "value.converter."),
    *("header.converter.", "listeners.https.", "config.providers", "config.storage.", "status.storage."),
    *("offset.storage.", "access.control.", "topic.tracking.", "topic.creation.", "rest.", "response.http.", "metric"),
    *("plugin.", "internal.", "inter.worker.", "client.", "admin.listeners", "exactly.once.", "task.", "errors."),
)
"""What worker keys may start with and not be defined: Kafka Connect's many, and properties of Kafka clients."""
