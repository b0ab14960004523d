"""`streamsink archive verify`: reads an archive for people and programs, and writes evidence. Judges nothing."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from streamsink.archive.archive import Archive
from streamsink.archive.check import CheckedObject
from streamsink.archive.evidence import (
    Changes,
    EarlierEvidence,
    Evidence,
    check_signature,
    compare,
    read_evidence,
    read_private_key,
    read_public_key,
    require_new,
    write_evidence,
)
from streamsink.archive.verify import Part, Verdict, verify_archive
from streamsink.cli import archive_views as views
from streamsink.cli.archive import Json, Location, Partition, Topic, byte_progress, opened_archive
from streamsink.cli.sources import NO_CONNECTOR, Source
from streamsink.cli.times import time_ms
from streamsink.errors import ConfigError, Problem

SHOWN_MAX = 20


def verify(
    archive: Location = "",
    /,
    *,
    topic: Topic = "",
    partition: Partition = None,
    since: Annotated[str, Parameter(help="Only objects with records of this time or later.")] = "",
    sample: Annotated[str, Parameter(help="Only so large a part of the objects, chosen at random: 1%.")] = "",
    report: Annotated[Path | None, Parameter(help="Write what was found here, object by object.")] = None,
    sign: Annotated[Path | None, Parameter(help="An Ed25519 private key (PEM): sign the report, as FILE.sig.")] = None,
    against: Annotated[Path | None, Parameter(help="An earlier report: tell what changed since.")] = None,
    public_key: Annotated[Path | None, Parameter(help="An Ed25519 public key (PEM): check its signature.")] = None,
    source: Source = NO_CONNECTOR,
    json: Json = False,
) -> int:
    """Read every object, and check sums, ranges, counts and order, and that no offset is stored twice.

    Offsets that are in no object are listed as holes: aborted transactions, compaction and retention leave them.
    Exit status 1 means that an object is corrupt, gone, or overlaps another, or that the manifest was changed; with
    --against also that an object is not what it was, or is gone. Without --public-key nobody checks the earlier
    report's signature.
    """
    part = Part(since_ms=time_ms("--since", since), sample=_share(sample))
    if sign is not None and report is None:
        raise ConfigError([Problem("--sign", "signs a report")], hint="add --report FILE")
    if public_key is not None and against is None:
        raise ConfigError([Problem("--public-key", "checks an earlier report")], hint="add --against FILE")
    # All that can be wrong with files is found out before hours of reading.
    key = read_private_key(sign) if sign is not None else None
    if report is not None:
        require_new(report)
    earlier, signature = _earlier(against, public_key)
    evidence = Evidence()
    with opened_archive(archive, source) as opened:
        with byte_progress("verifying") as (started, advance):

            def checked(result: CheckedObject) -> None:
                advance(result.entry.size_bytes)
                if report is not None or earlier is not None:
                    evidence.add(result)

            verdict = verify_archive(
                opened, topic=topic, partition=partition, part=part, started=started, checked=checked
            )
        changes = None
        if earlier is not None:
            present = _paths(opened, topic, partition)
            changes = compare(earlier, evidence.objects, present, topic=topic, partition=partition, signature=signature)
    if report is not None:
        write_evidence(report, evidence.document(archive, verdict, views.verdict_json(verdict), now_s=time.time()), key)
    _print(verdict, changes, as_json=json)
    return 0 if verdict.sound and (changes is None or changes.kept) else 1


def _earlier(against: Path | None, public_key: Path | None) -> tuple[EarlierEvidence | None, str]:
    """The earlier report, and what is known of its signature."""
    if against is None:
        return None, ""
    if public_key is None:
        return read_evidence(against), "not checked"
    check_signature(against, read_public_key(public_key))
    return read_evidence(against), "fits"


def _paths(archive: Archive, topic: str, partition: int | None) -> list[str]:
    return [entry.path for entry in archive.objects(topic=topic, partition=partition)]


def _print(verdict: Verdict, changes: Changes | None, *, as_json: bool) -> None:
    if as_json:
        told: dict[str, Any] = views.verdict_json(verdict)
        if changes is not None:
            told["against"] = {**dataclasses.asdict(changes), "kept": changes.kept}
        views.print_json(told)
        return
    views.print_verdict(verdict)
    if changes is None:
        return
    for word, paths in (("CHANGED", changes.changed), ("GONE", changes.gone), ("NEW", changes.new)):
        for path in paths[:SHOWN_MAX]:
            print(f"{word} {path}")
        if len(paths) > SHOWN_MAX:
            print(f"{word} {len(paths) - SHOWN_MAX:,} more, see --json")
    counts = f"{len(changes.changed):,} changed, {len(changes.gone):,} gone, {len(changes.new):,} new"
    print(f"since {changes.since} (signature: {changes.signature}): {counts}")


def _share(text: str) -> float:
    """A part of the whole: `1%` or `0.01`; empty is all."""
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / (100 if text.strip().endswith("%") else 1) if text else 1.0
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise ConfigError([Problem("--sample", f"{text!r} is no part of a whole")], hint="1% or 0.01")
    return share
