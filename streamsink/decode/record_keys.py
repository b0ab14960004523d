"""Reads keys, for transforms that look at them; else keys stay bytes. Does no I/O; holds the keys' widening shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.config.sink import Converter
from streamsink.decode.avro.copy import copied
from streamsink.decode.json import text as json_text
from streamsink.decode.json.columns import JsonColumns, JsonRules
from streamsink.decode.json.shape import Kind, Shape
from streamsink.decode.json.text import NotJsonError
from streamsink.decode.registry import wire

_KEY = "key"


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys as one column, null where there is none or it is bad; `is_json` if its strings are JSON texts."""

    array: pa.Array
    is_json: bool
    declared: bool
    bad: dict[int, str]


class KeyDecoder:
    """Reads one connector's keys.

    Args:
        converter: Which they are written with.
        schemas_enable: Whether JSON keys come in Connect's envelope of schema and payload.
    """

    def __init__(self, converter: Converter, *, schemas_enable: bool) -> None:
        self._converter = converter
        self._enveloped = schemas_enable
        self._json = JsonColumns(JsonRules(declared=Shape(Kind.STRUCT), schemas_enable=schemas_enable, columns_max=1))

    def decode(self, topic: str, keys: pa.Array) -> Keys:  # noqa: ARG002 - as `RegistryKeys.decode`
        """Read a slice's keys.

        Args:
            topic: Not used: schemas come with the keys, if at all.
            keys: One key a row, null where a record has none.
        """
        if self._converter is Converter.JSON:
            return self._decode_json(keys)
        if self._converter is Converter.JSON_SCHEMA:
            return self._decode_framed(keys)
        if self._converter is Converter.STRING:
            return _strings(keys)
        return Keys(keys, is_json=False, declared=False, bad={})

    def _decode_json(self, keys: pa.Array) -> Keys:
        """Each key as the one field of an object, so that a column of their shape comes out, whatever they are."""
        bad: dict[int, str] = {}
        wrapped: list[bytes | None] = []
        for row, key in enumerate(keys.to_pylist()):
            try:
                wrapped.append(None if key is None else self._wrapped(key))
            except (NotJsonError, ValueError) as error:
                bad[row] = f"the key is not valid JSON: {error}"
                wrapped.append(None)
        columns = self._json.read(pa.array(wrapped, pa.binary()))
        bad |= {row: f"the key: {error}" for row, error in columns.bad.items()}
        if not columns.arrays:
            return Keys(pa.nulls(len(keys)), is_json=False, declared=self._enveloped, bad=bad)
        is_json = bool(columns.fields[0].metadata)
        return Keys(columns.arrays[0], is_json=is_json, declared=self._enveloped, bad=bad)

    def _decode_framed(self, keys: pa.Array) -> Keys:
        """JSON behind the id of its schema, which is not needed to read it."""
        frames = wire.read_frames(keys)
        texts = copied(frames)
        unframed = np.flatnonzero(frames.ids == wire.UNFRAMED).tolist()
        bad = {row: f"the key: {wire.why_unframed(keys[row].as_py())}" for row in unframed}
        found = self._decode_json(pc.if_else(pa.array(frames.ids >= 0), texts, pa.scalar(None, pa.binary())))
        return Keys(found.array, found.is_json, declared=True, bad=found.bad | bad)

    def _wrapped(self, key: bytes) -> bytes:
        document: Any = json_text.read(key)
        if not self._enveloped:
            return b'{"key":' + key + b"}"
        if not isinstance(document, dict) or document.keys() != {"schema", "payload"}:
            raise ValueError('is no object of exactly the fields "schema" and "payload"')
        if not isinstance(document["schema"], dict):
            return orjson.dumps({"schema": None, "payload": {_KEY: document["payload"]}})
        fields = [{**document["schema"], "field": _KEY}]
        payload = orjson.Fragment(json_text.write(document["payload"]))
        return orjson.dumps({"schema": {"type": "struct", "fields": fields}, "payload": {_KEY: payload}})


def _strings(keys: pa.Array) -> Keys:
    try:
        return Keys(keys.cast(pa.string()), is_json=False, declared=False, bad={})
    except pa.ArrowInvalid:
        bad = {}
        for row, key in enumerate(keys.to_pylist()):
            try:
                (key or b"").decode()
            except UnicodeDecodeError as error:
                bad[row] = f"the key is not UTF-8: {error.reason} at byte {error.start}"
        wrong = pa.array([row in bad for row in range(len(keys))])
        known = pc.if_else(wrong, pa.nulls(len(keys), pa.binary()), keys)
        return Keys(known.cast(pa.string()), is_json=False, declared=False, bad=bad)
