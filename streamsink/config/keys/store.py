"""`archive.option.*` of each kind of store. Definitions only; opening a store is the upload stage's."""

from __future__ import annotations

from streamsink.config.keys.definition import ConfigKey, Importance, KeyType, grouped

PREFIX = "archive.option."


def _option(name: str, documentation: str, kind: KeyType = KeyType.STRING) -> ConfigKey:
    validator = None
    return ConfigKey(f"{PREFIX}{name}", kind, None, documentation, Importance.MEDIUM, validator)


_CLIENT = (
    _option("allow_http", "Whether plain HTTP may be used; true where the endpoint is one.", KeyType.BOOLEAN),
    _option("timeout_s", "How many seconds one request may take; 120 if empty.", KeyType.DOUBLE),
    _option("proxy_url", "HTTP proxy to go through, as http://host:port; else HTTPS_PROXY of the environment."),
    _option("ca_certificate_path", "File with the authorities' certificates (PEM) that the server's is signed by."),
)

S3_OPTIONS = grouped(
    "Store: S3",
    [
        _option("endpoint", "URL of an S3 server that is not Amazon's."),
        _option("region", "The bucket's region."),
        _option("access_key_id", "Access key; without it the environment's credentials are used."),
        _option("secret_access_key", "The access key's secret.", KeyType.PASSWORD),
        _option("session_token", "Token of temporary credentials.", KeyType.PASSWORD),
        _option(
            "path_style",
            "Whether the bucket's name is in the path, not the host; true if empty.",
            KeyType.BOOLEAN,
        ),
        _option("role_arn", "Role to assume by web identity (IRSA); else AWS_ROLE_ARN of the environment."),
        _option("role_session_name", "Name of the session under that role."),
        _option("web_identity_token_file", "File with the token that the role is assumed by."),
        _option("sts_endpoint", "URL of a token service that is not Amazon's."),
        _option("server_side_encryption", "AES256 (SSE-S3), aws:kms, aws:kms:dsse or sse-c."),
        _option("sse_kms_key_id", "KMS key, with aws:kms; the account's own if empty."),
        _option("sse_customer_key", "Key of 256 bits in base64, with sse-c.", KeyType.PASSWORD),
        _option("sse_bucket_key", "Whether KMS is asked once a bucket, with aws:kms.", KeyType.BOOLEAN),
        _option(
            "checksum_algorithm",
            "Checksum that each upload carries and the store checks: sha256, which buckets with Object Lock "
            "ask for, or none. If empty, sha256 where the store takes it.",
        ),
        _option("storage_class", "Storage class of each object, as STANDARD_IA; the bucket's own if empty."),
        _option("tags", "Tags of each object, as key=value&key2=value2."),
        _option(
            "tag_offsets",
            "Whether each object has the tags startOffset, endOffset and recordCount as well.",
            KeyType.BOOLEAN,
        ),
        *_CLIENT,
    ],
)

GCS_OPTIONS = grouped(
    "Store: Google Cloud Storage",
    [
        _option("service_account_path", "File with a service account's key."),
        _option("service_account_key", "A service account's key as JSON.", KeyType.PASSWORD),
        _option("endpoint", "URL of a server that is not Google's."),
        _option("storage_class", "Storage class of each object, as NEARLINE; the bucket's own if empty."),
        *_CLIENT,
    ],
)

AZURE_OPTIONS = grouped(
    "Store: Azure Blob Storage",
    [
        _option("account_name", "The storage account."),
        _option("account_key", "The storage account's key.", KeyType.PASSWORD),
        _option("sas_token", "A shared access signature.", KeyType.PASSWORD),
        _option("client_id", "Id of a service principal."),
        _option("client_secret", "Secret of a service principal.", KeyType.PASSWORD),
        _option("tenant_id", "Tenant of a service principal."),
        _option("federated_token_file", "File with the token of a workload identity."),
        _option("endpoint", "URL of a server that is not Azure's."),
        _option("storage_class", "Access tier of each object, as Cool; the account's own if empty."),
        _option("tags", "Tags of each object, as key=value&key2=value2."),
        *_CLIENT,
    ],
)

WEBDAV_OPTIONS = grouped(
    "Store: WebDAV",
    [
        _option("username", "The user to log in as."),
        _option("password", "The user's password; with NextCloud an app password.", KeyType.PASSWORD),
        _option("token", "Bearer token, in place of user name and password.", KeyType.PASSWORD),
        _option(
            "create",
            "How objects are created: move (a temporary name, then MOVE that overwrites nothing) if empty, or put "
            "(one PUT with If-None-Match: *), for servers that honour it and show whole files only, as NextCloud.",
        ),
        *(key for key in _CLIENT if key.name.endswith(("timeout_s", "proxy_url"))),
    ],
)

STORJ_OPTIONS = grouped(
    "Store: Storj",
    [
        _option("access_grant", "Access grant with read, write and list for the bucket.", KeyType.PASSWORD),
        _option("satellite", "Satellite's address, with api_key and passphrase in place of an access grant."),
        _option("api_key", "API key of the project.", KeyType.PASSWORD),
        _option("passphrase", "Passphrase that objects are encrypted with.", KeyType.PASSWORD),
        _option("user_agent", "What the satellite attributes the bucket to; streamsink/VERSION if empty."),
        _option("expires_after", "How long objects live, as 12h or 30d; for ever if empty."),
        *(key for key in _CLIENT if key.name.endswith("timeout_s")),
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
    "sj": STORJ_OPTIONS,
    "webdav+http": WEBDAV_OPTIONS,
    "webdav+https": WEBDAV_OPTIONS,
}
"""By the scheme of `archive.url`."""
