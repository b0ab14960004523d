"""Translates uplink's error codes into our errors. Pure."""

from __future__ import annotations

from enum import IntEnum

from streamsink.errors import ObjectMissingError, StreamsinkError, TerminalError, TransientError


class Code(IntEnum):
    """uplink-c's error codes; EOF is the end of a download."""

    EOF = -1
    INTERNAL = 0x02
    CANCELED = 0x03
    INVALID_HANDLE = 0x04
    TOO_MANY_REQUESTS = 0x05
    BANDWIDTH_LIMIT_EXCEEDED = 0x06
    STORAGE_LIMIT_EXCEEDED = 0x07
    SEGMENTS_LIMIT_EXCEEDED = 0x08
    PERMISSION_DENIED = 0x09
    BUCKET_NAME_INVALID = 0x10
    BUCKET_NOT_FOUND = 0x13
    OBJECT_KEY_INVALID = 0x20
    OBJECT_NOT_FOUND = 0x21


_LIMITS = {
    Code.BANDWIDTH_LIMIT_EXCEEDED: "the project's bandwidth limit is used up",
    Code.STORAGE_LIMIT_EXCEEDED: "the project's storage limit is used up",
    Code.SEGMENTS_LIMIT_EXCEEDED: "the project's segment limit is used up",
}
_NAMES = "look at the bucket's name and the prefix in archive.url"
_INVALID = "the access grant or API key is not valid, expired or revoked: make another"
_TERMINAL: dict[int, str] = {
    Code.BUCKET_NOT_FOUND: _NAMES,
    Code.BUCKET_NAME_INVALID: _NAMES,
    Code.OBJECT_KEY_INVALID: _NAMES,
    Code.PERMISSION_DENIED: "the access grant needs read, write and list for the bucket; is it revoked or expired?",
}
_ADDRESS = "archive.option.satellite is NODE-ID@HOST:PORT, as Storj's console shows it"
_TERMINAL_WORDS = {
    "api key format": _INVALID,
    "node id is required": _ADDRESS,
    "node url: node id": _ADDRESS,
    "unauthenticated": _INVALID,
    "revoked": _INVALID,
    "invalid api credentials": _INVALID,
    "invalid access grant": _INVALID,
    "decrypt": "the passphrase is another one than the objects were written with",
}
EXISTS = "no permissions to delete existing object"
"""A satellite's answer to a commit on a key that is taken, where the grant may not delete."""


class UplinkError(Exception):
    """An error of the library, as it came; never leaves this package."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def explain(error: UplinkError, *, doing: str) -> StreamsinkError:
    """Translate one of uplink's errors.

    Args:
        error: uplink's.
        doing: What was tried, for the message.
    """
    # Below the first line stands where in Go it happened.
    said = f"{doing}: {error.message.partition(chr(10))[0].strip()[:300]}"
    lower = error.message.lower()
    if error.code == Code.OBJECT_NOT_FOUND:
        return ObjectMissingError(said)
    if error.code in _LIMITS:
        return TransientError(f"{said} ({_LIMITS[Code(error.code)]})", hint="raise the limit in Storj's console")
    terminal = _TERMINAL.get(error.code) or next((hint for word, hint in _TERMINAL_WORDS.items() if word in lower), "")
    if terminal:
        return TerminalError(said, hint=terminal)
    if error.code == Code.TOO_MANY_REQUESTS:
        return TransientError(said, hint="the satellite limits requests; this is tried again more slowly")
    return TransientError(said, hint="is the satellite reachable? storage nodes come and go; this is tried again")
