"""A server that a test starts gets a port that nobody else takes meanwhile."""

import socket

from tests.servers.process import free_port

PORTS = 300


def test_no_port_is_given_twice_nor_is_one_of_those_that_connections_take():
    ports = {free_port() for _ in range(PORTS)}
    with socket.create_server(("127.0.0.1", 0)) as server:
        given_by_system = server.getsockname()[1]
    assert len(ports) == PORTS
    assert given_by_system not in ports
    assert max(ports) < 32_768
