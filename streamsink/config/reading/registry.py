"""Reads a converter's Schema Registry from a connector's or the worker's keys. Connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from streamsink.config.keys.definition import Values
from streamsink.config.keys.registry import CREDENTIALS_SOURCES, KEY_PREFIX, PREFIX, STRATEGIES
from streamsink.config.reading import names
from streamsink.config.sink import Converter, RegistryRules, SubjectStrategy

WITH_REGISTRY = frozenset({Converter.AVRO, Converter.PROTOBUF, Converter.JSON_SCHEMA})

_TLS = {
    "schema.registry.ssl.truststore.location": "ssl.ca.location",
    "schema.registry.ssl.keystore.location": "ssl.certificate.location",
    "schema.registry.ssl.key.location": "ssl.key.location",
    "schema.registry.ssl.key.password": "ssl.key.password",
}


def read_registry(
    values: Values, worker: Mapping[str, str], converter: Converter, *, prefix: str = PREFIX
) -> RegistryRules | None:
    """Read the Schema Registry of a converter, from the map that names the converter.

    Args:
        values: The connector's map; problems go here.
        worker: The worker's flat map, which holds where the connector names no converter.
        converter: How keys or values are decoded.
        prefix: `key.converter.` or `value.converter.`.

    Returns:
        URL, TLS, credentials and subject strategy; None where the converter needs no registry.
    """
    if converter not in WITH_REGISTRY:
        return None
    own = bool(values.text(prefix.rstrip(".")))
    source = values.raw if own else worker
    said = {key: source.get(f"{prefix}{key}", "").strip() for key in (*_TLS, "schema.registry.url")}
    url = said["schema.registry.url"]
    whose = "" if own else "the worker's: "
    if not url:
        needed = "keys that are looked at" if prefix == KEY_PREFIX else "values"
        values.problem(f"{prefix}schema.registry.url", f"{whose}{converter.value} {needed} need it")
    elif not all(urlsplit(one.strip()).scheme in {"http", "https"} for one in url.split(",")):
        values.problem(f"{prefix}schema.registry.url", f"{whose}each is http://host:port or https://host:port")
    properties = {"url": url} | {theirs: said[ours] for ours, theirs in _TLS.items() if said[ours]}
    user_info = _user_info(values, source, prefix)
    if user_info:
        properties["basic.auth.user.info"] = user_info
    text = source.get(f"{prefix}value.subject.name.strategy", "").strip() or STRATEGIES[0]
    strategy = text.rpartition(".")[2]
    if strategy not in STRATEGIES:
        key = f"{prefix}value.subject.name.strategy"
        values.problem(key, f"{whose}{text!r} is unknown; known are {', '.join(STRATEGIES)}")
        strategy = STRATEGIES[0]
    latest = source.get(f"{prefix}use.latest.version", "").strip().lower() == "true"
    return RegistryRules(properties, SubjectStrategy(strategy), use_latest_version=latest)


def _user_info(values: Values, source: Mapping[str, str], prefix: str) -> str:
    chosen = source.get(f"{prefix}basic.auth.credentials.source", "").strip().upper() or CREDENTIALS_SOURCES[0]
    given = source.get(f"{prefix}basic.auth.user.info", "")
    if chosen == "USER_INFO" and ":" not in given:
        values.problem(f"{prefix}basic.auth.user.info", "must be a user and a password, joined by a colon")
    return given if chosen == "USER_INFO" else ""


def find_converter(values: Values, key: str, text: str, whose: str) -> Converter:
    """Find the converter that a class or short name stands for.

    Args:
        values: The connector's map; an unknown name is a problem here.
        key: The key to note the problem under.
        text: The name as configured.
        whose: "the worker's " where the worker's map names it, else "". The problem's message starts with it.

    Returns:
        The converter, bytes where the name is unknown.
    """
    found = names.find(names.CONVERTERS, text)
    if found is not None:
        return found
    if text in names.CONVERTERS_LATER:
        values.problem(key, f"{whose}{text} is not supported; use bytes to archive values as they are")
    else:
        values.problem(key, f"{whose}{names.unknown(names.CONVERTERS, text)}")
    return Converter.BYTES
