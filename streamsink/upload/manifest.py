"""The manifest: what was stored, gathered per commit. Derived from the data and never trusted over it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import orjson

from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.upload.description import ObjectDescription
from streamsink.upload.protocol import Store
from streamsink.upload.resolve import create_named_by_content

FOLDER = "_streamsink/manifest"


def manifest_name(topic: str, partition: int, first_offset: int, content: bytes) -> str:
    """Where a commit's entries go: content-named, so that writing them twice changes nothing."""
    digest = hashlib.sha256(content).hexdigest()[:12]
    return f"{FOLDER}/{topic}/{partition}/{first_offset:020d}-{digest}.jsonl"


def write_manifest(store: Store, entries: Sequence[ObjectDescription]) -> str:
    """Write the entries of one topic partition, at least one, and say under which name. Raises as `Store.create`."""
    assert len({(entry.topic, entry.partition) for entry in entries}) == 1, "a manifest's file is of one partition"
    ordered = sorted(entries, key=lambda entry: (entry.first_offset, entry.name))
    content = b"".join(orjson.dumps(entry.to_json(), option=orjson.OPT_APPEND_NEWLINE) for entry in ordered)
    first = ordered[0]
    name = manifest_name(first.topic, first.partition, first.first_offset, content)
    create_named_by_content(store, name, content)
    return name


def read_manifest(store: Store, topic: str = "") -> Iterator[ObjectDescription]:
    """Every entry, an object perhaps more than once; entries that can't be read are passed over."""
    prefix = f"{FOLDER}/{topic}/" if topic else f"{FOLDER}/"
    for info in store.list(prefix):
        try:
            content = store.get(info.name)
        except ObjectMissingError:
            continue
        for line in content.splitlines():
            try:
                yield ObjectDescription.from_json(orjson.loads(line))
            except (orjson.JSONDecodeError, AttributeError, TerminalError):
                continue
