from __future__ import annotations

import pytest

from streamsink.config.reading.connector import validate_sink
from streamsink.config.reading.plugins import PluginType, all_plugins
from tests.unit.transform.conftest import BASE, WORKER, chain_of


def problems(*steps, **more):
    return {one.key: one.message for one in validate_sink(BASE | chain_of(*steps, **more), WORKER).problems}


def warnings(raw):
    return validate_sink(BASE | raw, WORKER).warnings


@pytest.mark.parametrize(
    ("kind", "settings", "key", "words"),
    [
        ("Cast$Value", {}, "spec", "required"),
        ("Cast$Value", {"spec": "a:int7"}, "spec", "int7"),
        ("Cast$Value", {"spec": "int8,a:int8"}, "spec", "whole value"),
        ("Cast", {"spec": "a:int8"}, "type", "Cast$Key or Cast$Value"),
        ("RegexRouter$Value", {}, "type", "it is RegexRouter"),
        ("Nothing", {}, "type", "is unknown"),
        ("", {}, "type", "required"),
        ("HeaderFrom$Key", {"fields": "a,b", "headers": "x", "operation": "copy"}, "headers", "as many"),
        ("HeaderFrom$Key", {"fields": "a", "headers": "x", "operation": "take"}, "operation", "none of"),
        ("InsertField$Value", {}, "topic.field", "nothing to insert"),
        ("InsertField$Value", {"static.field": "a"}, "static.value", "needed"),
        ("RegexRouter", {"regex": "(", "replacement": ""}, "regex", "regular expression"),
        ("RegexRouter", {"regex": "a", "replacement": "$1"}, "replacement", "group 1"),
        ("ReplaceField$Value", {"renames": "a"}, "renames", "colon"),
        ("TimestampConverter$Value", {"target.type": "string"}, "format", "needed"),
        ("TimestampConverter$Value", {"target.type": "date"}, "target.type", "none of"),
        ("TimestampConverter$Value", {"target.type": "Date", "format": "YYYY"}, "format", "not supported"),
        ("TimestampRouter", {"timestamp.format": "'"}, "timestamp.format", "quote"),
        ("SetSchemaMetadata$Value", {}, "schema.name", "neither"),
        ("Filter", {"predicate": ("HasHeaderKey", {})}, "../predicates.p0.name", "required"),
        ("Filter", {"predicate": ("Maybe", {})}, "../predicates.p0.type", "unknown"),
        ("Filter", {"negate": "true"}, "negate", "no predicate"),
        ("Filter", {"negate": "yes"}, "negate", "neither"),
    ],
)
def test_what_is_wrong_is_told_under_its_own_key(kind, settings, key, words):
    found = problems((kind, settings))
    full = key.removeprefix("../") if key.startswith("../") else f"transforms.t0.{key}"
    assert words in found[full]


def test_a_predicate_that_is_not_listed_is_a_problem():
    raw = chain_of(("Filter", {})) | {"transforms.t0.predicate": "p"}
    assert validate_sink(BASE | raw, WORKER).problems[0].key == "transforms.t0.predicate"


def test_raw_values_cannot_be_changed_and_hidden_ones_not_be_kept_beside():
    mask = ("MaskField$Value", {"fields": "a"})
    assert "t0 changes values" in problems(mask, archive__value="raw")["archive.value"]
    assert "t0 hides" in problems(mask, archive__value="both")["archive.value"]
    assert problems(mask) == {}
    assert problems(("InsertField$Value", {"topic.field": "t"}), archive__value="both") == {}
    assert problems(("MaskField$Key", {"fields": "a"}), archive__value="raw") == {}


def test_slips_and_leftovers_are_warned_of():
    raw = chain_of(("MaskField$Value", {"fields": "a", "fieldz": "x"}))
    assert warnings(raw) == ("transforms.t0.fieldz: unknown key, is transforms.t0.fields meant?",)
    assert "transforms.x: has no effect" in " ".join(warnings(raw | {"transforms.x.type": "Filter"}))
    listed = chain_of(("Filter", {})) | {"predicates": "p", "predicates.p.type": "RecordIsTombstone"}
    assert "predicates.p: no transform has it" in warnings(listed)


def test_a_transform_that_should_leave_nulls_says_who_decides_it():
    cast = ("Cast$Value", {"spec": "a:int64"})
    assert warnings(chain_of(cast)) == ()
    raw = chain_of(cast) | {"transforms.t0.replace.null.with.default": "false"}
    (told,) = warnings(raw)
    assert "transforms.t0.replace.null.with.default: has no effect" in told
    assert told.endswith("value.converter.replace.null.with.default decides it")


def test_every_transform_of_connects_is_a_plugin_with_its_keys():
    plugins = {one.name: one for one in all_plugins() if one.type is PluginType.TRANSFORMATION}
    cast = plugins["org.apache.kafka.connect.transforms.Cast$Value"]
    assert [key.name for key in cast.keys] == ["spec", "replace.null.with.default"]
    assert len([name for name in plugins if name.startswith("org.apache.kafka")]) == 26
    assert {one.type for one in all_plugins()} >= {"sink", "predicate", "converter", "partitioner", "format"}
