"""Makes the format that a configuration names. Encodes nothing itself."""

from __future__ import annotations

import dataclasses

from streamsink.config.sink import Encoding, FormatKind, Rotation
from streamsink.encode.plugin import PluginFormat
from streamsink.encode.protocol import Format
from streamsink.encode.table import FORMATS
from streamsink.errors import ConfigError, Problem


def make_format(encoding: Encoding, rotation: Rotation) -> Format:
    """The format an `Encoding` names.

    Args:
        encoding: Kind, codec, level and row group size.
        rotation: Says how large objects may become.

    Raises:
        ConfigError: The format has no such codec.
        TerminalError: A plugin is not installed any more.
    """
    if encoding.kind is FormatKind.PLUGIN:
        return PluginFormat(encoding, rotation)
    entry = next(entry for entry in FORMATS if entry.kind is encoding.kind)
    codec = entry.codec_names.get(encoding.codec, encoding.codec)
    if codec not in entry.codecs:
        raise ConfigError([Problem(entry.codec_key, f"{encoding.codec!r} is none of {', '.join(entry.codecs)}")])
    return entry.write(dataclasses.replace(encoding, codec=codec), rotation)
