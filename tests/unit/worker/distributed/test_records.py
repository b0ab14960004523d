import json

import pytest

from streamsink.worker.distributed.config_topic import ConfigTable
from streamsink.worker.distributed.records import (
    ConnectorConfigured,
    LoggerSet,
    RestartAsked,
    TargetSet,
    connector_record,
    logger_record,
    read_record,
    restart_record,
    target_record,
)
from streamsink.worker.status import TargetState


def test_connects_own_records_are_read_as_connect_writes_them():
    assert read_record(b"connector-a-b", b'{"properties":{"name":"a-b","tasks.max":"2"}}') == ConnectorConfigured(
        "a-b", {"name": "a-b", "tasks.max": "2"}
    )
    assert read_record(b"connector-a", None) == ConnectorConfigured("a", None)
    assert read_record(b"target-state-a", b'{"state":"PAUSED"}') == TargetSet("a", TargetState.PAUSED)
    assert read_record(b"target-state-a", b'{"state":"PAUSED","state.v2":"STOPPED"}') == TargetSet(
        "a", TargetState.STOPPED
    )
    assert read_record(b"target-state-a", None) == TargetSet("a", TargetState.RUNNING)
    assert read_record(b"restart-connector-a", b'{"include-tasks":true,"only-failed":false}') == RestartAsked(
        "a", include_tasks=True, only_failed=False
    )


def test_the_converters_envelope_is_taken_off():
    value = json.dumps({"schema": {"type": "struct"}, "payload": {"properties": {"k": "v"}}}).encode()
    assert read_record(b"connector-a", value) == ConnectorConfigured("a", {"k": "v"})


@pytest.mark.parametrize(
    "key", [b"task-a-0", b"commit-a", b"session-key", b"tasks-fencing-a", b"", None, b"\xff", b"something"]
)
def test_what_is_connects_own_business_is_left_alone(key):
    assert read_record(key, b'{"properties":{}}') is None


@pytest.mark.parametrize("value", [b"", b"not json", b"[]", b'{"properties":[]}'])
def test_a_connector_whose_record_cant_be_read_has_a_problem_and_is_not_gone(value):
    change = read_record(b"connector-a", value)
    assert change.config == {}
    assert "no properties" in change.problem


@pytest.mark.parametrize("state", list(TargetState))
def test_target_states_are_read_back_as_written(state):
    key, value = target_record("a", state)
    assert read_record(key.encode(), value) == TargetSet("a", state)


def test_an_older_worker_takes_stopped_for_paused():
    assert json.loads(target_record("a", TargetState.STOPPED)[1]) == {"state": "PAUSED", "state.v2": "STOPPED"}


def test_orders_are_read_back_as_written():
    key, value = restart_record("a", include_tasks=False, only_failed=True)
    assert read_record(key.encode(), value) == RestartAsked("a", include_tasks=False, only_failed=True)
    key, value = logger_record("streamsink.sink", "DEBUG")
    assert read_record(key.encode(), value) == LoggerSet("streamsink.sink", "DEBUG")


def table_of(*records):
    table = ConfigTable()
    for key, value in records:
        table.apply(read_record(key.encode(), value))
    return table


def test_the_last_record_of_a_key_holds():
    table = table_of(
        connector_record("a", {"x": "1"}),
        connector_record("b", {"x": "1"}),
        connector_record("a", {"x": "2"}),
        connector_record("b", None),
        target_record("a", TargetState.PAUSED),
    )
    assert {name: one.config for name, one in table.definitions.items()} == {"a": {"x": "2", "name": "a"}}
    assert table.target("a") is TargetState.PAUSED
    assert table.target("b") is TargetState.RUNNING


def test_the_same_configuration_written_again_is_the_same_definition():
    first = table_of(connector_record("a", {"x": "1", "y": "2"})).definitions["a"]
    again = table_of(connector_record("a", {"x": "0"}), connector_record("a", {"y": "2", "x": "1"})).definitions["a"]
    assert first == again


def test_an_unreadable_configuration_is_a_definition_with_a_problem():
    table = table_of(("connector-a", b"nonsense"))
    assert table.definitions["a"].config is None
    assert "no properties" in table.definitions["a"].problem
