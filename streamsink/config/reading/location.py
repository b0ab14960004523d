"""Reads where the archive is, and its store's options, from our keys or a vendor's. Opens nothing."""

from __future__ import annotations

import difflib
import re
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from streamsink.config.keys.definition import NEAR_CUTOFF, KeyType, Values, parse
from streamsink.config.keys.store import OPTIONS, PREFIX
from streamsink.config.reading.names import DEFAULT_CREDENTIALS_CLASSES
from streamsink.config.sink import Profile
from streamsink.config.vendors.keys import INSTEAD
from streamsink.config.vendors.locations import BUCKET_SCHEMES, PROXIES, VENDOR_OPTIONS
from streamsink.config.vendors.profiles import ConnectorClass

_ALIASES = {"gcs": "gs", "azure": "az"}
_KNOWN = "file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, webdav+https://host/path"


def read_location(values: Values, kind: ConnectorClass) -> tuple[str, dict[str, str]]:
    """Read where the archive is.

    Args:
        values: The connector's map; problems go here.
        kind: The connector class, which says whose keys name the place.

    Returns:
        The archive's URL and the store's options. The URL is "" where none is given; options are empty where it can't
        be used.
    """
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
    options |= _combined_options(values, scheme)
    if options.get("tag_offsets") == "false":
        del options["tag_offsets"]
    return {option: text for option, text in options.items() if text}


def _combined_options(values: Values, scheme: str) -> dict[str, str]:
    """Options that are made of several of a vendor's keys, or of a key's words in another form."""
    options = {}
    if proxy := PROXIES.get(scheme):
        url, user = (values.text(f"{proxy}.{part}").strip() for part in ("url", "user"))
        if user and not url:
            values.problem(f"{proxy}.url", f"must be given with {proxy}.user")
        elif user:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            login = f"{quote(user, safe='')}:{quote(values.text(f'{proxy}.password'), safe='')}"
            options["proxy_url"] = parts._replace(netloc=f"{login}@{parts.netloc}").geturl()
    if scheme != "s3":
        return options
    if key := values.text("s3.sse.customer.key").strip():
        options |= {"server_side_encryption": "sse-c", "sse_customer_key": key}
    pairs = [pair.partition(":") for pair in values.items("s3.object.tagging.key.value.pairs")]
    if any(not name.strip() or not colon for name, colon, _ in pairs):
        values.problem("s3.object.tagging.key.value.pairs", "must be key1:value1,key2:value2")
    elif pairs and values.flag("s3.object.tagging"):
        options["tags"] = urlencode({name.strip(): value.strip() for name, _, value in pairs})
    return options


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
    """Warn of a credentials provider of Java, unless the store's client does the same by itself."""
    key = "s3.credentials.provider.class"
    provider = values.text(key)
    if provider and provider not in DEFAULT_CREDENTIALS_CLASSES:
        values.warn(f"{key}: has no effect here: {INSTEAD[key]}")


DEAD_LETTER_PREFIX = "errors.deadletter.option."


def read_dead_letters(values: Values, archive_url: str, options: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Read where dead letters are stored as objects.

    Args:
        values: The connector's map; problems go here.
        archive_url: The archive's URL. Dead letters need another folder.
        options: The archive's store options. They hold for dead letters too where both URLs have one scheme.

    Returns:
        The URL and that store's options, "" and none where no such place is asked for.
    """
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
