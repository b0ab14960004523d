from __future__ import annotations

import pytest

NATIVE_MAP = {
    "name": "logs",
    "connector.class": "streamsink.ArchiveSink",
    "topics": "logs",
    "archive.url": "file:///tmp/archive",
}
CONFLUENT = {
    "name": "orders",
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "topics": "orders",
    "s3.bucket.name": "archive",
    "s3.region": "eu-central-1",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "flush.size": "1000",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
}
AIVEN = {
    "name": "orders",
    "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
    "topics": "orders",
    "aws.s3.bucket.name": "archive",
    "format.output.type": "jsonl",
    "format.output.envelope": "false",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
}


@pytest.fixture
def native():
    """A native connector with some keys changed; None leaves a key out."""

    def make(**changes):
        return changed(NATIVE_MAP, changes)

    return make


@pytest.fixture
def confluent():
    def make(**changes):
        return changed(CONFLUENT, changes)

    return make


@pytest.fixture
def aiven():
    def make(**changes):
        return changed(AIVEN, changes)

    return make


def changed(base, changes):
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return {key: value for key, value in {**base, **dotted}.items() if value is not None}
