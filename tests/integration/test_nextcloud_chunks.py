"""Large objects in NextCloud: uploaded in chunks, created once, and begun anew after a failure."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamsink.errors import AlreadyExistsError, TransientError
from streamsink.upload.webdav import WebDavStore
from streamsink.upload.webdav_chunks import uploads_folder
from streamsink.upload.webdav_http import Login, WebDavClient
from tests.servers.nextcloud import CHUNK_BYTES_MIN, NextCloudLikeServer
from tests.servers.sabredav import PASSWORD, USERNAME

LARGE = bytes(range(256)) * ((2 * CHUNK_BYTES_MIN + 1000) // 256)
WRITERS = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with chunked uploads."""
    started = NextCloudLikeServer(tmp_path_factory.mktemp("nextcloud"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def opened():
    """Opens stores in a folder, and closes them."""
    stores = []

    def make(server, folder, *, by_move=True):
        login = Login(USERNAME, PASSWORD)
        chunk_bytes = CHUNK_BYTES_MIN
        stores.append(WebDavStore(server.url(folder), login, timeout_s=60, by_move=by_move, chunk_bytes=chunk_bytes))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


ask = WebDavClient.ask


@pytest.fixture
def requests(monkeypatch):
    """Methods and paths of all requests, and what to do before the next one."""
    asked, before = [], []

    def noted(client, method, path, **options):
        asked.append((method, path))
        for each in before:
            each(method, path)
        return ask(client, method, path, **options)

    monkeypatch.setattr(WebDavClient, "ask", noted)
    return asked, before


def chunks(asked):
    return [path.rpartition("/")[2] for method, path in asked if method == "PUT" and "/uploads/" in path]


@pytest.mark.parametrize("by_move", [True, False])
def test_a_large_object_comes_in_chunks_and_is_never_overwritten(server, opened, requests, unique, by_move):
    store = opened(server, unique, by_move=by_move)
    store.create("a/large", LARGE, {})
    assert chunks(requests[0]) == ["00001", "00002", "00003"]
    assert store.get("a/large") == LARGE
    with pytest.raises(AlreadyExistsError):
        store.create("a/large", LARGE[::-1], {})
    assert store.get("a/large") == LARGE
    assert [info.name for info in store.list()] == ["a/large"]
    assert not list(server.uploads.iterdir())
    assert not list((server.files / unique / "_streamsink" / "tmp").iterdir())


def test_a_small_object_comes_by_one_request(server, opened, requests, unique):
    store = opened(server, unique)
    store.create("small", LARGE[:CHUNK_BYTES_MIN], {})
    assert chunks(requests[0]) == []
    assert store.get("small") == LARGE[:CHUNK_BYTES_MIN]


def test_writers_of_one_name_leave_one_whole_object(server, opened, unique):
    stores = [opened(server, unique) for _ in range(WRITERS)]
    gate = threading.Barrier(WRITERS)
    contents = [bytes([number]) * len(LARGE) for number in range(WRITERS)]

    def write(number):
        gate.wait(timeout=30)
        try:
            stores[number].create("contended", contents[number], {})
        except AlreadyExistsError:
            return 0
        return 1

    with ThreadPoolExecutor(WRITERS) as pool:
        # The library looks for the name and then moves: two may win, as with small objects.
        assert sum(pool.map(write, range(WRITERS))) >= 1
    assert stores[0].get("contended") in contents
    assert not list(server.uploads.iterdir())


def test_an_upload_that_failed_is_abandoned_and_the_next_try_begins_anew(server, opened, requests, unique):
    store = opened(server, unique)

    def fails(method, path):
        if method == "PUT" and path.endswith("/00002"):
            requests[1].clear()
            raise TransientError("cut off", hint="")

    requests[1].append(fails)
    with pytest.raises(TransientError, match="cut off"):
        store.create("large", LARGE, {})
    assert not list(server.uploads.iterdir())
    assert store.head("large") is None
    store.create("large", LARGE, {})
    assert store.get("large") == LARGE


def test_an_upload_whose_folder_expired_is_told_to_be_tried_again(server, opened, requests, unique):
    store = opened(server, unique)

    def expires(method, path):
        if method == "PUT" and path.endswith("/00003"):
            requests[1].clear()
            folder = server.uploads / path.split("/")[-2]
            for chunk in folder.iterdir():
                chunk.unlink()

    requests[1].append(expires)
    with pytest.raises(TransientError, match="gone, or not whole"):
        store.create("large", LARGE, {})
    assert store.head("large") is None
    store.create("large", LARGE, {})
    assert store.get("large") == LARGE


def test_a_move_whose_answer_was_lost_is_looked_at(server, opened, unique, monkeypatch):
    store = opened(server, unique)
    lost = []

    def loses(client, method, path, **options):
        answer = ask(client, method, path, **options)
        if method == "MOVE" and path.endswith("/.file") and not lost:
            lost.append(path)
            raise TransientError("no answer", hint="")
        return answer

    monkeypatch.setattr(WebDavClient, "ask", loses)
    store.create("large", LARGE, {})
    assert lost
    assert store.get("large") == LARGE


def test_a_server_without_chunked_uploads_gets_one_request(opened, requests, unique, tmp_path):
    plain = NextCloudLikeServer(tmp_path, uploads=False)
    plain.start()
    try:
        store = opened(plain, unique)
        store.create("large", LARGE, {})
        assert chunks(requests[0]) == []
        assert store.get("large") == LARGE
    finally:
        plain.stop()


@pytest.mark.parametrize(
    ("files", "uploads"),
    [
        ("/remote.php/dav/files/anna/archive", "/remote.php/dav/uploads/anna"),
        ("/cloud/remote.php/dav/files/süd", "/cloud/remote.php/dav/uploads/süd"),
        ("/remote.php/webdav/archive", None),
        ("/dav/files/anna", None),
        ("", None),
    ],
)
def test_only_paths_of_nextcloud_have_uploads_beside_them(files, uploads):
    assert uploads_folder(files) == uploads
