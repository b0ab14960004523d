from __future__ import annotations

import pytest

from streamsink.errors import ConfigError, TerminalError
from streamsink.rest.listener import Listener, bind, parse_listeners


@pytest.mark.parametrize(
    ("text", "listeners"),
    [
        ("http://127.0.0.1:8083", [Listener("127.0.0.1", 8083)]),
        ("http://:8083", [Listener("", 8083)]),
        ("HTTP://localhost:0", [Listener("localhost", 0)]),
        ("http://[::1]:8083", [Listener("::1", 8083)]),
        ("http://a:1, http://b:2/", [Listener("a", 1), Listener("b", 2)]),
    ],
)
def test_listeners_are_read_as_connect_writes_them(text, listeners):
    assert parse_listeners(text) == listeners


@pytest.mark.parametrize(
    "text", ["", "8083", "127.0.0.1:8083", "ftp://a:1", "http://a", "http://a:99999", "http://a:1/x"]
)
def test_a_listener_that_can_not_be_read_is_an_error_that_names_the_key(text):
    with pytest.raises(ConfigError, match="listeners") as error:
        parse_listeners(text)
    assert error.value.hint


def test_a_taken_port_is_one_clear_error():
    with bind(Listener("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TerminalError, match=f"can't listen on 127.0.0.1:{port}: Address already in use"):
            bind(Listener("127.0.0.1", port))


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "a" * 70])
def test_an_address_that_is_not_ours_is_one_clear_error(host):
    with pytest.raises(TerminalError, match="can't listen on"):
        bind(Listener(host, 0))


def test_a_wildcard_listener_is_reachable_by_the_machines_name():
    assert Listener("", 1).reachable_host not in {"", "0.0.0.0"}
    assert Listener("127.0.0.1", 1).reachable_host == "127.0.0.1"
