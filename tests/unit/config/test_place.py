from __future__ import annotations

import pytest

from streamsink.config.place import read_place
from streamsink.config.secrets import HIDDEN
from streamsink.errors import ConfigError

LOGS = {
    "name": "logs",
    "connector.class": "streamsink.ArchiveSink",
    "topics": "logs",
    "archive.url": "s3://bucket/kafka",
    "archive.option.region": "eu-central-1",
    "archive.option.endpoint": "http://127.0.0.1:8333",
    "consumer.override.sasl.password": "${env:NOT_SET_HERE}",
}
SECRETS = {
    "archive.option.access_key_id": "ann",
    "archive.option.secret_access_key": "${env:ARCHIVE_SECRET}",
}


def test_a_connectors_place_has_its_folder_and_its_stores_options():
    assert read_place(LOGS) == (
        "s3://bucket/kafka/topics",
        {"region": "eu-central-1", "endpoint": "http://127.0.0.1:8333"},
    )
    assert read_place({**LOGS, "topics.dir": "own/place"})[0] == "s3://bucket/kafka/own/place"


def test_references_are_resolved_where_the_command_runs(monkeypatch):
    monkeypatch.setenv("ARCHIVE_SECRET", "s3cr3t")
    assert read_place(LOGS | SECRETS)[1]["secret_access_key"] == "s3cr3t"
    monkeypatch.delenv("ARCHIVE_SECRET")
    with pytest.raises(ConfigError, match=r"secret_access_key: \$\{env:ARCHIVE_SECRET\} names no environment variable"):
        read_place(LOGS | SECRETS)


def test_a_secret_that_the_worker_hides_is_asked_for_and_may_be_given():
    hidden = {**LOGS, **SECRETS, "archive.option.secret_access_key": HIDDEN}
    with pytest.raises(ConfigError, match=r"secret_access_key: is a secret that the worker doesn't tell .*--option"):
        read_place(hidden)
    assert read_place(hidden, {"secret_access_key": "given"})[1]["secret_access_key"] == "given"


def test_vendors_keys_are_read_as_well():
    confluent = {
        "connector.class": "io.confluent.connect.s3.S3SinkConnector",
        "s3.bucket.name": "bucket",
        "s3.region": "eu-west-1",
        "topics": "logs",
    }
    url, options = read_place(confluent)
    assert url == "s3://bucket/topics"
    assert options["region"] == "eu-west-1"


def test_a_connector_without_an_archive_is_refused():
    with pytest.raises(ConfigError, match=r"archive\.url"):
        read_place({"connector.class": "streamsink.ArchiveSink", "topics": "logs"})
