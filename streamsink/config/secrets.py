"""Secrets: references resolved when a task starts, literals hidden from every answer and log. Stores nothing."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from streamsink.config.keys.definition import KeyType
from streamsink.config.keys.store import OPTIONS
from streamsink.config.keys.store import PREFIX as OPTION_PREFIX
from streamsink.config.keys.worker import WORKER_KEYS
from streamsink.config.reading.flat import FlatMapError, parse_properties
from streamsink.config.reading.java_clients import jaas_options
from streamsink.config.url_passwords import HIDDEN, find_passwords, hide_passwords, restore_passwords
from streamsink.config.vendors.profiles import CLASSES
from streamsink.errors import ConfigError, Problem

FILE_BYTES_MAX = 1024 * 1024
PROVIDERS = ("env", "file", "directory")
NOTHING_STORED = f"{HIDDEN} stands for a stored secret, and none is stored; write it"
WRITE_SECRETS = "write the secret out, or as a reference such as ${env:NAME}"

_REFERENCE = re.compile(r"\$\{([A-Za-z][\w-]*):([^}]*)\}")
_JAAS_SECRETS = frozenset({"password", "clientsecret", "secret"})

_DEFINED = [*(key for one in CLASSES for key in one.definition), *(key for keys in OPTIONS.values() for key in keys)]
_SECRET_KEYS = frozenset(key.name for key in (*_DEFINED, *WORKER_KEYS) if key.type is KeyType.PASSWORD)
_OPTION_KEYS = frozenset(key.name for keys in OPTIONS.values() for key in keys)
_SECRET_ENDINGS = re.compile(
    r"(^|[._-])(pass(word|wd|phrase|code)?|secret|secrets|token|tokens|credentials?|grant|jaas[._]config"
    r"|(secret|private|account|api|shared|sas|customer|access[._]key[._]secret)[._-]?(access[._-]?)?(key|token)"
    r"|credentials[._]json|service[._]account[._]key|ssl[._]key[._]pem|ssl[._]keystore[._]key|basic[._]auth[._]user[._]info)$"
    r"|(password|secret|passphrase)$",
    re.IGNORECASE,
)


def is_secret(key: str) -> bool:
    """Whether a key's value must not be shown. An option no store has may be a secret's name, misspelt."""
    unknown = key.startswith(OPTION_PREFIX) and key not in _OPTION_KEYS
    return unknown or key in _SECRET_KEYS or _SECRET_ENDINGS.search(key) is not None


def has_reference(text: str) -> bool:
    """Whether a value refers to a secret kept elsewhere."""
    return _REFERENCE.search(text) is not None


def mask(raw: Mapping[str, str]) -> dict[str, str]:
    """The map fit to be shown: literal secrets read `[hidden]`, references stay."""
    return {key: _masked(key, value) for key, value in raw.items()}


def _masked(key: str, value: str) -> str:
    if is_secret(key) and _REFERENCE.sub("", value).strip():
        return HIDDEN
    return hide_passwords(value)


def unmask(new: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    """A map that was shown masked and comes back: what still reads `[hidden]` keeps the stored value.

    Args:
        new: The map.
        stored: The one that was shown, with its secrets.

    Returns:
        The new map with stored secrets in place of `[hidden]`.

    Raises:
        ConfigError: Something reads `[hidden]`, and there is no stored secret that it can stand for.
    """
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for key, value in new.items():
        if is_secret(key) and value.strip() == HIDDEN:
            found[key] = stored.get(key, HIDDEN)
            wrong = [] if key in stored else [NOTHING_STORED]
        else:
            found[key], wrong = restore_passwords(value, stored.get(key, ""))
        problems += [Problem(key, each) for each in wrong]
    if problems:
        raise ConfigError(problems, hint=WRITE_SECRETS)
    return found


def require_secrets(raw: Mapping[str, str]) -> None:
    """Refuse a map that was copied from where it was shown masked.

    Raises:
        ConfigError: A secret reads `[hidden]`.
    """
    unmask(raw, {})


def resolve(raw: Mapping[str, str], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The map with every `${env:VAR}`, `${file:/path:key}` and `${directory:/path:key}` replaced by what it names.

    Args:
        raw: A connector's or the worker's flat map.
        environ: In place of the process's environment.

    Returns:
        The map with its secrets. It must not be logged or shown.

    Raises:
        ConfigError: A reference leads nowhere; it has every problem, and no secret.
    """
    variables = os.environ if environ is None else environ
    problems: list[Problem] = []
    resolved = {}
    for key, value in raw.items():

        def replace(found: re.Match[str], key: str = key) -> str:
            try:
                return _look_up(found[1], found[2], variables)
            except _NotFoundError as error:
                problems.append(Problem(key, f"{found[0]} {error}"))
                return ""

        resolved[key] = _REFERENCE.sub(replace, value)
    if problems:
        raise ConfigError(problems, hint="give the secret where the reference looks for it")
    return resolved


class _NotFoundError(Exception):
    """A reference leads nowhere. Caught here only."""


def _look_up(provider: str, rest: str, variables: Mapping[str, str]) -> str:
    match provider:
        case "env":
            if rest not in variables:
                raise _NotFoundError("names no environment variable")
            return variables[rest]
        case "file":
            path, key = _split(rest)
            try:
                entries = parse_properties(_read(path))
            except FlatMapError as error:
                raise _NotFoundError(f"names a file that is no properties file: line {error.line}") from None
            if key not in entries:
                raise _NotFoundError("names no key of that file")
            return entries[key]
        case "directory":
            path, key = _split(rest)
            if key in {"", ".", ".."} or "/" in key:
                raise _NotFoundError("names no file of that folder")
            return _read(path / key).removesuffix("\n").removesuffix("\r")
        case _:
            raise _NotFoundError(f"asks for an unknown provider; known are {', '.join(PROVIDERS)}")


def _split(rest: str) -> tuple[Path, str]:
    path, colon, key = rest.rpartition(":")
    if not colon or not path:
        raise _NotFoundError("needs a path and a key, as ${file:/path:key}")
    return Path(path), key


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise _NotFoundError(f"names a file of more than {FILE_BYTES_MAX} bytes")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise _NotFoundError(f"can't be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise _NotFoundError("names a file that is not UTF-8 text") from None


def secret_values(resolved: Mapping[str, str]) -> set[str]:
    """The texts of a resolved map that must appear nowhere."""
    found: set[str] = set()
    for key, value in resolved.items():
        if is_secret(key):
            # A reference that leads nowhere stands as it was written, and an error has to name it.
            found.add(value.strip() if _REFERENCE.sub("", value).strip() else "")
            options = jaas_options(value) if key.endswith("jaas.config") else {}
            found.update(text for name, text in options.items() if name.lower() in _JAAS_SECRETS)
        found.update(form for each in find_passwords(value) for form in (each.text, unquote(each.text)))
    return found - {"", HIDDEN}


class Redactor(logging.Filter):
    """Replaces known secrets in every logged text: a structlog processor, and a filter of the standard library's.

    A secret of fewer than six characters is replaced only where it stands as a whole word, lest half of each
    text disappears.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def learn(self, resolved: Mapping[str, str]) -> None:
        """Hide the secrets of a resolved map from now on."""
        self.add(secret_values(resolved))

    def add(self, secrets: Iterable[str]) -> None:
        """Hide these from now on, also as they read within URLs and JSON, and each line of keys of several lines."""
        for secret in secrets:
            lines = [line.strip() for line in secret.splitlines() if not line.startswith("-----")]
            whole = (
                [secret.strip()] if len(lines) < 2 else [secret.strip(), *(line for line in lines if len(line) > 15)]
            )
            for text in filter(None, whole):
                self._secrets |= {text, quote(text, safe=""), json.dumps(text)[1:-1], repr(text)[1:-1]}
        longest_first = sorted(self._secrets, key=lambda text: (-len(text), text))
        parts = (re.escape(text) if len(text) > 5 else rf"(?<!\w){re.escape(text)}(?!\w)" for text in longest_first)
        self._pattern = re.compile("|".join(parts)) if longest_first else None

    def redact(self, text: str) -> str:
        """The text with every known secret replaced."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Redact an event, nested values included."""
        if self._pattern:
            for key, value in event.items():
                event[key] = self._redacted(value)
        return event

    def _redacted(self, value: Any) -> Any:
        match value:
            case str():
                return self.redact(value)
            case bytes():
                return self.redact(value.decode("utf-8", "replace"))
            case bool() | int() | float() | None:
                return value
            case Mapping():
                return {self._redacted(key): self._redacted(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._redacted(item) for item in value]
            case _:
                text = str(value)
                redacted = self.redact(text)
                return value if redacted == text else redacted

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record of the standard library's logging in place; never drops one."""
        if self._pattern:
            record.msg, record.args = self.redact(record.getMessage()), None
        return True
