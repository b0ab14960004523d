"""Lists Confluent's keys for an archive's place, and the store options they stand for. Values only."""

from __future__ import annotations

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
        "s3.object.tagging": "tag_offsets",
    },
    "gs": {
        "gcs.credentials.path": "service_account_path",
        "gcs.credentials.json": "service_account_key",
        "gcs.proxy.url": "proxy_url",
    },
    "az": {
        "azblob.account.name": "account_name",
        "azblob.account.key": "account_key",
        "azblob.sas.token": "sas_token",
        "azblob.proxy.url": "proxy_url",
        "store.url": "endpoint",
    },
}
"""By scheme: Confluent's key, and the option it is."""

PROXIES = {"s3": "s3.proxy", "gs": "gcs.proxy", "az": "azblob.proxy"}
"""By scheme: what the keys of its proxy begin with."""

COMBINED_KEYS = (
    *(f"{proxy}.{part}" for proxy in PROXIES.values() for part in ("url", "user", "password")),
    *("s3.sse.customer.key", "s3.object.tagging", "s3.object.tagging.key.value.pairs"),
)
"""Keys that options are made of together: every kind of connector that reads a location has them."""
