"""Configurations as teams have them for Confluent's sinks: all are taken, and each key that does nothing says so."""

from __future__ import annotations

import pytest

from streamsink.config.reading.connector import validate_sink
from streamsink.config.sink import FormatKind
from streamsink.config.vendors.keys import IDLE_KEYS, INSTEAD
from streamsink.partition.partitioner import make_partitioner
from streamsink.upload import options as upload

WORKER = {"bootstrap.servers": "broker:9092"}
S3 = {
    "name": "s3-orders",
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "tasks.max": "4",
    "topics": "orders",
    "s3.bucket.name": "acme-kafka-archive",
    "s3.region": "eu-west-1",
    "s3.part.size": "5242880",
    "s3.acl.canned": "bucket-owner-full-control",
    "s3.object.tagging": "true",
    "s3.object.tagging.key.value.pairs": "team:data,purpose:archive",
    "s3.object.behavior.on.tagging.error": "fail",
    "s3.proxy.url": "https://proxy.acme.example:3128",
    "s3.proxy.user": "kafka",
    "s3.proxy.password": "p:w@d",
    "s3.ssea.name": "aws:kms",
    "s3.sse.kms.key.id": "arn:aws:kms:eu-west-1:123456789012:key/1",
    "s3.credentials.provider.class": "io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider",
    "s3.credentials.provider.sts.role.arn": "arn:aws:iam::123456789012:role/connect",
    "s3.credentials.provider.sts.role.session.name": "connect",
    "s3.elastic.buffer.enable": "true",
    "s3.part.retries": "5",
    "s3.compression.type": "gzip",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "store.kafka.keys": "true",
    "keys.format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "store.kafka.headers": "true",
    "headers.format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "behavior.on.null.values": "write",
    "tombstone.encoded.partition": "deleted",
    "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
    "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
    "partition.duration.ms": "3600000",
    "locale": "en-US",
    "timezone": "UTC",
    "timestamp.extractor": "Record",
    "flush.size": "50000",
    "rotate.interval.ms": "600000",
    "rotate.schedule.interval.ms": "3600000",
    "rotate.file.on.partition.change": "false",
    "schema.compatibility": "NONE",
    "schema.generator.class": "io.confluent.connect.storage.hive.schema.DefaultSchemaGenerator",
    "enable.conditional.writes": "true",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "errors.tolerance": "all",
    "errors.deadletterqueue.topic.name": "dlq-s3-orders",
    "errors.deadletterqueue.context.headers.enable": "true",
    "confluent.topic.bootstrap.servers": "broker:9092",
    "confluent.license": "",
}
GCS = {
    "name": "gcs-clicks",
    "connector.class": "io.confluent.connect.gcs.GcsSinkConnector",
    "tasks.max": "1",
    "topics.regex": "clicks-.*",
    "gcs.bucket.name": "acme-archive",
    "gcs.part.size": "5242880",
    "gcs.credentials.path": "/etc/gcs/key.json",
    "gcs.proxy.url": "http://proxy:3128",
    "storage.class": "io.confluent.connect.gcs.storage.GcsStorage",
    "format.class": "io.confluent.connect.gcs.format.bytearray.ByteArrayFormat",
    "partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner",
    "flush.size": "1000",
    "store.kafka.keys": "true",
    "keys.format.class": "io.confluent.connect.gcs.format.bytearray.ByteArrayFormat",
    "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
    "behavior.on.null.values": "ignore",
    "confluent.topic.replication.factor": "1",
}
AZURE = {
    "name": "azure-payments",
    "connector.class": "io.confluent.connect.azure.blob.AzureBlobStorageSinkConnector",
    "tasks.max": "2",
    "topics": "payments",
    "azblob.account.name": "acme",
    "azblob.account.key": "a2V5",
    "azblob.container.name": "kafka",
    "azblob.block.size": "5242880",
    "azblob.proxy.url": "proxy:3128",
    "azblob.proxy.user": "kafka",
    "azblob.proxy.password": "secret",
    "format.class": "io.confluent.connect.azure.blob.format.parquet.ParquetFormat",
    "parquet.codec": "gzip",
    "partitioner.class": "io.confluent.connect.storage.partitioner.FieldPartitioner",
    "partition.field.name": "country,customer.tier",
    "flush.size": "3",
    "rotate.schedule.interval.ms": "86400000",
    "timezone": "Europe/Berlin",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "true",
    "transforms": "route",
    "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
    "transforms.route.regex": "(.*)",
    "transforms.route.replacement": "prod-$1",
}


def told(raw):
    report = validate_sink(raw, WORKER)
    assert report.problems == ()
    return report.config, " ".join(report.warnings)


@pytest.mark.parametrize("raw", [S3, GCS, AZURE], ids=lambda raw: raw["name"])
def test_a_real_configuration_is_taken_as_it_is(raw):
    config, warnings = told(raw)
    assert config.name == raw["name"]
    assert "unknown key" not in warnings


@pytest.mark.parametrize("raw", [S3, GCS, AZURE], ids=lambda raw: raw["name"])
def test_each_key_without_effect_says_what_happens_instead(raw):
    _, warnings = told(raw)
    for key in INSTEAD.keys() & raw.keys():
        if raw[key] != "true" or key != "enable.conditional.writes":
            assert f"{key}: has no effect here: {INSTEAD[key]}" in warnings


def test_every_key_without_effect_has_its_words():
    silent = {"schema.generator.class"}
    assert {key.name for key in IDLE_KEYS} - silent == set(INSTEAD)


def test_keys_that_can_be_acted_on_are():
    config, warnings = told(S3)
    options = config.archive_options
    assert config.archive_envelope
    beside = config.siblings
    assert (beside.keys.kind, beside.headers.kind, beside.tombstones) == (FormatKind.JSONL, FormatKind.JSONL, "deleted")
    assert "store.kafka.keys" not in warnings
    assert options["tag_offsets"] == "true"
    assert upload.tags(options) == {"team": "data", "purpose": "archive"}
    assert options["proxy_url"] == "https://kafka:p%3Aw%40d@proxy.acme.example:3128"
    assert (options["server_side_encryption"], options["sse_kms_key_id"]) == ("aws:kms", S3["s3.sse.kms.key.id"])
    assert told(AZURE)[0].archive_options["proxy_url"] == "http://kafka:secret@proxy:3128"
    assert told(GCS)[0].archive_options["proxy_url"] == "http://proxy:3128"


def test_a_customers_own_encryption_key_is_used():
    raw = {**S3, "s3.ssea.name": "AES256", "s3.sse.kms.key.id": "", "s3.sse.customer.key": "a2V5"}
    options = told(raw)[0].archive_options
    assert (options["server_side_encryption"], options["sse_customer_key"]) == ("sse-c", "a2V5")


def test_tags_that_are_no_pairs_are_refused():
    report = validate_sink({**S3, "s3.object.tagging.key.value.pairs": "team"}, WORKER)
    assert [one.key for one in report.problems] == ["s3.object.tagging.key.value.pairs"]


def test_a_proxys_user_needs_the_proxy():
    report = validate_sink({**S3, "s3.proxy.url": ""}, WORKER)
    assert [one.key for one in report.problems] == ["s3.proxy.url"]


def test_keys_are_in_the_column_kafka_where_that_is_asked_for():
    report = validate_sink({**GCS, "archive.envelope": "true"}, WORKER)
    assert report.config.siblings is None
    assert any("archive.envelope=true keeps keys" in warning for warning in report.warnings)


def test_a_folder_of_the_schemas_name_needs_values_without_one():
    raw = {**S3, "s3.schema.partition.affix.type": "PREFIX", "value.converter.schemas.enable": "true"}
    assert [one.key for one in validate_sink(raw, WORKER).problems] == ["s3.schema.partition.affix.type"]
    plain, _ = told({**raw, "value.converter.schemas.enable": "false"})
    assert make_partitioner(plain) is not None
    assert plain.partitioning.schema_affix == "PREFIX"
