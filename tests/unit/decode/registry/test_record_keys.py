"""Keys whose schemas a registry has, as transforms see them."""

import io
import json

import fastavro
import pyarrow as pa
import pytest

from streamsink.config.reading.connector import validate_sink
from streamsink.config.sink import Converter, RegistryRules
from streamsink.decode.record_keys import KeyDecoder
from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry, UnknownSchemaError
from streamsink.decode.registry.record_keys import RegistryKeys
from streamsink.decode.registry.values import RegistryValues
from tests.unit.transform.conftest import BASE, WORKER, chain_of

RULES = RegistryRules({"url": "http://registry:8081"})
SCHEMAS = {
    1: {"type": "record", "name": "K", "fields": [{"name": "id", "type": "int"}]},
    2: {"type": "record", "name": "K", "fields": [{"name": "id", "type": "long"}, {"name": "s", "type": "string"}]},
    3: {"type": "record", "name": "K", "fields": [{"name": "id", "type": {"type": "array", "items": "int"}}]},
    4: "string",
}


class Known(SchemaRegistry):
    def _fetch(self, schema_id):
        if schema_id not in SCHEMAS:
            raise UnknownSchemaError(f"the Schema Registry has no schema id {schema_id}")
        return RegisteredSchema(schema_id, "AVRO", json.dumps(SCHEMAS[schema_id]))


def key(schema_id, record):
    stream = io.BytesIO()
    stream.write(b"\0" + schema_id.to_bytes(4, "big"))
    fastavro.schemaless_writer(stream, fastavro.parse_schema(SCHEMAS[schema_id]), record)
    return stream.getvalue()


def decoded(*keys):
    registry = Known(RULES)
    return RegistryKeys(RegistryValues(Converter.AVRO, registry, RULES)).decode("t", pa.array(keys, pa.binary()))


def test_keys_of_two_schemas_have_the_fields_of_both_in_the_rows_order():
    found = decoded(key(1, {"id": 5}), None, key(2, {"id": 6, "s": "x"}), key(1, {"id": 7}))
    assert found.array.to_pylist() == [{"id": 5, "s": None}, None, {"id": 6, "s": "x"}, {"id": 7, "s": None}]
    assert (found.declared, found.bad) == (True, {})


def test_a_key_that_is_no_record_is_itself():
    found = decoded(key(4, "a"), None, key(4, "b"))
    assert found.array.to_pylist() == ["a", None, "b"]


def test_keys_that_cannot_be_read_are_named_and_the_others_are_there():
    found = decoded(b"plain", key(1, {"id": 5}), b"\0\0\0\0\x63x", key(1, {"id": 6})[:-1])
    assert found.array.to_pylist()[1] == {"id": 5}
    assert sorted(found.bad) == [0, 2, 3]
    assert "no schema id 99" in found.bad[2]


@pytest.mark.parametrize("other", [key(4, "a"), key(3, {"id": [1]})])
def test_keys_that_do_not_go_with_the_others_are_bad(other):
    found = decoded(key(1, {"id": 5}), other)
    assert (found.array.to_pylist()[0], list(found.bad)) == ({"id": 5}, [1])


def test_without_any_key_there_is_none():
    assert decoded(None, None).array.to_pylist() == [None, None]


def test_a_json_schemas_key_is_the_json_behind_its_head():
    decoder = KeyDecoder(Converter.JSON_SCHEMA, schemas_enable=False)
    keys = pa.array([b'\0\0\0\0\1{"id":5}', None, b"?"], pa.binary())
    found = decoder.decode("t", keys)
    assert (found.array.to_pylist(), list(found.bad), found.declared) == ([{"id": 5}, None, None], [2], True)


def test_the_registry_is_asked_for_where_a_transform_looks_at_keys():
    looks = BASE | chain_of(("ExtractField$Key", {"field": "id"})) | {"key.converter": "avro"}
    (problem,) = validate_sink(looks, WORKER).problems
    assert problem.key == "key.converter.schema.registry.url"
    found = validate_sink(looks | {"key.converter.schema.registry.url": "http://r:1"}, WORKER)
    assert (found.problems, found.warnings) == ((), ())
    assert found.config.key_registry.properties == {"url": "http://r:1"}
    assert validate_sink(BASE | {"key.converter": "avro"}, WORKER).problems == ()
