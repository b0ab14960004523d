from __future__ import annotations

import json
import logging
import socket
import threading

import pytest
import structlog

from streamsink.errors import TransientError
from streamsink.observe.log import configure
from streamsink.worker.child import TaskSpec
from streamsink.worker.connectivity import reach_brokers
from streamsink.worker.first_look import look_for_brokers


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_worker_that_reaches_no_broker_says_which_and_why_within_seconds():
    warnings = []
    closed, other = f"127.0.0.1:{free_port()}", f"[::1]:{free_port()}"
    look_for_brokers(f"{closed}, {other}", lambda text, **more: warnings.append((text, more))).join(15)
    ((text, more),) = warnings
    assert text == "no broker can be reached"
    assert f"{closed}: Connection refused" in more["brokers"]
    assert f"{other}: " in more["brokers"]
    assert "bootstrap.servers" in more["hint"]


def test_one_broker_that_listens_is_enough():
    warnings = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        servers = f"127.0.0.1:{free_port()},PLAINTEXT://127.0.0.1:{server.getsockname()[1]}"
        look_for_brokers(servers, lambda *told, **_more: warnings.append(told)).join(15)
    assert warnings == []


def test_the_warning_goes_where_the_worker_logs(capsys):
    configure("INFO")
    try:
        look_for_brokers(f"127.0.0.1:{free_port()}").join(15)
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers = [
            each for each in logging.getLogger().handlers if not getattr(each, "streamsink", False)
        ]
    assert json.loads(capsys.readouterr().out)["message"] == "no broker can be reached"


def test_a_check_of_brokers_that_nobody_listens_for_says_so_at_once():
    closed = f"127.0.0.1:{free_port()}"
    config = {
        "name": "logs",
        "connector.class": "streamsink.ArchiveSink",
        "topics": "t",
        "archive.url": "file:///tmp/x",
    }
    spec = TaskSpec("validate", 0, config, {"bootstrap.servers": closed}, reach_brokers)
    with pytest.raises(TransientError, match=f"no broker can be reached: {closed}: Connection refused"):
        reach_brokers(spec, threading.Event(), lambda _: None)
