"""Makes small archives on a local store with the real encoders, as a sink would leave them."""

import numpy as np
import pyarrow as pa

from streamsink.archive.open import open_archive
from streamsink.config.sink import Encoding, FormatKind, Naming, Rotation
from streamsink.encode.formats import make_format
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS, HEADERS_TYPE, TIMESTAMP_TYPE
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import write_manifest
from streamsink.upload.name import object_name
from streamsink.upload.sidecar import write_sidecars

PARQUET = Encoding()
NAMING = Naming()
FIRST_MS = 1_790_000_000_000


def topics_of(root):
    """The archive in a folder, all topics of it."""
    return open_archive((root / "topics").as_uri(), {})


def unread(_content):
    """For sidecars that no other writer has written."""
    raise AssertionError("the sidecar was there")


def raw_rows(offsets, partition=0, value=b"same", *, keyless=False):
    count = len(offsets)
    envelope = pa.StructArray.from_arrays(
        [
            pa.array(np.full(count, partition, np.int32)),
            pa.array(offsets, pa.int64()),
            pa.array([FIRST_MS + offset for offset in offsets], pa.int64()).cast(TIMESTAMP_TYPE),
            pa.array(np.ones(count, np.int8)),
            pa.array([None if keyless else b"key-%d" % offset for offset in offsets], pa.binary()),
            pa.array([[]] * count, HEADERS_TYPE),
        ],
        fields=list(ENVELOPE_FIELDS),
    )
    fields = [pa.field(ENVELOPE, envelope.type, nullable=False), pa.field("value", pa.binary())]
    return pa.RecordBatch.from_arrays([envelope, pa.array([value] * count, pa.binary())], schema=pa.schema(fields))


def put(
    store,
    offsets,
    *,
    encoding=PARQUET,
    topic="logs",
    partition=0,
    encoded="",
    manifest=True,
    claim=None,
    naming=NAMING,
    value=b"same",
    keyless=False,
    rows=None,
):
    """Store one object; `claim` is the first and last offset it says it has, where that isn't so.

    `rows` are its rows, where they aren't raw ones.
    """
    encoded = encoded or f"partition={partition}"
    first, last = claim or (offsets[0], offsets[-1])
    format_ = make_format(encoding, Rotation())
    draft = ObjectDescription(
        name=object_name(naming, topic, encoded, partition, first, format_.extension),
        topic=topic,
        partition=partition,
        encoded_partition=encoded,
        lane=encoded,
        first_offset=first,
        last_offset=last,
        record_count=len(offsets),
        timestamp_min_ms=FIRST_MS + offsets[0],
        timestamp_max_ms=FIRST_MS + offsets[-1],
        layout="1",
        writer="w",
        reason="size",
    )
    rows = rows or raw_rows(offsets, partition, value, keyless=keyless)
    writer = format_.open(rows.schema, identity=draft.name)
    writer.append(rows)
    finished = writer.finish(draft.to_footer())
    sealed = draft.sealed(sha256=finished.sha256, md5=finished.md5, size_bytes=len(finished.data))
    describe = not format_.keeps_footer and not store.keeps_metadata
    write_sidecars(store, sealed, finished.sidecar, describe=describe, read_content=unread)
    store.create(sealed.name, finished.data, sealed.to_metadata())
    if manifest:
        write_manifest(store, [sealed])
    return sealed


def encoding(kind, codec):
    return Encoding(kind=FormatKind(kind), codec=codec)
