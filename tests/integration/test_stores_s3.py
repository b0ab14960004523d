"""What goes wrong with a real S3 server, and what is said and done about it."""

import hashlib
import socket
import threading
import time

import pytest

from streamsink.errors import ConfigError, StreamsinkError, TerminalError, TransientError
from streamsink.sink.build import none_compacted
from streamsink.sink.schema_shelf import StoreShelf
from streamsink.sink.topic_guard import TopicGuard
from streamsink.testing.http_faults import CONFLICT, LOSE_REPLY, Fault, FaultProxy
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import write_manifest
from streamsink.upload.open import open_store
from streamsink.upload.probe import probe_create
from streamsink.upload.resolve import Conflict, Stored, store_object
from streamsink.upload.sidecar import write_sidecars
from tests.servers.process import free_port
from tests.servers.seaweedfs import SeaweedServer
from tests.unit.archive.made import unread


@pytest.fixture
def proxy(seaweedfs):
    proxy = FaultProxy(seaweedfs.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def store(seaweedfs, proxy, unique):
    return open_store(seaweedfs.url(unique), {**seaweedfs.options, "endpoint": proxy.endpoint})


def describe(data, **changes):
    values = {
        "name": "topics/logs/partition=0/logs+0+0000000005.avro",
        "topic": "logs",
        "partition": 0,
        "encoded_partition": "partition=0",
        "lane": "partition=0",
        "first_offset": 5,
        "last_offset": 9,
        "record_count": 4,
        "timestamp_min_ms": 1,
        "timestamp_max_ms": 2,
        "layout": "9f2c",
        "writer": "sink-0-abc",
    }
    described = ObjectDescription(**{**values, **changes})
    md5 = hashlib.md5(data).hexdigest()
    return described.sealed(sha256=hashlib.sha256(data).hexdigest(), md5=md5, size_bytes=len(data))


def store_it(store, data=b"ours", **changes):
    def unreadable(_store, info):
        raise AssertionError(f"{info.name} has metadata")

    return store_object(store, describe(data, **changes), memoryview(data), read_description=unreadable)


def test_a_put_whose_reply_is_lost_is_found_to_be_ours(store, proxy):
    proxy.fail("PUT", *[LOSE_REPLY] * 3)
    with pytest.raises(TransientError):
        store_it(store)
    proxy.faults.clear()
    assert store_it(store) == Stored(earlier=True)


def test_a_put_that_landed_behind_an_error_is_found_to_be_ours(store, proxy):
    proxy.fail("PUT", Fault(500, "InternalError", forwarded=True))
    assert store_it(store) == Stored(earlier=True)
    assert [status for method, status in proxy.seen if method == "PUT"] == [500, 412]


def test_another_writers_object_behind_an_error_is_a_conflict(store, proxy, seaweedfs, unique):
    other = open_store(seaweedfs.url(unique), seaweedfs.options)
    store_it(other, b"theirs", last_offset=77, writer="other")
    proxy.fail("PUT", Fault(503, "SlowDown"))
    result = store_it(store)
    assert isinstance(result, Conflict)
    assert (result.existing.last_offset, result.existing.writer) == (77, "other")


def test_a_conflict_reported_while_nothing_was_written_is_tried_again(store, proxy):
    proxy.fail("PUT", *[Fault(409, "ConditionalRequestConflict")] * 3)
    with pytest.raises(TransientError, match="ConditionalRequestConflict"):
        store_it(store)
    proxy.faults.clear()
    assert store_it(store) == Stored()


def test_a_conflict_about_nothing_never_passes_for_an_object(store, proxy):
    creates = [
        lambda: store.create("name", b"data", {}),
        lambda: write_sidecars(
            store, describe(b"ours"), b"what the bytes can't say", describe=False, read_content=unread
        ),
        lambda: write_manifest(store, [describe(b"ours")]),
        lambda: StoreShelf(store).put("schema", b"{}"),
        lambda: TopicGuard(store, "topics", lambda topics: dict.fromkeys(topics, "id"), none_compacted).check(["logs"]),
    ]
    for create in creates:
        proxy.fail("PUT", CONFLICT)
        with pytest.raises(TransientError, match="ConditionalRequestConflict"):
            create()
    proxy.fail("PUT", CONFLICT)
    assert probe_create(store) is True
    assert list(store.list()) == []


def test_a_look_that_fails_after_a_conflict_is_tried_again(store, proxy):
    store_it(store)
    proxy.fail("HEAD", *[Fault(503)] * 3)
    with pytest.raises(TransientError):
        store_it(store)
    assert store_it(store) == Stored(earlier=True)


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (Fault(503, "SlowDown"), TransientError, "SlowDown"),
        (Fault(500, "InternalError"), TransientError, "InternalError"),
        (Fault(429, "TooManyRequests"), TransientError, "TooManyRequests"),
        (Fault(400, "RequestTimeout"), TransientError, "RequestTimeout"),
        (Fault(0), TransientError, "PUT"),
        (Fault(400, "InvalidArgument"), TerminalError, "the store refuses this"),
        (Fault(501, "NotImplemented"), TerminalError, "the store refuses this"),
        (Fault(403, "RequestTimeTooSkewed"), TerminalError, "clock"),
        (Fault(400, "ExpiredToken"), TerminalError, "access denied"),
        (Fault(404, "NoSuchBucket"), TerminalError, "the bucket does not exist"),
        (Fault(404), TerminalError, "the bucket does not exist"),
        (Fault(301, "PermanentRedirect"), TerminalError, "region"),
    ],
)
def test_an_answer_decides_whether_trying_again_can_help(store, proxy, fault, kind, told):
    # An answer that may be about the checksum is asked for once more without one, and each ask is tried three times.
    proxy.fail("PUT", *[fault] * 6)
    with pytest.raises(kind, match=told) as failed:
        store.create("metadata/latest/api/token/AccessDenied NoSuchBucket 416", b"x", {})
    assert failed.value.hint
    assert "\n" not in str(failed.value)


def test_a_failing_read_is_not_taken_for_an_empty_range(store, proxy):
    store.create("t+0+0000000416.avro", b"0123", {})
    proxy.fail("GET", *[Fault(503, "SlowDown")] * 3)
    with pytest.raises(TransientError):
        store.get_range("t+0+0000000416.avro", 1, 2)
    assert store.get_range("t+0+0000000416.avro", 1, 2) == b"12"


def test_a_missing_bucket_is_said_to_be_missing(seaweedfs):
    store = open_store("s3://no-such-bucket/here", seaweedfs.options)
    for call in (lambda: probe_create(store), lambda: store.get("a"), lambda: list(store.list())):
        with pytest.raises(TerminalError, match="the bucket does not exist") as failed:
            call()
        assert "archive.url" in failed.value.hint


@pytest.mark.parametrize("wrong", [{"secret_access_key": "wrong"}, {"access_key_id": "nobody"}])
def test_wrong_credentials_are_said_to_be_denied(seaweedfs, wrong, unique):
    store = open_store(seaweedfs.url(unique), {**seaweedfs.options, **wrong})
    for call in (lambda: probe_create(store), lambda: store.head("a"), lambda: list(store.list())):
        with pytest.raises(TerminalError, match="access denied") as failed:
            call()
        assert "access key" in failed.value.hint
        assert "wrong" not in str(failed.value)


def test_unconfigured_credentials_fail_fast_even_where_nothing_answers(seaweedfs, unique, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        address = silent.getsockname()
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{address[1]}")
        # A full backlog drops what comes: what a firewall does to a cloud's metadata address.
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        store = open_store(seaweedfs.url(unique), {"endpoint": seaweedfs.endpoint})
        began = time.monotonic()
        with pytest.raises(TerminalError, match="no credentials are configured") as failed:
            probe_create(store)
        for filler in fillers:
            filler.close()
    assert time.monotonic() - began < 20
    assert "access_key_id" in failed.value.hint


def test_credentials_come_from_the_environment_when_none_are_configured(seaweedfs, unique, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.options["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.options["secret_access_key"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", seaweedfs.endpoint)
    assert probe_create(open_store(seaweedfs.url(unique), {})) is True


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        (lambda _: f"http://127.0.0.1:{free_port()}", "connection refused"),
        (lambda _: "http://no-such-host.invalid", "the host's name is unknown"),
        (lambda server: server.endpoint.replace("http:", "https:"), "does not speak TLS"),
    ],
)
def test_an_endpoint_that_is_away_is_tried_again_and_says_why(seaweedfs, endpoint, told, unique):
    store = open_store(seaweedfs.url(unique), {**seaweedfs.options, "endpoint": endpoint(seaweedfs)})
    began = time.monotonic()
    with pytest.raises(TransientError, match=told):
        store.create("a", b"x", {})
    assert time.monotonic() - began < 25


def test_plain_http_against_the_operators_word_is_refused(seaweedfs, unique):
    store = open_store(seaweedfs.url(unique), {**seaweedfs.options, "allow_http": "false"})
    with pytest.raises(TerminalError, match="allow_http"):
        store.create("a", b"x", {})


def test_a_server_that_goes_and_comes_back_loses_nothing(tmp_path, unique):
    server = SeaweedServer(tmp_path)
    server.start()
    try:
        store = open_store(server.url(unique), server.options)
        store.create("before", b"kept", {})
        server.stop()
        with pytest.raises(TransientError):
            store.create("after", b"x", {})
        server.start()
        store.create("after", b"x", {})
        assert [info.name for info in store.list()] == ["after", "before"]
        assert store.get("before") == b"kept"
    finally:
        server.stop()


def test_a_key_in_the_url_is_refused_and_not_repeated():
    with pytest.raises(ConfigError) as refused:
        open_store("s3://AKIA:hunter2@bucket", {})
    assert "hunter2" not in str(refused.value)


def test_rclones_md5_and_our_hash_lie_on_the_object(store):
    store_it(store)
    metadata = store.head("topics/logs/partition=0/logs+0+0000000005.avro").metadata
    assert metadata["streamsink-sha256"] == hashlib.sha256(b"ours").hexdigest()
    assert metadata["streamsink-last-offset"] == "9"
    assert metadata["md5chksum"].endswith("==")


def put_headers(proxy):
    put = next(one for one in proxy.requests if one.method == "PUT")
    return {key.lower(): value for key, value in put.headers.items()}


def test_class_and_tags_are_asked_for_and_signed(seaweedfs, proxy, unique):
    said = {"storage_class": "STANDARD_IA", "tags": "team=logs&kept=7%20years"}
    store = open_store(seaweedfs.url(unique), {**seaweedfs.options, "endpoint": proxy.endpoint, **said})
    store.create("a", b"x", {"streamsink-writer": "w"})
    headers = put_headers(proxy)
    assert headers["x-amz-storage-class"] == "STANDARD_IA"
    assert sorted(headers["x-amz-tagging"].replace("+", "%20").split("&")) == ["kept=7%20years", "team=logs"]
    assert {"x-amz-storage-class", "x-amz-tagging"} <= signed(headers)
    assert store.get("a") == b"x"
    assert store.head("a").metadata == {"streamsink-writer": "w"}


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"server_side_encryption": "AES256"}, {"x-amz-server-side-encryption": "AES256"}),
        (
            {"server_side_encryption": "aws:kms", "sse_kms_key_id": "key-1", "sse_bucket_key": "true"},
            {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": "key-1",
                "x-amz-server-side-encryption-bucket-key-enabled": "true",
            },
        ),
    ],
)
def test_encryption_is_asked_for_and_signed(seaweedfs, proxy, unique, said, wanted):
    # SeaweedFS has no keys here, so that the request alone is looked at.
    store = open_store(seaweedfs.url(unique), {**seaweedfs.options, "endpoint": proxy.endpoint, **said})
    proxy.fail("PUT", Fault(403, "AccessDenied", message="no such key"))
    with pytest.raises(TerminalError, match="no such key"):
        store.create("a", b"x", {})
    headers = put_headers(proxy)
    assert wanted.items() <= headers.items()
    assert set(wanted) <= signed(headers)


def test_requests_go_through_the_http_proxy(seaweedfs, proxy, unique):
    store = open_store(seaweedfs.url(unique), {**seaweedfs.options, "proxy_url": proxy.endpoint})
    store.create("a", b"x", {})
    assert [method for method, _ in proxy.seen] == ["PUT"]


def signed(headers):
    return set(headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";"))


def test_a_role_is_asked_for_by_web_identity_and_over_tls_only(seaweedfs, unique, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "token").write_text("a-web-identity")
    first_bytes = []
    with socket.create_server(("127.0.0.1", 0)) as service:

        def hear():
            for _ in range(3):
                connection, _ = service.accept()
                with connection:
                    first_bytes.append(connection.recv(1))

        thread = threading.Thread(target=hear, daemon=True)
        thread.start()
        options = {
            "endpoint": seaweedfs.endpoint,
            "region": "us-east-1",
            "role_arn": "arn:aws:iam::1:role/archive",
            "web_identity_token_file": str(tmp_path / "token"),
            "sts_endpoint": f"https://127.0.0.1:{service.getsockname()[1]}",
            "timeout_s": "2",
        }
        with pytest.raises(StreamsinkError) as failed:
            open_store(seaweedfs.url(unique), options).create("a", b"x", {})
    assert set(first_bytes) == {b"\x16"}
    assert "a-web-identity" not in str(failed.value)
