"""Checks an S3 endpoint as people write it, so that a slip is told at once and not by the client's panic. Pure."""

from __future__ import annotations

import ipaddress
from typing import NoReturn
from urllib.parse import urlsplit

from streamsink.errors import ConfigError, Problem

_OPTION = "archive.option.endpoint"


def check_endpoint(endpoint: str, bucket: str, *, path_style: bool) -> None:
    """Refuse an endpoint that the client can't use.

    Args:
        endpoint: As given; empty for AWS's own.
        bucket: The archive's bucket.
        path_style: Whether the bucket stands in the path of requests; else it is part of the host's name.

    Raises:
        ConfigError: Saying what to write instead.
    """
    if not endpoint:
        return
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        rest = endpoint.partition("://")[2] or endpoint
        _refuse(f"{endpoint!r} has no scheme", f"write https://{rest} or http://{rest}")
    try:
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        _refuse(f"{endpoint!r} is no URL: {error}", "write https://host:port")
    if not host:
        _refuse(f"{endpoint!r} names no host", "write https://host:port")
    bare = f"{parts.scheme}://{parts.netloc}"
    if parts.query or parts.fragment:
        _refuse(f"{endpoint!r} has more than scheme, host and port", f"write {bare}")
    folder = parts.path.strip("/")
    if folder == bucket:
        _refuse(f"{endpoint!r} has the bucket in its path", f"write {bare}: the bucket is in archive.url")
    if folder and not path_style:
        _refuse(f"{endpoint!r} has a path, which path_style=false can't have", f"write {bare}")
    if not path_style and _is_address(host):
        _refuse(
            f"{host} is an address, and path_style=false puts the bucket before the host's name",
            "leave path_style out, or name the host",
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refuse(message: str, hint: str) -> NoReturn:
    raise ConfigError([Problem(_OPTION, message)], hint=hint)
