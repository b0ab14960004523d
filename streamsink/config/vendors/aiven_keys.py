"""Keys of Aiven's S3 sink. Definitions only; `aiven` turns them into ours."""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.definition import ConfigKey, Importance, KeyType, Width, grouped

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
            "What names of objects begin with, before file.name.template; it has that one's variables.",
        ),
        ConfigKey(
            "file.compression.type",
            KeyType.STRING,
            "gzip",
            "How objects are compressed: the codec of Parquet, else the whole object.",
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
            "How objects are named: topic, partition, start_offset (both with padding=true), timestamp:unit=yyyy, MM, "
            "dd or HH, and key. Where topic, partition or start_offset is missing, it is added.",
        ),
        ConfigKey("file.name.prefix", KeyType.STRING, "", "As aws.s3.prefix, of the sinks for Google and Azure."),
        ConfigKey("azure.storage.container.name", KeyType.STRING, "", "The Azure container.", Importance.HIGH),
        ConfigKey(
            "azure.storage.connection.string",
            KeyType.PASSWORD,
            None,
            "The Azure account: AccountName and AccountKey, and BlobEndpoint where that is another.",
            Importance.HIGH,
        ),
        ConfigKey("gcs.endpoint", KeyType.STRING, "", "Without effect.", Importance.LOW),
        ConfigKey("gcs.credentials.default", KeyType.BOOLEAN, None, "Without effect.", Importance.LOW),
        ConfigKey("gcs.object.content.encoding", KeyType.STRING, "", "Without effect.", Importance.LOW),
        ConfigKey("file.prefix.template", KeyType.STRING, "", "As aws.s3.prefix, which it comes before."),
        ConfigKey(
            "file.name.timestamp.timezone", KeyType.STRING, "Z", "Time zone of the template's times.", Importance.LOW
        ),
        ConfigKey(
            "file.name.timestamp.source",
            KeyType.STRING,
            "wallclock",
            "Whose time the template has: wallclock, or event (of the Kafka record, which is exactly once).",
            Importance.LOW,
        ),
        ConfigKey(
            "format.output.type",
            KeyType.STRING,
            "csv",
            "What objects are: csv, json (one array), jsonl, parquet or avro.",
            Importance.HIGH,
            check.one_of(("csv", "json", "jsonl", "parquet", "avro")),
            ("csv", "json", "jsonl", "parquet", "avro"),
        ),
        ConfigKey(
            "format.output.fields",
            KeyType.LIST,
            "value",
            "What of a record is written, in this order: key, value, offset, timestamp, headers. All of it is kept in "
            "the object's sidecar, so that topics can be restored.",
        ),
        ConfigKey(
            "format.output.fields.value.encoding",
            KeyType.STRING,
            "base64",
            "How csv has values: base64, or none for the bytes themselves.",
            Importance.LOW,
        ),
        ConfigKey(
            "format.output.envelope",
            KeyType.BOOLEAN,
            "true",
            "Whether each field is a member of a record, or the one field stands alone.",
        ),
        ConfigKey(
            "aws.credentials.provider",
            KeyType.CLASS,
            "",
            "Without effect: keys, or the environment's credentials.",
            Importance.LOW,
        ),
        ConfigKey(
            "aws.sts.role.arn",
            KeyType.STRING,
            "",
            "Without effect: keys, or the environment's credentials.",
            Importance.LOW,
        ),
        ConfigKey(
            "aws.s3.sse.algorithm",
            KeyType.STRING,
            "",
            "Server-side encryption asked for by each request.",
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
