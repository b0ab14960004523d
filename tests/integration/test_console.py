"""The console, in a real browser beside a real worker."""

import json
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.servers.axe import grave_violations
from tests.servers.browser import browser
from tests.servers.worker import WorkerServer, wait_until

SCREENSHOTS = os.environ.get("STREAMSINK_SCREENSHOTS")
"""A folder to leave screenshots in, for people to look at."""
WAIT_MS = 20_000
PICTURE_BYTES_MAX = 150_000
FITS = "document.documentElement.scrollWidth <= window.innerWidth"
UNFOLD = "document.querySelectorAll('details').forEach((each) => { each.open = true })"


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def sink(kafka, tmp_path_factory):
    """A worker whose console gives orders, with a running sink and one that can't run."""
    folder = tmp_path_factory.mktemp("console")
    worker = WorkerServer(folder, kafka.bootstrap, **{"console.writable": "true"})
    kafka.create_topic("console-logs", 2)
    config = {"topics": "console-logs", "archive.url": (folder / "archive").as_uri(), "rotate.age.ms": "500"}
    worker.connector("console-logs", config)
    worker.connector("broken", {**config, "format.class": "papyrus"})
    produce(kafka)
    worker.start()
    wait_until("it stores", lambda: any((folder / "archive" / "topics").rglob("*.parquet")), worker=worker)
    yield worker
    worker.kill()


def produce(kafka, count=1000):
    producer = kafka.producer()
    for number in range(count):
        producer.produce("console-logs", b"<script>alert(1)</script>", partition=number % 2)
    assert producer.flush(30) == 0


@pytest.fixture(params=["light", "dark"])
def page(chromium, sink, request):
    """A page, wide and light, or narrow and dark, that must not complain."""
    wide = request.param == "light"
    size = {"width": 1200, "height": 900} if wide else {"width": 390, "height": 844}
    context = chromium.new_context(viewport=size, color_scheme=request.param)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{sink.url}/ui")
    yield page
    if SCREENSHOTS:
        name = re.sub(r"[^\w.]+", "-", request.node.name)
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"), full_page=True)
    context.close()
    assert complaints == []


def test_connectors_are_listed_with_their_states_and_troubles(page):
    row = page.get_by_role("row", name=re.compile("console-logs"))
    expect(row).to_contain_text("RUNNING", timeout=WAIT_MS)
    broken = page.get_by_role("row", name=re.compile("broken"))
    expect(broken).to_contain_text("FAILED")
    expect(page.get_by_role("heading", name="Recent errors")).to_be_visible()
    expect(page.locator("main")).to_contain_text("papyrus")


def test_a_live_sink_is_shown_with_plots_archive_and_guarantee(page, kafka):
    page.get_by_role("link", name="console-logs").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("console-logs")
    produce(kafka)
    plot = page.get_by_role("img", name=re.compile(r"Records a second: now .* at most [1-9]"))
    expect(plot).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("main")).to_contain_text("Exactly once")
    archive = page.get_by_role("region", name="Archive of console-logs")
    expect(archive).to_contain_text("Every offset between the first and the last", timeout=WAIT_MS)
    expect(archive.get_by_role("table")).to_contain_text(re.compile(r"20\d\d-\d\d-\d\d"))
    expect(page.get_by_role("table").filter(has_text="rotate.age.ms")).to_contain_text("500")


def test_it_works_by_keyboard_alone(page):
    page.wait_for_selector("main h1")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "console-logs":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("console-logs")


def test_nothing_runs_over_the_edge(page):
    page.wait_for_selector("main h1")
    page.get_by_role("link", name="console-logs").click()
    page.wait_for_selector("figure")
    assert page.evaluate(FITS)
    page.get_by_role("link", name="New connector").click()
    key(page, "archive.url").fill("s3://bucket")
    page.evaluate(UNFOLD)
    assert page.evaluate(FITS)
    page.evaluate(UNFOLD.replace("true", "false"))


def key(page, name):
    """The field of a key."""
    return page.locator(f"[id='key-{name}']")


def fill_sink(page, name, folder, topic):
    """Fill the form of a new sink, as little as it takes."""
    page.get_by_role("link", name="New connector").click()
    key(page, "name").fill(name)
    key(page, "topics").fill(topic)
    key(page, "archive.url").fill(folder.as_uri())


def test_a_connector_is_made_paused_stopped_and_deleted(page, sink, tmp_path, kafka, unique):
    kafka.create_topic(unique)
    fill_sink(page, unique, tmp_path / "made", unique)
    page.get_by_role("button", name="Create").click(timeout=WAIT_MS)
    expect(page.get_by_role("heading", level=1)).to_contain_text(unique, timeout=WAIT_MS)
    wait_until("it runs", lambda: sink.task(unique).get("state") == "RUNNING", worker=sink)
    answer = page.get_by_role("region", name="Orders").get_by_role("status")
    page.get_by_role("button", name="Store now").click()
    expect(answer).to_contain_text("is stored and committed", timeout=WAIT_MS)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("PAUSED", timeout=WAIT_MS)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("RUNNING", timeout=WAIT_MS)
    page.get_by_role("button", name="Restart task 0").click()
    expect(answer).to_contain_text("Task 0 is told to restart", timeout=WAIT_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("STOPPED", timeout=WAIT_MS)
    page.get_by_role("button", name="Delete").click()
    sure = page.get_by_role("button", name="Delete for good")
    page.get_by_label("Type its name").fill("another")
    expect(sure).to_be_disabled()
    page.get_by_label("Type its name").fill(unique)
    sure.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connectors", timeout=WAIT_MS)
    wait_until("it is gone", lambda: unique not in sink.get("/connectors"), worker=sink)


def test_a_form_is_judged_as_one_types(page, sink, tmp_path):
    fill_sink(page, "judged", tmp_path / "made", "console-logs")
    create, verdict = page.get_by_role("button", name="Create"), page.locator(".verdict")
    expect(page.get_by_role("region", name="Guarantee")).to_contain_text("Exactly once", timeout=WAIT_MS)
    expect(create).to_be_enabled()
    key(page, "rotate.age.ms").fill("10 parsecs")
    expect(create).to_be_disabled()
    expect(page.locator("[id='key-rotate.age.ms-error']")).to_contain_text("10 parsecs", timeout=WAIT_MS)
    verdict.get_by_role("button", name="rotate.age.ms").click()
    expect(key(page, "rotate.age.ms")).to_be_focused()
    key(page, "rotate.age.ms").fill("5m")
    expect(page.locator("output[for='key-rotate.age.ms']")).to_have_text("= 5 min")
    expect(verdict).to_have_text("This configuration can be used.", timeout=WAIT_MS)
    expect(create).to_be_enabled()


def test_a_slow_answer_never_hides_a_newer_one(page, sink, tmp_path):
    held = []

    def is_slow(request):
        return json.loads(request.post_data or "{}").get("name") == "slow"

    page.route("**/config/validate", lambda route: held.append(route) if is_slow(route.request) else route.continue_())
    with page.expect_request(is_slow):
        fill_sink(page, "slow", tmp_path / "made", "console-logs")
    key(page, "name").fill("quick")
    expect(page.locator(".verdict")).to_have_text("This configuration can be used.", timeout=WAIT_MS)
    wrong = {"name": "x", "error_count": 1, "groups": [], "configs": [], "warnings": [], "guarantee": ""}
    assert held
    for route in held:
        route.fulfill(json=wrong)
    page.evaluate("() => new Promise((done) => setTimeout(done, 0))")
    expect(page.locator(".verdict")).to_have_text("This configuration can be used.")
    expect(page.get_by_role("button", name="Create")).to_be_enabled()


def test_confluent_json_fills_the_form_and_comes_back_without_defaults(page, sink):
    page.get_by_role("link", name="New connector").click()
    page.get_by_text("As JSON", exact=True).click()
    area = page.get_by_label("Configuration as JSON")
    config = {
        "connector.class": "io.confluent.connect.s3.S3SinkConnector",
        "topics": "console-logs",
        "s3.bucket.name": "a-bucket",
        "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
        "flush.size": 1000,
        "topics.dir": "topics",
        "aws.secret.access.key": "hunter2",
        "transforms": "ts",
        "transforms.ts.type": "org.apache.kafka.connect.transforms.InsertField$Value",
        "transforms.ts.timestamp.field": "<b>at</b>",
        "consumer.override.fetch.min.bytes": "1",
        "transforms.gone.type": "Cast",
    }
    area.fill(json.dumps({"name": "pasted", "config": config}))
    expect(key(page, "s3.bucket.name")).to_have_value("a-bucket", timeout=WAIT_MS)
    expect(key(page, "name")).to_have_value("pasted")
    expect(key(page, "connector.class")).to_have_value(config["connector.class"])
    expect(key(page, "transforms.ts.timestamp.field")).to_have_value("<b>at</b>")
    expect(key(page, "consumer.override.fetch.min.bytes")).to_have_value("1")
    expect(key(page, "transforms.gone.type")).to_have_value("Cast")
    key(page, "flush.size").fill("2000")
    sent = json.loads(area.input_value())
    assert sent["name"] == "pasted"
    assert sent["config"]["flush.size"] == "2000"
    assert "topics.dir" not in sent["config"]
    assert sent["config"]["aws.secret.access.key"] == "[hidden]"
    assert sent["config"]["transforms.ts.timestamp.field"] == "<b>at</b>"


def test_options_follow_the_store_and_secrets_are_references(page, sink):
    page.get_by_role("link", name="New connector").click()
    key(page, "archive.url").fill("az://container")
    expect(key(page, "archive.option.account_name")).to_be_visible()
    key(page, "archive.url").fill("s3://bucket")
    expect(key(page, "archive.option.account_name")).to_have_count(0)
    page.get_by_label("Where archive.option.secret_access_key is kept").select_option("env")
    key(page, "archive.option.secret_access_key").fill("S3_SECRET")
    page.get_by_text("As JSON", exact=True).click()
    shown = json.loads(page.get_by_label("Configuration as JSON").input_value())
    assert shown["config"]["archive.option.secret_access_key"] == "${env:S3_SECRET}"


def test_a_stored_secret_stays_hidden_and_stays_as_it_is(page, sink, unique):
    secret = "archive.option.secret_access_key"
    config = {
        "topics": "console-logs",
        "archive.url": "s3://bucket",
        "archive.option.access_key_id": "a",
        secret: "hunter2",
    }
    body = {
        "name": unique,
        "config": {"connector.class": "streamsink.ArchiveSink", **config},
        "initial_state": "STOPPED",
    }
    assert page.request.post(f"{sink.url}/connectors", data=body).status == 201
    page.goto(f"{sink.url}/ui#/edit/{unique}")
    expect(page.get_by_label(f"Where {secret} is kept")).to_have_value("kept", timeout=WAIT_MS)
    assert json.loads(page.locator("#json").input_value())["config"][secret] == "[hidden]"
    assert "hunter2" not in page.content()
    assert page.request.delete(f"{sink.url}/connectors/{unique}").status == 204


def test_each_class_has_a_form(page, sink):
    page.get_by_role("link", name="New connector").click()
    kinds = key(page, "connector.class")
    expect(kinds).to_be_visible(timeout=WAIT_MS)
    names = kinds.locator("option").evaluate_all("options => options.map((each) => each.value)")
    assert {each["class"] for each in sink.get("/connector-plugins")} == set(names)
    for name, first in (("streamsink.ArchiveSource", "target.topic"), ("streamsink.DatabaseSource", "database.url")):
        kinds.select_option(name)
        expect(key(page, first)).to_be_visible(timeout=WAIT_MS)
    for name in names:
        kinds.select_option(name)
        expect(page.locator(f"[data-class='{name}']")).to_be_visible(timeout=WAIT_MS)


def test_a_connector_is_edited_and_its_offsets_set(page, sink, tmp_path, kafka, unique):
    kafka.create_topic(unique)
    sink.connector(unique, {"topics": unique, "archive.url": (tmp_path / "edited").as_uri()})
    producer = kafka.producer()
    for _ in range(5):
        producer.produce(unique, b"{}")
    assert producer.flush(30) == 0
    wait_until("it reads", lambda: sink.task(unique).get("progress", {}).get("records_total") == 5, worker=sink)
    page.goto(f"{sink.url}/ui#/connector/{unique}")
    waits = "5 records are not stored yet, some in 1 open file. The next file closes in 10 min."
    expect(page.locator("main")).to_contain_text(waits, timeout=WAIT_MS)
    page.get_by_role("link", name="Edit").click()
    key(page, "rotate.age.ms").fill("7m")
    page.get_by_role("button", name="Save").click(timeout=WAIT_MS)
    expect(page.get_by_role("table").filter(has_text="rotate.age.ms")).to_contain_text("7m", timeout=WAIT_MS)
    assert "rotate.size.bytes" not in sink.get(f"/connectors/{unique}/config")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("STOPPED", timeout=WAIT_MS)
    page.get_by_role("button", name="Show offsets").click()
    offset = page.get_by_label(f"Offset of {unique}, partition 0")
    expect(offset).to_have_value("5", timeout=WAIT_MS)
    offset.fill("2")
    page.get_by_role("button", name="Set changed offsets").click()
    expect(page.get_by_text("offsets for this connector")).to_be_visible(timeout=60_000)
    assert sink.get(f"/connectors/{unique}/offsets")["offsets"][0]["offset"] == {"kafka_offset": 2}


def test_a_failure_says_first_what_to_do(page):
    page.get_by_role("link", name="broken").click()
    failure = page.get_by_role("region", name=re.compile("Failure of broken")).first
    expect(failure).to_have_text(
        re.compile(r"^What to do: correct the connector's configuration.*papyrus"), timeout=WAIT_MS
    )
    assert page.locator(".failure details[open]").count() == 0


@pytest.mark.parametrize(
    ("route", "shown"),
    [("#/", "table"), ("#/connector/console-logs", "figure"), ("#/connector/broken", ".failure"), ("#/new", ".bar")],
)
def test_axe_finds_no_grave_fault(page, sink, route, shown):
    page.goto(f"{sink.url}/ui{route}")
    page.wait_for_selector(f"main {shown}")
    page.evaluate(UNFOLD)
    assert grave_violations(page) == []


def test_pictures_for_the_documentation_are_small(chromium, sink, tmp_path):
    folder = Path(SCREENSHOTS or tmp_path)
    context = chromium.new_context(viewport={"width": 1100, "height": 620}, color_scheme="light")
    page = context.new_page()
    page.goto(f"{sink.url}/ui")
    expect(page.get_by_role("row", name=re.compile("console-logs"))).to_contain_text("RUNNING", timeout=WAIT_MS)
    page.screenshot(path=str(folder / "console-list.png"))
    fill_sink(page, "clicks", Path("/var/lib/archive"), "console-logs")
    key(page, "rotate.age.ms").fill("5m")
    expect(page.locator(".verdict")).to_have_text("This configuration can be used.", timeout=WAIT_MS)
    key(page, "archive.url").scroll_into_view_if_needed()
    page.screenshot(path=str(folder / "console-form.png"))
    context.close()
    assert all((folder / f"console-{each}.png").stat().st_size < PICTURE_BYTES_MAX for each in ("list", "form"))


def test_without_leave_it_gives_no_orders(chromium, kafka, tmp_path):
    worker = WorkerServer(tmp_path, kafka.bootstrap)
    worker.connector("read-only", {"topics": "console-logs", "archive.url": (tmp_path / "a").as_uri()})
    worker.start()
    wait_until("it answers", lambda: worker.get("/connectors") == ["read-only"], worker=worker)
    page = chromium.new_page()
    page.goto(f"{worker.url}/ui#/connector/read-only")
    expect(page.get_by_role("heading", name="Configuration")).to_be_visible(timeout=WAIT_MS)
    assert page.get_by_role("button").all_inner_texts() == ["Show offsets"]
    assert not page.get_by_role("link", name="New connector").is_visible()
    page.close()
    worker.kill()
