"""Schemas by id, from a Schema Registry: asked once, kept for good. The one place of decoding that does I/O.

A schema's id never changes its meaning, so that what was read once works while the registry is away; and what a task
read is kept on a shelf beside the archive, so that a task that starts then works as well.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

import orjson

from streamsink.backoff import Backoff, read_retry_after
from streamsink.config.sink import RegistryRules
from streamsink.errors import StreamsinkError, TerminalError, TransientError

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

T = TypeVar("T")

REQUEST_TIMEOUT_S = 10.0
ATTEMPTS = 2
BACKOFF = Backoff(first_s=0.2, max_s=1.0)
REPEAT_WITHIN_S = 2.0
"""A registry that asks for more patience is away, for the task, which polls Kafka while it waits."""

UNKNOWN_S = 30.0
"""How long an id that the registry doesn't know is not asked for again."""
NOT_FOUND, LOGIN = 404, frozenset({401, 403})
REFERENCES_DEPTH_MAX = 32
_RETRIED = frozenset({408, 425, 429})
_HINT_AWAY = "the task waits for the Schema Registry; is it up, and value.converter.schema.registry.url right?"


class UnknownSchemaError(StreamsinkError):
    """The registry has no such schema. That concerns one record, not the task."""


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """One schema and the schemas that it refers to, by the names it uses, in the order in which they can be read."""

    schema_id: int
    kind: str
    text: str
    references: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """As it is kept beside the archive."""
        about = {"id": self.schema_id, "schemaType": self.kind, "schema": self.text}
        return orjson.dumps({**about, "references": dict(self.references)}, option=orjson.OPT_INDENT_2)

    @staticmethod
    def from_json(data: bytes) -> RegisteredSchema:
        """Read `to_json` back."""
        found = orjson.loads(data)
        return RegisteredSchema(found["id"], found["schemaType"], found["schema"], found["references"])


class SchemaShelf(Protocol):
    """Keeps schemas beside the archive."""

    def get(self, name: str) -> bytes | None:
        """Find a document, None where there is none.

        Raises:
            TransientError: The store can't be read now.
            TerminalError: The store can't be read.
        """
        ...

    def put(self, name: str, document: bytes) -> None:
        """Keep a document; one of that name stays as it is.

        Args:
            name: The document's, which says what is in it.
            document: Its content.

        Raises:
            TransientError: It may or may not have been kept.
            TerminalError: The store refuses.
        """
        ...


class NoShelf:
    """Keeps nothing."""

    def get(self, name: str) -> bytes | None:  # noqa: ARG002 - the protocol's shape
        """Find nothing."""
        return None

    def put(self, name: str, document: bytes) -> None:
        """Keep nothing."""


def registry_name(url: str) -> str:
    """A name that tells one registry's ids from another's, without its credentials."""
    bare = sorted((urlsplit(one.strip()).hostname or "", urlsplit(one.strip()).port or 0) for one in url.split(","))
    return hashlib.sha256(repr(bare).encode()).hexdigest()[:8]


class SchemaRegistry:
    """One registry, as a task's thread asks it.

    Args:
        rules: Where it is and how to log in.
        shelf: Where schemas are kept beside the archive.
    """

    def __init__(self, rules: RegistryRules, shelf: SchemaShelf | None = None) -> None:
        self.name = registry_name(rules.properties["url"])
        self._rules = rules
        self._shelf = shelf or NoShelf()
        self._schemas: dict[int, RegisteredSchema] = {}
        self._unknown: dict[int, tuple[float, str]] = {}
        self._versions: dict[str, dict[int, int]] = {}

    def schema(self, schema_id: int) -> RegisteredSchema:
        """The schema of an id.

        Raises:
            UnknownSchemaError: There is none.
            TransientError: The registry can't be asked now.
            TerminalError: It refuses to answer.
        """
        known = self._schemas.get(schema_id)
        if known is not None:
            return known
        until, why = self._unknown.get(schema_id, (0.0, ""))
        if time.monotonic() < until:
            raise UnknownSchemaError(why)
        shelved = f"{self.name}/{schema_id}.json"
        try:
            found = self._fetch(schema_id)
        except UnknownSchemaError as error:
            self._unknown[schema_id] = (time.monotonic() + UNKNOWN_S, error.message)
            raise
        except TransientError:
            document = self._shelf.get(shelved)
            if document is None:
                raise
            found = RegisteredSchema.from_json(document)
        else:
            self._shelf.put(shelved, found.to_json())
        self._schemas[schema_id] = found
        return found

    def versions(self, subject: str, *, having: int | None = None) -> Mapping[int, int]:
        """The ids of a subject's versions, by version; empty where there is no such subject.

        Args:
            subject: Its name.
            having: An id that must be among them, or the registry is asked again; None asks in any case.
        """
        known = self._versions.get(subject)
        if known is not None and having is not None and having in known.values():
            return known
        found = dict(known or {})
        try:
            numbers = self._asked(f"subject {subject}", lambda client: client.get_versions(subject))
            for number in numbers:
                if number not in found:
                    what = f"version {number} of {subject}"
                    found[number] = int(
                        self._asked(what, lambda client, n=number: client.get_version(subject, n).schema_id)
                    )
        except UnknownSchemaError:
            pass
        self._versions[subject] = dict(sorted(found.items()))
        return self._versions[subject]

    def register(self, subject: str, schema: RegisteredSchema, references: list[Any]) -> int:
        """Register a schema, and give its id in this registry.

        Args:
            subject: The subject to register it under.
            schema: Its text and kind.
            references: The registry's own references of the schema.

        Raises:
            TransientError: The registry can't be asked now.
            TerminalError: It refuses.
        """
        from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 - an extra; see _connect

        wanted = Schema(schema.text, schema.kind, references)
        return int(self._asked(f"subject {subject}", lambda client: client.register_schema(subject, wanted)))

    def _fetch(self, schema_id: int) -> RegisteredSchema:
        what = f"schema id {schema_id}"
        found = self._asked(what, lambda client: client.get_schema(schema_id))
        references: dict[str, str] = {}
        self._collect(found.references, references, 0)
        return RegisteredSchema(schema_id, found.schema_type or "AVRO", found.schema_str or "", references)

    def _collect(self, needed: Any, texts: dict[str, str], depth: int) -> None:
        if depth > REFERENCES_DEPTH_MAX:
            raise UnknownSchemaError(f"schemas refer to each other more than {REFERENCES_DEPTH_MAX} deep")
        for reference in needed or ():
            if reference.name in texts:
                continue
            what = f"version {reference.version} of {reference.subject}"
            found = self._asked(what, lambda client, r=reference: client.get_version(r.subject, r.version))
            self._collect(found.schema.references, texts, depth + 1)
            texts[reference.name] = found.schema.schema_str or ""

    def _asked(self, what: str, ask: Any) -> Any:
        """One request, made once more where that may help."""
        for attempt in itertools.count(1):
            try:
                return self._asked_once(what, ask)
            except TransientError as error:
                delay_s = BACKOFF.delay_s(
                    attempt,
                    jitter=random.random(),  # noqa: S311 - spreads requests
                    retry_after_s=error.retry_after_s,
                )
                if attempt == ATTEMPTS or delay_s > REPEAT_WITHIN_S:
                    raise
                time.sleep(delay_s)
        raise AssertionError("the last attempt returns or raises")

    def _asked_once(self, what: str, ask: Any) -> Any:
        """One request; its failures in our words."""
        try:
            from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise _not_installed(error) from error

        asked_to_wait: list[float | None] = [None]
        try:
            with self._connect() as client:
                _note_retry_after(client, asked_to_wait)
                return ask(client)
        except StreamsinkError:
            raise
        except SchemaRegistryError as error:
            status = error.http_status_code
            if status == NOT_FOUND:
                raise UnknownSchemaError(f"the Schema Registry has no {what}") from error
            said = f"the Schema Registry answers {status} when asked for {what}: {error.error_message}"
            if status in LOGIN:
                hint = "set value.converter.basic.auth.credentials.source=USER_INFO and ...basic.auth.user.info"
                raise TerminalError(said, hint=hint) from error
            if status < 500 and status not in _RETRIED and status > 0:
                raise TerminalError(said, hint="is value.converter.schema.registry.url a Schema Registry's?") from error
            raise TransientError(said, hint=_HINT_AWAY, retry_after_s=asked_to_wait[-1]) from error
        except Exception as error:  # the client's HTTP library names its failures as it likes
            said = f"the Schema Registry can't be asked for {what}: {type(error).__name__}"
            raise TransientError(said, hint=_HINT_AWAY) from error

    def _connect(self) -> SchemaRegistryClient:
        """A client for one request: schemas are asked for so seldom that no connection is worth keeping."""
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise _not_installed(error) from error
        # The client's own repetition knows no Retry-After.
        settings = {"timeout": REQUEST_TIMEOUT_S, "max.retries": 0}
        try:
            return SchemaRegistryClient({**self._rules.properties, **settings})
        except (ValueError, OSError) as error:
            raise TerminalError(
                f"the Schema Registry's client can't be made: {error}",
                hint="value.converter.schema.registry.* says where the registry and its certificates are",
            ) from error


def _note_retry_after(client: SchemaRegistryClient, asked: list[float | None]) -> None:
    """Keep each answer's Retry-After: the client's own errors lack the answer's headers, its HTTP session has hooks."""

    def note(response: Any) -> None:
        asked.append(read_retry_after(response.headers.get("Retry-After"), now_unix_s=time.time()))

    client._rest_client.session.event_hooks = {"response": [note]}  # noqa: SLF001


def _not_installed(error: ImportError) -> TerminalError:
    return TerminalError(
        f"a converter with a Schema Registry needs {error.name}", hint="pip install 'streamsink[registry]'"
    )
