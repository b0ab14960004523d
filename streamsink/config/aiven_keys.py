"""Keys of Aiven's S3 sink. Definitions only; `aiven` turns them into ours."""

from __future__ import annotations

from streamsink.config import validators as check
from streamsink.config.definition import ConfigKey, Importance, KeyType, Width, grouped

AIVEN_KEYS = grouped(
    "Aiven",
    [
        ConfigKey("aws.s3.bucket.name", KeyType.STRING, "", "The S3 bucket.", Importance.HIGH),
        ConfigKey(
            "aws.s3.endpoint", KeyType.STRING, "", "URL of an S3 server that is not Amazon's.", validator=check.http_url
        ),
        ConfigKey("aws.s3.region", KeyType.STRING, "us-east-1", "The S3 bucket's region."),
        ConfigKey(
            "aws.s3.prefix",
            KeyType.STRING,
            "",
            "Folder that holds a folder for each topic; must end with a slash and have no variables.",
        ),
        ConfigKey(
            "file.compression.type",
            KeyType.STRING,
            "gzip",
            "How objects are compressed: the codec of Parquet, or the whole of JSON Lines. Must be none for Avro.",
            validator=check.one_of(("none", "gzip", "snappy", "zstd")),
            recommended=("none", "gzip", "snappy", "zstd"),
            width=Width.SHORT,
        ),
        ConfigKey(
            "file.max.records",
            KeyType.INT,
            "0",
            "Records of one object at most; 0 is no limit.",
            validator=check.at_least(0),
        ),
        ConfigKey(
            "file.name.template",
            KeyType.STRING,
            "",
            "How objects are named. Only {{topic}}-{{partition}}-{{start_offset}} is understood, and names are ours.",
        ),
        ConfigKey("file.prefix.template", KeyType.STRING, "", "Not supported; use aws.s3.prefix without variables."),
        ConfigKey(
            "file.name.timestamp.timezone", KeyType.STRING, "Z", "Without effect: names hold no time.", Importance.LOW
        ),
        ConfigKey(
            "file.name.timestamp.source",
            KeyType.STRING,
            "wallclock",
            "Without effect: names hold no time.",
            Importance.LOW,
        ),
        ConfigKey(
            "format.output.type",
            KeyType.STRING,
            "csv",
            "What objects are: jsonl, parquet or avro. csv and json are not supported.",
            Importance.HIGH,
            check.one_of(("csv", "json", "jsonl", "parquet", "avro")),
            ("jsonl", "parquet", "avro"),
        ),
        ConfigKey(
            "format.output.fields",
            KeyType.LIST,
            "value",
            "What of a record is archived. Only value is supported; archive.envelope=true keeps all the rest.",
        ),
        ConfigKey(
            "format.output.fields.value.encoding",
            KeyType.STRING,
            "base64",
            "Without effect: it concerns csv and json values of bytes.",
            Importance.LOW,
        ),
        ConfigKey(
            "format.output.envelope",
            KeyType.BOOLEAN,
            "true",
            "Whether each value is wrapped once more. Only false is supported: the value's fields are the columns.",
        ),
        ConfigKey(
            "aws.credentials.provider",
            KeyType.CLASS,
            "",
            "Not supported: keys, or the environment's credentials.",
            Importance.LOW,
        ),
        ConfigKey("aws.sts.role.arn", KeyType.STRING, "", "Not supported.", Importance.LOW),
        ConfigKey(
            "aws.s3.sse.algorithm",
            KeyType.STRING,
            "",
            "Not supported; set the bucket's default encryption.",
            Importance.LOW,
        ),
        ConfigKey("aws.s3.part.size.bytes", KeyType.LONG, "5242880", "Without effect.", Importance.LOW),
        ConfigKey("aws.s3.backoff.delay.ms", KeyType.LONG, "100", "Without effect.", Importance.LOW),
        ConfigKey("aws.s3.backoff.max.delay.ms", KeyType.LONG, "20000", "Without effect.", Importance.LOW),
        ConfigKey("aws.s3.backoff.max.retries", KeyType.INT, "3", "Without effect.", Importance.LOW),
        ConfigKey("kafka.retry.backoff.ms", KeyType.LONG, None, "Without effect.", Importance.LOW),
    ],
)

OLD_NAMES = {
    "aws_access_key_id": "aws.access.key.id",
    "aws_secret_access_key": "aws.secret.access.key",
    "aws_s3_bucket": "aws.s3.bucket.name",
    "aws_s3_endpoint": "aws.s3.endpoint",
    "aws_s3_region": "aws.s3.region",
    "aws_s3_prefix": "aws.s3.prefix",
    "output_compression": "file.compression.type",
    "output_fields": "format.output.fields",
}
"""Names of the connector's first releases, which it still reads."""
