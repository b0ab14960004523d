"""Sidecars: what an object can't say of itself, kept beside it under its content's hash. Not for formats with a footer.

A sidecar is written before its object and named after the object's bytes, so whichever of two writers wins the name,
the object finds its own.
"""

from __future__ import annotations

import hashlib
import json

from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.upload.description import ObjectDescription
from streamsink.upload.protocol import ObjectInfo, Store
from streamsink.upload.resolve import create_named_by_content

FOLDER = "_streamsink/sidecar"


def sidecar_name(name: str, sha256: str) -> str:
    """Where the sidecar of an object of this name and hash lies, beside `topics.dir`.

    The hash alone wouldn't do: raw objects of equal values have equal bytes, and still other keys and offsets. The
    name's last part alone is used, so that moving the folders above doesn't part them.
    """
    return f"{FOLDER}/{sha256[:2]}/{sha256[2:]}/{name.rpartition('/')[2]}"


def write_sidecars(store: Store, description: ObjectDescription, content: bytes | None, *, describe: bool) -> None:
    """Write what an object needs beside it, once.

    Args:
        store: Where.
        description: Of the object.
        content: What a restore needs and the bytes can't hold, if anything.
        describe: Whether the description is kept nowhere else: not in the bytes, not as store metadata.

    Raises:
        TransientError: As `Store.create`; a conflict is none, since the name says what is in it.
        TerminalError: As `Store.create`.
    """
    name = sidecar_name(description.name, description.sha256)
    wanted = [] if content is None else [(name, content)]
    if describe:
        wanted.append((f"{name}.json", json.dumps(description.to_json()).encode()))
    for sidecar, data in wanted:
        create_named_by_content(store, sidecar, data)


def read_sidecar(store: Store, name: str, sha256: str) -> bytes | None:
    """The content of an object's sidecar, None where there is none. Raises as `Store.get`."""
    try:
        return store.get(sidecar_name(name, sha256))
    except ObjectMissingError:
        return None


def describe_by_sidecar(store: Store, info: ObjectInfo) -> ObjectDescription:
    """What an object without footer and metadata covers: by its bytes' hash.

    Raises:
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
