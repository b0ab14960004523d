"""Turns a configuration of Aiven's S3 sink into our keys. A key that can't be honoured is a problem, never left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streamsink.config.keys.definition import Values
from streamsink.config.keys.worker import OFFSET_FLUSH_INTERVAL_MS
from streamsink.config.output import OutputField, OutputRules, TextLayout
from streamsink.config.sink import SinkConfig
from streamsink.config.vendors.aiven_keys import OLD_NAMES
from streamsink.config.vendors.aiven_names import Names, read_names, time_keys
from streamsink.config.vendors.keys import AIVEN_GCS_CLASS

_CREDENTIALS = "no Java class and no role is used: aws.access.key.id where it is given, else what the environment has"
_INSTEAD = {
    "aws.credentials.provider": _CREDENTIALS,
    "aws.sts.role.arn": _CREDENTIALS,
}
_FIELDS = {
    field.word: field
    for field in (
        OutputField.KEY,
        OutputField.VALUE,
        OutputField.OFFSET,
        OutputField.TIMESTAMP,
        OutputField.HEADERS,
    )
}
_LAYOUTS = {"csv": TextLayout.CSV, "json": TextLayout.JSON, "jsonl": TextLayout.JSONL}
_BYTES = ("bytes", "org.apache.kafka.connect.converters.ByteArrayConverter")


def rename_old(raw: Mapping[str, str]) -> dict[str, str]:
    """The map with the names of the connector's first releases replaced by today's, which win."""
    renamed = {OLD_NAMES[key]: value for key, value in raw.items() if key in OLD_NAMES}
    return renamed | {key: value for key, value in raw.items() if key not in OLD_NAMES}


def translate(values: Values, worker: Mapping[str, str]) -> dict[str, str]:
    """Translate Aiven's keys into ours.

    Args:
        values: The map as Aiven's definition reads it; problems and warnings go here.
        worker: The worker's flat map. Files close every `offset.flush.interval.ms`, as Aiven's do.

    Returns:
        Our keys, with the map's own over them. Names and fields come in `finish`.
    """
    _check_fields(values)
    for key, instead in _INSTEAD.items():
        if values.given(key):
            values.warn(f"{key}: has no effect here: {instead}")
    kind, codec = _kind(values), _codec(values)
    names = _names(values)
    ours = {"format.class": "jsonl" if kind in _LAYOUTS else kind}
    ours |= _archive_value(kind, values.text("value.converter") or worker.get("value.converter", "bytes"))
    if kind == "parquet":
        ours["parquet.codec"] = codec
    ours |= time_keys(values, names.units)
    ours["topics.dir"] = names.folder
    ours["rotate.age.ms"] = worker.get("offset.flush.interval.ms", OFFSET_FLUSH_INTERVAL_MS)
    if records := values.whole("file.max.records"):
        ours["flush.size"] = str(records)
    ours |= _store(values)
    return ours | {key: value for key, value in values.raw.items() if key not in {"s3.bucket.name", "s3.region"}}


def _store(values: Values) -> dict[str, str]:
    """Where the archive is: by the keys of the class."""
    match values.text("connector.class").strip():
        case one if one in {AIVEN_GCS_CLASS, AIVEN_GCS_CLASS.removesuffix("Connector")}:
            ours, key, bucket = {}, "gcs.bucket.name", "gcs.bucket.name"
        case one if one.rpartition(".")[2].startswith("AzureBlobSink"):
            ours, key, bucket = _azure(values), "azure.storage.container.name", "azblob.container.name"
        case _:
            ours, key, bucket = {"s3.region": values.text("aws.s3.region")}, "aws.s3.bucket.name", "s3.bucket.name"
            if encryption := values.text("aws.s3.sse.algorithm").strip():
                ours["s3.ssea.name"] = encryption
            if endpoint := values.text("aws.s3.endpoint"):
                ours["store.url"] = endpoint
    if name := values.text(key).strip():
        return ours | {bucket: name}
    if not values.given("archive.url"):
        values.problem(key, "is required and has no default")
    return ours


def _azure(values: Values) -> dict[str, str]:
    """Read the account from the connection string."""
    key = "azure.storage.connection.string"
    parts = dict(part.split("=", 1) for part in values.text(key).split(";") if "=" in part)
    if values.given(key) and not parts.keys() >= {"AccountName", "AccountKey"}:
        values.problem(key, "has no AccountName and AccountKey")
    words = {"AccountName": "azblob.account.name", "AccountKey": "azblob.account.key", "BlobEndpoint": "store.url"}
    return {ours: parts[theirs] for theirs, ours in words.items() if theirs in parts}


def _archive_value(kind: str, converter: str) -> dict[str, str]:
    """Choose the form of values. For JSON the converter decides."""
    if kind == "csv" or (kind not in _LAYOUTS and converter.strip() in _BYTES):
        return {"archive.value": "raw"}
    return {} if kind in _LAYOUTS else {"archive.value": "columns"}


def finish(values: Values, config: SinkConfig) -> SinkConfig:
    """The configuration with what our keys have no words for: names, fields and layout.

    Args:
        values: As `translate` was given them; what is wrong with them was told there.
        config: Read from our keys.

    Returns:
        The configuration with names, fields and layout.
    """
    quiet = values.definition.read(values.raw)
    kind, codec, names = _kind(quiet), _codec(quiet), _names(quiet)
    output = OutputRules(
        layout=_LAYOUTS.get(kind, TextLayout.COLUMNS),
        fields=_fields(quiet),
        envelope=quiet.flag("format.output.envelope"),
        between="\n",
        base64=quiet.text("format.output.fields.value.encoding").strip().lower() != "none",
        whole_codec=codec if kind == "avro" else "none",
    )
    encoding = replace(config.encoding, codec=codec) if kind in _LAYOUTS else config.encoding
    return replace(
        config,
        output=output,
        encoding=encoding,
        archive_envelope=True,
        naming=replace(config.naming, template=names.template),
        partitioning=replace(config.partitioning, by_key=names.by_key, directory_delim="/"),
    )


def _check_fields(values: Values) -> None:
    """Find what can't be made of `format.output.fields` and the envelope."""
    asked = values.items("format.output.fields")
    if unknown := sorted(set(asked) - _FIELDS.keys()):
        values.problem("format.output.fields", f"{', '.join(unknown)}: known are {', '.join(sorted(_FIELDS))}")
    if not asked:
        values.problem("format.output.fields", "names no field")
    if not values.flag("format.output.envelope") and len(asked) > 1 and _kind(values) != "csv":
        values.problem("format.output.envelope", "can be false for one field only")
    encoding = "format.output.fields.value.encoding"
    if values.text(encoding).strip().lower() not in {"base64", "none"}:
        values.problem(encoding, f"{values.text(encoding)!r} is neither base64 nor none")


def _kind(values: Values) -> str:
    return values.text("format.output.type").strip().lower() or "csv"


def _codec(values: Values) -> str:
    return values.text("file.compression.type").strip().lower() or "none"


def _names(values: Values) -> Names:
    return read_names(values, _kind(values), _codec(values))


def _fields(values: Values) -> tuple[OutputField, ...]:
    return tuple(dict.fromkeys(_FIELDS[word] for word in values.items("format.output.fields") if word in _FIELDS))
