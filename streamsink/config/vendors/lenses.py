"""Turns a configuration of Lenses' S3 sink into our keys. What can't be honoured is a problem, never left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from streamsink.config.keys.definition import Values
from streamsink.config.output import OutputField, OutputRules, TextLayout
from streamsink.config.sink import SinkConfig
from streamsink.config.vendors.kcql import Kcql, KcqlError, read_kcql
from streamsink.config.vendors.lenses_keys import KCQL_KEY

_FORMATS = {"JSON": "json", "AVRO": "avro", "PARQUET": "parquet", "TEXT": "text", "BYTES": "bytes"}
_COLUMNS = frozenset({"AVRO", "PARQUET"})
_ENVELOPE = (OutputField.KEY, OutputField.VALUE, OutputField.HEADER_MAP, OutputField.METADATA)
_FLUSHES = {"flush.count": "50000", "flush.size": "500000000", "flush.interval": "3600"}
_PADDINGS = {
    "padding.type": "LeftPad",
    "padding.char": "0",
    "padding.length.partition": "0",
    "padding.length.offset": "12",
}
_PROPERTIES = frozenset(
    {
        *_FLUSHES,
        *_PADDINGS,
        *("store.envelope", "partition.include.keys", "key.suffix"),
        *(f"store.envelope.fields.{field.word}" for field in _ENVELOPE),
    }
)
_CODECS = {
    "JSON": {"UNCOMPRESSED": "none", "GZIP": "gzip"},
    "TEXT": {"UNCOMPRESSED": "none"},
    "BYTES": {"UNCOMPRESSED": "none"},
    "AVRO": {"UNCOMPRESSED": "null", "DEFLATE": "deflate", "SNAPPY": "snappy", "ZSTD": "zstandard", "BZIP2": "bzip2"},
    "PARQUET": {
        "UNCOMPRESSED": "none",
        **{name: name.lower() for name in ("SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4")},
    },
}
_DATE = re.compile(r"[yMdHm_-]+")
_BYTES = ("bytes", "org.apache.kafka.connect.converters.ByteArrayConverter")


@dataclass(slots=True)
class _Folders:
    """The folders of PARTITIONBY: parts of names, fields and times that make lanes, and whether the key does."""

    parts: list[str]
    fields: list[str]
    times: list[str]
    by_key: bool = False


def translate(values: Values, worker: Mapping[str, str]) -> dict[str, str]:
    """Translate Lenses' KCQL statement and keys into our keys.

    Args:
        values: The map as Lenses' definition reads it; problems go here.
        worker: The worker's flat map. Its `value.converter` holds where the connector names none.

    Returns:
        Our keys, with the map's own over them; the map alone where its statement can't be read.
    """
    statement = _statement(values)
    if statement is None:
        return dict(values.raw)
    _check(values, statement)
    folders = _folders(values, statement)
    kind = statement.store_as
    codec = _codec(values, kind)
    ours = {"format.class": kind.lower() if kind in _COLUMNS else "jsonl", "topics.dir": statement.prefix}
    converter = (values.text("value.converter") or worker.get("value.converter", "bytes")).strip()
    if kind in {"TEXT", "BYTES"} or (kind in _COLUMNS and converter in _BYTES):
        ours["archive.value"] = "raw"
    elif kind in _COLUMNS:
        ours["archive.value"] = "columns"
    if kind in _COLUMNS:
        ours[f"{kind.lower()}.codec"] = codec
    ours |= _partitioner(folders) | _rotation(statement) | _store(values, statement)
    return ours | dict(values.raw)


def finish(values: Values, config: SinkConfig) -> SinkConfig:
    """Add what our keys have no words for: names, fields and layout.

    Args:
        values: The map as `translate` was given it. Its problems were noted there.
        config: Read from our keys.

    Returns:
        The configuration as it runs; unchanged where the statement can't be read.
    """
    quiet = values.definition.read(values.raw)
    statement = _statement(quiet)
    if statement is None:
        return config
    folders, kind = _folders(quiet, statement), statement.store_as
    envelope = _flag(statement, "store.envelope", "false")
    fields = tuple(
        one for one in _ENVELOPE if envelope and _flag(statement, f"store.envelope.fields.{one.word}", "true")
    )
    layout = {"JSON": TextLayout.JSONL, "TEXT": TextLayout.CSV, "BYTES": TextLayout.CSV}.get(kind, TextLayout.COLUMNS)
    output = OutputRules(
        layout=layout,
        fields=fields or (OutputField.VALUE,),
        envelope=envelope,
        base64=False,
        between="",
        behind="" if kind == "BYTES" else "\n",
    )
    text = layout is not TextLayout.COLUMNS
    return replace(
        config,
        output=output,
        encoding=replace(config.encoding, codec=_codec(quiet, kind)) if text else config.encoding,
        archive_envelope=True,
        naming=replace(config.naming, template=_template(quiet, statement, folders)),
        partitioning=replace(
            config.partitioning,
            by_key=folders.by_key,
            directory_delim="/",
            values_alone=True,
        ),
    )


def _statement(values: Values) -> Kcql | None:
    text = values.text(KCQL_KEY)
    try:
        return read_kcql(text)
    except KcqlError as error:
        if not values.wrong(KCQL_KEY):
            values.problem(KCQL_KEY, str(error))
        return None


def _check(values: Values, statement: Kcql) -> None:
    def wrong(why: str) -> None:
        values.problem(KCQL_KEY, why)

    if statement.store_as not in _FORMATS:
        wrong(f"STOREAS {statement.store_as} is not known; known are {', '.join(_FORMATS)}")
    if unknown := sorted(set(statement.properties) - _PROPERTIES):
        wrong(f"the properties {', '.join(unknown)} are not known; known are {', '.join(sorted(_PROPERTIES))}")
    topics = set(values.items("topics"))
    if statement.topic != "*" and topics - {statement.topic}:
        wrong(f"is about {statement.topic}, and topics has others: give them connectors, or select from `*`")
    for name in (*_FLUSHES, "padding.length.partition", "padding.length.offset"):
        if not _number(statement, name).isascii() or not _number(statement, name).isdigit():
            wrong(f"{name} is {_number(statement, name)!r}, not a number")
    if statement.store_as in {"TEXT", "BYTES"} and _flag(statement, "store.envelope", "false"):
        wrong(f"an envelope can't be stored as {statement.store_as}")
    for why in _naming_problems(values, statement):
        wrong(why)
    values.warn(
        f"{KCQL_KEY}: objects are named by their first offset, and not by the last one and times, which nobody knows "
        "again after a crash"
    )


def _naming_problems(values: Values, statement: Kcql) -> Iterator[str]:
    if _padding(values, statement, "padding.type") not in {"LeftPad", "NoOp"}:
        yield "padding.type must be LeftPad or NoOp"
    if _padding(values, statement, "padding.char") != "0":
        yield "padding.char must be 0: other names can't be read back"
    if not re.fullmatch(r"[A-Za-z0-9._-]*", statement.properties.get("key.suffix", "")):
        yield "key.suffix must be letters, digits, '.', '_' or '-'"


def _folders(values: Values, statement: Kcql) -> _Folders:
    named = _flag(statement, "partition.include.keys", "true") and bool(statement.partition_by)
    folders = _Folders([], [], [])
    width = _width(values, statement, "padding.length.partition")
    later: list[tuple[int, str]] = []
    for one in statement.partition_by or ("_topic", "_partition"):
        head, _, rest = one.partition(".")
        shown = {"_topic": "topic", "_partition": "partition", "_key": "key", "_date": "date"}.get(head, rest or one)
        label = f"{rest if head == '_value' else shown}=" if named else ""
        match head:
            case "_topic" if not rest:
                folders.parts.append(f"{label}{{topic}}")
            case "_partition" if not rest:
                folders.parts.append(f"{label}{{partition{width}}}")
            case "_key" if not rest:
                folders.by_key = True
                folders.parts.append(f"{label}{{path:0}}")
            case "_date" if _DATE.fullmatch(rest):
                later.append((len(folders.parts), label))
                folders.parts.append("")
                folders.times.append(rest)
            case "_header" | "_key" | "_date" | "_topic" | "_partition":
                values.problem(KCQL_KEY, f"PARTITIONBY {one} is not known")
            case _:
                folders.parts.append(f"{label}{{field:{len(folders.fields)}}}")
                folders.fields.append(rest if head == "_value" else one)
    base = 1 if folders.by_key else 0
    folders.parts = [
        re.sub(r"\{field:(\d+)\}", lambda at: f"{{path:{base + int(at[1])}}}", part) for part in folders.parts
    ]
    for number, (place, label) in enumerate(later):
        folders.parts[place] = f"{label}{{path:{base + len(folders.fields) + number}}}"
    return folders


def _template(values: Values, statement: Kcql, folders: _Folders) -> str:
    kind = statement.store_as
    ending = _FORMATS.get(kind, "json") + (".gz" if kind == "JSON" and _codec(values, kind) == "gzip" else "")
    offset = f"{{start_offset{_width(values, statement, 'padding.length.offset')}}}"
    suffix = statement.properties.get("key.suffix", "")
    if not statement.partition_by:
        return "/".join([*folders.parts, f"{offset}{suffix}.{ending}"])
    partition = f"{{partition{_width(values, statement, 'padding.length.partition')}}}"
    return "/".join([*folders.parts, f"{{topic}}({partition}_{offset}{suffix}).{ending}"])


def _width(values: Values, statement: Kcql, name: str) -> str:
    if _padding(values, statement, "padding.type") == "NoOp":
        return ""
    length = _padding(values, statement, name)
    return f":{length}" if length.isdigit() and int(length) else ""


def _padding(values: Values, statement: Kcql, name: str) -> str:
    worded = {"padding.type": "connect.s3.padding.strategy", "padding.length.offset": "connect.s3.padding.length"}
    key = worded.get(name)
    given = "" if key is None else str(values.number(key) or "") if name != "padding.type" else values.text(key).strip()
    return statement.properties.get(name) or given or _PADDINGS[name]


def _partitioner(folders: _Folders) -> dict[str, str]:
    ours: dict[str, str] = {}
    if folders.fields:
        ours |= {"partitioner.class": "field", "partition.field.name": ",".join(folders.fields)}
    if folders.times:
        letters = "".join(folders.times)
        duration_ms = 60_000 if "m" in letters else 3_600_000 if "H" in letters else 86_400_000
        ours |= {
            "partitioner.class": "fieldtime" if folders.fields else "time",
            "path.format": "/".join(folders.times),
            "partition.duration.ms": str(duration_ms),
            "timestamp.extractor": "Record",
            "timezone": "UTC",
        }
    return ours


def _rotation(statement: Kcql) -> dict[str, str]:
    count, size, interval = (_number(statement, name) for name in ("flush.count", "flush.size", "flush.interval"))
    return {
        "flush.size": count if count.isdigit() else "",
        "rotate.size.bytes": size if size.isdigit() else "",
        "rotate.age.ms": str(int(interval) * 1000) if interval.isdigit() else "",
    }


def _store(values: Values, statement: Kcql) -> dict[str, str]:
    # A place of ours goes over the statement's bucket.
    ours = {} if values.given("archive.url") else {"s3.bucket.name": statement.bucket}
    ours |= {
        "s3.region": values.text("connect.s3.aws.region"),
        "s3.path.style.access.enabled": "false" if values.flag("connect.s3.vhost.bucket") else "true",
    }
    if endpoint := values.text("connect.s3.custom.endpoint"):
        ours["store.url"] = endpoint
    if values.text("connect.s3.aws.auth.mode").strip().lower() == "credentials":
        ours["aws.access.key.id"] = values.text("connect.s3.aws.access.key")
        ours["aws.secret.access.key"] = values.text("connect.s3.aws.secret.key")
    return ours


def _codec(values: Values, kind: str) -> str:
    key = "connect.s3.compression.codec"
    text = values.text(key).strip().upper() or "UNCOMPRESSED"
    known = _CODECS.get(kind, {"UNCOMPRESSED": "none"})
    if text not in known and not values.wrong(key):
        values.problem(key, f"{text} can't compress {kind}; known are {', '.join(known)}")
    return known.get(text, "none")


def _number(statement: Kcql, name: str) -> str:
    return statement.properties.get(name) or {**_FLUSHES, **_PADDINGS}[name]


def _flag(statement: Kcql, name: str, default: str) -> bool:
    return statement.properties.get(name, default).strip().lower() == "true"
