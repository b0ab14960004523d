from __future__ import annotations

import logging

import pytest

from streamsink.config.profiles import CLASSES
from streamsink.config.secrets import HIDDEN, Redactor, is_secret, mask, resolve, secret_values, unmask
from streamsink.config.store_keys import OPTIONS
from streamsink.config.worker_keys import WORKER
from streamsink.errors import ConfigError

JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="pa;ss";'


def test_references_are_replaced_by_what_they_name(tmp_path):
    (tmp_path / "s.properties").write_text("user=ada\npass=p\\=w\n")
    (tmp_path / "token").write_text("t0ken\n")
    raw = {
        "a": "${env:WHO}",
        "b": f"${{file:{tmp_path}/s.properties:user}}:${{file:{tmp_path}/s.properties:pass}}",
        "c": f"${{directory:{tmp_path}:token}}",
        "d": "plain $x {y} ${z}",
    }
    assert resolve(raw, {"WHO": "me"}) == {"a": "me", "b": "ada:p=w", "c": "t0ken", "d": "plain $x {y} ${z}"}


def test_a_resolved_value_is_not_resolved_again():
    assert resolve({"a": "${env:A}"}, {"A": "${env:B}", "B": "x"}) == {"a": "${env:B}"}


def test_every_reference_that_leads_nowhere_is_told_at_once(tmp_path):
    (tmp_path / "s.properties").write_text("user=ada\n")
    raw = {
        "a": "${env:NOBODY}",
        "b": "${file:/no/such:x}",
        "c": f"${{file:{tmp_path}/s.properties:pass}}",
        "d": f"${{directory:{tmp_path}:../etc}}",
        "e": "${vault:x:y}",
        "f": "${file:nokey}",
        "g": f"${{directory:{tmp_path}:absent}}",
        "h": f"${{file:{tmp_path}:x}}",
    }
    with pytest.raises(ConfigError) as raised:
        resolve(raw, {})
    assert [problem.key for problem in raised.value.problems] == list("abcdefgh")
    assert "ada" not in str(raised.value)


def test_the_process_environment_is_used_where_none_is_given(monkeypatch):
    monkeypatch.setenv("STREAMSINK_TEST_SECRET", "x1")
    assert resolve({"a": "${env:STREAMSINK_TEST_SECRET}"}) == {"a": "x1"}


@pytest.mark.parametrize(
    "key",
    [
        "archive.option.access_grant",
        "archive.option.secret_access_key",
        "archive.option.passphrase",
        "archive.option.password",
        "archive.option.account_key",
        "archive.option.sas_token",
        "archive.option.session_token",
        "archive.option.service_account_key",
        "archive.option.api_key",
        "sasl.jaas.config",
        "sasl.password",
        "aws.secret.access.key",
        "aws_secret_access_key",
        "azblob.account.key",
        "gcs.credentials.json",
        "consumer.override.sasl.jaas.config",
        "producer.override.sasl.password",
        "consumer.ssl.key.password",
        "consumer.override.ssl.keystore.key",
        "consumer.override.sasl.oauthbearer.client.secret",
        "s3.sse.customer.key",
        "value.converter.basic.auth.user.info",
        "transforms.x.Password",
        "clientSecret",
    ],
)
def test_values_of_secret_keys_are_hidden(key):
    assert mask({key: "open sesame"}) == {key: HIDDEN}


def test_no_key_that_is_no_password_is_hidden():
    keys = [key for one in CLASSES for key in one.definition] + [key for keys in OPTIONS.values() for key in keys]
    hidden = {key.name for key in (*keys, *WORKER) if is_secret(key.name) and key.type.value != "PASSWORD"}
    assert hidden == set()
    for key in ("archive.option.access_key_id", "aws.access.key.id", "sasl.oauthbearer.token.endpoint.url", "key"):
        assert not is_secret(key)


def test_references_stay_and_what_is_partly_literal_is_hidden():
    raw = {"sasl.password": "${env:P}", "archive.option.password": "x${env:P}", "aws.secret.access.key": ""}
    assert mask(raw) == {"sasl.password": "${env:P}", "archive.option.password": HIDDEN, "aws.secret.access.key": ""}


def test_a_password_in_a_url_is_hidden_alone():
    assert mask({"archive.url": "webdav+https://ada:pw@host/x"}) == {
        "archive.url": f"webdav+https://ada:{HIDDEN}@host/x"
    }


def test_what_comes_back_masked_keeps_its_stored_value():
    stored = {"sasl.password": "old", "topics": "a"}
    assert unmask({"sasl.password": HIDDEN, "topics": "b"}, stored) == {"sasl.password": "old", "topics": "b"}


def test_secret_values_are_found_also_within_jaas_and_urls():
    found = secret_values(
        {"sasl.jaas.config": JAAS, "archive.url": "https://u:inurl@h/", "topics": "t", "sasl.password": ""}
    )
    assert found == {JAAS, "pa;ss", "inurl"}


@pytest.mark.parametrize(
    ("written", "password"),
    [('"it\'s"', "it's"), ("'a\"b'", 'a"b'), (r'"a\"b"', 'a"b'), ("abc", "abc"), ('"two words"', "two words")],
)
def test_a_password_within_jaas_is_known_as_kafka_gets_it(written, password):
    jaas = f"org.apache.kafka.common.security.scram.ScramLoginModule required password={written} username=bob;"
    assert secret_values({"consumer.override.sasl.jaas.config": jaas}) == {jaas, password}


def test_a_redactor_replaces_secrets_wherever_they_are():
    redactor = Redactor(["s3cr3t/+", "abc"])
    event = {
        "event": "put s3cr3t/+ there, and s3cr3t%2F%2B",
        "nested": {"a": ["s3cr3t/+", 5, None, True]},
        "bytes": b"s3cr3t/+",
        "error": ValueError("s3cr3t/+"),
        "short": "abc abcd",
    }
    redacted = redactor(None, "info", event)
    assert "s3cr3t" not in repr(redacted)
    assert redacted["nested"]["a"][1:] == [5, None, True]
    assert redacted["short"] == f"{HIDDEN} abcd"


def test_a_redactor_learns_and_leaves_other_values_alone():
    redactor = Redactor()
    marker = object()
    assert redactor(None, "info", {"a": marker, "event": "x"}) == {"a": marker, "event": "x"}
    redactor.learn({"sasl.password": "correct horse", "topics": "logs"})
    assert redactor.redact("correct horse logs") == f"{HIDDEN} logs"


def test_lines_of_a_key_of_several_lines_are_secret_too():
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----\n"
    redactor = Redactor([key])
    assert redactor.redact("x MIIEvQIBADANBgkqhkiG9w0 y") == f"x {HIDDEN} y"
    assert redactor.redact("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_a_redactor_filters_the_standard_librarys_records():
    record = logging.LogRecord("x", logging.INFO, "f", 1, "password is %s", ("open-sesame",), None)
    assert Redactor(["open-sesame"]).filter(record)
    assert record.getMessage() == f"password is {HIDDEN}"
