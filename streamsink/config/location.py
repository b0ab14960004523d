"""Where the archive is: `archive.url` and the store's options, from our keys or a vendor's. Opens nothing."""

from __future__ import annotations

import difflib
import re
from urllib.parse import SplitResult, urlsplit

from streamsink.config.definition import NEAR_CUTOFF, KeyType, Values, parse
from streamsink.config.names import DEFAULT_CREDENTIALS_CLASSES
from streamsink.config.profiles import ConnectorClass
from streamsink.config.sink import Profile
from streamsink.config.store_keys import OPTIONS, PREFIX

BUCKET_SCHEMES = {"s3.bucket.name": "s3", "gcs.bucket.name": "gs", "azblob.container.name": "az"}

VENDOR_OPTIONS = {
    "s3": {
        "s3.region": "region",
        "store.url": "endpoint",
        "aws.access.key.id": "access_key_id",
        "aws.secret.access.key": "secret_access_key",
        "s3.path.style.access.enabled": "path_style",
        "s3.ssea.name": "server_side_encryption",
        "s3.sse.kms.key.id": "sse_kms_key_id",
        "s3.proxy.url": "proxy_url",
    },
    "gs": {"gcs.credentials.path": "service_account_path", "gcs.credentials.json": "service_account_key"},
    "az": {
        "azblob.account.name": "account_name",
        "azblob.account.key": "account_key",
        "azblob.sas.token": "sas_token",
        "store.url": "endpoint",
    },
}
"""By scheme: Confluent's key, and the option it is."""

_ALIASES = {"gcs": "gs", "azure": "az"}
_KNOWN = "file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, webdav+https://host/path"


def read_location(values: Values, kind: ConnectorClass) -> tuple[str, dict[str, str]]:
    """The archive's URL and the store's options; problems go to `values`."""
    key, url = _url(values, kind)
    if not url:
        return "", {}
    parts = _checked(values, key, url)
    if parts is None:
        return url, {}
    scheme = _ALIASES.get(parts.scheme, parts.scheme)
    options = _vendor_options(values, kind, scheme) | _own_options(values, scheme)
    if ("access_key_id" in options) != ("secret_access_key" in options):
        values.problem("aws.access.key.id", "an access key and its secret must be given together")
    return url, options


def _url(values: Values, kind: ConnectorClass) -> tuple[str, str]:
    """The key that says where, and the URL."""
    own = values.text("archive.url").strip()
    given = [key for key in BUCKET_SCHEMES if values.given(key)]
    found = [("archive.url", own)] if own else []
    found += [(key, f"{BUCKET_SCHEMES[key]}://{values.text(key).strip()}") for key in given]
    if len({url.rstrip("/") for _, url in found}) > 1:
        values.problem(found[1][0], f"says another place than {found[0][0]}: give one of them")
    if found:
        return found[0]
    if kind.profile is Profile.NATIVE:
        values.problem("archive.url", f"is required: where to archive, one of {_KNOWN}")
    elif not values.wrong(kind.bucket_key):
        values.problem(kind.bucket_key, "is required and has no default")
    return "", ""


def _checked(values: Values, key: str, url: str) -> SplitResult | None:
    """The URL's parts, None where it can't be used."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        values.problem(key, f"is not a URL: {error}")
        return None
    shown = f"{parts.scheme}://…" if parts.username or parts.password else url
    wrong = ""
    if parts.username or parts.password:
        wrong = f"{shown} has a user in it; give credentials as archive.option.*"
    elif parts.query or parts.fragment or re.search(r"[\x00-\x20\x7f\\]", url):
        wrong = f"{shown!r} has '?', '#', spaces or backslashes, which it can't"
    elif parts.scheme not in OPTIONS:
        near = difflib.get_close_matches(parts.scheme, OPTIONS, n=1)
        wrong = f"{shown!r}: {f'is {near[0]}:// meant? known' if near else 'known'} are {_KNOWN}"
    elif parts.scheme == "file" and (parts.netloc not in {"", "localhost"} or not url.startswith("file:///")):
        wrong = f"{shown!r} is not an absolute path: write file:/// and then the folder"
    elif parts.scheme != "file" and not parts.netloc:
        wrong = f"{shown!r} names no bucket"
    elif ".." in parts.path.split("/"):
        wrong = f"{shown!r} has '..' in it"
    if wrong:
        values.problem(key, wrong)
    return None if wrong else parts


def _vendor_options(values: Values, kind: ConnectorClass, scheme: str) -> dict[str, str]:
    known = VENDOR_OPTIONS.get(scheme, {})
    for key in sorted({key for keys in VENDOR_OPTIONS.values() for key in keys} - set(known)):
        if values.given(key):
            values.warn(f"{key}: has no effect, since the archive is not in such a store")
    options = {}
    for key, option in known.items():
        defaulted = kind.profile is not Profile.NATIVE and bool(values.definition[key].default_text)
        if values.given(key) or defaulted:
            options[option] = _as_option(values, key)
    return {option: text for option, text in options.items() if text}


def _as_option(values: Values, key: str) -> str:
    if values.definition[key].type is KeyType.BOOLEAN:
        return str(values.flag(key)).lower()
    text = values.text(key).strip()
    return f"https://{text}" if key == "store.url" and text and "://" not in text else text


def _own_options(values: Values, scheme: str) -> dict[str, str]:
    known = {key.name: key for key in OPTIONS[scheme]}
    options = {}
    for name, text in values.raw.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR_CUTOFF)
            names = ", ".join(key.removeprefix(PREFIX) for key in known) or "none"
            values.problem(
                name, f"is no option of {scheme}://; {f'is {near[0]} meant?' if near else f'known are {names}'}"
            )
            continue
        _, wrong = parse(known[name], text)
        if wrong:
            values.problem(name, wrong)
        elif text.strip():
            boolean = known[name].type is KeyType.BOOLEAN
            options[name.removeprefix(PREFIX)] = text.strip().lower() if boolean else text.strip()
    return options


def check_credentials(values: Values) -> None:
    """A credentials provider of Java can only be honoured where the store's client does the same by itself."""
    provider = values.text("s3.credentials.provider.class")
    if provider and provider not in DEFAULT_CREDENTIALS_CLASSES:
        values.problem(
            "s3.credentials.provider.class",
            f"{provider} is not supported: leave it out, and give aws.access.key.id or an environment with credentials",
        )


DEAD_LETTER_PREFIX = "errors.deadletter.option."


def read_dead_letters(values: Values, archive_url: str, options: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Where dead letters go as objects, and that store's options."""
    key = "errors.deadletter.url"
    url = values.text(key).strip()
    if not url or values.wrong(key):
        return "", {}
    parts = _checked(values, key, url)
    folder = values.text("topics.dir").strip().strip("/")
    if parts is not None and archive_url and url.rstrip("/") == f"{archive_url.rstrip('/')}/{folder}".rstrip("/"):
        values.problem(key, "is where the archive's own objects are: give another folder")
    found = {
        name.removeprefix(DEAD_LETTER_PREFIX): text.strip()
        for name, text in values.raw.items()
        if name.startswith(DEAD_LETTER_PREFIX)
    }
    same_kind = parts is not None and urlsplit(archive_url).scheme == parts.scheme
    return url, {**(options if same_kind else {}), **found}
