"""Couchbase's documents as rows, each document's JSON as the text that it is. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import orjson

_DOCUMENT = b',"document":'
"""Behind it stands the document's own text. It can't be part of an id: there the quotes would be escaped."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        id: Its key.
        content: Its bytes, JSON or not.
        flags: What the client that wrote it says of the bytes.
        cas: Its version, which the server gives; a restored document has another one.
        expiry_s: When it expires, in seconds since 1970; None for never.
    """

    id: str
    content: bytes
    flags: int
    cas: int = 0
    expiry_s: int | None = None


def key_of(identity: str) -> bytes:
    """The key of a document's row."""
    return orjson.dumps({"id": identity})


def id_of(key: bytes) -> str:
    """The document's id that a key holds."""
    return str(orjson.loads(key)["id"])


def value_of(document: Document) -> bytes:
    """The row of a document. Bytes that are no JSON are in `binary`, in base 64."""
    head = {
        "id": document.id,
        "cas": str(document.cas),
        "expiry": document.expiry_s,
        "flags": document.flags,
    }
    if _is_json(document.content):
        return orjson.dumps(head)[:-1] + _DOCUMENT + document.content + b"}"
    return orjson.dumps({**head, "binary": base64.b64encode(document.content).decode()})


def document_of(value: bytes) -> Document:
    """The document of a row; its text is what it was, digit by digit."""
    told = orjson.loads(value)
    if told.get("binary") is not None:
        content = base64.b64decode(told["binary"])
    else:
        at = value.find(_DOCUMENT)
        content = orjson.dumps(told["document"]) if at < 0 else value[at + len(_DOCUMENT) : -1]
    return Document(told["id"], content, told["flags"], int(told["cas"]), told["expiry"])


def line_of(document: Document) -> bytes:
    """A document as one line, which sorts by id."""
    parts: list[Any] = [document.flags, document.cas, document.expiry_s]
    # In hexadecimal, ids sort as their bytes do, whatever is in them.
    identity = document.id.encode().hex().encode()
    return b" ".join([identity, orjson.dumps(parts), base64.b64encode(document.content)])


def document_of_line(line: bytes) -> Document:
    """The document of a line."""
    identity, parts, content = line.split(b" ")
    flags, cas, expiry_s = orjson.loads(parts)
    name = bytes.fromhex(identity.decode()).decode()
    return Document(name, base64.b64decode(content), flags, cas, expiry_s)


def digested(document: Document) -> bytes:
    """Give the bytes of a document that count for a digest: all but its version, which no restore can give it."""
    return orjson.dumps([document.flags, document.expiry_s]) + document.content


def _is_json(content: bytes) -> bool:
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return True
