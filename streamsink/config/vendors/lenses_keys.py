"""Keys of Lenses' S3 sink. Definitions only; `lenses` turns them into ours."""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.definition import REQUIRED, ConfigKey, Importance, KeyType, grouped

LENSES_CLASS = "io.lenses.streamreactor.connect.aws.s3.sink.S3SinkConnector"
KCQL_KEY = "connect.s3.kcql"


def _idle(name: str, default: str | None = None) -> ConfigKey:
    return ConfigKey(name, KeyType.STRING, default, "Without effect.", Importance.LOW)


LENSES_KEYS = grouped(
    "Lenses",
    [
        ConfigKey(
            KCQL_KEY,
            KeyType.STRING,
            REQUIRED,
            "Bucket, prefix, topic, folders and format, one statement: INSERT INTO bucket:prefix SELECT * FROM topic "
            "[PARTITIONBY ...] [STOREAS ...] [PROPERTIES(...)].",
            Importance.HIGH,
        ),
        ConfigKey("connect.s3.aws.access.key", KeyType.PASSWORD, None, "Access key.", Importance.HIGH),
        ConfigKey("connect.s3.aws.secret.key", KeyType.PASSWORD, None, "The access key's secret.", Importance.HIGH),
        ConfigKey("connect.s3.aws.region", KeyType.STRING, "us-east-1", "The S3 bucket's region."),
        ConfigKey(
            "connect.s3.aws.auth.mode",
            KeyType.STRING,
            "Default",
            "Credentials uses the access key, Default what the environment has.",
        ),
        ConfigKey(
            "connect.s3.custom.endpoint",
            KeyType.STRING,
            "",
            "URL of an S3 server that is not Amazon's.",
            validator=check.http_url,
        ),
        ConfigKey(
            "connect.s3.vhost.bucket",
            KeyType.BOOLEAN,
            "false",
            "Whether the bucket is in the host's name.",
            Importance.LOW,
        ),
        ConfigKey(
            "connect.s3.compression.codec",
            KeyType.STRING,
            "UNCOMPRESSED",
            "How objects are compressed, as the format allows: UNCOMPRESSED, GZIP, SNAPPY, ZSTD, LZ4, BROTLI, DEFLATE, "
            "BZIP2.",
        ),
        _idle("connect.s3.compression.level", "-1"),
        ConfigKey(
            "connect.s3.padding.strategy", KeyType.STRING, "", "As padding.type of the statement.", Importance.LOW
        ),
        ConfigKey("connect.s3.padding.length", KeyType.INT, None, "As padding.length.offset.", Importance.LOW),
        _idle("connect.s3.exactly.once.enable", "true"),
        _idle("connect.s3.error.policy"),
        _idle("connect.s3.max.retries"),
        _idle("connect.s3.retry.interval"),
        _idle("connect.s3.http.max.retries"),
        _idle("connect.s3.http.retry.interval"),
        _idle("connect.s3.http.socket.timeout"),
        _idle("connect.s3.http.connection.timeout"),
        _idle("connect.s3.pool.max.connections"),
        _idle("connect.s3.local.tmp.directory"),
        _idle("connect.s3.indexes.name"),
        _idle("connect.s3.seek.max.files"),
        _idle("connect.s3.log.metrics"),
        _idle("connect.progress.enabled"),
    ],
)
