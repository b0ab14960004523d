"""Opens the store that an `archive.url` names. The only place that knows every backend."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from streamsink.errors import ConfigError, Problem
from streamsink.upload.local import LocalStore
from streamsink.upload.memory import MemoryStore
from streamsink.upload.object_store import RETRY_CONFIG, ObjectStore
from streamsink.upload.protocol import Store

TIMEOUT_S = 120
"""For one request: 128 MiB take that long at 9 Mbit/s."""

CONNECT_TIMEOUT_S = 5

S3_OPTIONS = {
    "endpoint": "endpoint",
    "region": "region",
    "access_key_id": "access_key_id",
    "secret_access_key": "secret_access_key",
    "session_token": "session_token",
    "path_style": "",
    "allow_http": "",
    "timeout_s": "",
}
GCS_OPTIONS = {
    "service_account_path": "service_account_path",
    "service_account_key": "service_account_key",
    "endpoint": "base_url",
    "allow_http": "",
    "timeout_s": "",
}
AZURE_OPTIONS = {
    "account_name": "account_name",
    "account_key": "account_key",
    "sas_token": "sas_key",
    "client_id": "client_id",
    "client_secret": "client_secret",
    "tenant_id": "tenant_id",
    "endpoint": "endpoint",
    "allow_http": "",
    "timeout_s": "",
}
"""Names after `archive.option.`, and obstore's name for each; empty where it becomes something else."""

ObstoreStore = TypeVar("ObstoreStore", S3Store, GCSStore, AzureStore)

_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_BUCKET_SCHEMES = {"s3", "gs", "gcs", "az", "azure"}
_KNOWN_URLS = "known are file:///path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix"


def open_store(url: str, options: Mapping[str, str]) -> Store:
    """The store of a URL: `file:///path`, `s3://bucket/prefix`, `gs://bucket`, `az://container`, `memory://name`.

    Asks no server anything: what is wrong there shows with the first call.

    Raises:
        ConfigError: Unknown scheme or option, no bucket, a value that can't be used.
    """
    scheme, bucket, prefix = _parts(url)
    options = {key: value for key, value in options.items() if value}
    match scheme:
        case "file":
            _check(options, {})
            return LocalStore(Path(unquote(urlsplit(url).path)))
        case "memory":
            _check(options, {})
            return MemoryStore("/".join(filter(None, (bucket, prefix))))
        case "s3":
            _check(options, S3_OPTIONS)
            return ObjectStore(url, _built(lambda: _s3(bucket, prefix, options)))
        case "gs" | "gcs":
            _check(options, GCS_OPTIONS)
            config: Any = _config(options, GCS_OPTIONS)
            return ObjectStore(url, _built(lambda: GCSStore(bucket, prefix=prefix, config=config, **_client(options))))
        case "az" | "azure":
            _check(options, AZURE_OPTIONS)
            azure: Any = {"container_name": bucket, **_config(options, AZURE_OPTIONS)}
            return ObjectStore(url, _built(lambda: AzureStore(prefix=prefix, config=azure, **_client(options))))
    raise ConfigError([Problem("archive.url", f"{url!r}: unknown kind of store")], hint=_KNOWN_URLS)


def _parts(url: str) -> tuple[str, str, str | None]:
    """Scheme, bucket and prefix; what can't be used is told without showing a secret that may stand in it."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ConfigError(
            [Problem("archive.url", "it holds a user name or password")], hint="credentials go into archive.option.*"
        )
    if not parts.scheme:
        raise ConfigError([Problem("archive.url", f"{url!r} has no scheme")], hint=_KNOWN_URLS)
    if parts.query or parts.fragment:
        raise ConfigError(
            [Problem("archive.url", f"{url!r} holds '?' or '#'")],
            hint="write %3F and %23 for them; options go elsewhere",
        )
    if parts.scheme == "file" and (parts.netloc not in {"", "localhost"} or not parts.path.startswith("/")):
        raise ConfigError(
            [Problem("archive.url", f"{url!r} is not an absolute path")],
            hint="a local path has three slashes: file:///",
        )
    if parts.scheme in _BUCKET_SCHEMES and not parts.netloc:
        raise ConfigError([Problem("archive.url", f"{url!r} names no bucket")], hint=_KNOWN_URLS)
    return parts.scheme, parts.netloc, unquote(parts.path).strip("/") or None


def _built(build: Callable[[], ObstoreStore]) -> ObstoreStore:
    try:
        return build()
    except (BaseError, ValueError, OSError) as error:
        # obstore's messages name the option, and may repeat a key file's path but not what is in it.
        said = " ".join(str(error).partition("Debug source:")[0].split())
        raise ConfigError([Problem("archive.option", said)], hint="look at archive.url and archive.option.*") from None


def _s3(bucket: str, prefix: str | None, options: Mapping[str, str]) -> S3Store:
    config: Any = _config(options, S3_OPTIONS)
    config["conditional_put"] = "etag"
    if not _flag(options, "path_style", default=True):
        config["virtual_hosted_style_request"] = True
        endpoint = urlsplit(options.get("endpoint", ""))
        if endpoint.netloc:
            # obstore takes a virtual-hosted endpoint with the bucket in it already.
            config["endpoint"] = endpoint._replace(netloc=f"{bucket}.{endpoint.netloc}").geturl()
    return S3Store(bucket, prefix=prefix, config=config, **_client(options))


def _client(options: Mapping[str, str]) -> dict[str, Any]:
    endpoint = options.get("endpoint") or next(filter(None, map(os.environ.get, _ENDPOINT_VARIABLES)), "")
    plain_http = endpoint.startswith("http://")
    timeout_s = _timeout_s(options)
    client: dict[str, Any] = {
        "timeout": timedelta(seconds=timeout_s),
        "connect_timeout": timedelta(seconds=min(CONNECT_TIMEOUT_S, timeout_s)),
    }
    if plain_http or "allow_http" in options:
        client["allow_http"] = _flag(options, "allow_http", default=plain_http)
    return {"client_options": client, "retry_config": RETRY_CONFIG}


def _flag(options: Mapping[str, str], key: str, *, default: bool) -> bool:
    match options.get(key, str(default)).strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise ConfigError([Problem(f"archive.option.{key}", f"{options[key]!r} is neither true nor false")])


def _timeout_s(options: Mapping[str, str]) -> float:
    text = options.get("timeout_s", str(TIMEOUT_S))
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", text) or float(text) <= 0:
        raise ConfigError(
            [Problem("archive.option.timeout_s", f"{text!r} is not a number of seconds from 0.1 to 9999")]
        )
    return float(text)


def _config(options: Mapping[str, str], known: Mapping[str, str]) -> dict[str, Any]:
    return {known[key]: value for key, value in options.items() if known.get(key)}


def _check(options: Mapping[str, str], known: Mapping[str, str]) -> None:
    problems = []
    for key in options:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            told = f"; is {near[0]} meant?" if near else f"; known are {', '.join(known) or 'none'}"
            problems.append(Problem(f"archive.option.{key}", f"unknown for this kind of store{told}"))
    if problems:
        raise ConfigError(problems)
