"""Opens the store that an `archive.url` names. The only place that knows every backend."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.store import AzureStore, GCSStore, S3Store

from streamsink.errors import ConfigError, Problem
from streamsink.upload.local import LocalStore
from streamsink.upload.memory import MemoryStore
from streamsink.upload.object_store import RETRY_CONFIG, ObjectStore
from streamsink.upload.protocol import Store

TIMEOUT_S = 60
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


def open_store(url: str, options: Mapping[str, str]) -> Store:
    """The store of a URL: `file:///path`, `s3://bucket/prefix`, `gs://bucket`, `az://container`, `memory://name`.

    Raises:
        ConfigError: Unknown scheme or option.
        TerminalError: A folder that can't be used.
    """
    parts = urlsplit(url)
    bucket, prefix = parts.netloc, unquote(parts.path).strip("/")
    match parts.scheme:
        case "file":
            _check(options, {})
            if parts.netloc not in {"", "localhost"}:
                raise ConfigError(
                    [Problem("archive.url", f"{url} names a host; a local path has three slashes: file:///")]
                )
            return LocalStore(Path(unquote(parts.path) or "/"))
        case "memory":
            return MemoryStore(bucket + (f"/{prefix}" if prefix else ""))
        case "s3":
            _check(options, S3_OPTIONS)
            return ObjectStore(url, _s3(bucket, prefix, options))
        case "gs" | "gcs":
            _check(options, GCS_OPTIONS)
            config: Any = _config(options, GCS_OPTIONS)
            gcs = GCSStore(bucket, prefix=prefix or None, config=config, **_client(options))
            return ObjectStore(url, gcs)
        case "az" | "azure":
            _check(options, AZURE_OPTIONS)
            azure_config: Any = {"container_name": bucket, **_config(options, AZURE_OPTIONS)}
            azure = AzureStore(prefix=prefix or None, config=azure_config, **_client(options))
            return ObjectStore(url, azure)
        case _:
            raise ConfigError(
                [Problem("archive.url", f"{url!r}: unknown kind of store")],
                hint="known are file:///path, s3://bucket, gs://bucket, az://container",
            )


def _s3(bucket: str, prefix: str, options: Mapping[str, str]) -> S3Store:
    config: Any = _config(options, S3_OPTIONS)
    endpoint = options.get("endpoint", "")
    path_style = options.get("path_style", "true" if endpoint else "false").lower() == "true"
    config["virtual_hosted_style_request"] = not path_style
    config["conditional_put"] = "etag"
    config.setdefault("region", "us-east-1")
    return S3Store(bucket, prefix=prefix or None, config=config, **_client(options))


def _client(options: Mapping[str, str]) -> dict[str, Any]:
    plain_http = options.get("endpoint", "").startswith("http://")
    allow_http = options.get("allow_http", "true" if plain_http else "false").lower() == "true"
    timeout_s = float(options.get("timeout_s", TIMEOUT_S))
    return {
        "client_options": {
            "timeout": timedelta(seconds=timeout_s),
            "connect_timeout": timedelta(seconds=min(CONNECT_TIMEOUT_S, timeout_s)),
            "allow_http": allow_http,
        },
        "retry_config": RETRY_CONFIG,
    }


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
