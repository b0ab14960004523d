"""Signed requests to an S3 server (Signature Version 4), for what obstore has no call for: a bucket's own settings."""

import hashlib
import hmac
import urllib.request
from datetime import UTC, datetime
from urllib.parse import urlsplit

REGION = "us-east-1"


def s3_request(endpoint, keys, method, path, *, query="", body=b"", headers=()):
    """What the server answers to one request; `keys` are key and secret, `query` one word such as `versioning`."""
    access_key, secret_key = keys
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    signed = {"host": urlsplit(endpoint).netloc, "x-amz-content-sha256": digest, "x-amz-date": stamp, **dict(headers)}
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    asked = "\n".join([method, path, f"{query}=" if query else "", lines, names, digest])
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    told = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(asked.encode()).hexdigest()])
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, told.encode(), "sha256").hex()
    signed["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    del signed["host"]
    request = urllib.request.Request(f"{endpoint}{path}?{query}", data=body or None, headers=signed, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()
