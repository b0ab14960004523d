"""S3, Google Cloud Storage and Azure through obstore: creates by conditional put. Leaves retrying to the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError as ObstoreExists
from obstore.exceptions import BaseError, PreconditionError
from obstore.store import AzureStore, GCSStore, S3Store

from streamsink.errors import AlreadyExistsError, ObjectMissingError, StreamsinkError
from streamsink.upload.description import offset_tags
from streamsink.upload.name import require_fit
from streamsink.upload.object_errors import explain, refuses_checksum
from streamsink.upload.protocol import ObjectInfo

if TYPE_CHECKING:
    from obstore import ObjectMeta

RETRY_CONFIG = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
}
"""Short: a failure is told to the machine, which keeps the order of a lane and counts."""

_LISTING = pa.schema(
    [
        pa.field("name", pa.large_string(), nullable=False),
        pa.field("size_bytes", pa.int64(), nullable=False),
        pa.field("modified_ms", pa.int64(), nullable=False),
    ]
)
_NOT_METADATA = {
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "storage-class",
}
_MET_ANOTHER = "<Code>ConditionalRequestConflict</Code>"
"""S3's 409: two writes of one name met and neither was done, so that nothing need exist."""
_CONTENT_TYPE = {"Content-Type": "application/octet-stream"}


class ObjectStore:
    """A bucket or container, below a prefix.

    Args:
        url: As given, without secrets.
        store: obstore's, with the prefix in it.
        storage_class: Of each object; the bucket's own if empty.
        tags: Of each object.
        tag_offsets: Whether an object with records has tags of its offsets as well.
        without_checksum: The same store, with uploads that carry no checksum: used from then on where the server
            refuses one. None where a checksum was asked for, or there is none.
        ask_headers: Gives the headers that a signed URL is answered with.
    """

    def __init__(
        self,
        url: str,
        store: S3Store | GCSStore | AzureStore,
        *,
        storage_class: str = "",
        tags: Mapping[str, str] | None = None,
        tag_offsets: bool = False,
        without_checksum: S3Store | None = None,
        ask_headers: Callable[[str], Mapping[str, str]] | None = None,
    ) -> None:
        self.url = url
        self.keeps_metadata = True
        self._store = self._writing = store
        self._without_checksum = without_checksum
        self._ask_headers = ask_headers
        # Azure takes no hyphen in a metadata key, and no suffix range.
        self._is_azure = isinstance(store, AzureStore)
        self._admitted = False
        self._written_with = {**_CONTENT_TYPE, **({"Storage-Class": storage_class} if storage_class else {})}
        self._tags = dict(tags) if tags else {}
        self._tag_offsets = tag_offsets

    def create(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> None:
        """See `Store.create`."""
        require_fit(name, self.url)
        try:
            self._put(name, data, metadata)
        except (ObstoreExists, PreconditionError) as error:
            if _MET_ANOTHER in str(error):
                raise self._explain(error, name, writing=True) from error
            raise AlreadyExistsError(f"{name} exists in {self.url}") from None
        except (BaseError, OSError) as error:
            raise self._explain(error, name, writing=True) from error
        self._admitted = True

    def _put(self, name: str, data: bytes | memoryview, metadata: Mapping[str, str]) -> None:
        attributes, tags = {**self._written_with, **self._as_kept(metadata)}, self._tags_of(metadata)
        plain, used = self._without_checksum, self._writing
        try:
            obstore.put(used, name, data, attributes=attributes, tags=tags, mode="create")
        except BaseError as error:
            if plain is None or used is plain or not refuses_checksum(error):
                raise
            # What refuses a header has written nothing.
            self._writing = plain
            obstore.put(plain, name, data, attributes=attributes, tags=tags, mode="create")

    @property
    def sends_checksums(self) -> bool | None:
        """Whether uploads carry a checksum that the server checks, as far as is known by now; S3 alone knows them."""
        writing = self._writing
        return "checksum_algorithm" in writing.config if isinstance(writing, S3Store) else None

    def headers_of(self, name: str) -> Mapping[str, str]:
        """The headers of an object, of which obstore keeps most to itself; empty where there is no way to ask."""
        if self._ask_headers is None:
            return {}
        try:
            url = obstore.sign(self._store, "HEAD", require_fit(name, self.url), timedelta(minutes=1))
        except (BaseError, OSError):
            # Some keys can't sign URLs: a workload identity, a token.
            return {}
        return self._ask_headers(url)

    def get(self, name: str) -> bytes:
        """See `Store.get`."""
        try:
            return bytes(obstore.get(self._store, require_fit(name, self.url)).bytes())
        except (BaseError, OSError) as error:
            raise self._explain(error, name) from error

    def read(self, name: str) -> tuple[ObjectInfo, bytes]:
        """See `Store.read`: one request."""
        try:
            found = obstore.get(self._store, require_fit(name, self.url))
            data = bytes(found.bytes())
        except (BaseError, OSError) as error:
            raise self._explain(error, name) from error
        modified_ms = int(found.meta["last_modified"].timestamp() * 1000)
        return ObjectInfo(name, len(data), self._as_given(found.attributes), modified_ms), data

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """See `Store.get_range`."""
        require_fit(name, self.url)
        if length <= 0:
            return b""
        try:
            if start >= 0:
                return bytes(obstore.get_range(self._store, name, start=start, length=length))
            if self._is_azure:
                size_bytes = int(obstore.head(self._store, name)["size"])
                return self.get_range(name, max(0, size_bytes + start), length) if size_bytes else b""
            suffix = obstore.get(self._store, name, options={"range": {"suffix": -start}}).bytes()
            return bytes(suffix)[:length]
        except (BaseError, OSError) as error:
            if "status code: 416" in str(error) or "StartTooLarge" in str(error):
                return b""
            raise self._explain(error, name) from error

    def head(self, name: str) -> ObjectInfo | None:
        """See `Store.head`: a GET of the headers only, since obstore's head leaves metadata out."""
        try:
            found = obstore.get(self._store, require_fit(name, self.url), options={"head": True})
        except (BaseError, OSError) as error:
            explained = self._explain(error, name)
            if isinstance(explained, ObjectMissingError):
                return None
            raise explained from error
        self._admitted = True
        modified_ms = int(found.meta["last_modified"].timestamp() * 1000)
        return ObjectInfo(name, int(found.meta["size"]), self._as_given(found.attributes), modified_ms)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `Store.list`: sorted here, since not every S3 server lists in order; packed while it waits."""
        try:
            chunks = [_packed(page) for page in self._pages(prefix)]
        except ObjectMissingError:
            return
        for batch in pa.Table.from_batches(chunks, _LISTING).sort_by("name").to_batches(max_chunksize=1000):
            for name, size_bytes, modified_ms in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield ObjectInfo(name, size_bytes, {}, modified_ms)

    def has_any(self, prefix: str) -> bool:
        """See `KnowsWhetherAny.has_any`: the first page that has one is enough."""
        try:
            return any(self._pages(prefix))
        except ObjectMissingError:
            return False

    def _pages(self, prefix: str) -> Iterator[Sequence[ObjectMeta]]:
        """What the server lists below a prefix, page by page and as it comes."""
        folder = prefix.rpartition("/")[0]
        try:
            for chunk in obstore.list(self._store, prefix=folder or None, chunk_size=1000):
                yield [item for item in chunk if item["path"].startswith(prefix)]
        except (BaseError, OSError) as error:
            raise self._explain(error, prefix) from error

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        try:
            obstore.delete(self._store, require_fit(name, self.url))
        except (BaseError, OSError) as error:
            explained = self._explain(error, name)
            if not isinstance(explained, ObjectMissingError):
                raise explained from error

    def close(self) -> None:
        """Obstore's connections go with the store."""

    def _tags_of(self, metadata: Mapping[str, str]) -> dict[str, str] | None:
        tags = self._tags | (offset_tags(metadata) if self._tag_offsets else {})
        return tags or None

    def _as_kept(self, metadata: Mapping[str, str]) -> dict[str, str]:
        return {key.replace("-", "_") if self._is_azure else key: value for key, value in metadata.items()}

    def _as_given(self, attributes: Mapping[str, str]) -> dict[str, str]:
        given = {key.lower(): value for key, value in attributes.items()}
        return {
            key.replace("_", "-") if self._is_azure else key: value
            for key, value in given.items()
            if key not in _NOT_METADATA
        }

    def _explain(self, error: Exception, name: str, *, writing: bool = False) -> StreamsinkError:
        return explain(error, name, self.url, writing=writing, admitted=self._admitted)


def _packed(page: Sequence[ObjectMeta]) -> pa.RecordBatch:
    names, sizes = [item["path"] for item in page], [item["size"] for item in page]
    times_ms = [int(item["last_modified"].timestamp() * 1000) for item in page]
    columns = [pa.array(names, pa.large_string()), pa.array(sizes, pa.int64()), pa.array(times_ms, pa.int64())]
    return pa.RecordBatch.from_arrays(columns, schema=_LISTING)
