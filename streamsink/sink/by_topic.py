"""Chooses the decoder of a slice by its topic, where `converters` names more than one. Decodes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from streamsink.decode.protocol import Decoder
from streamsink.record import DecodedSlice, RawSlice


class DecoderByTopic:
    """Decodes each slice by the first rule that its topic's name matches as a whole.

    Args:
        rules: Patterns and decoders, in order.
        default: For all other topics.
    """

    def __init__(self, rules: Sequence[tuple[str, Decoder]], default: Decoder) -> None:
        self._rules = [(re.compile(pattern), decoder) for pattern, decoder in rules]
        self._default = default
        self._chosen: dict[str, Decoder] = {}

    def parts(self, raw: RawSlice) -> Sequence[RawSlice]:
        """See `Decoder`."""
        return self._of(raw.topic_partition.topic).parts(raw)

    def decode(self, raw: RawSlice) -> DecodedSlice:
        """See `Decoder`."""
        return self._of(raw.topic_partition.topic).decode(raw)

    def _of(self, topic: str) -> Decoder:
        if topic not in self._chosen:
            found = (decoder for pattern, decoder in self._rules if pattern.fullmatch(topic))
            self._chosen[topic] = next(found, self._default)
        return self._chosen[topic]
