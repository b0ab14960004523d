"""`archive.option.*` of each kind of store. Definitions only; opening a store is the upload stage's."""

from __future__ import annotations

from streamsink.config.definition import ConfigKey, Importance, KeyType, grouped

PREFIX = "archive.option."


def _option(name: str, documentation: str, kind: KeyType = KeyType.STRING) -> ConfigKey:
    validator = None
    return ConfigKey(f"{PREFIX}{name}", kind, None, documentation, Importance.MEDIUM, validator)


_CLIENT = (
    _option("allow_http", "Whether plain HTTP may be used; true where the endpoint is one.", KeyType.BOOLEAN),
    _option("timeout_s", "How many seconds one request may take; 60 if empty.", KeyType.DOUBLE),
)

S3_OPTIONS = grouped(
    "S3",
    [
        _option("endpoint", "URL of an S3 server that is not Amazon's."),
        _option("region", "The bucket's region."),
        _option("access_key_id", "Access key; without it the environment's credentials are used."),
        _option("secret_access_key", "The access key's secret.", KeyType.PASSWORD),
        _option("session_token", "Token of temporary credentials.", KeyType.PASSWORD),
        _option(
            "path_style",
            "Whether the bucket's name is in the path, not the host; true with an endpoint.",
            KeyType.BOOLEAN,
        ),
        *_CLIENT,
    ],
)

GCS_OPTIONS = grouped(
    "Google Cloud Storage",
    [
        _option("service_account_path", "File with a service account's key."),
        _option("service_account_key", "A service account's key as JSON.", KeyType.PASSWORD),
        _option("endpoint", "URL of a server that is not Google's."),
        *_CLIENT,
    ],
)

AZURE_OPTIONS = grouped(
    "Azure Blob Storage",
    [
        _option("account_name", "The storage account."),
        _option("account_key", "The storage account's key.", KeyType.PASSWORD),
        _option("sas_token", "A shared access signature.", KeyType.PASSWORD),
        _option("client_id", "Id of a service principal."),
        _option("client_secret", "Secret of a service principal.", KeyType.PASSWORD),
        _option("tenant_id", "Tenant of a service principal."),
        _option("endpoint", "URL of a server that is not Azure's."),
        *_CLIENT,
    ],
)

OPTIONS: dict[str, tuple[ConfigKey, ...]] = {
    "file": (),
    "memory": (),
    "s3": S3_OPTIONS,
    "gs": GCS_OPTIONS,
    "gcs": GCS_OPTIONS,
    "az": AZURE_OPTIONS,
    "azure": AZURE_OPTIONS,
}
"""By the scheme of `archive.url`."""
