"""A Schema Registry that asks for patience gets it: a short wait here, a long one from the caller."""

from __future__ import annotations

import json
import time

import pytest

from streamsink.config.sink import RegistryRules
from streamsink.decode.registry.client import ATTEMPTS, SchemaRegistry
from streamsink.errors import TerminalError, TransientError
from tests.servers.answers import Prepared, serving

JSON = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
FOUND = Prepared(200, JSON, json.dumps({"schema": '"string"'}).encode())


def refused(status, **headers):
    return Prepared(status, {**JSON, **headers}, json.dumps({"error_code": status, "message": "not so fast"}).encode())


def schema_at(url):
    return SchemaRegistry(RegistryRules({"url": url})).schema(1)


@pytest.mark.parametrize("status", [429, 503])
def test_the_next_request_comes_when_the_registry_says(status):
    with serving(refused(status, **{"Retry-After": "1"}), FOUND) as answers:
        assert schema_at(answers.url).text == '"string"'
    first_s, second_s = answers.asked_at_s
    assert 1.0 <= second_s - first_s < 3.0


def test_a_long_wait_is_told_and_not_made():
    with serving(refused(429, **{"Retry-After": "120"})) as answers:
        began_s = time.monotonic()
        with pytest.raises(TransientError, match="429") as raised:
            schema_at(answers.url)
    assert time.monotonic() - began_s < 5
    assert raised.value.retry_after_s == 120
    assert len(answers.asked_at_s) == 1


def test_a_registry_that_says_nothing_of_patience_is_asked_a_few_times():
    with serving(refused(500)) as answers, pytest.raises(TransientError) as raised:
        schema_at(answers.url)
    assert len(answers.asked_at_s) == ATTEMPTS
    assert raised.value.retry_after_s is None


def test_a_refusal_for_good_is_not_repeated():
    with serving(refused(403, **{"Retry-After": "0"})) as answers, pytest.raises(TerminalError):
        schema_at(answers.url)
    assert len(answers.asked_at_s) == 1
