from __future__ import annotations

import io
import json
import logging
import sys

import pytest
import structlog

from streamsink.config.secrets import HIDDEN, Redactor
from streamsink.observe.log import LIBRDKAFKA_LOGGER, bound, configure


@pytest.fixture
def lines():
    """Configures logging to memory, reads back what was logged, and puts everything as it was."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    stream = io.StringIO()

    def start(level="INFO", redactor=None, target=stream):
        configure(level, redactor, stream=target)
        return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]

    yield start
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_an_event_is_one_line_of_json_with_time_level_and_logger(lines):
    read = lines()
    structlog.get_logger("streamsink.sink").warning("file closed\nlate", reason="age")
    (event,) = read()
    assert event["message"] == "file closed\nlate"
    assert (event["level"], event["logger"], event["reason"]) == ("warning", "streamsink.sink", "age")
    assert event["timestamp"].endswith("Z")


def test_the_standard_librarys_loggers_come_out_the_same_way(lines):
    read = lines()
    logging.getLogger(LIBRDKAFKA_LOGGER).warning("broker %s is %s", "b:1", "down")
    logging.getLogger("uvicorn.error").error("oops", extra={"port": 8083})
    first, second = read()
    assert (first["message"], first["logger"]) == ("broker b:1 is down", LIBRDKAFKA_LOGGER)
    assert (second["message"], second["port"]) == ("oops", 8083)


def test_bound_fields_are_in_every_event_within_and_in_none_after(lines):
    read = lines()
    log = structlog.get_logger("x")
    with bound(connector="logs", task=0, topic="t", partition=3):
        log.info("inside")
        logging.getLogger("y").info("inside too")
    log.info("outside")
    inside, too, outside = read()
    fields = {"connector": "logs", "task": 0, "topic": "t", "partition": 3}
    assert fields.items() <= inside.items()
    assert fields.items() <= too.items()
    assert not fields.keys() & outside.keys()


def test_the_level_is_kept_for_both_and_access_logs_are_not_wanted(lines):
    read = lines("WARNING")
    structlog.get_logger("x").info("no")
    logging.getLogger("y").info("no")
    configure("INFO", stream=io.StringIO())
    logging.getLogger("uvicorn.access").info("GET /")
    assert read() == []


def test_secrets_are_replaced_in_fields_messages_and_tracebacks(lines):
    read = lines(redactor=Redactor(["open-sesame"]))
    try:
        int("open-sesame")
    except ValueError:
        structlog.get_logger("x").exception("failed with open-sesame", raw={"p": "open-sesame"})
        logging.getLogger("y").exception("%s", "open-sesame")
    events = read()
    assert len(events) == 2
    assert "open-sesame" not in json.dumps(events)
    assert all(HIDDEN in event["exception"] for event in events)
    assert "ValueError" in events[0]["exception"]


def test_configuring_again_replaces_the_first_and_logs_once(lines):
    lines()
    read = lines()
    structlog.get_logger("x").info("once")
    assert len(read()) == 1


def test_a_logger_made_before_is_configured_too(lines):
    log = structlog.get_logger("early")
    read = lines()
    log.info("hello")
    assert read()[0]["message"] == "hello"


def test_a_terminal_gets_text_for_people(lines):
    terminal = Terminal()
    lines(target=terminal)
    structlog.get_logger("x").info("hello", number=5)
    assert "hello" in terminal.getvalue()
    with pytest.raises(ValueError):
        json.loads(terminal.getvalue())


def test_anything_that_is_no_json_is_written_as_text(lines):
    read = lines()
    structlog.get_logger("x").info("odd", path=sys, data=b"\xff", number=2**70)
    assert read()[0]["path"].startswith("<module")


def test_what_orjson_cannot_write_is_logged_all_the_same(lines):
    read = lines()
    structlog.get_logger("x").info("odd", number=2**70)
    structlog.get_logger("x").info("odd", name="\udcff.yaml")
    assert [event.get("number", event.get("name")) for event in read()] == [2**70, "\udcff.yaml"]


def test_stdout_is_where_logs_go_if_nothing_is_said(lines, capsys):
    lines(target=None)
    structlog.get_logger("x").info("hello")
    assert json.loads(capsys.readouterr().out)["message"] == "hello"
