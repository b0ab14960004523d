"""Runs a partitioner that is a plugin, and makes its paths safe. Reads no clock."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from streamsink.config.reading.plugins import PluginType, find_plugin
from streamsink.config.sink import Partitioning
from streamsink.errors import PartitionError, StreamsinkError, TerminalError
from streamsink.partition import safe_path
from streamsink.record import DecodedSlice


class PluginPartitioner:
    """Around a user's object, whose `encode(rows)` gives one path for all rows, or an array with one a row.

    A path's folders are separated by slashes; each must follow from its record alone.

    Raises:
        TerminalError: Its class is not installed any more.
    """

    deterministic = True

    def __init__(self, rules: Partitioning) -> None:
        plugin = find_plugin(PluginType.PARTITIONER, rules.plugin)
        if plugin is None:
            raise TerminalError(
                f"{rules.plugin} is not installed", hint="install the package that has this partitioner"
            )
        self._name = rules.plugin
        self._made: Any = plugin.load()(rules.settings)
        self._delimiter = rules.directory_delim

    def encode(self, rows: DecodedSlice, *, now_ms: int) -> str | pa.DictionaryArray:  # noqa: ARG002 - the protocol's
        """The encoded partition of every row; see `Partitioner`."""
        if not len(rows.offsets):
            return f"partition={rows.topic_partition.partition}"
        try:
            found = self._made.encode(rows)
        except StreamsinkError:
            raise
        except Exception as error:
            # Which of the rows is to blame is found out by asking for fewer.
            raise PartitionError(f"{self._name}: {type(error).__name__}: {error}") from error
        if isinstance(found, str):
            return self._safe(found)
        if len(found) != len(rows.offsets) or found.null_count:
            raise TerminalError(
                f"{self._name} gives {len(found) - found.null_count} paths for {len(rows.offsets)} rows",
                hint="a partitioner gives each row a path",
            )
        encoded = found.cast(pa.string()).dictionary_encode()
        safe = pa.array([self._safe(path) for path in encoded.dictionary.to_pylist()], pa.string()).dictionary_encode()
        codes = np.asarray(safe.indices)[np.asarray(encoded.indices)]
        return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), safe.dictionary)

    def _safe(self, path: str) -> str:
        parts = [
            safe_path.component(safe_path.encode(part, delimiter=self._delimiter)) for part in path.split("/") if part
        ]
        return self._delimiter.join(parts) or "_"
