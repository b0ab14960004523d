"""Opens librdkafka as confluent-kafka's wheel brings it, and declares what of its C API is used. Makes no client.

Everything here is documented in librdkafka's `rdkafka.h`. `open_library` gives the functions with their types set:
without them ctypes would cut pointers to 32 bits.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from functools import cache
from pathlib import Path

import confluent_kafka

from streamsink.errors import TerminalError
from streamsink.native.library import load

CONSUMER = 1
"""`RD_KAFKA_CONSUMER`."""
CONF_OK = 0
"""`RD_KAFKA_CONF_OK`."""
DESTROY_WITHOUT_CLOSE = 0x8
"""`RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE`."""
TEXT_BYTES = 512
"""Room for the words of an error."""

_PLACES = ("confluent_kafka.libs/librdkafka*.so*", "confluent_kafka/.dylibs/librdkafka*.dylib")
"""Where wheels have it, beside the package or in it: on Linux and on macOS."""
_HINT = (
    "set consumer.native=false; or install confluent-kafka's wheel, which brings librdkafka, and build the native "
    "library with python -m streamsink.tooling.native"
)


class CPartition(ctypes.Structure):
    """`rd_kafka_topic_partition_t`."""

    _fields_ = [
        ("topic", c_char_p),
        ("partition", c_int32),
        ("offset", c_int64),
        ("metadata", c_void_p),
        ("metadata_size", c_size_t),
        ("opaque", c_void_p),
        ("err", c_int),
        ("_private", c_void_p),
    ]


class CPartitions(ctypes.Structure):
    """`rd_kafka_topic_partition_list_t`."""

    _fields_ = [("cnt", c_int), ("size", c_int), ("elems", POINTER(CPartition))]


class CTopic(ctypes.Structure):
    """`rd_kafka_metadata_topic_t`."""

    _fields_ = [("topic", c_char_p), ("partition_cnt", c_int), ("partitions", c_void_p), ("err", c_int)]


class CMetadata(ctypes.Structure):
    """`rd_kafka_metadata_t`."""

    _fields_ = [
        ("broker_cnt", c_int),
        ("brokers", c_void_p),
        ("topic_cnt", c_int),
        ("topics", POINTER(CTopic)),
        ("orig_broker_id", c_int32),
        ("orig_broker_name", c_char_p),
    ]


_CLIENT = c_void_p
_LIST = POINTER(CPartitions)

REBALANCE_CALLBACK = CFUNCTYPE(None, _CLIENT, c_int, _LIST, c_void_p)
COMMIT_CALLBACK = CFUNCTYPE(None, _CLIENT, c_int, _LIST, c_void_p)
ERROR_CALLBACK = CFUNCTYPE(None, _CLIENT, c_int, c_char_p, c_void_p)
STATISTICS_CALLBACK = CFUNCTYPE(c_int, _CLIENT, c_void_p, c_size_t, c_void_p)
LOG_CALLBACK = CFUNCTYPE(None, _CLIENT, c_int, c_char_p, c_char_p)

_FUNCTIONS: dict[str, tuple[object, ...]] = {
    # What it gives, then what it takes.
    "conf_new": (c_void_p,),
    "conf_set": (c_int, c_void_p, c_char_p, c_char_p, c_char_p, c_size_t),
    "conf_destroy": (None, c_void_p),
    "conf_set_rebalance_cb": (None, c_void_p, REBALANCE_CALLBACK),
    "conf_set_offset_commit_cb": (None, c_void_p, COMMIT_CALLBACK),
    "conf_set_error_cb": (None, c_void_p, ERROR_CALLBACK),
    "conf_set_stats_cb": (None, c_void_p, STATISTICS_CALLBACK),
    "conf_set_log_cb": (None, c_void_p, LOG_CALLBACK),
    "new": (_CLIENT, c_int, c_void_p, c_char_p, c_size_t),
    "name": (c_char_p, _CLIENT),
    "set_log_queue": (c_int, _CLIENT, c_void_p),
    "poll_set_consumer": (c_int, _CLIENT),
    "queue_get_consumer": (c_void_p, _CLIENT),
    "queue_destroy": (None, c_void_p),
    "consumer_close": (c_int, _CLIENT),
    "destroy": (None, _CLIENT),
    "destroy_flags": (None, _CLIENT, c_int),
    "consumer_poll": (c_void_p, _CLIENT, c_int),
    "message_destroy": (None, c_void_p),
    "subscribe": (c_int, _CLIENT, _LIST),
    "unsubscribe": (c_int, _CLIENT),
    "assignment_lost": (c_int, _CLIENT),
    "incremental_assign": (c_void_p, _CLIENT, _LIST),
    "incremental_unassign": (c_void_p, _CLIENT, _LIST),
    "pause_partitions": (c_int, _CLIENT, _LIST),
    "resume_partitions": (c_int, _CLIENT, _LIST),
    "seek_partitions": (c_void_p, _CLIENT, _LIST, c_int),
    "commit": (c_int, _CLIENT, _LIST, c_int),
    "committed": (c_int, _CLIENT, _LIST, c_int),
    "get_watermark_offsets": (c_int, _CLIENT, c_char_p, c_int32, POINTER(c_int64), POINTER(c_int64)),
    "query_watermark_offsets": (c_int, _CLIENT, c_char_p, c_int32, POINTER(c_int64), POINTER(c_int64), c_int),
    "metadata": (c_int, _CLIENT, c_int, c_void_p, POINTER(POINTER(CMetadata)), c_int),
    "metadata_destroy": (None, POINTER(CMetadata)),
    "topic_partition_list_new": (_LIST, c_int),
    "topic_partition_list_add": (POINTER(CPartition), _LIST, c_char_p, c_int32),
    "topic_partition_list_destroy": (None, _LIST),
    "mem_malloc": (c_void_p, _CLIENT, c_size_t),
    "err2str": (c_char_p, c_int),
    "last_error": (c_int,),
    "fatal_error": (c_int, _CLIENT, c_char_p, c_size_t),
    "error_code": (c_int, c_void_p),
    "error_string": (c_char_p, c_void_p),
    "error_is_fatal": (c_int, c_void_p),
    "error_is_retriable": (c_int, c_void_p),
    "error_destroy": (None, c_void_p),
}
"""The functions called from here, without `rd_kafka_`."""


class Library:
    """librdkafka's functions, by their names without `rd_kafka_`.

    Args:
        path: The library's file; one that is loaded already is not loaded again.

    Raises:
        OSError: It can't be loaded.
        AttributeError: It lacks a function.
    """

    def __init__(self, path: Path) -> None:
        self._loaded = ctypes.CDLL(str(path))
        for name, (gives, *takes) in _FUNCTIONS.items():
            function = getattr(self._loaded, f"rd_kafka_{name}")
            function.restype, function.argtypes = gives, takes

    def __getattr__(self, name: str) -> ctypes._NamedFuncPointer:
        """A function."""
        function: ctypes._NamedFuncPointer = getattr(self._loaded, f"rd_kafka_{name}")
        return function

    def address(self, name: str) -> int:
        """Where a function is, for the native library to call.

        Args:
            name: Without `rd_kafka_`.
        """
        address = ctypes.cast(getattr(self._loaded, f"rd_kafka_{name}"), c_void_p).value
        assert address is not None
        return address


@cache
def open_libraries() -> tuple[Library, ctypes.CDLL]:
    """Open both libraries, once a process.

    Returns:
        librdkafka, and the native library that reads its messages.

    Raises:
        TerminalError: One of them isn't there, or can't be used.
    """
    ours = load()
    if ours is None:
        raise TerminalError("the native library isn't there", hint=_HINT)
    packages = Path(confluent_kafka.__file__).parents[1]
    found = [path for place in _PLACES for path in sorted(packages.glob(place))]
    if not found:
        raise TerminalError(f"no wheel has brought librdkafka to {packages}", hint=_HINT)
    try:
        return Library(found[0]), ours
    except (OSError, AttributeError) as error:
        raise TerminalError(f"{found[0]} can't be used: {error}", hint=_HINT) from error
