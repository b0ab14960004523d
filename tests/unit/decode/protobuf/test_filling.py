import pyarrow as pa

from streamsink.decode.protobuf.filling import filled

STRICT = pa.struct(
    [
        pa.field("a", pa.string(), nullable=False),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("l", pa.list_(pa.field("item", pa.int32(), nullable=False)), nullable=False),
        pa.field("inner", pa.struct([pa.field("b", pa.binary(), nullable=False)])),
    ]
)
ROW = pa.struct([pa.field("m", STRICT), pa.field("ms", pa.list_(pa.field("item", STRICT, nullable=False)))])


def loose(type_):
    """The type as files give it back: everything may be null."""
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(field.name, loose(field.type)) for field in type_])
    return pa.list_(loose(type_.value_type)) if pa.types.is_list(type_) else type_


def test_required_fields_of_absent_messages_get_defaults_and_nothing_else_changes():
    whole = {"a": "x", "n": 5, "l": [1], "inner": {"b": b"y"}}
    rows = [{"m": None, "ms": None}, {"m": whole, "ms": [whole]}, {"m": {**whole, "inner": None}, "ms": []}]
    given = pa.array([{"m": None, "ms": []}, *rows], loose(ROW)).slice(1)
    assert filled(given, ROW).cast(ROW).to_pylist() == rows
