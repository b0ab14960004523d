from __future__ import annotations

import sys

import pytest
import structlog

from tests.unit.rest.conftest import rest

__all__ = ["rest"]


@pytest.fixture(autouse=True, scope="module")
def log_on_stderr():
    """The fixtures' worker logs from this process, at any time; commands have standard output to themselves."""
    before = structlog.get_config()
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    yield
    structlog.configure(**before)
