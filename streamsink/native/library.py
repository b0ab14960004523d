"""Loads the native library that may lie beside this module; knows nothing of its use.

Its source is in this folder, and `streamsink/tooling/native.py` builds it. Where it is absent, of another version or
switched off by `STREAMSINK_NATIVE=off`, everything works without it.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

import structlog

VERSION = 5
"""The version of the interface; `streamsink_native_version` in `src/lib.rs` is the same."""

FILE = Path(__file__).parent / "libstreamsink_native.so"
"""Called so on every system: it is opened by its path."""

SWITCH = "STREAMSINK_NATIVE"

_log = structlog.get_logger(__name__)


@cache
def load() -> ctypes.CDLL | None:
    """The library, or None where it can't be used."""
    if os.environ.get(SWITCH, "").lower() == "off" or not FILE.exists():
        return None
    try:
        library = ctypes.CDLL(str(FILE))
        version = library.streamsink_native_version()
    except (OSError, AttributeError) as error:
        _log.warning("the native library can't be loaded: reading goes on without it", file=str(FILE), error=str(error))
        return None
    if version != VERSION:
        _log.warning("the native library is of another version: reading goes on without it", file=str(FILE))
        return None
    return library
