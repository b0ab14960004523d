"""uplink's calls as Python has them: errors raised, results freed. Blocks for as long as the library does."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streamsink.upload.storj import library as c
from streamsink.upload.storj.failures import Code, UplinkError

CHUNK_BYTES = 4 * 1024 * 1024
"""One write or read: between two, an upload that was given up ends."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as uplink tells of it; `created_s` is Unix seconds."""

    key: str
    size_bytes: int
    created_s: int
    is_prefix: bool
    metadata: Mapping[str, str] = field(default_factory=dict)


class GivenUpError(Exception):
    """An upload ended because nobody waits for it any more."""


def _stop_if(given_up: threading.Event) -> None:
    if given_up.is_set():
        raise GivenUpError


def _raise(error: Any) -> None:
    """Raise the error that a pointer points to, and free it."""
    if not error:
        return
    code, message = error.contents.code, error.contents.message or b""
    c.load().uplink_free_error(error)
    raise UplinkError(code, message.decode(errors="replace"))


@contextmanager
def _freed(result: Any, free: Any) -> Iterator[Any]:
    """A result's value; the result, its error too, is freed at the end."""
    try:
        if result.error:
            about = result.error.contents
            raise UplinkError(about.code, (about.message or b"").decode(errors="replace"))
        yield result.value
    finally:
        free(result)


def derive_create_only(grant: str, bucket: str) -> str:
    """Restrict a grant to a bucket and to calls that can't delete: the satellite then refuses to replace an object.

    Args:
        grant: The serialized grant.
        bucket: The bucket's name.

    Returns:
        The restricted grant, serialized.

    Raises:
        UplinkError: The grant can't be read.
    """
    uplink = c.load()
    permission = c.Permission(allow_download=True, allow_upload=True, allow_list=True, allow_delete=False)
    prefix = c.SharePrefix(bucket=bucket.encode(), prefix=b"")
    with (
        _freed(uplink.uplink_parse_access(grant.encode()), uplink.uplink_free_access_result) as access,
        _freed(
            uplink.uplink_access_share(access, permission, ctypes.pointer(prefix), 1), uplink.uplink_free_access_result
        ) as shared,
        _freed(uplink.uplink_access_serialize(shared), uplink.uplink_free_string_result) as text,
    ):
        return str(text.decode())


def request_grant(user_agent: str, satellite: str, api_key: str, passphrase: str) -> str:
    """Make a grant of an API key and a passphrase; asks the satellite for the project's salt.

    Args:
        user_agent: Who we are, for Storj's partner program.
        satellite: Its address, as `id@host:port`.
        api_key: The project's key.
        passphrase: Encrypts the objects.

    Returns:
        The grant, serialized.

    Raises:
        UplinkError: The satellite can't be reached, or refuses.
    """
    uplink = c.load()
    result = uplink.uplink_config_request_access_with_passphrase(
        _config(user_agent, 10.0), satellite.encode(), api_key.encode(), passphrase.encode()
    )
    with (
        _freed(result, uplink.uplink_free_access_result) as access,
        _freed(uplink.uplink_access_serialize(access), uplink.uplink_free_string_result) as text,
    ):
        return str(text.decode())


def _config(user_agent: str, dial_timeout_s: float) -> c.Config:
    return c.Config(user_agent=user_agent.encode(), dial_timeout_milliseconds=int(dial_timeout_s * 1000))


class Project:
    """A project opened with a grant. Every method may be called from any thread.

    Raises:
        UplinkError: The grant can't be read.
    """

    def __init__(self, grant: str, *, user_agent: str, dial_timeout_s: float) -> None:
        self._uplink = c.load()
        with _freed(self._uplink.uplink_parse_access(grant.encode()), self._uplink.uplink_free_access_result) as access:
            opened = self._uplink.uplink_config_open_project(_config(user_agent, dial_timeout_s), access)
        if opened.error:
            with _freed(opened, self._uplink.uplink_free_project_result):
                pass
        self._opened = opened

    def close(self) -> None:
        """Let go of its connections."""
        error = self._uplink.uplink_close_project(self._opened.value)
        self._uplink.uplink_free_project_result(self._opened)
        _raise(error)

    def ensure_bucket(self, bucket: str) -> None:
        """Make the bucket if it isn't there; the user agent is attributed with it."""
        result = self._uplink.uplink_ensure_bucket(self._opened.value, bucket.encode())
        with _freed(result, self._uplink.uplink_free_bucket_result):
            pass

    def upload(
        self,
        bucket: str,
        key: str,
        data: memoryview,
        metadata: Mapping[str, str],
        *,
        expires_s: int,
        given_up: threading.Event,
    ) -> None:
        """Write an object and commit it.

        Args:
            bucket: The bucket's name.
            key: The object's name in it.
            data: All its bytes.
            metadata: The object's entries; empty for none.
            expires_s: When the object ends, Unix time in seconds; 0 for never.
            given_up: Ends the upload before its commit, once it is set.

        Raises:
            UplinkError: It was not committed, as far as we know.
            GivenUpError: `given_up` was set before the commit; nothing is there.
        """
        options = c.UploadOptions(expires=expires_s)
        result = self._uplink.uplink_upload_object(
            self._opened.value, bucket.encode(), key.encode(), ctypes.pointer(options)
        )
        with _freed(result, self._uplink.uplink_free_upload_result) as upload:
            try:
                self._write(upload, data, given_up)
                self._set_metadata(upload, metadata)
                _stop_if(given_up)
            except BaseException:
                self._forget(self._uplink.uplink_upload_abort(upload))
                raise
            _raise(self._uplink.uplink_upload_commit(upload))

    def _forget(self, error: Any) -> None:
        if error:
            self._uplink.uplink_free_error(error)

    def _write(self, upload: Any, data: memoryview, given_up: threading.Event) -> None:
        whole = np.frombuffer(data, dtype=np.uint8)
        at, left = whole.ctypes.data, len(whole)
        while left:
            _stop_if(given_up)
            result = self._uplink.uplink_upload_write(upload, at, min(left, CHUNK_BYTES))
            with _freed(result, self._uplink.uplink_free_write_result) as written:
                at += written
                left -= written

    def _set_metadata(self, upload: Any, metadata: Mapping[str, str]) -> None:
        if not metadata:
            return
        texts = [(key.encode(), value.encode()) for key, value in metadata.items()]
        buffers = [(ctypes.create_string_buffer(key), ctypes.create_string_buffer(value)) for key, value in texts]
        entries = (c.MetadataEntry * len(texts))()
        for entry, (key, value), (key_buffer, value_buffer) in zip(entries, texts, buffers, strict=True):
            entry.key, entry.key_length = ctypes.addressof(key_buffer), len(key)
            entry.value, entry.value_length = ctypes.addressof(value_buffer), len(value)
        _raise(self._uplink.uplink_upload_set_custom_metadata(upload, c.CustomMetadata(entries, len(texts))))

    def download(self, bucket: str, key: str, offset: int = 0, length: int = -1) -> bytes:
        """Read an object's bytes.

        Args:
            bucket: The bucket's name.
            key: The object's name in it.
            offset: The first byte; below 0 it counts from the end.
            length: How many bytes; below 0 all up to the end.

        Raises:
            UplinkError: It can't be read, or there is none.
        """
        options = c.DownloadOptions(offset=offset, length=length)
        result = self._uplink.uplink_download_object(
            self._opened.value, bucket.encode(), key.encode(), ctypes.pointer(options)
        )
        parts: list[bytes] = []
        with _freed(result, self._uplink.uplink_free_download_result) as download:
            try:
                self._read(download, parts)
            finally:
                self._forget(self._uplink.uplink_close_download(download))
        return b"".join(parts)

    def _read(self, download: Any, parts: list[bytes]) -> None:
        buffer = ctypes.create_string_buffer(CHUNK_BYTES)
        while True:
            result = self._uplink.uplink_download_read(download, buffer, CHUNK_BYTES)
            try:
                # The last bytes come together with the end.
                parts.append(buffer.raw[: result.value])
                if result.error:
                    if result.error.contents.code == Code.EOF:
                        return
                    about = result.error.contents
                    raise UplinkError(about.code, (about.message or b"").decode(errors="replace"))
            finally:
                self._uplink.uplink_free_read_result(result)

    def stat(self, bucket: str, key: str) -> StoredObject:
        """Describe an object without reading it.

        Args:
            bucket: The bucket's name.
            key: The object's name in it.

        Raises:
            UplinkError: It can't be asked, or there is none.
        """
        result = self._uplink.uplink_stat_object(self._opened.value, bucket.encode(), key.encode())
        with _freed(result, self._uplink.uplink_free_object_result) as found:
            return _object(found.contents)

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; a missing one is no error.

        Args:
            bucket: The bucket's name.
            key: The object's name in it.

        Raises:
            UplinkError: It can't be removed.
        """
        result = self._uplink.uplink_delete_object(self._opened.value, bucket.encode(), key.encode())
        with _freed(result, self._uplink.uplink_free_object_result):
            pass

    def list(self, bucket: str, prefix: str) -> list[StoredObject]:
        """List all objects below a prefix, in no particular order.

        Args:
            bucket: The bucket's name.
            prefix: Ends in a slash, or is empty.

        Raises:
            UplinkError: It failed, perhaps midway.
        """
        options = c.ListOptions(prefix=prefix.encode(), cursor=b"", recursive=True, system=True, custom=True)
        iterator = self._uplink.uplink_list_objects(self._opened.value, bucket.encode(), ctypes.pointer(options))
        found: list[StoredObject] = []
        try:
            while self._uplink.uplink_object_iterator_next(iterator):
                item = self._uplink.uplink_object_iterator_item(iterator)
                try:
                    found.append(_object(item.contents))
                finally:
                    self._uplink.uplink_free_object(item)
            _raise(self._uplink.uplink_object_iterator_err(iterator))
        finally:
            self._uplink.uplink_free_object_iterator(iterator)
        return found


def _object(found: c.Object) -> StoredObject:
    custom = found.custom
    metadata = {}
    for index in range(custom.count):
        entry = custom.entries[index]
        key = ctypes.string_at(entry.key, entry.key_length).decode(errors="replace")
        metadata[key] = ctypes.string_at(entry.value, entry.value_length).decode(errors="replace")
    return StoredObject(
        key=(found.key or b"").decode(errors="replace"),
        size_bytes=found.system.content_length,
        created_s=found.system.created,
        is_prefix=found.is_prefix,
        metadata=metadata,
    )
