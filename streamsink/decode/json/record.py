"""Turns one JSON value into a record: its top-level fields, and the schema it came with. Pure: no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.decode.json import text as json_text
from streamsink.decode.json.connect_schema import SchemaError, shape_of
from streamsink.decode.json.defaults import filled, has_defaults, without_defaults
from streamsink.decode.json.shape import Kind, Shape, widened
from streamsink.decode.json.text import JsonText, NotJsonError
from streamsink.decode.projection import Projection

VALUE_FIELD = "value"
"""Where a value goes that is no object."""

NESTING_MAX = 200
"""Documents nested deeper are refused: they could not be written as JSON text again."""

_SCHEMAS_MAX = 1_000
_PREFIXES_MAX = 16
_ENVELOPE_KEYS = {"schema", "payload"}


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """A schema that values came with: of the whole payload, and of the columns it becomes once defaults are in."""

    payload: Shape
    columns: Shape
    has_defaults: bool


class RecordReader:
    """Reads values one by one, exactly.

    Args:
        schemas_enable: Whether values are Connect's `{"schema", "payload"}`.
        replace_null: Whether nulls become their schema's defaults.
        projection: Which fields to keep; all if None.
    """

    def __init__(self, *, schemas_enable: bool, replace_null: bool = True, projection: Projection | None) -> None:
        self.schemas_enable = schemas_enable
        self._replace_null = replace_null
        self._projection = projection
        self._declared: dict[bytes, Declared] = {}
        self._prefixes: dict[bytes, Declared | None] = {}

    def read(self, raw: bytes) -> tuple[dict[str, Any] | None, Shape | None]:
        """Read one value.

        Args:
            raw: The value's bytes.

        Returns:
            The record, None for JSON's null and for no bytes; and the shape that the value's own schema declares, None
            where it brings none.

        Raises:
            NotJsonError: The value is not one JSON document, or no schema envelope.
            MisfitError: The payload does not fit its own schema.
        """
        raw = raw.removeprefix(json_text.BYTE_ORDER_MARK)
        if not raw:
            return None, None
        if not self.schemas_enable:
            return self._kept(_schemaless(document_of(raw, NESTING_MAX))), None
        payload, declared = self._opened(raw)
        if declared is None:
            return self._kept(_schemaless(payload)), None
        if self._projection is None or not isinstance(payload, dict):
            widened(declared.payload, payload)
        if declared.has_defaults:
            payload = filled(declared.payload, payload)
        if payload is None:
            return None, declared.columns
        record = self._kept(payload if declared.payload.kind is Kind.STRUCT else {VALUE_FIELD: payload})
        if self._projection is not None:
            widened(declared.columns, record)
        return record, declared.columns

    def _opened(self, raw: bytes) -> tuple[Any, Declared | None]:
        """The payload of a schema envelope, and its schema: read once where the same bytes begin many values."""
        prefix = self._prefix_of(raw)
        if prefix and raw.endswith(b"}"):
            try:
                return document_of(raw[len(prefix) : -1], NESTING_MAX - 1), self._prefixes[prefix]
            except NotJsonError:
                pass  # more than the payload follows the prefix
        document = document_of(raw, NESTING_MAX)
        if not isinstance(document, dict) or document.keys() != _ENVELOPE_KEYS:
            raise NotJsonError('not an object of exactly the fields "schema" and "payload", as schemas.enable wants')
        schema = document["schema"]
        return document["payload"], None if schema is None else self._of_schema(schema)

    def stripped(self, values: pa.Array) -> tuple[pa.Array, Shape | None] | None:
        """Cut the schema off all values, where all begin with the same one.

        Args:
            values: Binary values without nulls, at least one.

        Returns:
            The payloads' bytes, and the shape of their columns, None where the schema is null. None instead of both
            where values begin with different schemas, or payloads aren't what columns hold: no structs, or in want of
            defaults.
        """
        first = values[0].as_py()
        prefix = self._prefix_of(first) or self._learn_prefix(first)
        if not prefix or not pc.all(pc.starts_with(values, prefix)).as_py():
            return None
        declared = self._prefixes[prefix]
        if declared is not None and (declared.has_defaults or declared.payload.kind is not Kind.STRUCT):
            return None
        if not pc.all(pc.ends_with(values, b"}")).as_py():
            return None
        return pc.binary_slice(values, len(prefix), -1), None if declared is None else declared.columns

    def _prefix_of(self, raw: bytes) -> bytes:
        return next((prefix for prefix in self._prefixes if raw.startswith(prefix)), b"")

    def _learn_prefix(self, raw: bytes) -> bytes:
        """The bytes up to a payload that ends the document, if they read as a whole schema before it."""
        mark = b'"payload":'
        start = raw.find(mark)
        while start >= 0:
            prefix = raw[: start + len(mark)]
            try:
                document: Any = document_of(prefix + b"null}", NESTING_MAX)
                if document.keys() == _ENVELOPE_KEYS and document["payload"] is None:
                    schema = document["schema"]
                    declared = None if schema is None else self._of_schema(schema)
                    if len(self._prefixes) >= _PREFIXES_MAX:
                        self._prefixes.clear()
                    self._prefixes[prefix] = declared
                    return prefix
            except (ValueError, AttributeError):
                pass
            start = raw.find(mark, start + 1)
        return b""

    def _of_schema(self, schema: object) -> Declared:
        key = orjson.dumps(schema)
        declared = self._declared.get(key)
        if declared is None:
            try:
                payload = shape_of(schema) if self._replace_null else without_defaults(shape_of(schema))
            except SchemaError as error:
                raise NotJsonError(f"no usable schema: {error}") from error
            columns = payload if payload.kind is Kind.STRUCT else Shape(Kind.STRUCT, fields={VALUE_FIELD: payload})
            if self._projection is not None:
                columns = self._projection.pruned(columns)
            declared = Declared(payload, without_defaults(columns), has_defaults(payload))
            if len(self._declared) >= _SCHEMAS_MAX:
                self._declared.clear()
            self._declared[key] = declared
        return declared

    def _kept(self, record: dict[str, Any] | None) -> dict[str, Any] | None:
        return record if record is None or self._projection is None else self._projection.kept(record)


def _schemaless(document: Any) -> dict[str, Any] | None:
    if document is None or isinstance(document, dict):
        return document
    return {VALUE_FIELD: JsonText(json_text.write(document))}


def document_of(raw: bytes, nesting_max: int) -> object:
    """Parse one JSON document.

    Args:
        raw: Its bytes.
        nesting_max: How deep arrays and objects may be nested.

    Raises:
        NotJsonError: The bytes are none, or nested deeper than `nesting_max`.
    """
    document = json_text.read(raw)
    if raw.count(b"[") + raw.count(b"{") > nesting_max:
        _check_nesting(document, nesting_max)
    return document


def _check_nesting(document: object, nesting_max: int) -> None:
    level = [document]
    for _ in range(nesting_max):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise NotJsonError(f"nested more than {nesting_max} levels deep")


def _children(parent: object) -> list[Any]:
    if isinstance(parent, dict):
        return list(parent.values())
    return parent if isinstance(parent, list) else []
