"""Names after `archive.option.` of each kind of store, and how their texts are read. Opens nothing.

`config/keys/store.py` documents the same names; a test holds the two together.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from streamsink.errors import ConfigError, Problem

TIMEOUT_S = 120
"""For one request: 128 MiB take that long at 9 Mbit/s."""

CONNECT_TIMEOUT_S = 5

_CLIENT = {"allow_http": "", "timeout_s": "", "proxy_url": "", "ca_certificate_path": ""}
S3_OPTIONS = {
    "endpoint": "endpoint",
    "region": "region",
    "access_key_id": "access_key_id",
    "secret_access_key": "secret_access_key",
    "session_token": "session_token",
    "path_style": "",
    "role_arn": "role_arn",
    "role_session_name": "role_session_name",
    "web_identity_token_file": "web_identity_token_file",
    "sts_endpoint": "endpoint_url_sts",
    "server_side_encryption": "server_side_encryption",
    "sse_kms_key_id": "sse_kms_key_id",
    "sse_customer_key": "sse_customer_key_base64",
    "sse_bucket_key": "sse_bucket_key_enabled",
    "checksum_algorithm": "checksum_algorithm",
    "storage_class": "",
    "tags": "",
    "tag_offsets": "",
    **_CLIENT,
}
GCS_OPTIONS = {
    "service_account_path": "service_account",
    "service_account_key": "service_account_key",
    "endpoint": "base_url",
    "storage_class": "",
    **_CLIENT,
}
AZURE_OPTIONS = {
    "account_name": "account_name",
    "account_key": "account_key",
    "sas_token": "sas_key",
    "client_id": "client_id",
    "client_secret": "client_secret",
    "tenant_id": "tenant_id",
    "federated_token_file": "federated_token_file",
    "endpoint": "endpoint",
    "storage_class": "",
    "tags": "",
    **_CLIENT,
}
WEBDAV_OPTIONS = {"username": "", "password": "", "token": "", "create": "", "timeout_s": "", "proxy_url": ""}
STORJ_OPTIONS = {
    "access_grant": "",
    "satellite": "",
    "api_key": "",
    "passphrase": "",
    "user_agent": "",
    "expires_after": "",
    "timeout_s": "",
}
"""Each name, and obstore's for it; empty where it becomes something else."""

_REFUSED = {
    "acl": "obstore does not sign x-amz-acl: leave it out, and give access by a bucket policy",
    "external_id": "roles are assumed by web identity only: give role_arn and web_identity_token_file",
    "profile": "profiles of ~/.aws are not read: give the keys, or the environment's AWS_* variables",
}
"""Options that a user may look for and can't have, with the way around."""


def check_known(options: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Refuse options that this kind of store doesn't have.

    Args:
        options: By their names after `archive.option.`.
        known: The names that this kind has.

    Raises:
        ConfigError: It names each.
    """
    problems = []
    for key in options:
        if key in known:
            continue
        if key in _REFUSED and "region" in known:
            told = f"is not supported: {_REFUSED[key]}"
        else:
            near = difflib.get_close_matches(key, known, n=1)
            meant = f"; is {near[0]} meant?" if near else f"; known are {', '.join(known) or 'none'}"
            told = f"unknown for this kind of store{meant}"
        problems.append(Problem(f"archive.option.{key}", told))
    if problems:
        raise ConfigError(problems)


def flag(options: Mapping[str, str], key: str, *, default: bool) -> bool:
    """Read an option that is true or false.

    Args:
        options: By their names after `archive.option.`.
        key: The option's name.
        default: The value where the option isn't given.

    Raises:
        ConfigError: It is neither.
    """
    match options.get(key, str(default)).strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise ConfigError([Problem(f"archive.option.{key}", f"{options[key]!r} is neither true nor false")])


def timeout_s(options: Mapping[str, str]) -> float:
    """Read how long one request may take, in seconds.

    Raises:
        ConfigError: It is no number from 0.1 to 9999.
    """
    text = options.get("timeout_s", str(TIMEOUT_S))
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", text) or float(text) <= 0:
        raise ConfigError(
            [Problem("archive.option.timeout_s", f"{text!r} is not a number of seconds from 0.1 to 9999")]
        )
    return float(text)


_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def expires_after_s(options: Mapping[str, str]) -> int | None:
    """Read how long objects live, given as 12h or 30d, in seconds; None for ever.

    Raises:
        ConfigError: It is no number with a unit.
    """
    text = options.get("expires_after", "")
    found = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    if text and found is None:
        raise ConfigError(
            [Problem("archive.option.expires_after", f"{text!r} is not a number with s, m, h or d after it")],
            hint="30d for thirty days",
        )
    return int(found[1]) * _UNITS_S[found[2]] if found else None


def tags(options: Mapping[str, str]) -> dict[str, str]:
    """Read `key=value&key2=value2`, as S3's own header has it.

    Raises:
        ConfigError: It has another form, or more than 10 tags.
    """
    text = options.get("tags", "")
    try:
        found = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True)) if text else {}
    except ValueError:
        raise ConfigError(
            [Problem("archive.option.tags", f"{text!r} is not key=value&key2=value2")],
            hint="letters other than a-z, 0-9 and -_. are escaped as in a URL",
        ) from None
    if len(found) > 10:
        raise ConfigError([Problem("archive.option.tags", "an object has 10 tags at most")])
    return found


def proxy_url(options: Mapping[str, str]) -> str:
    """Read the HTTP proxy to go through; empty where the option is not given.

    Raises:
        ConfigError: It is no HTTP URL with a host.
    """
    text = options.get("proxy_url", "")
    if text and (urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname):
        # The text may hold a password.
        raise ConfigError([Problem("archive.option.proxy_url", "is not http://host:port")])
    return text
