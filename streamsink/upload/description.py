"""Describes one object: for store metadata, footer and manifest. Pure."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from streamsink.errors import TerminalError

FOOTER_PREFIX = "streamsink."
METADATA_PREFIX = "streamsink-"
METADATA_BYTES_MAX = 1800
"""Storj takes 2 KiB in all; what would pass this is cut from metadata, never from the footer."""

MD5_KEY = "md5chksum"

_NUMBERS = frozenset(
    {"partition", "first_offset", "last_offset", "record_count", "timestamp_min_ms", "timestamp_max_ms", "size_bytes"}
)


@dataclass(frozen=True, slots=True)
class ObjectDescription:
    """One object. Offsets are inclusive; times are Unix milliseconds, None where no record has one.

    `sha256`, `md5` (hex) and `size_bytes` are empty while the bytes aren't finished: a footer can't hold its own hash.
    """

    name: str
    topic: str
    partition: int
    encoded_partition: str
    lane: str
    first_offset: int
    last_offset: int
    record_count: int
    timestamp_min_ms: int | None
    timestamp_max_ms: int | None
    layout: str
    writer: str
    reason: str = ""
    sha256: str = ""
    md5: str = ""
    size_bytes: int | None = None
    siblings: str = ""
    """How the names of the objects of keys and headers beside it end: `.keys.avro .headers.avro`."""

    def sealed(self, *, sha256: str, md5: str, size_bytes: int) -> ObjectDescription:
        """The description of the finished bytes.

        Args:
            sha256: Their hash, in hex.
            md5: Their MD5, in hex.
            size_bytes: Their number.
        """
        return dataclasses.replace(self, sha256=sha256, md5=md5, size_bytes=size_bytes)

    def covers_the_same(self, other: ObjectDescription) -> bool:
        """Whether two objects of one name, lane and first record hold as many records up to the same one."""
        return (self.last_offset, self.record_count) == (other.last_offset, other.record_count)

    def to_footer(self) -> dict[str, str]:
        """Entries for a file's own footer or header."""
        return {f"{FOOTER_PREFIX}{key}": value for key, value in self._texts(without=("name", *_OF_THE_BYTES)).items()}

    def to_metadata(self) -> dict[str, str]:
        """Entries for the store's metadata; rclone reads `md5chksum`.

        Percent-encoded to ASCII without spaces: these become HTTP headers, whose ends are trimmed on the way.
        """
        texts = self._texts(without=("name", "md5", "size_bytes"))
        entries = {
            f"{METADATA_PREFIX}{key.replace('_', '-')}": quote(value, safe="/=+:,") for key, value in texts.items()
        }
        if self.md5:
            entries[MD5_KEY] = base64.b64encode(bytes.fromhex(self.md5)).decode()
        for key in ("writer", "lane", "encoded-partition", "topic"):
            if sum(len(name) + len(value) for name, value in entries.items()) > METADATA_BYTES_MAX:
                entries.pop(f"{METADATA_PREFIX}{key}", None)
        return entries

    def to_json(self) -> dict[str, object]:
        """A manifest entry."""
        return {key: value for key, value in dataclasses.asdict(self).items() if value not in {None, ""}}

    def _texts(self, *, without: tuple[str, ...]) -> dict[str, str]:
        values = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in without
        }
        return {key: str(value) for key, value in values.items() if value is not None and value != ""}

    @classmethod
    def from_footer(cls, name: str, footer: Mapping[str, str]) -> ObjectDescription:
        """Read a footer's entries.

        Args:
            name: The object's name, which a footer doesn't have.
            footer: The entries of ours, with their prefix.

        Raises:
            TerminalError: They are not ours.
        """
        return cls._from_texts(name, footer, _IN_FOOTER)

    @classmethod
    def from_metadata(cls, name: str, metadata: Mapping[str, str], *, size_bytes: int) -> ObjectDescription | None:
        """Read a store's metadata.

        Args:
            name: The object's name.
            metadata: As the store gave them; case doesn't matter.
            size_bytes: The object's size, as the store says it.

        Returns:
            None where the metadata aren't ours or were cut.

        Raises:
            TerminalError: They are ours and damaged.
        """
        texts = {key.lower(): unquote(value) if "%" in value else value for key, value in metadata.items()}
        if not texts.keys() >= _TELLING:
            return None
        texts[_SIZE] = str(size_bytes)
        try:
            texts[_MD5] = base64.b64decode(texts.get(MD5_KEY, ""), validate=True).hex()
        except binascii.Error:
            texts.pop(_MD5, None)
        return cls._from_texts(name, texts, _IN_METADATA)

    @classmethod
    def from_json(cls, entry: Mapping[str, object]) -> ObjectDescription:
        """Read a manifest entry.

        Raises:
            TerminalError: It is none.
        """
        return cls._from_texts(str(entry.get("name", "")), {key: str(value) for key, value in entry.items()}, _IN_JSON)

    @classmethod
    def _from_texts(cls, name: str, texts: Mapping[str, str], fields: Mapping[str, str]) -> ObjectDescription:
        """Of entries whose keys are those of `fields`, which gives each one's field."""
        known: dict[str, object] = {"timestamp_min_ms": None, "timestamp_max_ms": None, "layout": "", "writer": ""}
        for entry, text in texts.items():
            key = fields.get(entry)
            if key is None:
                continue
            if key not in _NUMBERS:
                known[key] = text
            elif text.removeprefix("-").isdecimal():
                known[key] = int(text)
            else:
                raise TerminalError(f"{name}: {key} is {text!r}, not a number", hint=_NOT_OURS)
        known["name"] = name
        known.setdefault("encoded_partition", "")
        known.setdefault("lane", known["encoded_partition"])
        missing = _REQUIRED - known.keys()
        if missing:
            raise TerminalError(f"{name} does not say its {', '.join(sorted(missing))}", hint=_NOT_OURS)
        return cls(**known)  # type: ignore[arg-type]


_TAGS = {"startOffset": "first-offset", "endOffset": "last-offset", "recordCount": "record-count"}


def offset_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    """The tags that Confluent's sink gives an object, from its metadata; none where it holds no records."""
    found = {tag: metadata.get(f"{METADATA_PREFIX}{key}") for tag, key in _TAGS.items()}
    return {tag: value for tag, value in found.items() if value is not None}


_FIELDS = tuple(field.name for field in dataclasses.fields(ObjectDescription))
_OF_THE_BYTES = ("sha256", "md5", "size_bytes")
_REQUIRED = {"topic", "partition", "first_offset", "last_offset", "record_count"}
_IN_JSON = {field: field for field in _FIELDS}
_IN_FOOTER = {f"{FOOTER_PREFIX}{field}": field for field in _FIELDS}
_IN_METADATA = {f"{METADATA_PREFIX}{field.replace('_', '-')}": field for field in _FIELDS}
_SIZE, _MD5 = (f"{METADATA_PREFIX}{key}" for key in ("size-bytes", "md5"))
_TELLING = {entry for entry, field in _IN_METADATA.items() if field in {*_REQUIRED, "lane", "sha256"}}
_NOT_OURS = "something else wrote an object of this name, or it was changed"
