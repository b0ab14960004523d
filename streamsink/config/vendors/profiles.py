"""Lists the classes of sink connectors, and how their keys and defaults differ. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from streamsink.config.keys.archive import ARCHIVE_KEYS
from streamsink.config.keys.connector import CONNECTOR_KEYS, NATIVE_CLASS
from streamsink.config.keys.definition import REQUIRED, Definition, Required
from streamsink.config.sink import Profile
from streamsink.config.vendors.aiven_keys import AIVEN_KEYS
from streamsink.config.vendors.keys import (
    AIVEN_AZURE_CLASS,
    AIVEN_CLASS,
    AIVEN_GCS_CLASS,
    AZURE_CLASS,
    CONFLUENT_KEYS,
    GCS_CLASS,
    S3_CLASS,
)
from streamsink.config.vendors.lenses_keys import KCQL_KEY, LENSES_CLASS, LENSES_KEYS

_KEYS = (*CONNECTOR_KEYS, *ARCHIVE_KEYS, *CONFLUENT_KEYS)

_CONFLUENT: dict[str, str | Required | None] = {
    "format.class": REQUIRED,
    "parquet.codec": "snappy",
    "archive.envelope": "false",
    "behavior.on.null.values": "fail",
    "timestamp.extractor": "Wallclock",
    "timezone": "",
    "locale": "",
    "rotate.size.bytes": "-1",
    "rotate.age.ms": "-1",
    "rotation.scope": "partition",
}

_AIVEN: dict[str, str | Required | None] = {
    "archive.envelope": "false",
    "behavior.on.null.values": "fail",
    "rotate.size.bytes": "-1",
    "rotate.age.ms": "60000",
}

_LENSES: dict[str, str | Required | None] = {"archive.envelope": "false", "behavior.on.null.values": "write"}


@dataclass(frozen=True, slots=True)
class ConnectorClass:
    """A class name that `connector.class` may have.

    `bucket_key` is the vendor's key that says where the archive is, "" for ours.
    """

    name: str
    profile: Profile
    definition: Definition
    bucket_key: str = ""


NATIVE = ConnectorClass(NATIVE_CLASS, Profile.NATIVE, Definition(_KEYS))

CLASSES = (
    NATIVE,
    ConnectorClass(
        S3_CLASS,
        Profile.CONFLUENT,
        Definition(_KEYS, {**_CONFLUENT, "storage.class": REQUIRED, "s3.region": "us-west-2"}),
        "s3.bucket.name",
    ),
    ConnectorClass(
        GCS_CLASS, Profile.CONFLUENT, Definition(_KEYS, {**_CONFLUENT, "storage.class": REQUIRED}), "gcs.bucket.name"
    ),
    ConnectorClass(AZURE_CLASS, Profile.CONFLUENT, Definition(_KEYS, _CONFLUENT), "azblob.container.name"),
    ConnectorClass(LENSES_CLASS, Profile.LENSES, Definition((*_KEYS, *LENSES_KEYS), _LENSES), KCQL_KEY),
    ConnectorClass(AIVEN_CLASS, Profile.AIVEN, Definition((*_KEYS, *AIVEN_KEYS), _AIVEN), "aws.s3.bucket.name"),
    ConnectorClass(AIVEN_GCS_CLASS, Profile.AIVEN, Definition((*_KEYS, *AIVEN_KEYS), _AIVEN), "gcs.bucket.name"),
    ConnectorClass(
        AIVEN_AZURE_CLASS, Profile.AIVEN, Definition((*_KEYS, *AIVEN_KEYS), _AIVEN), "azure.storage.container.name"
    ),
)
"""Every kind of sink there is."""


def find_class(name: str) -> ConnectorClass | None:
    """The class of a full name, or of its last part with or without `Connector`, as Connect allows."""
    bare = name.strip()
    for known in CLASSES:
        short = known.name.rpartition(".")[2]
        if bare in {known.name, short, short.removesuffix("Connector")}:
            return known
    return None
