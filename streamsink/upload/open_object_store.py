"""Builds obstore's clients of S3, Google Cloud Storage and Azure from options. Asks no server anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from streamsink import __version__
from streamsink.errors import ConfigError, Problem
from streamsink.upload import options as read
from streamsink.upload.endpoint import check_endpoint
from streamsink.upload.object_store import RETRY_CONFIG, ObjectStore
from streamsink.upload.protection import HeaderAsker

ObstoreStore = TypeVar("ObstoreStore", S3Store, GCSStore, AzureStore)

_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
CHECKSUM = "sha256"
"""Carried by uploads to S3 where nothing else is said and the server takes it: buckets with Object Lock ask for one."""
NO_CHECKSUM = "none"

_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse", "sse-c")


def open_s3(url: str, bucket: str, prefix: str | None, options: Mapping[str, str]) -> ObjectStore:
    """Open an S3 bucket below a prefix.

    Args:
        url: The store's, for messages.
        bucket: The bucket's name.
        prefix: Stands before all names; None for the whole bucket.
        options: By their names after `archive.option.`.

    Raises:
        ConfigError: An unknown option, or a value that can't be used.
    """
    read.check_known(options, read.S3_OPTIONS)
    _check_role(options)
    config: Any = _config(options, read.S3_OPTIONS)
    config |= _encryption(options)
    config["conditional_put"] = "etag"
    checksum = config.pop("checksum_algorithm", None)
    path_style = read.flag(options, "path_style", default=True)
    check_endpoint(_endpoint(options), bucket, path_style=path_style)
    if not path_style:
        config["virtual_hosted_style_request"] = True
        endpoint = urlsplit(options.get("endpoint", ""))
        if endpoint.netloc:
            # obstore takes a virtual-hosted endpoint with the bucket in it already.
            config["endpoint"] = endpoint._replace(netloc=f"{bucket}.{endpoint.netloc}").geturl()
    tags = read.tags(options)

    def build(**more: str) -> S3Store:
        return _built(lambda: S3Store(bucket, prefix=prefix, config=config | more, **_client(options)))

    plain = build()
    return ObjectStore(
        url,
        plain if checksum == NO_CHECKSUM else build(checksum_algorithm=checksum or CHECKSUM),
        storage_class=options.get("storage_class", ""),
        tags=tags,
        tag_offsets=read.flag(options, "tag_offsets", default=False),
        without_checksum=None if checksum else plain,
        ask_headers=HeaderAsker(
            read.proxy_url(options), options.get("ca_certificate_path", ""), read.timeout_s(options)
        ),
    )


def open_gcs(url: str, bucket: str, prefix: str | None, options: Mapping[str, str]) -> ObjectStore:
    """Open a Google Cloud Storage bucket below a prefix.

    Args:
        url: The store's, for messages.
        bucket: The bucket's name.
        prefix: Stands before all names; None for the whole bucket.
        options: By their names after `archive.option.`.

    Raises:
        ConfigError: An unknown option, or a value that can't be used.
    """
    read.check_known(options, read.GCS_OPTIONS)
    config: Any = _config(options, read.GCS_OPTIONS)
    store = _built(lambda: GCSStore(bucket, prefix=prefix, config=config, **_client(options)))
    return ObjectStore(url, store, storage_class=options.get("storage_class", ""))


def open_azure(url: str, container: str, prefix: str | None, options: Mapping[str, str]) -> ObjectStore:
    """Open an Azure Blob Storage container below a prefix.

    Args:
        url: The store's, for messages.
        container: The container's name.
        prefix: Stands before all names; None for the whole container.
        options: By their names after `archive.option.`.

    Raises:
        ConfigError: An unknown option, or a value that can't be used.
    """
    read.check_known(options, read.AZURE_OPTIONS)
    config: Any = {"container_name": container, **_config(options, read.AZURE_OPTIONS)}
    tags = read.tags(options)
    store = _built(lambda: AzureStore(prefix=prefix, config=config, **_client(options)))
    return ObjectStore(url, store, storage_class=options.get("storage_class", ""), tags=tags)


def _check_role(options: Mapping[str, str]) -> None:
    """A role is assumed by web identity (IRSA); obstore has no plain AssumeRole, and would ignore the wish."""
    token = options.get("web_identity_token_file") or os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    role = options.get("role_arn") or os.environ.get("AWS_ROLE_ARN")
    if "role_arn" in options and not token:
        raise ConfigError(
            [Problem("archive.option.role_arn", "needs web_identity_token_file: roles are assumed by web identity")],
            hint="without one, give the machine, pod or task the role, or temporary keys with session_token",
        )
    if "web_identity_token_file" in options and not role:
        raise ConfigError([Problem("archive.option.web_identity_token_file", "needs role_arn: the role to assume")])
    if "web_identity_token_file" in options and "access_key_id" in options:
        raise ConfigError(
            [Problem("archive.option.web_identity_token_file", "has no effect beside access_key_id")],
            hint="give one of them",
        )


def _encryption(options: Mapping[str, str]) -> dict[str, Any]:
    said = options.get("server_side_encryption", "")
    problems = []
    if said and said not in _ENCRYPTIONS:
        problems.append(
            Problem("archive.option.server_side_encryption", f"{said!r}; known are {', '.join(_ENCRYPTIONS)}")
        )
    for key, wanted in (("sse_kms_key_id", "aws:kms"), ("sse_customer_key", "sse-c"), ("sse_bucket_key", "aws:kms")):
        if key in options and not said.startswith(wanted):
            problems.append(Problem(f"archive.option.{key}", f"needs server_side_encryption={wanted}"))
    if problems:
        raise ConfigError(problems)
    return (
        {"sse_bucket_key_enabled": read.flag(options, "sse_bucket_key", default=False)}
        if "sse_bucket_key" in options
        else {}
    )


def _client(options: Mapping[str, str]) -> dict[str, Any]:
    endpoint = _endpoint(options)
    plain_http = endpoint.startswith("http://")
    timeout_s = read.timeout_s(options)
    client: dict[str, Any] = {
        "timeout": timedelta(seconds=timeout_s),
        "connect_timeout": timedelta(seconds=min(read.CONNECT_TIMEOUT_S, timeout_s)),
        "user_agent": f"streamsink/{__version__}",
    }
    if plain_http or "allow_http" in options:
        client["allow_http"] = read.flag(options, "allow_http", default=plain_http)
    if proxy_url := read.proxy_url(options):
        client["proxy_url"] = proxy_url
    if path := options.get("ca_certificate_path"):
        try:
            client["root_certificate"] = Path(path).read_bytes()
        except OSError as error:
            problem = Problem("archive.option.ca_certificate_path", f"{path} can't be read: {error.strerror}")
            raise ConfigError([problem]) from None
    return {"client_options": client, "retry_config": RETRY_CONFIG}


def _endpoint(options: Mapping[str, str]) -> str:
    return options.get("endpoint") or next(filter(None, map(os.environ.get, _ENDPOINT_VARIABLES)), "")


def _config(options: Mapping[str, str], known: Mapping[str, str]) -> dict[str, Any]:
    return {known[key]: value for key, value in options.items() if known.get(key)}


def _built(build: Callable[[], ObstoreStore]) -> ObstoreStore:
    try:
        return build()
    except (BaseError, ValueError, OSError) as error:
        # obstore's messages name the option, and may repeat a key file's path but not its content.
        said = " ".join(str(error).partition("Debug source:")[0].split())
        raise ConfigError([Problem("archive.option", said)], hint="look at archive.url and archive.option.*") from None
