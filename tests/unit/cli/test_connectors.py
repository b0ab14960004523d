from __future__ import annotations

import http.server
import json
import re
import threading

import pytest

from streamsink.cli.awaiting import await_running
from streamsink.cli.main import run
from streamsink.errors import TransientError
from streamsink.rest.bodies import invalid
from tests.unit.worker.conftest import eventually


@pytest.fixture
def url(rest):
    return f"http://127.0.0.1:{rest.port}"


@pytest.fixture
def something_else():
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_list_shows_every_connector_with_its_tasks_and_what_is_wrong(url, capsys):
    assert run(["connectors", "list", "--url", url]) == 0
    out = capsys.readouterr().out
    (clicks,) = [line for line in out.splitlines() if line.startswith("clicks")]
    assert "0:FAILED" in clicks
    assert "the bucket is missing (create it)" in clicks
    assert "orders" in out
    assert "broken" in out


def test_list_as_json_is_one_document(url, capsys):
    assert run(["connectors", "list", "--url", url, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"broken", "clicks", "orders"}


def test_status_shows_each_task(url, capsys):
    assert run(["connectors", "status", "orders", "--url", url]) == 0
    out = capsys.readouterr().out
    assert "orders-0" in out
    assert "orders-1" in out
    assert "RUNNING" in out


def test_status_shows_why_a_task_failed_and_leaves_python_out(url, capsys):
    assert run(["connectors", "status", "clicks", "--url", url, "--json"]) == 0
    assert "File " in json.loads(capsys.readouterr().out)["tasks"][0]["trace"]
    assert run(["connectors", "status", "clicks", "--url", url]) == 0
    out = capsys.readouterr().out
    assert "the bucket is missing (create it)" in out
    assert "File " not in out


def test_config_keeps_what_looks_like_markup(url, capsys):
    assert run(["connectors", "config", "clicks", "--url", url]) == 0
    assert "sasl.password: [hidden]" in capsys.readouterr().out


def test_show_has_both_and_as_json_too(url, capsys):
    assert run(["connectors", "show", "orders", "--url", url]) == 0
    out = capsys.readouterr().out
    assert "orders-0" in out
    assert "tasks.max: 2" in out
    assert run(["connectors", "show", "orders", "--url", url, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"info", "status"}


def test_the_url_may_come_from_the_environment(url, capsys, monkeypatch):
    monkeypatch.setenv("STREAMSINK_URL", url)
    assert run(["connectors", "config", "orders", "--json"]) == 0
    # The worker of the test shares the output, and may log before the command prints its document.
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{") :])["name"] == "orders"


def test_an_unknown_connector_is_one_line_and_status_1(url, capsys):
    assert run(["connectors", "status", "a/../b", "--url", url]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_no_worker_is_one_line_with_a_hint_and_status_1(capsys):
    assert run(["connectors", "list", "--url", "http://127.0.0.1:1"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "is a worker running there?" in err


def test_a_url_that_is_none_is_wrong_usage(capsys):
    for url in ("file:///etc/passwd", "http://[::1"):
        assert run(["connectors", "list", "--url", url]) == 2
        assert "--url" in capsys.readouterr().err


def test_something_else_that_answers_is_one_line_and_status_1(something_else, capsys):
    assert run(["connectors", "list", "--url", something_else]) == 1
    assert "is no Kafka Connect" in capsys.readouterr().err


def test_a_connector_is_made_changed_rested_and_deleted(url, tmp_path, capsys):
    def say(*words):
        code = run(["connectors", *words, "--url", url])
        lines = capsys.readouterr().out.splitlines(keepends=True)
        # The worker of this test logs from the same process.
        return code, "".join(line for line in lines if not re.match(r"\d{4}-\d\d-\d\d ", line))

    file = tmp_path / "shop.yaml"
    file.write_text("connector.class: x.Y\nrun: flushes\nflush: complete\n")
    assert say("create", str(file)) == (0, "shop: made, running\n")
    assert run(["connectors", "create", str(file), "--url", url]) == 1
    err = capsys.readouterr().err
    assert "already exists" in err
    assert "--replace" in err
    eventually(lambda: json.loads(say("status", "shop", "--json")[1])["tasks"][0]["state"] == "RUNNING")
    assert "shop-0" in say("status", "shop")[1]
    assert "is stored and committed" in say("flush", "shop")[1]
    assert "a: 1" in say("config", "shop", "--set", "a=1", "--set", "b=2", "--unset", "b")[1]
    eventually(lambda: json.loads(say("status", "shop", "--json")[1])["tasks"][0]["state"] == "RUNNING")
    assert say("restart", "shop") == (0, "shop: restarts shop-0\n")
    assert say("restart", "shop", "--only-failed")[1] == "shop: restarts no task\n"
    assert say("restart", "shop", "--task", "0")[0] == 0
    assert say("pause", "shop")[0] == 0
    eventually(lambda: json.loads(say("status", "shop", "--json")[1])["connector"]["state"] == "PAUSED")
    assert say("resume", "shop")[0] == 0
    assert say("stop", "shop") == (0, "shop: stopped\n")
    status = json.loads(say("status", "shop", "--json")[1])
    assert (status["connector"]["state"], status["tasks"]) == ("STOPPED", [])
    assert json.loads(say("offsets", "shop", "--json")[1]) == {"offsets": []}
    assert say("create", str(file), "--replace", "--name", "shop")[1] == "shop: replaced\n"
    assert say("delete", "shop")[0] == 0
    assert run(["connectors", "delete", "shop", "--url", url]) == 1
    assert "not found" in capsys.readouterr().err


def test_validate_tells_every_error_and_ends_with_2(url, tmp_path, capsys):
    file = tmp_path / "shop.yaml"
    file.write_text("connector.class: streamsink.ArchiveSink\nflush.size: many\n")
    assert run(["connectors", "validate", str(file), "--url", url]) == 2
    out = capsys.readouterr().out
    for key in ("flush.size", "topics", "archive.url"):
        assert f"error    {key}:" in out


def test_offsets_are_checked_before_they_are_sent(url, capsys):
    assert run(["connectors", "offsets", "orders", "--set", "t:x=1", "--url", url]) == 2
    assert "TOPIC:PARTITION=OFFSET" in capsys.readouterr().err


def test_create_waits_until_a_task_runs_or_says_why_not(url, tmp_path, capsys):
    good, bad = tmp_path / "calm.yaml", tmp_path / "doomed.yaml"
    good.write_text("connector.class: x.Y\nrun: runs_until_stopped\n")
    bad.write_text("connector.class: x.Y\nrun: fails_terminally\n")
    assert run(["connectors", "create", str(good), "--wait", "--url", url]) == 0
    capsys.readouterr()
    assert run(["connectors", "status", "calm", "--json", "--url", url]) == 0
    status = capsys.readouterr().out
    assert json.loads(status[status.index("{\n") :])["tasks"][0]["progress"]["assigned"] is True
    assert run(["connectors", "create", str(bad), "--wait", "--url", url]) == 1
    assert "has failed: the bucket is missing (create it)" in capsys.readouterr().err
    for name in ("calm", "doomed"):
        assert run(["connectors", "delete", name, "--url", url]) == 0


def test_create_says_why_no_task_runs_in_time(url):
    # `orders` runs, and tries something again for ever.
    with pytest.raises(TransientError, match=r"no task of it runs after 0 s: put .*connectors status orders"):
        await_running(url, "orders", timeout_s=0.2)


def test_create_and_config_show_what_is_hardly_meant(url, tmp_path, capsys):
    file = tmp_path / "typo.yaml"
    file.write_text(
        "connector.class: streamsink.ArchiveSink\nrun: flushes\ntopics: logs\n"
        "archive.url: file:///tmp/x\nrotate.age: 1m\n"
    )
    assert run(["connectors", "create", str(file), "--state", "stopped", "--url", url]) == 0
    assert "warning  rotate.age: unknown key, is rotate.age.ms meant?" in capsys.readouterr().err
    assert run(["connectors", "config", "typo", "--set", "topic=logs", "--url", url]) == 0
    assert "warning  topic: unknown key, is topics meant?" in capsys.readouterr().err
    assert run(["connectors", "delete", "typo", "--url", url]) == 0


def test_an_archive_is_found_by_its_connectors_name(url, tmp_path, capsys):
    file = tmp_path / "kept.yaml"
    file.write_text(
        f"connector.class: streamsink.ArchiveSink\nrun: flushes\ntopics: logs\narchive.url: file://{tmp_path}/store\n"
    )
    (tmp_path / "store" / "topics" / "logs").mkdir(parents=True)
    assert run(["connectors", "create", str(file), "--state", "stopped", "--url", url]) == 0
    assert run(["archive", "ls", str(tmp_path / "store" / "topics"), "--json"]) == 0
    by_path = capsys.readouterr().out
    assert run(["archive", "ls", "--connector", "kept", "--url", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(by_path[by_path.index("{\n") :])
    assert run(["archive", "ls", "elsewhere", "--connector", "kept", "--url", url]) == 1
    assert f"{tmp_path}/store/topics/elsewhere" in capsys.readouterr().err
    assert run(["archive", "ls", "--connector", "nobody", "--url", url]) == 1
    assert "not found" in capsys.readouterr().err
    assert run(["archive", "ls"]) == 2
    assert "--connector" in capsys.readouterr().err
    assert run(["connectors", "delete", "kept", "--url", url]) == 0


@pytest.fixture
def refusing():
    """A worker that answers 400 in Connect's words."""

    class Refuses(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            said = invalid(["value.converter: 'jsn' is unknown", "topics: is required"]).message
            self.send_response(400)
            self.end_headers()
            self.wfile.write(json.dumps({"error_code": 400, "message": said}).encode())

        def log_message(self, *_args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Refuses) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_create_tells_every_error_on_a_separate_line_and_ends_with_2(refusing, tmp_path, capsys):
    file = tmp_path / "shop.yaml"
    file.write_text("connector.class: streamsink.ArchiveSink\n")
    assert run(["connectors", "create", str(file), "--url", refusing]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "streamsink: value.converter: 'jsn' is unknown",
        "streamsink: topics: is required",
        "streamsink: nothing was changed",
    ]


def test_validate_takes_several_files_and_names_each(url, tmp_path, capsys):
    usable, bad = tmp_path / "usable.yaml", tmp_path / "bad.yaml"
    usable.write_text("connector.class: streamsink.ArchiveSink\ntopics: t\narchive.url: file:///tmp/x\n")
    bad.write_text("connector.class: streamsink.ArchiveSink\ntopics: t\n")
    assert run(["connectors", "validate", str(usable), str(bad), "--url", url]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{usable}:"
    second = lines.index(f"{bad}:")
    # A machine with much to do may say of the store as well that it doesn't answer in time.
    assert any(line.startswith("error    topics: the brokers can't be used") for line in lines[1:second])
    assert lines[second + 1].startswith("error    archive.url:")
    assert run(["connectors", "validate", str(usable), str(bad), "--json", "--url", url]) == 2
    assert set(json.loads(capsys.readouterr().out)) == {str(usable), str(bad)}
    assert run(["connectors", "validate", "--url", url]) == 2
    assert "names no file" in capsys.readouterr().err
