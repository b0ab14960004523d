"""Formats the archive commands' answers: tables for people, JSON for programs. Decides nothing."""

from __future__ import annotations

import dataclasses
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
from rich.filesize import decimal as human_size

from streamsink.archive.inspect import Inspection
from streamsink.archive.listing import ListedObject, ListedPartition
from streamsink.archive.own import OwnFolder
from streamsink.archive.owners import TopicOwner
from streamsink.archive.reindex import Reindexed
from streamsink.archive.verify import Verdict, VerifiedPartition
from streamsink.cli.tables import new_table, print_table
from streamsink.upload.description import ObjectDescription
from streamsink.upload.owner import Owner

HOLES_SHOWN_MAX = 10


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def count(number: int, noun: str) -> str:
    """Write a number and its noun: `1 object`, `2,000 objects`.

    Args:
        number: How many.
        noun: The singular. Its plural ends in s.
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def objects_json(objects: list[ListedObject]) -> dict[str, Any]:
    """`ls --objects` for programs."""
    return {"objects": [_object_json(one) for one in objects]}


def print_objects(objects: list[ListedObject]) -> None:
    """`ls --objects` for people."""
    table = new_table("object", ">records", ">offsets", "?>bytes", "?from", "?until", "?reason")
    for one in objects:
        about = one.description
        if about is None:
            table.add_row(one.path, "?", f"{one.first_offset}..?", human_size(one.size_bytes), "", "", one.problem)
            continue
        offsets = _range(about.first_offset, about.last_offset)
        times = (_time(about.timestamp_min_ms), _time(about.timestamp_max_ms))
        table.add_row(one.path, f"{about.record_count:,}", offsets, human_size(one.size_bytes), *times, about.reason)
    print_table(table)
    print(count(len(objects), "object"))


def partitions_json(partitions: list[ListedPartition]) -> dict[str, Any]:
    """Put the answer of `ls` into JSON."""
    return {"partitions": [dataclasses.asdict(one) for one in partitions]}


def print_partitions(partitions: list[ListedPartition]) -> None:
    """Print the answer of `ls`, for people."""
    table = new_table(
        "topic", ">partition", "encoded partition", ">objects", ">records", ">bytes", ">offsets", "?from", "?until"
    )
    for one in partitions:
        table.add_row(
            one.topic,
            str(one.partition),
            one.encoded_partition,
            f"{one.objects:,}",
            f"{one.records:,}" + (f" + {count(one.unknown, 'unknown object')}" if one.unknown else ""),
            human_size(one.size_bytes),
            _range(one.first_offset, one.last_offset),
            _time(one.timestamp_min_ms),
            _time(one.timestamp_max_ms),
        )
    print_table(table)
    objects, records = sum(one.objects for one in partitions), sum(one.records for one in partitions)
    size_bytes = sum(one.size_bytes for one in partitions)
    print(f"{count(objects, 'object')}, {count(records, 'record')}, {human_size(size_bytes)}")


def own_json(folders: list[OwnFolder]) -> dict[str, Any]:
    """`ls --all` for programs: what it adds."""
    return {"own": [dataclasses.asdict(one) for one in folders]}


def print_own(folders: list[OwnFolder]) -> None:
    """`ls --all` for people: what it adds."""
    table = new_table("under _streamsink/", ">objects", ">bytes", "holds")
    for one in folders:
        table.add_row(one.folder, f"{one.objects:,}", human_size(one.size_bytes), one.holds)
    print_table(table)


def owners_json(owners: list[TopicOwner]) -> dict[str, Any]:
    """`owner` for programs: who holds each topic now, and every change that led there."""
    return {"owners": [_topic_owner_json(one) for one in owners]}


def _topic_owner_json(one: TopicOwner) -> dict[str, Any]:
    about = {"topics_dir": one.topics_dir, "topic": one.topic, **_owner_json(one.owner)}
    return {**about, "history": [_owner_json(owner) for owner in one.history]}


def _owner_json(owner: Owner) -> dict[str, Any]:
    return {**dataclasses.asdict(owner), "released": owner.released}


def print_owners(owners: list[TopicOwner]) -> None:
    """Print the answer of `owner`, for people."""
    table = new_table("topic", "group", "layout", "since")
    for one in owners:
        table.add_row(one.topic, one.owner.group or "(released)", one.owner.layout, one.owner.since)
    print_table(table)
    print(f"{count(len(owners), 'topic')} with an owner")


def inspection_json(found: Inspection) -> dict[str, Any]:
    """Put the answer of `inspect` into JSON."""
    return {
        "name": found.name,
        "path": found.path,
        "size_bytes": found.size_bytes,
        "sha256": found.sha256,
        "footer": found.footer,
        "description": None if found.description is None else found.description.to_json(),
        "columns": [{"name": name, "type": type_, "nullable": nullable} for name, type_, nullable in found.columns],
        "row_groups": [dataclasses.asdict(group) for group in found.row_groups],
        "first_rows": [orjson.Fragment(line) for line in found.first_rows],
    }


def print_inspection(found: Inspection) -> None:
    """Print the answer of `inspect`, for people."""
    print(f"{found.path}\n{human_size(found.size_bytes)} ({found.size_bytes:,} bytes), SHA-256 {found.sha256}\n")
    about = found.description
    entries = _description_rows(about) if about is not None else sorted(found.footer.items())
    table = new_table("it says", "")
    for key, value in entries:
        table.add_row(key, value)
    print_table(table)
    print()
    table = new_table("column", "type", "null")
    for name, type_, nullable in found.columns:
        table.add_row(name, type_, "yes" if nullable else "no")
    print_table(table)
    print()
    table = new_table("row group", ">records", ">bytes")
    for index, group in enumerate(found.row_groups):
        table.add_row(
            str(index), f"{group.records:,}", "" if group.size_bytes is None else human_size(group.size_bytes)
        )
    print_table(table)
    print("\nfirst rows")
    for line in found.first_rows:
        print(line)


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Put the answer of `verify` into JSON."""
    return {
        "sound": verdict.sound,
        "objects": verdict.objects,
        "records": verdict.records,
        "size_bytes": verdict.size_bytes,
        "corrupt": [{"name": one.name, "path": one.path, "problems": list(one.problems)} for one in verdict.corrupt],
        "missing": verdict.missing,
        "lost": verdict.lost,
        "manifest": {
            "unrecorded": verdict.unrecorded,
            "unrecorded_count": verdict.unrecorded_count,
            "damaged": [{"name": name, "problem": problem} for name, problem in verdict.manifest_damaged],
        },
        "looked_at": {
            "objects": verdict.objects,
            "of_objects": verdict.objects_there,
            "all": verdict.part.is_whole,
            "since_ms": verdict.part.since_ms,
            "sample": verdict.part.sample,
        },
        "partitions": [_partition_json(one) for one in verdict.partitions],
    }


def print_verdict(verdict: Verdict) -> None:
    """Print the answer of `verify`, for people."""
    table = new_table(
        "topic", ">partition", ">objects", ">records", ">offsets", ">holes", ">offsets in no object", ">twice"
    )
    for one in verdict.partitions:
        tiling = one.tiling
        table.add_row(
            one.topic,
            str(one.partition),
            f"{one.objects:,}",
            f"{one.records:,}",
            _range(tiling.first_offset, tiling.last_offset),
            f"{tiling.hole_count:,}",
            f"{tiling.offsets_missing:,}",
            f"{tiling.overlap_count:,}",
        )
    print_table(table)
    for one in verdict.partitions:
        _print_tiling(one)
    for name in verdict.missing:
        print(f"MISSING {name}: the manifest knows it and the store does not have it")
    for corrupt in verdict.corrupt:
        print(f"CORRUPT {corrupt.path}: {'; '.join(corrupt.problems)}")
    for name, problem in verdict.manifest_damaged:
        print(f"MANIFEST {name}: {problem}")
    for path in verdict.lost:
        print(f"LOST {path}: recorded as a loss")
    _print_unrecorded(verdict)
    if not verdict.part.is_whole:
        seen = f"{verdict.objects:,} of {count(verdict.objects_there, 'object')}"
        print(f"only a part: looked at {seen}; holes and offsets stored twice were not looked for")
    told = f"{count(verdict.objects, 'object')}, {count(verdict.records, 'record')}, {human_size(verdict.size_bytes)}"
    print(f"{'sound' if verdict.sound else 'NOT SOUND'}: {told}")


def _print_unrecorded(verdict: Verdict) -> None:
    for path in verdict.unrecorded[:HOLES_SHOWN_MAX]:
        print(f"UNRECORDED {path}: the manifest does not know it")
    if verdict.unrecorded_count:
        told = count(verdict.unrecorded_count, "object")
        print(f"the manifest does not know {told}, so it could not tell if one were gone: archive reindex adds them")


def reindexed_json(done: Reindexed) -> dict[str, Any]:
    """Put the answer of `reindex` into JSON."""

    def named(found: list[tuple[str, str]], what: str = "path") -> list[dict[str, str]]:
        return [{what: name, "problem": problem} for name, problem in found]

    return {
        "objects": done.objects,
        "added": done.added,
        "files_removed": done.files_removed,
        "left_out": named(done.left_out),
        "differs": named(done.differs),
        "gone": done.gone,
        "manifest_damaged": named(done.manifest_damaged, "name"),
        "accepted": done.accepted,
    }


def print_reindexed(done: Reindexed) -> None:
    """Print the answer of `reindex`, for people."""
    added, removed = count(done.added, "object"), count(done.files_removed, "old file")
    print(f"the manifest knows {count(done.objects, 'sound object')}; {added} added; {removed} removed")
    for path, problem in done.left_out:
        print(f"LEFT OUT {path}: {problem}")
    for path, problem in done.differs:
        print(f"DIFFERS {path}: {problem}")
    for path in done.gone:
        print(f"GONE {path}: the manifest knows it and the store does not have it")
    for name, problem in done.manifest_damaged:
        print(f"MANIFEST {name}: {problem}")
    for name in done.accepted:
        print(f"ACCEPTED {name}: recorded as a loss")
    if not done.clean:
        print("restore what is damaged or gone from a copy, or record it as lost: archive reindex --accept")


def _object_json(one: ListedObject) -> dict[str, Any]:
    about = {} if one.description is None else one.description.to_json()
    about.pop("name", None)
    told = {
        "path": one.path,
        "topic": one.topic,
        "partition": one.partition,
        "encoded_partition": one.encoded_partition,
        "first_offset": one.first_offset,
        **about,
        "size_bytes": one.size_bytes,
    }
    return {**told, "problem": one.problem} if one.problem else told


def _partition_json(one: VerifiedPartition) -> dict[str, Any]:
    tiling = one.tiling
    return {
        "topic": one.topic,
        "partition": one.partition,
        "objects": one.objects,
        "records": one.records,
        "first_offset": tiling.first_offset,
        "last_offset": tiling.last_offset,
        "hole_count": tiling.hole_count,
        "offsets_missing": tiling.offsets_missing,
        "holes": [{"first_offset": first, "last_offset": last} for first, last in tiling.holes],
        "overlap_count": tiling.overlap_count,
        "overlaps": [dataclasses.asdict(overlap) for overlap in tiling.overlaps],
        "unplaced": one.unplaced,
    }


def _print_tiling(one: VerifiedPartition) -> None:
    tiling, name = one.tiling, f"{one.topic}-{one.partition}"
    if tiling.hole_count:
        shown = ", ".join(_range(first, last) for first, last in tiling.holes[:HOLES_SHOWN_MAX])
        more = tiling.hole_count - HOLES_SHOWN_MAX
        print(f"{name}: no object holds offsets {shown}" + (f" and {count(more, 'more range')}" if more > 0 else ""))
    if one.unplaced:
        print(f"{name}: {count(one.unplaced, 'object')} do not tell their offsets; holes may be theirs")
    for overlap in tiling.overlaps:
        where = _range(overlap.first_offset, overlap.last_offset)
        print(f"TWICE {name}: offsets {where} are in {overlap.names[0]} and in {overlap.names[1]}")


def _description_rows(about: ObjectDescription) -> list[tuple[str, str]]:
    rows = [(key, str(value)) for key, value in about.to_json().items() if not key.endswith("_ms")]
    times = (_time(about.timestamp_min_ms), _time(about.timestamp_max_ms))
    return [*rows, ("first record time", times[0]), ("last record time", times[1])]


def _range(first: int | None, last: int | None) -> str:
    if first is None:
        return ""
    return str(first) if first == last else f"{first}..{last}"


def _time(timestamp_ms: int | None) -> str:
    """ISO 8601 in UTC, or the number where no calendar of Python's reaches."""
    if timestamp_ms is None:
        return ""
    try:
        moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{timestamp_ms} ms"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
