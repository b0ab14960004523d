"""Reads how records are filed: folders, rotation and names of objects. Partitions nothing."""

from __future__ import annotations

import re

from streamsink.config.keys.definition import Values
from streamsink.config.keys.validators import writes_words
from streamsink.config.reading import names
from streamsink.config.reading.plugins import PluginType, find_plugin
from streamsink.config.sink import (
    ExactlyOnce,
    ExtractorKind,
    Naming,
    PartitionerKind,
    Partitioning,
    Profile,
    Rotation,
    RotationScope,
)

_OWN = "partitioner."
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_DAILY_PATH = ("'year'=YYYY", "'month'=MM", "'day'=dd")
_BY_TIME = frozenset({PartitionerKind.TIME, PartitionerKind.HOURLY, PartitionerKind.DAILY, PartitionerKind.FIELD_TIME})
STORJ_SIZE_BYTES = 60 * 1024 * 1024
"""Storj's segments are 64 MiB: an object just below takes one."""

_LIMITS = ("flush.size", "rotate.size.bytes", "rotate.age.ms", "rotate.interval.ms", "rotate.schedule.interval.ms")


def read_partitioning(values: Values, profile: Profile) -> Partitioning:
    """Read the partitioner and all its settings.

    Args:
        values: The connector's map; problems go here.
        profile: The product whose connector class was named. Confluent's requires keys that ours have defaults for.

    Returns:
        The partitioner. Where it is unknown, the default one stands in, and a problem is noted.
    """
    text = values.text("partitioner.class")
    kind = names.find(names.PARTITIONERS, text)
    plugin, settings = ("", dict[str, str]()) if kind is not None else _users(values, text)
    if plugin:
        kind = PartitionerKind.PLUGIN
    if kind is None:
        values.problem("partitioner.class", names.unknown(names.PARTITIONERS, text))
        kind = PartitionerKind.DEFAULT
    fields = values.items("partition.field.name")
    if kind in {PartitionerKind.FIELD, PartitionerKind.FIELD_TIME} and not fields:
        values.problem("partition.field.name", f"the {kind.value} partitioner needs it: the fields that make folders")
    if any(not part for field in fields for part in field.split(".")):
        values.problem("partition.field.name", f"{','.join(fields)!r} has an empty name between dots")
    delimiter = values.text("directory.delim")
    path, duration_ms = _path(values, kind, delimiter)
    extractor = _extractor(values, kind)
    if kind in _BY_TIME and profile is Profile.CONFLUENT:
        _require_confluents(values, kind)
    locale = values.text("locale").strip() or "en-US"
    if kind in _BY_TIME and writes_words(path) and not locale.lower().startswith("en"):
        values.problem("locale", f"{locale}: only English names of months and days are known; use their numbers")
    if extractor is ExtractorKind.RECORD_FIELD and not values.text("timestamp.field").strip():
        values.problem("timestamp.field", "RecordField needs it: the field to take the time from")
    return Partitioning(
        kind=kind,
        fields=fields,
        path_format=path,
        duration_ms=duration_ms,
        timezone=_timezone(values),
        locale=locale,
        extractor=extractor,
        timestamp_field=values.text("timestamp.field").strip(),
        directory_delim=delimiter,
        schema_affix=_schema_affix(values),
        plugin=plugin,
        settings=settings,
    )


def _schema_affix(values: Values) -> str:
    text = values.text("s3.schema.partition.affix.type").strip().upper()
    return "" if text == "NONE" else text


def _users(values: Values, text: str) -> tuple[str, dict[str, str]]:
    """A partitioner that is a plugin, and its settings, `partitioner.*`; no name where there is none."""
    plugin = find_plugin(PluginType.PARTITIONER, text)
    if plugin is None:
        return "", {}
    own = {key.removeprefix(_OWN): value for key, value in values.raw.items() if key.startswith(_OWN)}
    settings = {key: own[key] for key in sorted(own) if f"{_OWN}{key}" not in values.definition}
    try:
        plugin.load()(settings)
    except Exception as error:  # noqa: BLE001 - a plugin may do anything with its settings
        values.problem("partitioner.class", f"{plugin.name} can't be used: {error}")
    return plugin.name, settings


def _path(values: Values, kind: PartitionerKind, delimiter: str) -> tuple[str, int]:
    """Date pattern and duration; hourly and daily have their own."""
    if kind in {PartitionerKind.HOURLY, PartitionerKind.DAILY}:
        for key in ("path.format", "partition.duration.ms"):
            if values.given(key):
                values.warn(f"{key}: has no effect, the {kind.value} partitioner has its own; use time instead")
        if kind is PartitionerKind.DAILY:
            return delimiter.join(_DAILY_PATH), DAY_MS
        return delimiter.join((*_DAILY_PATH, "'hour'=HH")), HOUR_MS
    path = values.text("path.format").strip().rstrip(delimiter)
    duration_ms = values.number("partition.duration.ms") or -1
    if kind in {PartitionerKind.TIME, PartitionerKind.FIELD_TIME}:
        if not path and not values.wrong("path.format"):
            values.problem("path.format", f"the {kind.value} partitioner needs it, as 'dt'=yyyy-MM-dd")
        if duration_ms < 0 and not values.wrong("partition.duration.ms"):
            values.problem("partition.duration.ms", f"the {kind.value} partitioner needs it, as 3600000 for an hour")
    return path, duration_ms


def _extractor(values: Values, kind: PartitionerKind) -> ExtractorKind:
    text = values.text("timestamp.extractor")
    extractor = names.find(names.EXTRACTORS, text)
    if extractor is None:
        values.problem("timestamp.extractor", names.unknown(names.EXTRACTORS, text))
        return ExtractorKind.RECORD
    if extractor is ExtractorKind.WALLCLOCK and kind in _BY_TIME:
        wrong = "Wallclock can't be exactly once: a record archived again goes elsewhere; use Record or RecordField"
        if values.text("exactly.once").strip().lower() == ExactlyOnce.REQUIRED:
            values.problem("timestamp.extractor", wrong)
        else:
            values.warn(f"timestamp.extractor: {wrong}")
    return extractor


def _require_confluents(values: Values, kind: PartitionerKind) -> None:
    for key in ("locale", "timezone"):
        if not values.text(key).strip() and not values.wrong(key):
            values.problem(key, f"the {kind.value} partitioner needs it")


def _timezone(values: Values) -> str:
    return values.text("timezone").strip() or "UTC"


def read_rotation(values: Values, profile: Profile, archive_url: str) -> Rotation:
    """Read the limits at which files close. One must hold at least, so that every record is archived some day.

    Args:
        values: The connector's map; problems and warnings go here.
        profile: The product whose connector class was named.
        archive_url: The archive's URL. Storj has a larger default size.

    Returns:
        The limits in records, bytes and milliseconds. None is a limit that doesn't hold.
    """
    limits = {key: _limit(values, key) for key in _LIMITS}
    if profile is Profile.NATIVE and archive_url.startswith("sj:") and not values.given("rotate.size.bytes"):
        limits["rotate.size.bytes"] = STORJ_SIZE_BYTES
    if not any(limits.values()) and not values.wrong(*_LIMITS):
        key = "flush.size" if profile is Profile.CONFLUENT else "rotate.age.ms"
        values.problem(key, f"is required where none of {', '.join(name for name in _LIMITS if name != key)} is given")
    scheduled = limits["rotate.schedule.interval.ms"]
    if scheduled and not values.text("timezone").strip() and not values.wrong("timezone"):
        values.problem("timezone", "timezone configuration must be set when using rotate.schedule.interval.ms")
    if not any(limits[key] for key in ("rotate.age.ms", "rotate.schedule.interval.ms")):
        values.warn(
            "rotate.age.ms: without it, or rotate.schedule.interval.ms, the last records of a topic that falls quiet "
            "wait until more come or the task stops"
        )
    scope = RotationScope(values.text("rotation.scope").strip().lower())
    on_change = values.flag("rotate.file.on.partition.change")
    if on_change and not (limits["rotate.interval.ms"] and scope is RotationScope.PARTITION):
        values.warn(
            "rotate.file.on.partition.change: has no effect without rotate.interval.ms and rotation.scope=partition"
        )
        on_change = False
    memory = values.whole("memory.bytes.max")
    size = limits["rotate.size.bytes"]
    if size and size > memory // 2:
        values.warn(f"rotate.size.bytes: files close below {size} bytes, since memory.bytes.max is {memory}")
    return Rotation(
        flush_size=limits["flush.size"],
        size_bytes=size,
        age_ms=limits["rotate.age.ms"],
        interval_ms=limits["rotate.interval.ms"],
        schedule_interval_ms=scheduled,
        timezone=_timezone(values),
        scope=scope,
        on_folder_change=on_change,
        files_open_max=_limit(values, "partitioner.max.open.files"),
    )


def _limit(values: Values, key: str) -> int | None:
    number = values.number(key)
    return number if number is not None and number > 0 else None


def read_naming(values: Values) -> Naming:
    """Read the parts that objects' names are made of."""
    directory, file = values.text("directory.delim"), values.text("file.delim")
    if directory == file:
        values.problem("file.delim", f"{file!r} is directory.delim as well")
    return Naming(
        topics_dir=re.sub("/+", "/", values.text("topics.dir").strip()).strip("/"),
        directory_delim=directory,
        file_delim=file,
        zero_pad_width=values.whole("filename.offset.zero.pad.width"),
    )
