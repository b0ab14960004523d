"""The contract's fixtures; which stores there are is said in `backends.py`."""

import uuid

import pytest

from streamsink.upload.open import open_store
from tests.contract.backends import BACKENDS


@pytest.fixture(scope="module", params=list(BACKENDS))
def kind(request):
    """The kind of store."""
    return request.param


@pytest.fixture(scope="module")
def backend(kind, request):
    """A place that nothing is stored under, and what the suite must know of it."""
    return BACKENDS[kind](request)


@pytest.fixture
def place(backend):
    """URL and options of a place below it, new for each test."""
    return f"{backend.url}/{uuid.uuid4().hex}", backend.options


@pytest.fixture
def open_it(place):
    """Opens that place as often as called: each opening stands for another process."""
    opened = []

    def open_another():
        opened.append(open_store(*place))
        return opened[-1]

    yield open_another
    for store in opened:
        store.close()


@pytest.fixture
def store(open_it):
    """A store with nothing in it."""
    return open_it()
