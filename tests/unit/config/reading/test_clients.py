from __future__ import annotations

import pytest

from streamsink.config.reading.clients import as_member, worker_client_properties
from streamsink.config.reading.connector import parse_sink, validate_sink
from streamsink.config.reading.java_clients import translate
from streamsink.errors import ConfigError


def test_a_connector_reads_as_the_group_that_connect_would(native):
    config, _ = parse_sink(native(), {"bootstrap.servers": "b:1", "consumer.group.id": "x", "group.id": "workers"})
    assert config.consumer == {
        "bootstrap.servers": "b:1",
        "group.id": "connect-logs",
        "client.id": "connector-consumer-logs",
    }
    assert config.producer == {"bootstrap.servers": "b:1", "client.id": "connector-producer-logs"}


def test_a_connector_may_choose_its_group(native):
    config, _ = parse_sink(native(consumer__override__group__id="mine"), {})
    assert config.consumer["group.id"] == "mine"


def test_connector_goes_over_worker_and_each_kind_of_client_has_its_own(native):
    worker = {
        "bootstrap.servers": "b:1",
        "consumer.fetch.min.bytes": "1",
        "producer.linger.ms": "2",
        "security.protocol": "SASL_SSL",
        "consumer.session.timeout.ms": "9",
        "session.timeout.ms": "10000",
    }
    config, _ = parse_sink(
        native() | {"consumer.override.fetch.min.bytes": "3", "producer.override.acks": "all"}, worker
    )
    assert config.consumer["fetch.min.bytes"] == "3"
    assert config.consumer["session.timeout.ms"] == "9"
    assert config.consumer["security.protocol"] == "SASL_SSL"
    assert "linger.ms" not in config.consumer
    assert config.producer["linger.ms"] == "2"
    assert config.producer["acks"] == "all"
    assert "session.timeout.ms" not in config.producer


@pytest.mark.parametrize("module", ["plain.PlainLoginModule", "scram.ScramLoginModule"])
def test_javas_login_becomes_user_and_password(module):
    text = f'org.apache.kafka.common.security.{module} required username="ada" password="a\\"b;c=d e" ;'
    done = translate({"sasl.jaas.config": text, "sasl.mechanism": "PLAIN"})
    assert done.properties == {"sasl.username": "ada", "sasl.password": 'a"b;c=d e', "sasl.mechanism": "PLAIN"}


def test_javas_oauth_login_becomes_oidc():
    text = "a.b.OAuthBearerLoginModule required clientId='i' clientSecret='s' scope='c';"
    done = translate({"sasl.jaas.config": text, "sasl.oauthbearer.token.endpoint.url": "https://x"})
    assert done.properties == {
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "i",
        "sasl.oauthbearer.client.secret": "s",
        "sasl.oauthbearer.scope": "c",
        "sasl.oauthbearer.token.endpoint.url": "https://x",
    }


def test_a_login_that_cannot_be_read_is_told_without_its_secrets():
    done = translate({"sasl.jaas.config": 'com.example.Login required password="hush";'})
    ((key, wrong),) = done.problems
    assert key == "sasl.jaas.config"
    assert "hush" not in wrong


def test_a_connectors_login_replaces_the_workers_in_whichever_form(native):
    worker = {"sasl.username": "worker", "sasl.password": "w"}
    jaas = 'a.b.ScramLoginModule required username="ada" password="p";'
    config, _ = parse_sink(native(consumer__override__sasl__jaas__config=jaas), worker)
    assert (config.consumer["sasl.username"], config.consumer["sasl.password"]) == ("ada", "p")
    assert config.producer["sasl.username"] == "worker"


def test_pem_stores_become_files_of_certificates():
    done = translate(
        {
            "ssl.truststore.location": "/ca.pem",
            "ssl.truststore.password": "unused",
            "ssl.keystore.location": "/me",
            "ssl.keystore.type": "PEM",
            "ssl.key.password": " k ",
            "ssl.endpoint.identification.algorithm": "",
        }
    )
    assert done.properties == {
        "ssl.ca.location": "/ca.pem",
        "ssl.certificate.location": "/me",
        "ssl.key.location": "/me",
        "ssl.key.password": " k ",
        "ssl.endpoint.identification.algorithm": "none",
    }
    assert not done.problems


def test_pkcs12_is_kept_and_java_keystores_are_refused():
    done = translate({"ssl.keystore.location": "/me.p12", "ssl.keystore.password": "p"})
    assert done.properties == {"ssl.keystore.location": "/me.p12", "ssl.keystore.password": "p"}
    refused = translate({"ssl.keystore.location": "/me", "ssl.truststore.location": "/ca.p12"})
    assert [key for key, _ in refused.problems] == ["ssl.truststore.location", "ssl.keystore.location"]


def test_what_only_java_knows_is_left_out_with_a_warning(native):
    raw = native() | {"consumer.override.max.poll.records": "5", "consumer.override.fetch.max.wait.ms": "7"}
    worker = {"consumer.key.deserializer": "x"}
    report = validate_sink(raw, worker)
    assert report.config is not None
    assert report.config.consumer["fetch.wait.max.ms"] == "7"
    assert not {"max.poll.records", "key.deserializer", "fetch.max.wait.ms"} & set(report.config.consumer)
    assert "consumer.override.max.poll.records: left out, use poll.records.max" in report.warnings
    assert any(warning.startswith("key.deserializer, of the worker") for warning in report.warnings)


@pytest.mark.parametrize(("policy", "refused"), [("None", 2), ("Principal", 1), ("All", 0)])
def test_the_workers_policy_says_what_connectors_may_override(native, policy, refused):
    raw = native() | {"consumer.override.fetch.min.bytes": "5", "consumer.override.security.protocol": "SSL"}
    report = validate_sink(raw, {"connector.client.config.override.policy": policy})
    assert len(report.problems) == refused


def test_the_workers_own_clients_log_in_too():
    worker = {"bootstrap.servers": "b:1", "security.protocol": "SSL", "ssl.ca.location": "/ca", "group.id": "g"}
    assert worker_client_properties(worker).properties == {
        "bootstrap.servers": "b:1",
        "security.protocol": "SSL",
        "ssl.ca.location": "/ca",
    }


def test_each_task_is_a_static_member_of_its_own():
    assert as_member({"group.id": "g", "group.instance.id": "pod"}, 3) == {
        "group.id": "g",
        "group.instance.id": "pod-3",
    }
    assert as_member({"group.id": "g"}, 3) == {"group.id": "g"}


def test_a_worker_login_that_cannot_be_read_does_not_matter_where_the_connector_has_its_own(native):
    worker = {"sasl.jaas.config": "com.example.Login required;"}
    own = {
        f"{kind}.override.{key}": "x" for kind in ("consumer", "producer") for key in ("sasl.username", "sasl.password")
    }
    assert [problem.key for problem in validate_sink(native(), worker).problems] == ["sasl.jaas.config"]
    assert validate_sink(native() | own, worker).problems == ()


def test_the_new_group_protocol_leaves_out_what_brokers_decide_and_warns_of_the_connectors_own(native):
    worker = {"consumer.session.timeout.ms": "9", "consumer.heartbeat.interval.ms": "3"}
    own = {
        "consumer.override.group.protocol": "CONSUMER",
        "consumer.override.session.timeout.ms": "8",
        "consumer.override.max.poll.interval.ms": "60000",
    }
    config, warnings = parse_sink(native() | own, worker)
    assert config.consumer["group.protocol"] == "consumer"
    assert config.consumer["max.poll.interval.ms"] == "60000"
    assert not {"session.timeout.ms", "heartbeat.interval.ms"} & config.consumer.keys()
    (warned,) = [each for each in warnings if "group.protocol" in each]
    assert "consumer.override.session.timeout.ms" in warned
    assert "group.consumer.session.timeout.ms" in warned


def test_a_group_protocol_that_kafka_does_not_have_is_refused(native):
    with pytest.raises(ConfigError, match=r"consumer.override.group.protocol: .*classic, consumer"):
        parse_sink(native() | {"consumer.override.group.protocol": "raft"}, {})


def test_times_and_sizes_of_clients_may_have_units():
    done = translate({"session.timeout.ms": "45s", "max.partition.fetch.bytes": "1MiB", "sasl.password": "10m"})
    assert done.properties == {
        "session.timeout.ms": "45000",
        "fetch.message.max.bytes": "1048576",
        "sasl.password": "10m",
    }
