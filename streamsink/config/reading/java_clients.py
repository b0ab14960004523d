"""Translates Java clients' properties into librdkafka's; tells which have no counterpart. Pure: reads no file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from streamsink.config.keys.quantities import quantity_of, without_unit

RENAMED = {
    "max.partition.fetch.bytes": "fetch.message.max.bytes",
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "max.request.size": "message.max.bytes",
    "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.keystore.key": "ssl.key.pem",
}

JAVA_ONLY = {
    "max.poll.records": "use poll.records.max",
    "partition.assignment.strategy": "the group always rebalances cooperatively",
    "enable.auto.commit": "offsets are committed once their records are stored",
    "auto.commit.interval.ms": "offsets are committed once their records are stored",
} | dict.fromkeys(
    (
        *("key.deserializer", "value.deserializer", "key.serializer", "value.serializer", "interceptor.classes"),
        *("metric.reporters", "metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms"),
        *("auto.include.jmx.reporter", "default.api.timeout.ms", "exclude.internal.topics", "buffer.memory"),
        *("max.block.ms", "partitioner.class", "partitioner.ignore.keys", "partitioner.adaptive.partitioning.enable"),
        *("ssl.protocol", "ssl.enabled.protocols", "ssl.provider", "ssl.trustmanager.algorithm", "security.providers"),
        *("ssl.keymanager.algorithm", "ssl.secure.random.implementation", "ssl.engine.factory.class"),
        *("sasl.client.callback.handler.class", "sasl.login.callback.handler.class", "sasl.login.class"),
        *("sasl.login.connect.timeout.ms", "sasl.login.read.timeout.ms", "sasl.login.refresh.buffer.seconds"),
        *("sasl.login.refresh.min.period.seconds", "sasl.login.refresh.window.factor"),
        *("sasl.login.refresh.window.jitter", "sasl.login.retry.backoff.max.ms", "sasl.login.retry.backoff.ms"),
        *("socket.connection.setup.timeout.max.ms", "throw.on.fetch.stable.offset.unsupported"),
    ),
    "only Java's clients know it",
)
"""Properties that are left out, and why that is all right."""

_QUOTED = re.compile(r"""(\w+)\s*=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s;"']+)""")
_PEM_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".cert", ".key"})
_PKCS12_SUFFIXES = frozenset({".p12", ".pfx", ".pkcs12"})


@dataclass(slots=True)
class Translation:
    """librdkafka's properties, and by Java's key what couldn't be used or was left out."""

    properties: dict[str, str] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)


def translate(java: Mapping[str, str]) -> Translation:
    """Carry properties over; librdkafka's own names stay as they are."""
    done = Translation()
    for key, value in java.items():
        if key in JAVA_ONLY:
            done.warnings.append((key, f"left out, {JAVA_ONLY[key]}"))
        elif key == "sasl.jaas.config":
            _login(done, value)
        elif key.startswith(("ssl.truststore.", "ssl.keystore.")) and key not in RENAMED:
            continue
        else:
            done.properties[RENAMED.get(key, key)] = _value(key, value)
    _trust(done, java)
    _identity(done, java)
    return done


def _value(key: str, value: str) -> str:
    match key:
        case "ssl.endpoint.identification.algorithm":
            return value.strip() or "none"
        case "auto.offset.reset" if value.strip() == "none":
            return "error"
        case _ if quantity := quantity_of(key):
            return without_unit(quantity, value) or value.strip()
        case _:
            return value if "password" in key else value.strip()


def _login(done: Translation, text: str) -> None:
    """Read a JAAS line. Its content appears in no message."""
    if not text.strip():
        return
    module = text.split(maxsplit=1)[0].rpartition(".")[2]
    options = jaas_options(text)
    match module:
        case "PlainLoginModule" | "ScramLoginModule" if "username" in options and "password" in options:
            done.properties |= {"sasl.username": options["username"], "sasl.password": options["password"]}
        case "OAuthBearerLoginModule" if "clientId" in options and "clientSecret" in options:
            done.properties |= {
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.client.id": options["clientId"],
                "sasl.oauthbearer.client.secret": options["clientSecret"],
            }
            if scope := options.get("scope"):
                done.properties["sasl.oauthbearer.scope"] = scope
        case _:
            known = (
                "PlainLoginModule and ScramLoginModule with username and password, OAuthBearerLoginModule with clientId"
            )
            done.problems.append(("sasl.jaas.config", f"can't be used: only {known} and clientSecret are understood"))


def jaas_options(text: str) -> dict[str, str]:
    """The options of a JAAS line, unquoted."""
    return {name: _unquoted(value) for name, value in _QUOTED.findall(text)}


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] in "\"'" else value


def _kind(java: Mapping[str, str], store: str) -> str:
    """PEM, PKCS12 or JKS: as said, else by the file's name, else Java's default."""
    said = java.get(f"ssl.{store}.type", "").strip().upper()
    suffix = PurePath(java.get(f"ssl.{store}.location", "").strip()).suffix.lower()
    by_name = "PEM" if suffix in _PEM_SUFFIXES else "PKCS12" if suffix in _PKCS12_SUFFIXES else "JKS"
    return said or by_name


def _trust(done: Translation, java: Mapping[str, str]) -> None:
    location = java.get("ssl.truststore.location", "").strip()
    if not location:
        return
    if _kind(java, "truststore") == "PEM":
        done.properties.setdefault("ssl.ca.location", location)
    else:
        done.problems.append(
            (
                "ssl.truststore.location",
                "must be PEM: convert it with keytool and openssl, and set ssl.truststore.type=PEM",
            )
        )


def _identity(done: Translation, java: Mapping[str, str]) -> None:
    location = java.get("ssl.keystore.location", "").strip()
    if not location:
        return
    match _kind(java, "keystore"):
        case "PEM":
            done.properties.setdefault("ssl.certificate.location", location)
            done.properties.setdefault("ssl.key.location", location)
        case "PKCS12":
            done.properties["ssl.keystore.location"] = location
            done.properties["ssl.keystore.password"] = java.get("ssl.keystore.password", "")
        case kind:
            done.problems.append(
                (
                    "ssl.keystore.location",
                    f"is {kind}: convert it to PKCS#12 with keytool, and set ssl.keystore.type=PKCS12",
                )
            )
