"""Validation of a configuration that was shown masked: its secrets are the stored ones, and are told to nobody."""

from __future__ import annotations

import pytest

from streamsink.config.secrets import Redactor, mask
from streamsink.worker import validation
from streamsink.worker.connectivity import Reach
from streamsink.worker.validation import make_validator

STORED = {
    "name": "logs",
    "connector.class": "streamsink.ArchiveSink",
    "topics": "logs",
    "archive.url": "s3://bucket/x",
    "archive.option.endpoint": "http://ada:s3cr3t-word@host:9000",
    "archive.option.access_key_id": "ann",
    "archive.option.secret_access_key": "other-secret",
}


@pytest.fixture
def reached(monkeypatch):
    configs = []
    monkeypatch.setattr(validation, "check_reach", lambda config, worker: configs.append(dict(config)) or Reach())
    return configs


def errors(report):
    return {each.key.name: each.errors for each in report.keys if each.errors}


def test_stored_secrets_are_tried_and_not_shown(reached):
    validate = make_validator({"bootstrap.servers": "127.0.0.1:1"}, Redactor())
    report = validate(mask(STORED), STORED)
    assert errors(report) == {}
    assert reached == [STORED]
    assert "s3cr3t-word" not in str(report)
    assert "other-secret" not in str(report)


def test_hidden_with_nothing_stored_is_an_error_of_its_key(reached):
    report = make_validator({"bootstrap.servers": "127.0.0.1:1"}, Redactor())(mask(STORED), {})
    assert set(errors(report)) == {"archive.option.endpoint", "archive.option.secret_access_key"}
    assert all("none is stored" in text for texts in errors(report).values() for text in texts)
    assert reached == []


def test_a_value_with_a_unit_is_shown_as_it_was_given(reached):
    given = {**STORED, "rotate.age.ms": "10m", "rotate.size.bytes": "64MiB"}
    report = make_validator({"bootstrap.servers": "127.0.0.1:1"}, Redactor())(given, STORED)
    shown = {each.key.name: each.value for each in report.keys}
    assert errors(report) == {}
    assert (shown["rotate.age.ms"], shown["rotate.size.bytes"]) == ("10m", "64MiB")
