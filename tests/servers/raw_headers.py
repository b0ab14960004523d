"""Produces records whose headers' names are any bytes, which confluent-kafka's producer doesn't take."""

import ctypes
from collections.abc import Sequence
from ctypes import c_char_p, c_int, c_int32, c_size_t, c_ssize_t, c_void_p

from streamsink.consume.native.library import open_libraries

PRODUCER, FLUSH_MS = 0, 30_000
_TOPIC, _PARTITION, _VALUE, _MSGFLAGS, _HEADERS = 1, 3, 4, 7, 10
_COPY = 0x2


class _Memory(ctypes.Structure):
    _fields_ = [("ptr", c_char_p), ("size", c_size_t)]


class _Union(ctypes.Union):
    _fields_ = [
        ("cstr", c_char_p),
        ("i", c_int),
        ("i32", c_int32),
        ("mem", _Memory),
        ("headers", c_void_p),
        ("pad", ctypes.c_char * 64),
    ]


class _Argument(ctypes.Structure):
    _fields_ = [("kind", c_int), ("u", _Union)]


def produce_raw(
    bootstrap: str, topic: str, records: Sequence[tuple[bytes, Sequence[tuple[bytes, bytes | None]]]]
) -> None:
    """Append values with headers to partition 0."""
    library, _ = open_libraries()
    raw = library._loaded
    raw.rd_kafka_headers_new.restype = c_void_p
    raw.rd_kafka_headers_new.argtypes = [c_size_t]
    raw.rd_kafka_header_add.argtypes = [c_void_p, c_char_p, c_ssize_t, c_char_p, c_ssize_t]
    raw.rd_kafka_produceva.restype = c_void_p
    raw.rd_kafka_produceva.argtypes = [c_void_p, c_void_p, c_size_t]
    raw.rd_kafka_flush.argtypes = [c_void_p, c_int]
    text = ctypes.create_string_buffer(512)
    conf = library.conf_new()
    assert library.conf_set(conf, b"bootstrap.servers", bootstrap.encode(), text, 512) == 0
    producer = library.new(PRODUCER, conf, text, 512)
    assert producer, text.value
    for value, headers in records:
        added = raw.rd_kafka_headers_new(len(headers))
        for name, content in headers:
            assert (
                raw.rd_kafka_header_add(added, name, len(name), content, -1 if content is None else len(content)) == 0
            )
        arguments = (_Argument * 5)()
        for argument, kind in zip(arguments, (_TOPIC, _PARTITION, _VALUE, _MSGFLAGS, _HEADERS), strict=True):
            argument.kind = kind
        arguments[0].u.cstr = topic.encode()
        arguments[1].u.i32 = 0
        arguments[2].u.mem = _Memory(value, len(value))
        arguments[3].u.i = _COPY
        arguments[4].u.headers = added
        assert not raw.rd_kafka_produceva(producer, arguments, 5)
    assert raw.rd_kafka_flush(producer, FLUSH_MS) == 0
    library.destroy(producer)
