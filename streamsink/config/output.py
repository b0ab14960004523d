"""The layouts of records in objects that Aiven's and Lenses' sinks write. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TextLayout(StrEnum):
    """The layout of records in an object of text, and `COLUMNS` where it is none."""

    COLUMNS = ""
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


class OutputField(StrEnum):
    """A part of a record that another product's sink writes. Aiven's headers are a list, Lenses' a map."""

    KEY = "key"
    VALUE = "value"
    OFFSET = "offset"
    TIMESTAMP = "timestamp"
    HEADERS = "headers"
    HEADER_MAP = "headers map"
    METADATA = "metadata"

    @property
    def word(self) -> str:
        """The member's name."""
        return self.value.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class OutputRules:
    """Objects as Aiven's and Lenses' sinks write them; `_kafka` goes into each object's sidecar.

    `envelope` makes each field a member, else the one field stands alone. `base64` is how csv has values.
    `whole_codec` compresses an object that has a format with columns as a whole. In text, `between` stands between
    records where the layout has nothing there, `behind` behind each.
    """

    layout: TextLayout = TextLayout.COLUMNS
    fields: tuple[OutputField, ...] = (OutputField.VALUE,)
    envelope: bool = True
    base64: bool = True
    whole_codec: str = "none"
    between: str = ""
    behind: str = ""
