"""Keys of Confluent's and Aiven's storage sinks that ours don't share. Definitions only.

A key is here if it is honoured, or if it has no effect: `WITHOUT_EFFECT` has those, and `INSTEAD` what happens.
"""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.archive import STREAM_CODECS
from streamsink.config.keys.definition import ConfigKey, Importance, KeyType, Width, grouped

S3_CLASS = "io.confluent.connect.s3.S3SinkConnector"
GCS_CLASS = "io.confluent.connect.gcs.GcsSinkConnector"
AZURE_CLASS = "io.confluent.connect.azure.blob.AzureBlobStorageSinkConnector"
FORMAT_PACKAGE = "io.confluent.connect.s3.format"
AIVEN_CLASS = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector"
AIVEN_GCS_CLASS = "io.aiven.kafka.connect.gcs.GcsSinkConnector"
AIVEN_AZURE_CLASS = "io.aiven.kafka.connect.azure.sink.AzureBlobSinkConnector"


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

KEPT_KEYS = grouped(
    "Confluent",
    [
        _flag(
            "store.kafka.keys",
            "false",
            "With Confluent's classes: whether each object of values has one of its keys beside it, .keys in its "
            "name. With archive.envelope=true they are in the column _kafka instead.",
        ),
        _flag(
            "store.kafka.headers", "false", "As store.kafka.keys: whether each object has one of its headers beside it."
        ),
        ConfigKey(
            "keys.format.class",
            KeyType.CLASS,
            f"{FORMAT_PACKAGE}.avro.AvroFormat",
            "Format of objects of keys: parquet, avro, jsonl, raw, or the class name of Confluent's format.",
            Importance.LOW,
            recommended=("avro", "jsonl", "parquet", "raw"),
        ),
        ConfigKey(
            "headers.format.class",
            KeyType.CLASS,
            f"{FORMAT_PACKAGE}.avro.AvroFormat",
            "Format of objects of headers: parquet, avro, jsonl, or the class name of Confluent's format.",
            Importance.LOW,
            recommended=("avro", "jsonl", "parquet"),
        ),
        _text(
            "tombstone.encoded.partition",
            "tombstone",
            "Folder of tombstones, where behavior.on.null.values=write stores them as objects of keys alone.",
        ),
        _secret("s3.sse.customer.key", "Key of 256 bits in base64 that objects are encrypted with (SSE-C)."),
        _flag("s3.object.tagging", "false", "Whether each object has the tags startOffset, endOffset and recordCount."),
        ConfigKey(
            "s3.object.tagging.key.value.pairs",
            KeyType.LIST,
            "",
            "Further tags of each object, as key1:value1,key2:value2.",
            Importance.LOW,
        ),
        ConfigKey(
            "s3.schema.partition.affix.type",
            KeyType.STRING,
            "NONE",
            "A folder schema_name=<name> before (PREFIX) or behind (SUFFIX) the others. The name is null, as values "
            "without a schema have it; values with schemas can't have such a folder.",
            Importance.LOW,
            check.one_of(("NONE", "PREFIX", "SUFFIX")),
            ("NONE", "PREFIX", "SUFFIX"),
        ),
        _flag(
            "rotate.file.on.partition.change",
            "false",
            "With rotate.interval.ms: whether all files of a Kafka partition close where a record has another folder "
            "than the one before, so that late records make small files; true in Confluent's.",
        ),
        _text("s3.proxy.user", "", "HTTP proxy's user."),
        _secret("s3.proxy.password", "HTTP proxy's password."),
        _text("gcs.proxy.url", "", "HTTP proxy, as http://host:port."),
        _text("gcs.proxy.user", "", "HTTP proxy's user."),
        _secret("gcs.proxy.password", "HTTP proxy's password."),
        _text("azblob.proxy.url", "", "HTTP proxy, as http://host:port."),
        _text("azblob.proxy.user", "", "HTTP proxy's user."),
        _secret("azblob.proxy.password", "HTTP proxy's password."),
        ConfigKey(
            "json.decimal.format",
            KeyType.STRING,
            "BASE64",
            "How decimals are written in JSON: BASE64 of their bytes, or NUMERIC.",
            Importance.LOW,
            check.one_of(("BASE64", "NUMERIC")),
            ("BASE64", "NUMERIC"),
        ),
    ],
)

IDLE_KEYS = grouped(
    "Without effect",
    [
        _flag("s3.wan.mode", "false", "Amazon's transfer acceleration."),
        ConfigKey(
            "s3.credentials.provider.class",
            KeyType.CLASS,
            "",
            "Java class that finds credentials.",
            Importance.LOW,
        ),
        _text("s3.acl.canned", "", "Access control list of each object."),
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
        _flag("report.null.values.to.dlq", "true", "Send ignored tombstones to the dead letter topic."),
        _count("gcs.part.size", "26214400", "Bytes of a part of an upload."),
        _count("gcs.part.retries", "3", "Tries of a part."),
        _count("gcs.retry.backoff.ms", "200", "Wait before a part is tried again."),
        _count("azblob.block.size", "26214400", "Bytes of a block of an upload."),
        _count("azblob.retry.retries", "3", "Tries of a block."),
        _count("azblob.retry.backoff.ms", "4000", "Wait before a block is tried again."),
    ],
)

INSTEAD = {
    "s3.wan.mode": "uploads go to the region's own endpoint, not to Amazon's acceleration",
    "s3.credentials.provider.class": "no Java class is loaded: aws.access.key.id is used where it is given, else what "
    "the environment has (AWS_* variables, web identity, the machine's role)",
    "s3.acl.canned": "objects are stored without an ACL, since its header can't be signed here: buckets whose owner "
    "is enforced, Amazon's default, take none; for others give access by a bucket policy",
    "s3.part.size": "an object is stored by one request",
    "s3.part.retries": "upload.retry.timeout.ms says how long storing is tried",
    "s3.retry.backoff.ms": "upload.retry.timeout.ms says how long storing is tried",
    "retry.backoff.ms": "upload.retry.timeout.ms says how long storing is tried",
    "s3.elastic.buffer.enable": "buffers grow with what they hold; memory.bytes.max bounds them all",
    "s3.elastic.buffer.init.capacity": "buffers grow with what they hold; memory.bytes.max bounds them all",
    "s3.send.digest": "every object's SHA-256 and MD5 are kept in its metadata, and archive verify compares them",
    "s3.http.send.expect.continue": "bodies are sent at once",
    "s3.object.behavior.on.tagging.error": "tags are part of the request that stores the object, so neither goes alone",
    "schemas.cache.config": "all schemas in use are remembered",
    "enhanced.avro.schema.support": "Avro schemas are written as the registry has them",
    "connect.meta.data": "Avro schemas are written as the registry has them",
    "allow.optional.map.keys": "maps are written as their schemas say",
    "enable.conditional.writes": "objects are created only where their name is free, always",
    "max.files.scan.limit": "an object that is there already is read, not passed by",
    "max.write.duration.ms": "storing waits for no poll: upload.retry.timeout.ms bounds it",
    "report.null.values.to.dlq": "tombstones that are ignored are left out and reported nowhere",
    "gcs.part.size": "an object is stored by one request",
    "gcs.part.retries": "upload.retry.timeout.ms says how long storing is tried",
    "gcs.retry.backoff.ms": "upload.retry.timeout.ms says how long storing is tried",
    "azblob.block.size": "an object is stored by one request",
    "azblob.retry.retries": "upload.retry.timeout.ms says how long storing is tried",
    "azblob.retry.backoff.ms": "upload.retry.timeout.ms says how long storing is tried",
}
"""What happens in place of what a key without effect asks for."""

WITHOUT_EFFECT = frozenset(key.name for key in IDLE_KEYS)
"""Known keys that change nothing that is archived; one that is set to something else than its default is warned of."""

CONFLUENT_KEYS = (*STORE_KEYS, *KEPT_KEYS, *IDLE_KEYS)
