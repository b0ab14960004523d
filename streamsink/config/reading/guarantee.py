"""Says in words what a configuration guarantees, and why. Decides nothing: the store is probed elsewhere."""

from __future__ import annotations

from streamsink.config.sink import (
    ArchiveValue,
    ErrorHandling,
    ExactlyOnce,
    ExtractorKind,
    NullValues,
    PartitionerKind,
    RotationScope,
    SinkConfig,
)

_UNTIMED = frozenset({PartitionerKind.DEFAULT, PartitionerKind.FIELD, PartitionerKind.PLUGIN})

_OF_WEBDAV = (
    "A WebDAV server is as atomic as its MOVE, which no probe at the start can see: NextCloud and others look for the "
    "name and then move, so that two workers which write one name at once can both succeed. There it is at least once "
    "beside a second worker of the same partitions; `streamsink stores check` races writers until it finds this out."
)


def guarantee(config: SinkConfig, *, atomic_create: bool | None) -> str:
    """Say what the configuration guarantees.

    Args:
        config: A validated configuration.
        atomic_create: Whether the store creates atomically; None where it has not been probed.
    """
    delivery = _delivery(config, atomic_create=atomic_create)
    condition = [_OF_WEBDAV] if delivery.startswith("Exactly once") and config.archive_url.startswith("webdav") else []
    return " ".join([delivery, *condition, *_left_out(config)])


def _delivery(config: SinkConfig, *, atomic_create: bool | None) -> str:
    rules = config.partitioning
    if rules.kind not in _UNTIMED and rules.extractor is ExtractorKind.WALLCLOCK:
        return (
            "At least once: timestamp.extractor=Wallclock files a record by the time it is archived, so a record read "
            "again after a crash can go to another folder."
        )
    if atomic_create is False:
        if config.exactly_once is ExactlyOnce.REQUIRED:
            return "None: the store does not create atomically, and exactly.once=required refuses to run on it."
        return (
            "At least once: the store does not create atomically, so a record read again after a crash can be stored "
            "twice; names are unique, and nothing is overwritten."
        )
    whole = " of a Kafka partition, closed together," if config.rotation.scope is RotationScope.PARTITION else ""
    exactly = (
        f"Exactly once: names follow from first offsets, objects{whole} are created and never overwritten, and offsets "
        "are committed after all records below them are stored; this holds for every rotation setting."
    )
    if atomic_create is None:
        refuses = config.exactly_once is ExactlyOnce.REQUIRED
        otherwise = "the task refuses to run" if refuses else "it is at least once"
        return f"{exactly} It needs a store that creates atomically, which is probed at the start; else {otherwise}."
    return exactly


def _left_out(config: SinkConfig) -> list[str]:
    """What is meant not to be archived."""
    said = []
    errors: ErrorHandling = config.errors
    if errors.tolerate_all:
        where = f"go to {errors.dead_letter_topic}" if errors.dead_letter_topic else "are left out"
        said.append(f"Records that can't be decoded {where}.")
    if config.null_values is NullValues.IGNORE:
        said.append("Tombstones are left out.")
    if config.archive_value is ArchiveValue.COLUMNS and config.archive_envelope:
        said.append(
            "Values are kept as columns only, without their bytes (archive.value=columns): replay makes them anew, "
            "equal but for their form, where null and absent fields are the same."
        )
    if not config.archive_envelope:
        said.append("Keys, headers, timestamps and offsets are not kept, so topics can't be restored from it.")
    return said
