"""Evidence: a verification's findings, as a file that can be signed and compared with later. Reads no archive itself.

The signature is Ed25519 over the file's bytes, 64 bytes in its own file, so that other tools can check it:
`openssl pkeyutl -verify -pubin -inkey PUBLIC.pem -rawin -in FILE -sigfile FILE.sig`.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from streamsink.archive.check import CheckedObject
from streamsink.archive.content import HOUR_MS
from streamsink.archive.verify import Verdict
from streamsink.errors import TerminalError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORM = "streamsink evidence 1"
SOFTWARE = ("streamsink", "pyarrow", "fastavro", "obstore", "numpy")
SIGNATURE_ENDING = ".sig"

_MAKE_KEYS = "openssl genpkey -algorithm ed25519 -out KEY.pem; openssl pkey -in KEY.pem -pubout -out PUBLIC.pem"


@dataclass(frozen=True, slots=True)
class SeenObject:
    """One object as it was when it was read: `path` is relative to the archive, offsets are inclusive."""

    path: str
    sha256: str
    size_bytes: int
    topic: str
    partition: int
    records: int
    first_offset: int | None
    last_offset: int | None


@dataclass(slots=True)
class Evidence:
    """The objects that a verification read, and their records by hour."""

    objects: list[SeenObject] = field(default_factory=list)
    hours: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    """Records by topic, partition and hour since 1970."""

    def add(self, result: CheckedObject) -> None:
        """Take an object that was read."""
        entry, about = result.entry, result.runs or result.said
        first, last = (about.first_offset, about.last_offset) if about else (None, None)
        where = (entry.parsed.topic, entry.parsed.partition)
        self.objects.append(
            SeenObject(entry.path, result.sha256, entry.size_bytes, *where, result.records, first, last)
        )
        for hour, records in result.hours.items():
            self.hours[(*where, hour)] += records

    def document(self, archive_url: str, verdict: Verdict, told: Mapping[str, Any], *, now_s: float) -> bytes:
        """The file's bytes.

        Args:
            archive_url: The URL of the archive that was verified.
            verdict: The verification's result.
            told: The verdict as `verify --json` tells it: holes, damage, and the part that was read.
            now_s: Unix time in seconds.
        """
        by_name = sorted(self.objects, key=lambda one: one.path)
        hours = [
            {"topic": topic, "partition": partition, "hour": _utc(hour * HOUR_MS / 1000), "records": records}
            for (topic, partition, hour), records in sorted(self.hours.items())
        ]
        content = {
            "form": FORM,
            "archive": archive_url,
            "written": _utc(now_s),
            "software": {"python": platform.python_version(), **{name: version(name) for name in SOFTWARE}},
            "sound": verdict.sound,
            "verdict": dict(told),
            "hours": hours,
            "objects": [asdict(one) for one in by_name],
        }
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True, slots=True)
class EarlierEvidence:
    """A file of evidence that was written before."""

    archive: str
    written: str
    sound: bool
    objects: tuple[SeenObject, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """The differences from earlier evidence, by path. New objects are normal in an archive; the others are not."""

    since: str
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    signature: str = ""
    """The state of the earlier file's signature, in words."""

    @property
    def kept(self) -> bool:
        """Whether everything is there that was, as it was."""
        return not (self.changed or self.gone)


def read_evidence(path: Path) -> EarlierEvidence:
    """Read a file of evidence.

    Raises:
        TerminalError: It can't be read, or is no such file.
    """
    try:
        told = orjson.loads(_bytes(path))
        if told["form"] != FORM:
            raise TerminalError(f"{path} has the form {told['form']!r}, not {FORM!r}")
        objects = tuple(SeenObject(**one) for one in told["objects"])
        return EarlierEvidence(str(told["archive"]), str(told["written"]), bool(told["sound"]), objects)
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise TerminalError(f"{path} is no evidence: {error}", hint="archive verify --report FILE writes it") from None


def compare(
    earlier: EarlierEvidence,
    seen: Iterable[SeenObject],
    present: Iterable[str],
    *,
    topic: str = "",
    partition: int | None = None,
    signature: str = "",
) -> Changes:
    """Compare an archive with earlier evidence.

    Args:
        earlier: The evidence.
        seen: Objects that were read now.
        present: Paths of all objects there are, read or not.
        topic: Only this one is compared.
        partition: Only this one is compared.
        signature: The state of the earlier file's signature, in words.
    """
    before = {
        one.path: one.sha256
        for one in earlier.objects
        if topic in {"", one.topic} and partition in {None, one.partition}
    }
    there = set(present)
    changed = sorted(one.path for one in seen if one.path in before and before[one.path] != one.sha256)
    gone, new = sorted(before.keys() - there), sorted(there - before.keys())
    return Changes(earlier.written, tuple(changed), tuple(gone), tuple(new), signature)


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """A key to sign with: PEM, without a password.

    Raises:
        TerminalError: It can't be read, or is of another kind, or `cryptography` is not installed.
    """
    serialization, ed25519 = _cryptography()
    try:
        key = serialization.load_pem_private_key(_bytes(path), password=None)
    except (ValueError, TypeError) as error:
        raise TerminalError(f"{path} holds no private key without a password: {error}", hint=_MAKE_KEYS) from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise TerminalError(f"{path} holds a key that is not Ed25519", hint=_MAKE_KEYS)
    return cast("Ed25519PrivateKey", key)


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read a key to check signatures with, from a PEM file.

    Raises:
        TerminalError: The file can't be read, or holds no public Ed25519 key, or `cryptography` isn't installed.
    """
    serialization, ed25519 = _cryptography()
    try:
        key = serialization.load_pem_public_key(_bytes(path))
    except (ValueError, TypeError) as error:
        raise TerminalError(f"{path} holds no public key: {error}", hint=_MAKE_KEYS) from None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise TerminalError(f"{path} holds a key that is not Ed25519", hint=_MAKE_KEYS)
    return cast("Ed25519PublicKey", key)


def check_signature(path: Path, key: Ed25519PublicKey) -> None:
    """Make sure that a file of evidence is as it was signed.

    Args:
        path: The file of evidence; its signature is beside it, at `signature_path(path)`.
        key: The signer's public key.

    Raises:
        TerminalError: It is not, or there is no signature.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 (an extra)

    signature = _bytes(signature_path(path))
    try:
        key.verify(signature, _bytes(path))
    except InvalidSignature:
        raise TerminalError(
            f"the signature of {path} does not fit: the file was changed, or another key signed it",
            hint="take the file and its .sig from where they were kept first, and the signer's public key",
        ) from None


def signature_path(path: Path) -> Path:
    """The path of a file's signature."""
    return path.with_name(path.name + SIGNATURE_ENDING)


def write_evidence(path: Path, document: bytes, key: Ed25519PrivateKey | None) -> None:
    """Write a file of evidence, and its signature beside it. Nothing is overwritten.

    Args:
        path: The file to create.
        document: Its bytes.
        key: The key to sign them with; None writes no signature.

    Raises:
        TerminalError: There is such a file, or it can't be written.
    """
    signature = key.sign(document) if key is not None else None
    for target, content in ((path, document), (signature_path(path), signature)):
        if content is None:
            continue
        try:
            with target.open("xb") as file:
                file.write(content)
        except FileExistsError:
            raise _exists(target) from None
        except OSError as error:
            raise TerminalError(f"{target} can't be written: {error.strerror}") from None


def require_new(path: Path) -> None:
    """Find out before hours of reading that a file of evidence could not be written.

    Raises:
        TerminalError: There is such a file.
    """
    for target in (path, signature_path(path)):
        if target.exists():
            raise _exists(target)


def _exists(path: Path) -> TerminalError:
    return TerminalError(f"{path} exists, and evidence is not overwritten", hint="give it another name")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TerminalError(f"{path} can't be read: {error.strerror}") from None


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 (an extra)
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except ImportError:
        raise TerminalError(
            "signatures need the package cryptography", hint="pip install 'streamsink[evidence]'"
        ) from None
    return serialization, ed25519


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
