"""Reads an archive back, record for record, with nothing of the sink's own path but the encoders' inverse."""

import hashlib
from collections import defaultdict

from streamsink.encode.read import open_object
from streamsink.upload.protocol import Store
from streamsink.upload.sidecar import read_sidecar

Record = tuple[int, int | None, int, bytes | None, bytes | None, tuple]


def archived_records(store: Store, topics_dir: str = "topics") -> dict[int, list[Record]]:
    """Stored records by partition in the order of objects and rows: (offset, ms, type, key, value, headers)."""
    found: dict[int, list[Record]] = defaultdict(list)
    for info in store.list(f"{topics_dir}/"):
        for row in object_rows(store, info.name):
            about = row["_kafka"]
            value = about["value"] if "value" in about else row.get("value")
            headers = tuple((header["key"], header["value"]) for header in about["headers"])
            time_ms = None if about["timestamp"] is None else round(about["timestamp"].timestamp() * 1000)
            found[about["partition"]].append(
                (about["offset"], time_ms, about["timestamp_type"], about["key"], value, headers)
            )
    return found


def object_rows(store: Store, name: str) -> list[dict]:
    """An object's rows."""
    data = store.get(name)
    sidecar = read_sidecar(store, name, hashlib.sha256(data).hexdigest())
    return [row for batch in open_object(name, data, sidecar).batches() for row in batch.to_pylist()]


def offsets_stored(store: Store, topics_dir: str = "topics") -> dict[int, list[int]]:
    """Stored offsets by partition, sorted, doubles kept."""
    records = archived_records(store, topics_dir)
    return {partition: sorted(record[0] for record in rows) for partition, rows in records.items()}
