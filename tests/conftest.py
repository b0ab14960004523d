"""Fixtures every test may use: real servers, started once a session, on 127.0.0.1, ended with it."""

import itertools
import uuid

import pytest

from tests.servers.azurite import AzuriteServer
from tests.servers.kafka import KafkaServer
from tests.servers.registry import RegistryServer
from tests.servers.seaweedfs import SeaweedServer
from tests.servers.storj.network import StorjNetwork
from tests.servers.webdav import WsgiDavServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """A real broker."""
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    server.start()
    yield server
    server.close_clients()
    server.stop()


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory):
    """A real S3 server."""
    server = SeaweedServer(tmp_path_factory.mktemp("seaweedfs"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def wsgidav(tmp_path_factory):
    """A real WebDAV server."""
    server = WsgiDavServer(tmp_path_factory.mktemp("wsgidav"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def azurite(tmp_path_factory):
    """A real Azure Blob Storage server."""
    server = AzuriteServer(tmp_path_factory.mktemp("azurite"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A real Schema Registry."""
    server = RegistryServer(tmp_path_factory.mktemp("registry"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def storj(tmp_path_factory):
    """A real Storj network."""
    network = StorjNetwork(tmp_path_factory.mktemp("storj"))
    yield network
    network.stop()


@pytest.fixture
def unique():
    """A name no other test has."""
    return f"t{next(_numbers)}-{uuid.uuid4().hex[:8]}"
