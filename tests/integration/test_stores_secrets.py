"""Canaries in every secret option of every store: they show up in no error, traceback, log, REST answer or output."""

import base64
import json
import subprocess
import sys
import traceback

import pytest

from streamsink.errors import StreamsinkError
from streamsink.upload.open import open_store
from tests.servers.process import free_port
from tests.servers.worker import WorkerServer, wait_until

CANARY = "c4n4ry-Zwitscher"
ENCODED = base64.b64encode(CANARY.encode()).decode()
KEY = base64.b64encode((CANARY * 2).encode()).decode()
PROXY = f"http://proxy-user:{CANARY}@127.0.0.1:9"
ACCOUNT = json.dumps({"private_key": CANARY, "private_key_id": "1", "client_email": "a@b", "disable_oauth": True})


def places(request):
    """Stores that refuse, are away, or can't be opened, with canaries wherever a secret goes."""
    s3 = request.getfixturevalue("seaweedfs")
    azure = request.getfixturevalue("azurite")
    dav = request.getfixturevalue("wsgidav")
    away = f"http://127.0.0.1:{free_port()}"
    s3_keys = {**s3.options, "secret_access_key": CANARY}
    sas = f"sv=2021-08-06&ss=b&srt=sco&sp=rwdl&se=2099-01-01T00:00:00Z&sig={CANARY}"
    return {
        "s3-denied": (s3.url("x"), s3_keys),
        "s3-token": (s3.url("x"), {**s3_keys, "session_token": CANARY}),
        "s3-away": (s3.url("x"), {**s3_keys, "endpoint": away}),
        "s3-proxy": (s3.url("x"), {**s3_keys, "proxy_url": PROXY}),
        "s3-sse-c": (s3.url("x"), {**s3.options, "server_side_encryption": "sse-c", "sse_customer_key": KEY[:43]}),
        "s3-mistaken": (s3.url("x"), {**s3_keys, "secret_acess_key": CANARY}),
        "azure-denied": (azure.url("x"), {**azure.options, "account_key": ENCODED}),
        "azure-sas": (
            azure.url("x"),
            {"account_name": "devstoreaccount1", "endpoint": azure.endpoint, "sas_token": sas},
        ),
        "azure-sas-away": (azure.url("x"), {"account_name": "a", "endpoint": f"{away}/a", "sas_token": sas}),
        "azure-key": (azure.url("x"), {**azure.options, "account_key": f"{CANARY}!"}),
        "azure-principal": (
            azure.url("x"),
            {"account_name": "a", "client_id": "i", "client_secret": CANARY, "tenant_id": "t", "proxy_url": PROXY},
        ),
        "gcs-key": ("gs://bucket/x", {"endpoint": away, "service_account_key": ACCOUNT}),
        "gcs-broken": ("gs://bucket/x", {"service_account_key": f'{{"private_key": "{CANARY}"'}),
        "webdav-denied": (dav.url("x"), {"username": "u", "password": CANARY}),
        "webdav-token": (dav.url("x"), {"token": CANARY}),
        "webdav-away": (f"webdav+{away}/x", {"username": "u", "password": CANARY}),
        "webdav-proxy": (dav.url("x"), {**dav.options, "proxy_url": PROXY}),
        "webdav-no-user": (dav.url("x"), {"password": CANARY}),
        "in-the-url": (f"webdav+http://u:{CANARY}@127.0.0.1/x", {}),
    }


def assert_silent(text):
    encoded = base64.b64encode(f"u:{CANARY}".encode()).decode()
    for secret in (CANARY, ENCODED, KEY[:43], encoded):
        at = text.find(secret)
        assert at < 0, text[max(0, at - 300) : at + 100]


def test_no_error_nor_traceback_of_a_store_tells_a_secret(request):
    for place, (url, options) in places(request).items():
        try:
            store = open_store(url, {"timeout_s": "2", **options} if "@" not in url else options)
        except StreamsinkError as error:
            assert_silent("".join(traceback.format_exception(error)))
            continue
        calls = (
            lambda store=store: store.create("a/b", b"x", {}),
            lambda store=store: store.get("a/b"),
            lambda store=store: store.head("a/b"),
            lambda store=store: list(store.list()),
        )
        failures = 0
        for call in calls[:1] if "away" in place or "proxy" in place or "principal" in place else calls:
            try:
                call()
            except StreamsinkError as error:
                failures += 1
                assert_silent("".join(traceback.format_exception(error)))
        assert failures, place
        assert_silent(repr(store) + str(vars(store)))


@pytest.mark.parametrize("place", ["s3-denied", "azure-sas", "webdav-denied", "s3-mistaken"])
def test_no_command_prints_a_secret(request, place):
    url, options = places(request)[place]
    told = [word for key, value in options.items() for word in ("--option", f"{key}={value}")]
    command = [sys.executable, "-m", "streamsink", "stores", "check", url, *told]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode != 0
    assert_silent(done.stdout + done.stderr)


def test_no_log_nor_answer_of_a_worker_tells_a_secret(request, kafka, unique, tmp_path):
    kafka.create_topic(unique)
    worker = WorkerServer(tmp_path, kafka.bootstrap)
    request.addfinalizer(lambda: worker.running and worker.kill())
    chosen = {name: place for name, place in places(request).items() if "denied" in name or "mistaken" in name}
    for name, (url, options) in chosen.items():
        keys = {f"archive.option.{key}": value for key, value in options.items()}
        worker.connector(name, {"topics": unique, "archive.url": url, **keys})
    worker.start()
    denied = [name for name in chosen if "denied" in name]

    def failed():
        return all(worker.task(name).get("state") == "FAILED" for name in denied)

    wait_until("they fail", failed, timeout_s=90, worker=worker)
    asked = ["/connectors?expand=info&expand=status", "/metrics", "/health/ready"]
    asked += [f"/connectors/{name}{more}" for name in chosen for more in ("", "/config", "/status", "/tasks")]
    assert_silent("".join(json.dumps(worker.get(path)) for path in asked) + worker.log())
    worker.terminate()
    assert_silent(worker.log())
