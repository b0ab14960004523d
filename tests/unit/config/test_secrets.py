from __future__ import annotations

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsink.config.keys.store import OPTIONS
from streamsink.config.keys.worker import WORKER
from streamsink.config.secrets import HIDDEN, Redactor, is_secret, mask, require_secrets, resolve, secret_values, unmask
from streamsink.config.vendors.profiles import CLASSES
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


URLS = {
    "value.converter.schema.registry.url": "http://u:one@a:8081,http://u:two@b:8081",
    "key.converter.schema.registry.url": "http://u:three@a:8081",
    "archive.option.endpoint": "https://s3:p%40ss@minio:9000/x",
    "archive.url": "webdav+https://ada:pa$s/w@host/x",
    "consumer.override.bootstrap.servers": "a:9092,b:9092",
    "errors.deadletter.url": "webdav+http://ada:${env:PW}@host/dead",
    "sasl.jaas.config": JAAS,
}


def test_what_was_shown_and_comes_back_is_the_same():
    shown = mask(URLS)
    for secret in ("one", "two", "three", "p%40ss", "pa$s", "/w@", "pa;ss"):
        assert secret not in str(shown)
    assert shown["value.converter.schema.registry.url"] == f"http://u:{HIDDEN}@a:8081,http://u:{HIDDEN}@b:8081"
    assert shown["errors.deadletter.url"] == URLS["errors.deadletter.url"]
    assert unmask(shown, URLS) == URLS


def test_what_else_changes_takes_no_password_along():
    key = "value.converter.schema.registry.url"
    swapped = {key: f"http://u:{HIDDEN}@b:8081/api, http://u:new@c:8081"}
    assert unmask(swapped, URLS) == {key: "http://u:two@b:8081/api, http://u:new@c:8081"}


@pytest.mark.parametrize(
    "value",
    [
        f"http://u:{HIDDEN}@elsewhere:8081",
        f"https://u:{HIDDEN}@a:8081",
        f"http://u:{HIDDEN}@a:8082",
        f"http://other:{HIDDEN}@a:8081",
        f"http://u:{HIDDEN}@a:8081,http://u:{HIDDEN}@c:8081",
    ],
)
def test_a_password_goes_to_no_other_host(value):
    with pytest.raises(ConfigError, match="write the password again") as raised:
        unmask({"value.converter.schema.registry.url": value}, URLS)
    assert "one" not in str(raised.value)
    assert raised.value.hint


@pytest.mark.parametrize(
    "new",
    [
        {"sasl.password": HIDDEN},
        {"sasl.password": f" {HIDDEN} "},
        {"archive.url": f"webdav+https://ada:{HIDDEN}@host/x"},
        {"new.url": f"http://u:{HIDDEN}@a:8081"},
    ],
)
def test_hidden_with_nothing_stored_is_an_error_with_words(new):
    stored = {key: value for key, value in URLS.items() if key != "archive.url"}
    with pytest.raises(ConfigError, match="none is stored; write it"):
        unmask(new, stored)
    with pytest.raises(ConfigError, match="none is stored; write it"):
        require_secrets(new)


def test_a_password_that_hidden_is_a_part_of_is_an_error():
    with pytest.raises(ConfigError, match="write the whole"):
        unmask({"value.converter.schema.registry.url": f"http://u:{HIDDEN}@a:8081@elsewhere"}, URLS)


def test_several_passwords_of_one_host_keep_their_order():
    stored = {"urls": "http://u:one@a/x,http://u:two@a/y"}
    assert unmask({"urls": f"http://u:{HIDDEN}@a/x,http://u:{HIDDEN}@a/y"}, stored) == stored
    with pytest.raises(ConfigError, match="several stored passwords"):
        unmask({"urls": f"http://u:{HIDDEN}@a/x"}, stored)


def test_a_text_that_says_hidden_is_no_secret():
    assert unmask({"transforms.mask.replacement": HIDDEN}, {}) == {"transforms.mask.replacement": HIDDEN}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["http", "https", "webdav+http"]),
            st.text(st.characters(exclude_characters="/:@,?#\"'<>$", exclude_categories=["Z", "C"]), max_size=5),
            st.text(st.characters(exclude_characters="/?#$", exclude_categories=["Z", "C"]), min_size=1, max_size=8),
            st.sampled_from(["a:8081", "b", "[::1]:80"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_list_of_urls_comes_back_and_shows_no_password(parts):
    value = ",".join(f"{scheme}://{user}:{password}@{host}" for scheme, user, password, host in parts)
    shown = mask({"urls": value})
    assert shown == {"urls": ",".join(f"{scheme}://{user}:{HIDDEN}@{host}" for scheme, user, _, host in parts)}
    assert unmask(shown, {"urls": value}) == {"urls": value}


@pytest.mark.parametrize("unit", ["://a:", "://a:${", "a", "://:b@", "://${a}:${"])
def test_no_long_value_takes_long(unit):
    value = unit * (300_000 // len(unit))
    began_s = time.process_time()
    unmask(mask({"x": value}), {"x": value})
    assert time.process_time() - began_s < 5


def test_ports_and_paths_are_no_passwords():
    for value in ("http://h1:8081,h2:8081/a@b", "jdbc:postgresql://db:5432/x?user=a@b", "s3://bucket/a@b:c", "a:b@c"):
        assert mask({"x": value}) == {"x": value}


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


def test_a_reference_that_leads_nowhere_is_no_secret_so_errors_can_name_it():
    redactor = Redactor()
    redactor.learn({"aws.secret.access.key": "${env:NO_SUCH}", "sasl.password": "hunter2"})
    said = "${env:NO_SUCH} names no environment variable, not hunter2"
    assert redactor.redact(said) == "${env:NO_SUCH} names no environment variable, not [hidden]"
