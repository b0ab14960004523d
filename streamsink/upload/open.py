"""Opens the store that an `archive.url` names. The only place that knows every backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamsink.errors import ConfigError, Problem
from streamsink.upload import options as read
from streamsink.upload.local import LocalStore
from streamsink.upload.memory import MemoryStore
from streamsink.upload.open_object_store import open_azure, open_gcs, open_s3
from streamsink.upload.protocol import Store
from streamsink.upload.webdav import WebDavStore
from streamsink.upload.webdav_http import Login

_BUCKET_SCHEMES = {"sj", "s3", "gs", "gcs", "az", "azure"}
_KNOWN_URLS = (
    "known are file:///path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, sj://bucket/prefix, "
    "webdav+https://host/path"
)


def open_store(url: str, options: Mapping[str, str]) -> Store:
    """Open the store of a URL. No server is asked: its faults show with the first call.

    Args:
        url: `file:///path`, `s3://bucket/prefix`, `gs://`, `az://`, `sj://`, `webdav+https://host/path`.
        options: By their names after `archive.option.`; an empty value is as good as none.

    Raises:
        ConfigError: Unknown scheme or option, no bucket, a value that can't be used.
    """
    scheme, bucket, prefix = _parts(url)
    options = {key: value for key, value in options.items() if value}
    store: Store
    match scheme:
        case "file":
            read.check_known(options, {})
            store = LocalStore(Path(unquote(urlsplit(url).path)))
        case "memory":
            read.check_known(options, {})
            store = MemoryStore("/".join(filter(None, (bucket, prefix))))
        case "s3":
            store = open_s3(url, bucket, prefix, options)
        case "gs" | "gcs":
            store = open_gcs(url, bucket, prefix, options)
        case "az" | "azure":
            store = open_azure(url, bucket, prefix, options)
        case "webdav+http" | "webdav+https":
            store = _webdav(url, options)
        case "sj":
            store = _storj(bucket, prefix or "", options)
        case _:
            raise ConfigError([Problem("archive.url", f"{url!r}: unknown kind of store")], hint=_KNOWN_URLS)
    return store


def _parts(url: str) -> tuple[str, str, str | None]:
    """Scheme, bucket and prefix. The error for an unusable URL doesn't show a secret that may stand in it."""
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
    if parts.scheme.startswith("webdav") and not parts.hostname:
        raise ConfigError([Problem("archive.url", f"{url!r} names no host")], hint=_KNOWN_URLS)
    return parts.scheme, parts.netloc, unquote(parts.path).strip("/") or None


def _webdav(url: str, options: Mapping[str, str]) -> WebDavStore:
    read.check_known(options, read.WEBDAV_OPTIONS)
    problems = []
    if "token" in options and "username" in options:
        problems.append(Problem("archive.option.token", "has no effect beside username: give one of them"))
    if "password" in options and "username" not in options:
        problems.append(Problem("archive.option.username", "is missing: whose password is it?"))
    if options.get("create", "move") not in {"move", "put"}:
        problems.append(Problem("archive.option.create", f"{options['create']!r} is neither move nor put"))
    if problems:
        raise ConfigError(problems)
    login = Login(
        options.get("username", ""), options.get("password", ""), options.get("token", ""), read.proxy_url(options)
    )
    return WebDavStore(url, login, timeout_s=read.timeout_s(options), by_move=options.get("create") != "put")


def _storj(bucket: str, prefix: str, options: Mapping[str, str]) -> Store:
    """Storj natively. The library is loaded with the first call, so that nothing forks after it."""
    from streamsink.upload.storj.store import USER_AGENT, Access, StorjStore  # noqa: PLC0415 - needs numpy, for sj only

    read.check_known(options, read.STORJ_OPTIONS)
    parts = [options.get(key, "") for key in ("satellite", "api_key", "passphrase")]
    grant = options.get("access_grant", "")
    if grant and any(parts):
        raise ConfigError([Problem("archive.option.access_grant", "has no use beside satellite, api_key, passphrase")])
    if not grant and not all(parts):
        raise ConfigError(
            [Problem("archive.option.access_grant", "is missing")],
            hint="make an access grant in Storj's console; or give satellite, api_key and passphrase, all three",
        )
    return StorjStore(
        bucket,
        prefix,
        Access(grant, *parts),
        user_agent=options.get("user_agent", USER_AGENT),
        timeout_s=read.timeout_s(options),
        expires_after_s=read.expires_after_s(options),
    )
