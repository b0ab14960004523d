"""Chooses the format of a connector's objects: ours, or another product's. Encodes nothing itself."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from streamsink.config.output import OutputRules, TextLayout
from streamsink.config.sink import Converter, FormatKind, JsonForm, LineRules, SinkConfig
from streamsink.decode.lines.headers import header_cell
from streamsink.decode.lines.text import LineError
from streamsink.decode.lines.values import line_maker
from streamsink.encode.beside import ENVELOPED, KIND, Arrangement, BesideFormat
from streamsink.encode.formats import make_format
from streamsink.encode.output.fields import columns_of
from streamsink.encode.output.text import JsonCells, TextFormat
from streamsink.encode.protocol import Format


def make_output(config: SinkConfig) -> Format:
    """The format of a connector's objects of values.

    Raises:
        ConfigError: The format has no such codec.
        TerminalError: A plugin is not installed any more.
    """
    rules = config.output
    if rules is None:
        format_ = make_format(config.encoding, config.rotation)
        splits = config.siblings is not None and config.encoding.kind is not FormatKind.RAW
        return BesideFormat(format_, config.rotation) if splits else format_
    if rules.layout is not TextLayout.COLUMNS:
        return TextFormat(rules, config.encoding, config.rotation, JsonCells(key_lines(config), _header_cells(config)))
    return BesideFormat(make_format(config.encoding, config.rotation), config.rotation, _arranged(config, rules))


def _arranged(config: SinkConfig, rules: OutputRules) -> Arrangement:
    text_keys = config.key_converter is Converter.STRING
    entries = {KIND: config.encoding.kind.value, ENVELOPED: "true" if rules.envelope else "false"}
    return Arrangement(
        lambda rows, source: columns_of(rows, rules, source, text_keys=text_keys), rules.whole_codec, entries
    )


def _header_cells(config: SinkConfig) -> Callable[[pa.Array], pa.Array]:
    cell = header_cell(config.header_converter, numeric=config.encoding.json_form is JsonForm.CONNECT_NUMERIC)

    def made(values: pa.Array) -> pa.Array:
        # Headers have few values that differ.
        found = values.dictionary_encode()
        cells = pa.array([cell(value) for value in found.dictionary.to_pylist()], values.type)
        return cells.take(found.indices)

    return made


def key_lines(config: SinkConfig) -> Callable[[pa.Array], pa.Array]:
    """Makes lines of JSON of keys, as the connector's converter reads them; null stays null."""
    line = line_maker(config.key_converter, LineRules(schemas_enable=config.key_schemas_enable))
    text = line_maker(Converter.STRING, LineRules())

    def of(key: bytes | None) -> bytes | None:
        if key is None:
            return None
        try:
            return line(key)
        except LineError:
            # A key that its converter can't read was judged before it came here, or is none of its concern.
            return text(key)

    return lambda keys: pa.array([of(key) for key in keys.to_pylist()], pa.binary())
