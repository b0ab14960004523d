"""Where librdkafka or the native library is absent, an error says so; where both are there, they fit."""

import confluent_kafka
import pytest

from streamsink.consume.native import library
from streamsink.consume.native.library import open_libraries
from streamsink.errors import TerminalError


def opened_anew():
    """Whatever was opened before."""
    return open_libraries.__wrapped__()


def test_a_native_consumer_without_the_native_library_says_what_to_do(monkeypatch):
    monkeypatch.setattr(library, "load", lambda: None)
    with pytest.raises(TerminalError, match="native library isn't there") as raised:
        opened_anew()
    assert "consumer.native=false" in raised.value.hint
    assert "streamsink.tooling.native" in raised.value.hint


def test_a_confluent_kafka_that_is_no_wheel_is_told_with_its_place(monkeypatch, tmp_path):
    monkeypatch.setattr(confluent_kafka, "__file__", str(tmp_path / "confluent_kafka" / "__init__.py"))
    with pytest.raises(TerminalError, match=f"no wheel has brought librdkafka to {tmp_path}"):
        opened_anew()


@pytest.mark.parametrize(
    "place", ["confluent_kafka.libs/librdkafka-1.so.1", "confluent_kafka/.dylibs/librdkafka.dylib"]
)
def test_a_library_that_can_not_be_loaded_is_told_with_its_file(monkeypatch, tmp_path, place):
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_bytes(b"no library")
    monkeypatch.setattr(confluent_kafka, "__file__", str(tmp_path / "confluent_kafka" / "__init__.py"))
    with pytest.raises(TerminalError, match=f"{tmp_path / place} can't be used"):
        opened_anew()


def test_librdkafka_is_the_one_that_confluent_kafka_has_loaded():
    rdkafka, _ = opened_anew()
    version = rdkafka.version
    assert version() == confluent_kafka.libversion()[1]
