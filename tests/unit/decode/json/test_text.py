"""JSON as Kafka's JsonConverter reads it."""

import math

import pytest

from streamsink.decode.json import leaves, text
from streamsink.decode.json.record import RecordReader


@pytest.mark.parametrize(
    ("raw", "read", "written"),
    [
        (b'{"a":"cut \\ud83d"}', {"a": "cut �"}, '{"a":"cut �"}'),
        (b'{"a":"\\ud83d\\ude00 \\udc00x"}', {"a": "😀 �x"}, '{"a":"😀 �x"}'),
        (b'{"\\uD800":["\\udfff"]}', {"�": ["�"]}, '{"�":["�"]}'),
        (b'{"a":1e400,"b":[-1E+999]}', {"a": math.inf, "b": [-math.inf]}, '{"a":1e400,"b":[-1E+999]}'),
        (b'{"a":1e308}', {"a": 1e308}, '{"a":1e308}'),
    ],
)
def test_what_a_converter_takes_is_read_and_kept_as_text(raw, read, written):
    document = text.read(raw)
    assert document == read
    assert text.write(document).replace("1e+308", "1e308") == written


@pytest.mark.parametrize("raw", [b'{"a":NaN}', b'{"a":"\\ud8"}', b"\xef\xbb\xbf", b"\xff", b'{"a":1e4001x}'])
def test_what_is_no_json_stays_refused(raw):
    with pytest.raises(text.NotJsonError):
        text.read(raw)


@pytest.mark.parametrize(
    ("raw", "record"),
    [(b"", None), (b"\xef\xbb\xbf", None), (b'\xef\xbb\xbf{"a":1}', {"a": 1}), (b"null", None)],
)
def test_a_byte_order_mark_is_passed_over_and_no_bytes_are_null(raw, record):
    assert RecordReader(schemas_enable=False, projection=None).read(raw) == (record, None)


def test_javas_largest_float_is_taken_and_what_rounds_to_none_is_not():
    read = leaves.floating(32).read
    assert read(3.4028235e38) == 3.4028235e38
    with pytest.raises(ValueError, match="does not fit"):
        read(3.4028236e38)
