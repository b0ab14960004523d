"""Explains errors of Couchbase's SDK, by their classes' names. Asks no server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from couchbase.exceptions import CouchbaseException

from streamsink.errors import StreamsinkError, TerminalError, TransientError

GRANTS = (
    "a snapshot needs the role Data Reader on the bucket (data_reader), a restore Data Writer and Manage Scopes "
    "(data_writer, scope_admin)"
)
_AWAY = frozenset(
    {
        "AmbiguousTimeoutException",
        "UnAmbiguousTimeoutException",
        "TimeoutException",
        "ServiceUnavailableException",
        "RequestCanceledException",
        "TemporaryFailException",
        "MissingConnectionException",
        "RateLimitedException",
        "InternalServerFailureException",
    }
)
_HINTS = {
    "AuthenticationException": f"give the right user and --option password=...; {GRANTS}",
    "FeatureUnavailableException": "key ranges are scanned by Couchbase Server 7.6 and newer, in buckets on Couchstore "
    "or Magma; upgrade the server",
    "BucketNotFoundException": "a snapshot needs the bucket, and so does a restore: make it on the server",
    "ScopeNotFoundException": "was the scope dropped meanwhile?",
    "CollectionNotFoundException": "was the collection dropped meanwhile?",
    "QuotaLimitedException": "raise the bucket's quota on the server",
}


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn errors of the SDK inside the block into ours.

    Args:
        what: What is done, for example "reading shop._default.orders".

    Yields:
        Nothing.

    Raises:
        TransientError: The server is away.
        TerminalError: It refuses.
    """
    try:
        yield
    except CouchbaseException as error:
        raise explain(error, what) from error


def explain(error: CouchbaseException, what: str) -> StreamsinkError:
    """Find our error for one of the SDK's.

    Args:
        error: The SDK's error.
        what: What was done, for example "reading shop._default.orders".

    Returns:
        A `TransientError` where the server is away, else a `TerminalError` with a hint.
    """
    names = {each.__name__ for each in type(error).__mro__}
    said = f"{what}: {_line(error)}"
    if names & _AWAY:
        return TransientError(said, hint="is the server up, and reachable from here?")
    return TerminalError(said, hint=next((hint for name, hint in _HINTS.items() if name in names), ""))


def _line(error: CouchbaseException) -> str:
    text = " ".join(str(getattr(error, "message", "") or error).split())
    return f"{text[:300]} ({type(error).__name__})"
