"""Turns a configuration of Aiven's S3 sink into our keys. Whatever can't be honoured is a problem, never left out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from streamsink.config.aiven_keys import OLD_NAMES
from streamsink.config.definition import Values
from streamsink.config.worker_keys import OFFSET_FLUSH_INTERVAL_MS

_PADDING = r"(:padding=(true|false))?"
_NAME = rf"\{{\{{topic\}}\}}-\{{\{{partition{_PADDING}\}}\}}-\{{\{{start_offset{_PADDING}\}}\}}(\.\w+)*"
_UNSUPPORTED = {
    "file.prefix.template": "is not supported: use aws.s3.prefix without variables",
    "aws.credentials.provider": "is not supported: give aws.access.key.id, or an environment with credentials",
    "aws.sts.role.arn": "is not supported: give aws.access.key.id, or an environment with credentials",
    "aws.s3.sse.algorithm": "is not supported: set the bucket's default encryption",
}


def rename_old(raw: Mapping[str, str]) -> dict[str, str]:
    """The map with the names of the connector's first releases replaced by today's, which win."""
    renamed = {OLD_NAMES[key]: value for key, value in raw.items() if key in OLD_NAMES}
    return renamed | {key: value for key, value in raw.items() if key not in OLD_NAMES}


def translate(values: Values, worker: Mapping[str, str]) -> dict[str, str]:
    """Our keys for what the map asks for; problems go to `values`."""
    for key, wrong in _UNSUPPORTED.items():
        if values.given(key):
            values.problem(key, wrong)
    kind = values.text("format.output.type").lower()
    _check_rows(values, kind)
    _check_names(values)
    ours = {"format.class": kind if kind in {"jsonl", "parquet", "avro"} else "jsonl", "archive.value": "columns"}
    ours |= _compression(values, kind)
    ours["topics.dir"] = _folder(values)
    ours["rotate.age.ms"] = worker.get("offset.flush.interval.ms", OFFSET_FLUSH_INTERVAL_MS)
    if records := values.whole("file.max.records"):
        ours["flush.size"] = str(records)
    ours["s3.region"] = values.text("aws.s3.region")
    if endpoint := values.text("aws.s3.endpoint"):
        ours["store.url"] = endpoint
    bucket = values.text("aws.s3.bucket.name").strip()
    if bucket:
        ours["s3.bucket.name"] = bucket
    elif not values.given("archive.url"):
        values.problem("aws.s3.bucket.name", "is required and has no default")
    return ours | {key: value for key, value in values.raw.items() if key not in {"s3.bucket.name", "s3.region"}}


def _check_rows(values: Values, kind: str) -> None:
    if kind in {"csv", "json"}:
        values.problem("format.output.type", f"{kind} is not supported: use jsonl, parquet or avro")
    if values.items("format.output.fields") != ("value",):
        values.problem(
            "format.output.fields", "only value is supported: archive.envelope=true keeps key, headers and more"
        )
    if kind in {"jsonl", "parquet", "avro"} and values.flag("format.output.envelope"):
        values.problem("format.output.envelope", "only false is supported: the value's fields are the columns")


def _check_names(values: Values) -> None:
    template = re.sub(r"\s", "", values.text("file.name.template"))
    if template and not re.fullmatch(_NAME, template):
        values.problem("file.name.template", "only {{topic}}-{{partition}}-{{start_offset}} is supported")
        return
    values.warn(
        "file.name.template: objects are named <prefix><topic>/partition=<partition>/<topic>+<partition>+<start "
        "offset>, not as Aiven's connector does"
    )


def _compression(values: Values, kind: str) -> dict[str, str]:
    codec = values.text("file.compression.type").lower()
    match kind:
        case "parquet":
            return {"parquet.codec": codec}
        case "avro" if codec != "none":
            values.problem("file.compression.type", "must be none for Avro, whose codec is avro.codec")
        case "jsonl" if codec == "snappy":
            values.problem("file.compression.type", "must be gzip, zstd or none for JSON Lines")
        case "jsonl":
            return {"compression.type": codec}
    return {}


def _folder(values: Values) -> str:
    prefix = values.text("aws.s3.prefix").strip()
    if "{{" in prefix:
        values.problem("aws.s3.prefix", "can't have variables here")
    elif prefix and not prefix.endswith("/"):
        values.problem("aws.s3.prefix", f"{prefix!r} must end with a slash: it is a folder here")
    else:
        return prefix.rstrip("/")
    return ""
