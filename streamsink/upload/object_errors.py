"""Translates obstore's errors: whether another try can help, and what the operator can do. Pure; calls no store."""

from __future__ import annotations

import re

from obstore.exceptions import NotFoundError, PermissionDeniedError, UnauthenticatedError

from streamsink.errors import ObjectMissingError, StreamsinkError, TerminalError, TransientError

_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound"}
_DENIED = {
    "AccessDenied",
    "AuthenticationFailed",
    "AuthorizationFailure",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
}
_NOT_TAKEN = {"InvalidArgument", "InvalidRequest"}
_PATIENCE_CODES = {"RequestTimeout", "SlowDown", "OperationAborted", "ConditionalRequestConflict"}
_PATIENCE_STATUSES = {408, 409, 412, 425, 429}
_IDENTITY_PATHS = ("/latest/api/token", "/latest/meta-data", "/metadata/identity/", "/computeMetadata/")
_CAUSES = {
    "ConnectionRefused": "connection refused",
    "dns error": "the host's name is unknown",
    "InvalidCertificate": "the server's certificate is not trusted",
    "InvalidMessage(": "the server does not speak TLS",
    "TimedOut": "timed out",
    "ConnectionReset": "connection reset",
}


def explain(error: Exception, name: str, url: str, *, writing: bool, admitted: bool) -> StreamsinkError:
    """Ours for obstore's error.

    Args:
        error: As obstore raised it.
        name: The object concerned.
        url: The store, without secrets.
        writing: Whether it was a write: then what is missing can only be the bucket.
        admitted: Whether this store has let us in before, so that a failing credential source may pass.
    """
    text, _, debug = str(error).partition("Debug source:")
    # A name may hold any word, so words are looked for outside the request's URL.
    path = next(iter(re.findall(r"performing \w+ https?://[^/\s]+(/\S*)", text)), "")
    said = _said(text)
    message = f"{name or 'listing'} in {url}: {said or _one_line(text)}{_cause(debug)}"
    code = said.partition(":")[0]
    no_bucket = TerminalError(
        f"{url}: the bucket does not exist (404)", hint="create it, or correct archive.url and the endpoint"
    )
    if code in _NO_BUCKET:
        return no_bucket
    if path.startswith(_IDENTITY_PATHS):
        return _without_credentials(url, message, admitted=admitted)
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or code in _DENIED:
        return TerminalError(
            f"{url}: access denied: {said or _one_line(text)}",
            hint="look at the access key, the secret, what they may do with this bucket, and this machine's clock",
        )
    if isinstance(error, NotFoundError | FileNotFoundError):
        return no_bucket if writing else ObjectMissingError(f"no object {name} in {url}")
    return _by_status(text, code, message)


def refuses_checksum(error: Exception) -> bool:
    """Whether an S3 store refuses checksums as such. A refusal of one that differs is no such case."""
    code, _, words = _said(str(error)).partition(": ")
    return code == "NotImplemented" or (code in _NOT_TAKEN and "checksum" in words.lower())


def _without_credentials(url: str, message: str, *, admitted: bool) -> StreamsinkError:
    if admitted:
        return TransientError(message, hint="the machine's own credentials can't be renewed; this is tried again")
    return TerminalError(
        f"{url}: no credentials are configured, and this machine has none of its own",
        hint="set archive.option.access_key_id and .secret_access_key (or account_key, service_account_path), "
        "or the cloud's environment variables",
    )


def _by_status(text: str, code: str, message: str) -> StreamsinkError:
    found = re.search(r"status code: (\d{3})", text)
    status = int(found.group(1)) if found else 0
    if "redirect without LOCATION" in text or status in {301, 307}:
        return TerminalError(message, hint="the bucket is in another region: correct archive.option.region")
    if "builder error" in text:
        return TerminalError(message, hint="plain HTTP needs archive.option.allow_http=true; look at the endpoint too")
    lasting = 400 <= status < 500 and status not in _PATIENCE_STATUSES and code not in _PATIENCE_CODES
    if lasting or status == 501:
        return TerminalError(message, hint="look at archive.url and archive.option.*: the store refuses this")
    return TransientError(message, hint="the store may be busy or away; this is tried again")


def _said(text: str) -> str:
    """The store's own code and words."""
    found = re.search(r"<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", text, re.DOTALL)
    return f"{found.group(1)}: {found.group(2)}" if found else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def _cause(debug: str) -> str:
    found = [told for word, told in _CAUSES.items() if word in debug]
    return f" ({found[0]})" if found else ""
