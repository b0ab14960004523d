"""Keeps a description beside an object whose bytes can't hold one, under a hash. Not for formats with a footer.

A sidecar is written before its object and named after the object's bytes, so whichever of two writers wins the name,
the object finds its own. Bytes may be equal where records are not: a tombstone in a raw object is no byte at all. There
the first sidecar decides what the object covers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

from streamsink.errors import AlreadyExistsError, ObjectMissingError, TerminalError
from streamsink.upload.description import ObjectDescription
from streamsink.upload.protocol import ObjectInfo, Store
from streamsink.upload.resolve import busy, create_named_by_content, require_comparable

FOLDER = "_streamsink/sidecar"


def sidecar_name(name: str, sha256: str) -> str:
    """The name of an object's sidecar without its extension, beside `topics.dir`.

    The hash alone wouldn't do: raw objects of equal values have equal bytes, and still other keys and offsets. The
    name's last part alone is used, so that moving the folders above doesn't part them.

    Args:
        name: The object's.
        sha256: The hash of the object's bytes, in hex.
    """
    return f"{FOLDER}/{sha256[:2]}/{sha256[2:]}/{name.rpartition('/')[2]}"


def write_sidecars(
    store: Store,
    description: ObjectDescription,
    content: bytes | None,
    *,
    describe: bool,
    read_content: Callable[[bytes], ObjectDescription],
) -> ObjectDescription:
    """Write the sidecars that an object needs, once.

    Args:
        store: The archive's.
        description: Of the object.
        content: The part of the rows that the bytes can't hold and a restore needs; None where there is none.
        describe: Whether the description is kept nowhere else: not in the bytes, not as store metadata.
        read_content: Says what another writer's content describes.

    Returns:
        What the object of these bytes covers: `description`, or that of an earlier writer whose content stands.

    Raises:
        TransientError: As `Store.create`.
        TerminalError: As `Store.create`.
    """
    name = sidecar_name(description.name, description.sha256)
    if content is not None:
        try:
            store.create(name, content, {})
        except AlreadyExistsError:
            earlier = read_content(_existing(store, name))
            require_comparable(description, earlier, name)
            if not earlier.covers_the_same(description):
                description = replace(
                    earlier, sha256=description.sha256, md5=description.md5, size_bytes=description.size_bytes
                )
    if describe:
        create_named_by_content(store, f"{name}.json", json.dumps(description.to_json()).encode())
    return description


def _existing(store: Store, name: str) -> bytes:
    try:
        return store.get(name)
    except ObjectMissingError:
        raise busy(name) from None


def read_sidecar(store: Store, name: str, sha256: str) -> bytes | None:
    """Read an object's sidecar.

    Args:
        store: The archive's.
        name: The object's name.
        sha256: The hash of the object's bytes, in hex.

    Returns:
        The sidecar's content, None where there is none.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: The store can't be read.
    """
    try:
        return store.get(sidecar_name(name, sha256))
    except ObjectMissingError:
        return None


def describe_by_sidecar(store: Store, info: ObjectInfo) -> ObjectDescription:
    """Describe an object without footer and metadata by its sidecar. The whole object is read, to find it by its hash.

    Args:
        store: The archive's.
        info: The object.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: No sidecar knows it.
    """
    sha256 = hashlib.sha256(store.get(info.name)).hexdigest()
    try:
        entry = json.loads(store.get(f"{sidecar_name(info.name, sha256)}.json"))
        return ObjectDescription.from_json({**entry, "name": info.name})
    except (ObjectMissingError, ValueError, TypeError):
        raise TerminalError(
            f"{info.name} exists and nothing says what it holds",
            hint="another program wrote it or changed it; move it away, then restart the connector",
        ) from None
