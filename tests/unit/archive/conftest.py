"""The folder of an archive and its store, for all tests beside this file."""

import pytest

from streamsink.upload.local import LocalStore


@pytest.fixture
def root(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
def store(root):
    return LocalStore(root)
