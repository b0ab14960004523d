"""Which URLs and options open a store, and how the others are refused."""

import base64
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from streamsink.errors import ConfigError, StreamsinkError
from streamsink.upload.local import LocalStore
from streamsink.upload.memory import MemoryStore
from streamsink.upload.object_store import ObjectStore
from streamsink.upload.open import open_store

KEYS = {"access_key_id": "id", "secret_access_key": "secret", "region": "eu-central-1"}


@pytest.mark.parametrize(
    ("url", "options", "kind"),
    [
        ("file:///tmp/archive", {}, LocalStore),
        ("memory://demo", {}, MemoryStore),
        ("s3://bucket", KEYS, ObjectStore),
        ("s3://bucket/a/b", {**KEYS, "endpoint": "http://127.0.0.1:9000", "timeout_s": "7.5"}, ObjectStore),
        ("s3://bucket", {**KEYS, "timeout_s": "", "path_style": "", "endpoint": ""}, ObjectStore),
        ("gs://bucket/archive", {"endpoint": "http://127.0.0.1:1", "allow_http": "true"}, ObjectStore),
        ("az://container", {"account_name": "a", "account_key": "a2V5"}, ObjectStore),
    ],
)
def test_every_kind_of_url_opens_its_store_without_asking_a_server(url, options, kind):
    store = open_store(url, options)
    assert isinstance(store, kind)
    assert store.url == url
    store.close()


@pytest.mark.parametrize(
    ("url", "options", "told"),
    [
        ("/var/lib/archive", {}, "has no scheme"),
        ("ftp://host/x", {}, "unknown kind of store"),
        ("file://relative/path", {}, "three slashes"),
        ("file:relative", {}, "three slashes"),
        ("file:///a#b", {}, "%23"),
        ("s3:///prefix", {}, "names no bucket"),
        ("gs://", {}, "names no bucket"),
        ("s3://bucket?region=x", {}, r"holds '\?'"),
        ("s3://bucket", {"bucket_key": "x"}, "archive.option.bucket_key: unknown"),
        ("s3://bucket", {"acces_key_id": "x"}, "is access_key_id meant"),
        ("s3://bucket", {"timeout_s": "soon"}, "archive.option.timeout_s"),
        ("s3://bucket", {"timeout_s": "0"}, "archive.option.timeout_s"),
        ("s3://bucket", {"path_style": "maybe"}, "archive.option.path_style"),
        ("gs://bucket", {"service_account_path": "/no/such/key.json"}, "archive.option"),
        ("file:///tmp", {"region": "x"}, "unknown for this kind of store"),
    ],
)
def test_what_can_not_be_used_is_refused_with_its_key_and_a_hint(url, options, told):
    with pytest.raises(ConfigError, match=told) as refused:
        open_store(url, options)
    assert all(problem.key.startswith("archive.") for problem in refused.value.problems)


def test_all_unknown_options_are_told_at_once():
    with pytest.raises(ConfigError) as refused:
        open_store("s3://bucket", {"one": "1", "two": "2"})
    assert [problem.key for problem in refused.value.problems] == ["archive.option.one", "archive.option.two"]


def test_stores_in_memory_of_one_name_see_the_same_objects(unique):
    open_store(f"memory://{unique}", {}).create("a", b"x", {})
    assert open_store(f"memory://{unique}", {}).get("a") == b"x"
    assert open_store(f"memory://{unique}-other", {}).head("a") is None


@pytest.mark.parametrize(
    ("options", "key", "told"),
    [
        ({"acl": "private"}, "acl", "bucket policy"),
        ({"external_id": "x"}, "external_id", "web identity"),
        ({"role_arn": "arn:aws:iam::1:role/r"}, "role_arn", "web_identity_token_file"),
        ({"web_identity_token_file": "/t"}, "web_identity_token_file", "role_arn"),
        ({"server_side_encryption": "AES"}, "server_side_encryption", "AES256"),
        ({"sse_kms_key_id": "k"}, "sse_kms_key_id", "aws:kms"),
        ({"sse_customer_key": "k"}, "sse_customer_key", "sse-c"),
        ({"tags": "a"}, "tags", "key=value"),
        ({"proxy_url": "localhost:3128"}, "proxy_url", "http://host:port"),
        ({"ca_certificate_path": "/no/such/file"}, "ca_certificate_path", "can't be read"),
    ],
)
def test_what_s3_cannot_do_is_refused_and_says_what_to_do_instead(monkeypatch, options, key, told):
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError) as refused:
        open_store("s3://bucket", {"region": "eu-central-1", **options})
    assert [problem.key for problem in refused.value.problems] == [f"archive.option.{key}"]
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("url", "options", "key"),
    [
        ("webdav+https://", {}, "archive.url"),
        ("webdav+https://host/x", {"password": "p"}, "archive.option.username"),
        ("webdav+https://host/x", {"username": "u", "token": "t"}, "archive.option.token"),
        ("webdav+https://host/x", {"create": "copy"}, "archive.option.create"),
        ("webdav+https://host/x", {"timeout_s": "0"}, "archive.option.timeout_s"),
        ("webdav+https://host/x", {"user": "u"}, "archive.option.user"),
    ],
)
def test_a_webdav_store_that_cannot_be_is_refused(url, options, key):
    with pytest.raises(ConfigError) as refused:
        open_store(url, options)
    assert [problem.key for problem in refused.value.problems] == [key]


CHECKSUM = "x-amz-checksum-sha256"
UNSUPPORTED = "<Error><Code>InvalidArgument</Code><Message>Unsupported header 'x-amz-checksum-sha256'</Message></Error>"
DIFFERS = "<Error><Code>BadDigest</Code><Message>The checksum you specified did not match</Message></Error>"


class _Taking(BaseHTTPRequestHandler):
    """An S3 server that takes everything but checksums that it refuses, and remembers the headers it was sent."""

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(self.headers)
        if self.server.refusal and CHECKSUM in self.headers:
            body = self.server.refusal.encode()
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_response(200)
        self.send_header("ETag", '"x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def taking():
    server = HTTPServer(("127.0.0.1", 0), _Taking)
    server.taken, server.refusal = [], ""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.options = {"endpoint": f"http://127.0.0.1:{server.server_port}", "region": "eu", "access_key_id": "a"}
    server.options["secret_access_key"] = "b"
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("options", [{}, {"checksum_algorithm": "sha256"}])
def test_an_upload_to_s3_carries_a_checksum(taking, options):
    open_store("s3://bucket", taking.options | options).create("name", b"data", {})
    (headers,) = taking.taken
    assert headers[CHECKSUM] == base64.b64encode(hashlib.sha256(b"data").digest()).decode()


def test_an_upload_to_s3_carries_no_checksum_where_none_is_wanted(taking):
    open_store("s3://bucket", taking.options | {"checksum_algorithm": "none"}).create("name", b"data", {})
    assert [CHECKSUM in headers for headers in taking.taken] == [False]


def test_a_server_that_takes_no_checksum_is_sent_none_from_then_on(taking):
    taking.refusal = UNSUPPORTED
    store = open_store("s3://bucket", taking.options)
    for name in ("first", "second"):
        store.create(name, b"data", {})
    assert [CHECKSUM in headers for headers in taking.taken] == [True, False, False]
    assert store.sends_checksums is False


@pytest.mark.parametrize(
    ("refusal", "options"), [(DIFFERS, {}), (UNSUPPORTED, {"checksum_algorithm": "sha256"})], ids=["differs", "wanted"]
)
def test_no_upload_goes_without_a_checksum_that_differs_or_was_asked_for(taking, refusal, options):
    taking.refusal = refusal
    with pytest.raises(StreamsinkError):
        open_store("s3://bucket", taking.options | options).create("name", b"data", {})
    assert [CHECKSUM in headers for headers in taking.taken] == [True]


def test_a_checksum_that_s3_does_not_know_is_refused():
    with pytest.raises(ConfigError, match="checksum"):
        open_store("s3://bucket", {"region": "eu", "checksum_algorithm": "crc7"})
