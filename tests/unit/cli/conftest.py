from __future__ import annotations

from tests.unit.rest.conftest import rest

__all__ = ["rest"]
