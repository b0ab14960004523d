"""Asks a store how it protects an object: kept versions, and Object Lock. By a signed URL; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError

from streamsink.upload.local import LocalStore
from streamsink.upload.memory import MemoryStore
from streamsink.upload.object_store import ObjectStore
from streamsink.upload.protocol import Store

_LOCK = "x-amz-object-lock-"


@dataclass(frozen=True, slots=True)
class Protection:
    """The means that keep an object from being lost; None where the store can't tell."""

    versioned: bool | None = None
    """Whether the store keeps deleted objects as older versions."""
    locked: bool | None = None
    """Whether the object can't be removed for a time, or until a hold is lifted."""
    lock: str = ""
    """How it is locked, and until when, in the store's words."""


class HeaderAsker:
    """Asks for the headers behind a signed URL.

    Args:
        proxy_url: The HTTP proxy, empty for none.
        ca_certificate_path: Authorities that servers are believed by; empty for the usual ones.
        timeout_s: How long a request may take.
    """

    def __init__(self, proxy_url: str, ca_certificate_path: str, timeout_s: float) -> None:
        trusted = ca_certificate_path or None
        self._pool: urllib3.PoolManager = (
            urllib3.ProxyManager(proxy_url, ca_certs=trusted) if proxy_url else urllib3.PoolManager(ca_certs=trusted)
        )
        self._timeout_s = timeout_s

    def __call__(self, url: str) -> Mapping[str, str]:
        """The headers, by lower-case name; none where the server can't be asked so, or refuses."""
        try:
            answer = self._pool.request("HEAD", url, timeout=self._timeout_s, redirect=False, retries=False)
        except HTTPError:
            return {}
        return {key.lower(): value for key, value in answer.headers.items()} if answer.status == 200 else {}


def protection_of(store: Store, name: str) -> Protection:
    """Ask how one object is protected that was stored a moment ago.

    Args:
        store: The store that holds it.
        name: The object's, relative to the store's root.
    """
    if isinstance(store, LocalStore | MemoryStore):
        return Protection(versioned=False, locked=False)
    return read_headers(store.headers_of(name)) if isinstance(store, ObjectStore) else Protection()


def read_headers(headers: Mapping[str, str]) -> Protection:
    """The same from a server's answer, by lower-case name. Only the headers of S3 tell."""
    if not any(key.startswith("x-amz-") for key in headers):
        return Protection()
    mode, until = headers.get(f"{_LOCK}mode"), headers.get(f"{_LOCK}retain-until-date")
    held = headers.get(f"{_LOCK}legal-hold", "").upper() == "ON"
    lock = " and ".join([*([f"{mode} until {until}"] if mode else []), *(["a legal hold"] if held else [])])
    versioned = headers.get("x-amz-version-id", "null") != "null"
    return Protection(versioned=versioned, locked=bool(lock), lock=lock)
