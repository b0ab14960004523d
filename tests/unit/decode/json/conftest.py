"""All tests of this folder run with the native library and without it."""

from __future__ import annotations

import pytest

from streamsink.native import library
from streamsink.tooling import native


@pytest.fixture(scope="module", autouse=True, params=["native", "python"])
def reading(request) -> str:
    """Which reader takes the rows that are certain."""
    assert native.build() is not None, "cargo is needed: the native library is tested as well"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(library.SWITCH, "off" if request.param == "python" else "")
        library.load.cache_clear()
        assert (library.load() is None) == (request.param == "python")
        yield request.param
    library.load.cache_clear()
