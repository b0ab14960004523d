"""TLS for REST from Connect's `listeners.https.ssl.*` keys and PEM files. Serves nothing itself."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from streamsink.config.keys.rest import HTTPS
from streamsink.errors import ConfigError, Problem

_CLIENT_AUTH = {"none": ssl.CERT_NONE, "requested": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_HINT = "give PEM: convert a JKS or PKCS12 store with `openssl pkcs12 -in STORE.p12 -out rest.pem -nodes`"


def make_context(resolved: Mapping[str, str]) -> ssl.SSLContext:
    """Make the TLS context of an HTTPS listener from the worker's flat map, secrets resolved.

    Raises:
        ConfigError: There is no certificate or key, or one that can't be used.
    """
    # As Connect: keys without the prefix count where none has it.
    prefix = f"{HTTPS}ssl." if any(key.startswith(HTTPS) for key in resolved) else "ssl."

    def get(name: str) -> str:
        return resolved.get(f"{prefix}{name}", "").strip()

    def wrong(name: str, message: str) -> ConfigError:
        return ConfigError([Problem(f"{prefix}{name}", message)], hint=_HINT)

    if get("keystore.type").upper() not in {"", "PEM"}:
        raise wrong("keystore.type", f"{get('keystore.type')} is not understood, only PEM is")
    chain = get("keystore.certificate.chain") or get("keystore.location")
    if not chain:
        raise wrong("keystore.location", "an https listener needs a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with ExitStack() as files:
            certificate, key = _file(chain, files), _file(get("keystore.key"), files) if get("keystore.key") else None
            context.load_cert_chain(certificate, key, password=get("key.password") or "")
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise wrong("keystore.location", f"certificate or key can't be used: {reason}") from None
    authorities = get("truststore.location")
    if authorities:
        try:
            context.load_verify_locations(authorities)
        except (OSError, ssl.SSLError) as error:
            raise wrong("truststore.location", f"{authorities} can't be used: {type(error).__name__}") from None
    mode = _CLIENT_AUTH.get(get("client.auth").lower() or "none", ssl.CERT_REQUIRED)
    if mode is not ssl.CERT_NONE and not authorities:
        raise wrong("truststore.location", "client.auth needs the authorities that sign clients")
    context.verify_mode = mode
    return context


def _file(pem: str, files: ExitStack) -> str:
    """A PEM text as a file, for as long as it is read; a path stays one."""
    if "-----BEGIN" not in pem:
        return pem
    descriptor, name = tempfile.mkstemp(suffix=".pem")
    files.callback(Path(name).unlink)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        # Connect's properties files hold a PEM on one line, its breaks as spaces.
        file.write(pem if "\n" in pem else _broken_up(pem))
    return name


def _broken_up(pem: str) -> str:
    lines: list[str] = []
    for part in pem.replace("-----BEGIN ", "\n-----BEGIN ").replace("-----END ", "\n-----END ").split("\n"):
        if part.startswith("-----"):
            head, dashes, rest = part[5:].partition("-----")
            lines += [f"-----{head}{dashes}", *rest.split()]
        else:
            lines += part.split()
    return "\n".join(lines) + "\n"
