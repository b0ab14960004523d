"""Fixtures every test may use: real servers, started once a session, on 127.0.0.1, ended with it."""

import itertools
import uuid

import pytest

from tests.servers.azurite import AzuriteServer
from tests.servers.fluree_stub import FlureeServer
from tests.servers.godav import GoDavServer
from tests.servers.influxdb import InfluxServer
from tests.servers.kafka import KafkaServer
from tests.servers.mariadb import MariaServer
from tests.servers.mongodb import MongoServer
from tests.servers.registry import RegistryServer
from tests.servers.sabredav import SabreDavServer
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
def mongodb(tmp_path_factory):
    """A real MongoDB, a replica set of one, that asks for a login."""
    server = MongoServer(tmp_path_factory.mktemp("mongodb"), auth=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def influxdb(tmp_path_factory):
    """A real InfluxDB 1.x, that asks for a login."""
    server = InfluxServer(tmp_path_factory.mktemp("influxdb"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def fluree(tmp_path_factory):
    """Fluree's engine behind a thin front."""
    server = FlureeServer(tmp_path_factory.mktemp("fluree"))
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
def sabredav(tmp_path_factory):
    """A real WebDAV server of the library that NextCloud is built on."""
    server = SabreDavServer(tmp_path_factory.mktemp("sabredav"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def godav(tmp_path_factory):
    """A real WebDAV server of the handler that Pydio Cells is built on."""
    server = GoDavServer(tmp_path_factory.mktemp("godav"))
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


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory):
    """A real MariaDB server."""
    server = MariaServer(tmp_path_factory.mktemp("mariadb"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def unique():
    """A name no other test has."""
    return f"t{next(_numbers)}-{uuid.uuid4().hex[:8]}"
