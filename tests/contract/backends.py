"""Every kind of store the contract is held against. A store added to the project gets one entry in `BACKENDS`.

An entry takes pytest's `request` and returns a `Backend`; real servers come from fixtures (`request.getfixturevalue`).
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.servers.gcs_stub import GcsStub


@dataclass(frozen=True)
class Backend:
    """A place that nothing is stored under, and what the suite must know of it.

    `race_rounds`: how often 32 writers race; 0 where the server itself is known not to be atomic then. `unfit`: letters
    that this server can't hold in a name, through no fault of ours. `port` of 127.0.0.1 is where the server listens,
    and `at` says how the same place is reached by way of another port: URL and options. Both are None where there is
    no HTTP.
    """

    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    race_rounds: int = 20
    unfit: str = ""
    at: Callable[[int], tuple[str, Mapping[str, str]]] | None = None
    port: int | None = None


def local(request):
    return Backend(request.getfixturevalue("tmp_path_factory").mktemp("archive").as_uri())


def memory(_request):
    return Backend(f"memory://{uuid.uuid4().hex}")


def s3(request):
    server = request.getfixturevalue("seaweedfs")
    url = server.url(f"contract-{uuid.uuid4().hex}")
    # SeaweedFS makes contending writers wait for seconds, and takes a backslash for a slash.
    return Backend(
        url,
        server.options,
        race_rounds=1,
        unfit="\\",
        at=lambda port: (url, {**server.options, "endpoint": f"http://127.0.0.1:{port}"}),
        port=server.port,
    )


def azure(request):
    server = request.getfixturevalue("azurite")
    url = server.url(f"contract-{uuid.uuid4().hex}")

    def at(port):
        return url, {**server.options, "endpoint": server.endpoint.replace(str(server.port), str(port))}

    # Azurite takes a backslash for a slash, as Azure itself does.
    return Backend(url, server.options, race_rounds=5, unfit="\\", at=at, port=server.port)


def gcs(request):
    server = GcsStub()
    request.addfinalizer(server.stop)
    url = server.url(f"contract-{uuid.uuid4().hex}")

    def at(port):
        key = server.options["service_account_key"].replace(str(server.port), str(port))
        return url, {"endpoint": f"http://127.0.0.1:{port}", "service_account_key": key}

    return Backend(url, server.options, race_rounds=5, at=at, port=server.port)


def wsgidav(request):
    server = request.getfixturevalue("wsgidav")
    place = f"contract {uuid.uuid4().hex}".replace(" ", "%20")
    # It looks for the name and then moves: of 32 writers at once, now and then two win. README says what that means.
    # It cuts the name of a move's destination at these.
    return Backend(
        server.url(place),
        server.options,
        race_rounds=0,
        unfit="?;",
        at=lambda port: (server.url(place, port=port), server.options),
        port=server.port,
    )


def sabredav(request):
    server = request.getfixturevalue("sabredav")
    place = f"contract%20{uuid.uuid4().hex}"
    # As NextCloud, it looks for the name and then moves.
    return Backend(
        server.url(place),
        server.options,
        race_rounds=0,
        at=lambda port: (server.url(place, port=port), server.options),
        port=server.port,
    )


def godav(request):
    server = request.getfixturevalue("godav")
    place = f"contract%20{uuid.uuid4().hex}"
    return Backend(
        server.url(place),
        server.options,
        race_rounds=20,
        at=lambda port: (server.url(place, port=port), server.options),
        port=server.port,
    )


def weed_webdav(request):
    server = request.getfixturevalue("seaweedfs")
    url = server.webdav_url(f"contract-{uuid.uuid4().hex}")

    def at(port):
        return url.replace(str(server.webdav_port), str(port)), {}

    return Backend(url, race_rounds=1, unfit="\\", at=at, port=server.webdav_port)


def storj(request):
    network = request.getfixturevalue("storj")
    # The satellite takes one upload start a key and second, three at once: 32 writers wait for each other.
    return Backend(f"sj://contract-{uuid.uuid4().hex}/a", network.options, race_rounds=1)


BACKENDS = {
    "local": local,
    "memory": memory,
    "s3": s3,
    "azure": azure,
    "gcs": gcs,
    "storj": storj,
    "wsgidav": wsgidav,
    "sabredav": sabredav,
    "godav": godav,
    "weed_webdav": weed_webdav,
}
