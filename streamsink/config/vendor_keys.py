"""Keys of Confluent's and Aiven's storage sinks that ours don't share. Definitions only.

A key is here if it is honoured, if it can safely be without effect, or if only its default can be honoured:
`WITHOUT_EFFECT` and `ONLY` tell these apart.
"""

from __future__ import annotations

from streamsink.config import validators as check
from streamsink.config.archive_keys import STREAM_CODECS
from streamsink.config.definition import ConfigKey, Importance, KeyType, Width, grouped

S3_CLASS = "io.confluent.connect.s3.S3SinkConnector"
GCS_CLASS = "io.confluent.connect.gcs.GcsSinkConnector"
AZURE_CLASS = "io.confluent.connect.azure.blob.AzureBlobStorageSinkConnector"
AIVEN_CLASS = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector"


def _text(name: str, default: str | None, documentation: str) -> ConfigKey:
    return ConfigKey(name, KeyType.STRING, default, documentation, Importance.LOW)


def _flag(name: str, default: str, documentation: str) -> ConfigKey:
    return ConfigKey(name, KeyType.BOOLEAN, default, documentation, Importance.LOW)


def _count(name: str, default: str, documentation: str) -> ConfigKey:
    return ConfigKey(name, KeyType.LONG, default, documentation, Importance.LOW)


def _secret(name: str, documentation: str) -> ConfigKey:
    return ConfigKey(name, KeyType.PASSWORD, None, documentation, Importance.HIGH)


def _stream_codec(name: str) -> ConfigKey:
    return ConfigKey(
        name,
        KeyType.STRING,
        "none",
        "How JSON Lines and raw objects are compressed; see compression.type.",
        validator=check.one_of(STREAM_CODECS),
        recommended=STREAM_CODECS,
        width=Width.SHORT,
    )


STORE_KEYS = grouped(
    "Store",
    [
        ConfigKey("s3.bucket.name", KeyType.STRING, "", "The S3 bucket, in place of archive.url.", Importance.HIGH),
        ConfigKey("s3.region", KeyType.STRING, "", "The S3 bucket's region.", Importance.HIGH),
        ConfigKey(
            "store.url",
            KeyType.STRING,
            "",
            "URL of an S3 server that is not Amazon's.",
            Importance.HIGH,
            check.http_url,
        ),
        ConfigKey(
            "aws.access.key.id",
            KeyType.STRING,
            "",
            "Access key; without it the environment's credentials.",
            Importance.HIGH,
        ),
        _secret("aws.secret.access.key", "The access key's secret."),
        _flag("s3.path.style.access.enabled", "true", "Whether the bucket's name is in the path, not the host."),
        _text("s3.ssea.name", "", "Server-side encryption asked for by each request."),
        _text("s3.sse.kms.key.id", "", "KMS key asked for by each request."),
        _text("s3.proxy.url", "", "HTTP proxy, as http://host:port."),
        _stream_codec("s3.compression.type"),
        ConfigKey(
            "s3.compression.level",
            KeyType.INT,
            "-1",
            "How hard the codec of s3.compression.type tries; -1 is its default.",
            Importance.LOW,
            check.between(-1, 22),
        ),
        ConfigKey(
            "gcs.bucket.name",
            KeyType.STRING,
            "",
            "The Google Cloud Storage bucket, in place of archive.url.",
            Importance.HIGH,
        ),
        ConfigKey("gcs.credentials.path", KeyType.STRING, "", "File with a service account's key.", Importance.HIGH),
        _secret("gcs.credentials.json", "A service account's key as JSON."),
        _stream_codec("gcs.compression.type"),
        ConfigKey("azblob.account.name", KeyType.STRING, "", "The Azure storage account.", Importance.HIGH),
        _secret("azblob.account.key", "The Azure storage account's key."),
        _secret("azblob.sas.token", "A shared access signature, in place of the account's key."),
        ConfigKey(
            "azblob.container.name",
            KeyType.STRING,
            "",
            "The Azure container, in place of archive.url.",
            Importance.HIGH,
        ),
        _stream_codec("az.compression.type"),
        ConfigKey(
            "storage.class",
            KeyType.CLASS,
            None,
            "Confluent's class of the store; what it is follows from the other keys.",
            Importance.LOW,
        ),
    ],
)

UNHONOURED_KEYS = grouped(
    "Only at their defaults",
    [
        _flag("store.kafka.keys", "false", "Keys as objects of their own; use archive.envelope=true."),
        _flag("store.kafka.headers", "false", "Headers as objects of their own; use archive.envelope=true."),
        _flag("s3.wan.mode", "false", "Amazon's transfer acceleration."),
        ConfigKey(
            "s3.credentials.provider.class",
            KeyType.CLASS,
            "",
            "Java class that finds credentials; only the default chain is understood.",
            Importance.LOW,
        ),
        _secret("s3.sse.customer.key", "Customer-provided encryption key."),
        _text("s3.acl.canned", "", "Access control list of each object."),
        _flag("s3.object.tagging", "false", "Tags of each object; metadata has the same and more."),
        _text("s3.object.tagging.key.value.pairs", "", "Further tags of each object."),
        _text("s3.schema.partition.affix.type", "NONE", "A folder named after the schema."),
        _text("s3.proxy.user", "", "HTTP proxy's user."),
        _secret("s3.proxy.password", "HTTP proxy's password."),
        _text("json.decimal.format", "BASE64", "How decimals are written in JSON."),
    ],
)

ONLY = {
    "store.kafka.keys": "use archive.envelope=true, which keeps keys, headers and timestamps in the same files",
    "store.kafka.headers": "use archive.envelope=true, which keeps keys, headers and timestamps in the same files",
    "s3.wan.mode": "leave it out",
    "s3.credentials.provider.class": "leave it out",
    "s3.sse.customer.key": "give archive.option.server_side_encryption=sse-c and .sse_customer_key instead",
    "s3.acl.canned": "obstore does not sign x-amz-acl: use a bucket policy instead",
    "s3.object.tagging": "leave it out; objects' metadata has offsets and counts",
    "s3.object.tagging.key.value.pairs": "give archive.option.tags=key=value&key2=value2 instead",
    "s3.schema.partition.affix.type": "leave it out",
    "s3.proxy.user": "give archive.option.proxy_url=http://user:password@host:port instead",
    "s3.proxy.password": "give archive.option.proxy_url=http://user:password@host:port instead",
    "json.decimal.format": "leave it out",
}
"""Keys whose default alone can be honoured, with what to do instead."""

IDLE_KEYS = grouped(
    "Without effect",
    [
        _count("s3.part.size", "26214400", "Bytes of a part of an upload."),
        _count("s3.part.retries", "3", "Tries of a part."),
        _count("s3.retry.backoff.ms", "200", "Wait before a part is tried again."),
        _count("retry.backoff.ms", "5000", "Wait before a failed upload is tried again."),
        _flag("s3.elastic.buffer.enable", "false", "Buffers that grow."),
        _count("s3.elastic.buffer.init.capacity", "131072", "Where such buffers start."),
        _flag("s3.send.digest", "false", "A checksum with each request."),
        _flag("s3.http.send.expect.continue", "true", "Ask before sending a body."),
        _text("s3.object.behavior.on.tagging.error", "ignore", "What a failed tag does."),
        _text(
            "schema.generator.class",
            "io.confluent.connect.storage.hive.schema.DefaultSchemaGenerator",
            "Confluent's class that makes schemas of partitions.",
        ),
        _count("schemas.cache.config", "1000", "Schemas remembered."),
        _flag("enhanced.avro.schema.support", "true", "Enums and packages in Avro schemas."),
        _flag("connect.meta.data", "true", "Connect's properties in Avro schemas."),
        _flag("allow.optional.map.keys", "false", "Optional keys of maps."),
        _flag("enable.conditional.writes", "true", "Create-only writes: always on here."),
        _count("max.files.scan.limit", "100", "Names tried after a conflict."),
        _count("max.write.duration.ms", "9223372036854775807", "How long one write may take."),
        _flag("rotate.file.on.partition.change", "true", "Close files when time moves to the next folder."),
        _text("keys.format.class", None, "Format of objects of keys."),
        _text("headers.format.class", None, "Format of objects of headers."),
        _text("tombstone.encoded.partition", "tombstone", "Folder of tombstones."),
        _flag("report.null.values.to.dlq", "true", "Send ignored tombstones to the dead letter topic."),
        _count("gcs.part.size", "26214400", "Bytes of a part of an upload."),
        _count("gcs.part.retries", "3", "Tries of a part."),
        _count("gcs.retry.backoff.ms", "200", "Wait before a part is tried again."),
        _count("azblob.block.size", "26214400", "Bytes of a block of an upload."),
        _count("azblob.retry.retries", "3", "Tries of a block."),
        _count("azblob.retry.backoff.ms", "4000", "Wait before a block is tried again."),
    ],
)

WITHOUT_EFFECT = frozenset(key.name for key in IDLE_KEYS)
"""Known keys that change nothing that is archived; one that is set to something else than its default is warned of."""

CONFLUENT_KEYS = (*STORE_KEYS, *UNHONOURED_KEYS, *IDLE_KEYS)
