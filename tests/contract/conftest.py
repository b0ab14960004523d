"""Every kind of store the contract is held against; a store added to the project gets a line here."""

import uuid

import pytest

from streamsink.upload.open import open_store


@pytest.fixture(scope="module", params=["local", "memory", "s3"])
def kind(request):
    """The kind of store."""
    return request.param


@pytest.fixture(scope="module")
def bucket(kind, request, tmp_path_factory):
    """A URL that nothing is stored under, and the options to open what lies below it."""
    match kind:
        case "local":
            return tmp_path_factory.mktemp("archive").as_uri(), {}
        case "memory":
            return f"memory://{uuid.uuid4().hex}", {}
        case "s3":
            server = request.getfixturevalue("seaweedfs")
            return server.url(f"contract-{uuid.uuid4().hex}"), server.options


@pytest.fixture
def open_it(bucket):
    """Opens one place, new for each test, as often as called: each opening stands for another process."""
    url, options = bucket
    place = f"{url}/{uuid.uuid4().hex}"
    return lambda: open_store(place, options)


@pytest.fixture
def store(open_it):
    """A store with nothing in it."""
    store = open_it()
    yield store
    store.close()
