"""Reads the answer to PROPFIND: paths, folders or files, and sizes. Pure; asks no server."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

PROPFIND_BODY = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>'
    b"<resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>"
)


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of a folder, its path from the server's root."""

    path: str
    is_folder: bool
    size_bytes: int
    modified_ms: int | None


def read_members(body: bytes) -> Iterator[Member]:
    """The members a multi-status answer tells of.

    Raises:
        ValueError: It is not one, or it declares entities, which none needs.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ValueError("an answer with entities")
    try:
        root = ET.fromstring(body)  # noqa: S314 - no entities, as just seen
    except ET.ParseError as error:
        raise ValueError(str(error)) from None
    if root.tag != "{DAV:}multistatus":
        raise ValueError(f"an answer about {root.tag}")
    for response in root.iter("{DAV:}response"):
        href = (response.findtext("{DAV:}href") or "").strip()
        path = unquote(urlsplit(href).path if "://" in href else href)
        found = [
            prop
            for status in response.iter("{DAV:}propstat")
            if " 200 " in f"{status.findtext('{DAV:}status') or ''} "
            for prop in status.iter("{DAV:}prop")
        ]
        if path and found:
            yield _member(path, found)


def _member(path: str, found: list[ET.Element]) -> Member:
    def text(name: str) -> str:
        return next((value.strip() for prop in found if (value := prop.findtext(f"{{DAV:}}{name}"))), "")

    is_folder = any(prop.find("{DAV:}resourcetype/{DAV:}collection") is not None for prop in found)
    size = text("getcontentlength")
    return Member(path.rstrip("/"), is_folder, int(size) if size.isdecimal() else 0, _time_ms(text("getlastmodified")))


def _time_ms(text: str) -> int | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
