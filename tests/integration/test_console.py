"""The console, in a real browser beside a real worker."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.servers.browser import browser
from tests.servers.worker import WorkerServer, wait_until

SCREENSHOTS = os.environ.get("STREAMSINK_SCREENSHOTS")
"""A folder to leave screenshots in, for people to look at."""
WAIT_MS = 20_000


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
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{request.node.name}.png"), full_page=True)
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
    archive = page.get_by_role("table").filter(has_text="Day (UTC)")
    expect(archive).to_contain_text("console-logs", timeout=WAIT_MS)
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
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_connector_is_made_paused_and_deleted(page, sink, tmp_path, kafka, unique):
    kafka.create_topic(unique)
    page.get_by_role("link", name="New connector").click()
    page.get_by_label("name", exact=True).fill(unique)
    page.get_by_role("button", name="Validate").click()
    expect(page.get_by_role("status")).to_contain_text("problem", timeout=WAIT_MS)
    page.get_by_label("topics *", exact=True).or_(page.get_by_label("topics", exact=True)).fill(unique)
    page.locator("[id='key-archive.url']").evaluate("input => { input.closest('details').open = true }")
    page.locator("[id='key-archive.url']").fill((tmp_path / "made").as_uri())
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(unique, timeout=WAIT_MS)
    wait_until("it runs", lambda: sink.task(unique).get("state") == "RUNNING", worker=sink)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("PAUSED", timeout=WAIT_MS)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connectors", timeout=WAIT_MS)
    wait_until("it is gone", lambda: unique not in sink.get("/connectors"), worker=sink)


def test_without_leave_it_gives_no_orders(chromium, kafka, tmp_path):
    worker = WorkerServer(tmp_path, kafka.bootstrap)
    worker.connector("read-only", {"topics": "console-logs", "archive.url": (tmp_path / "a").as_uri()})
    worker.start()
    wait_until("it answers", lambda: worker.get("/connectors") == ["read-only"], worker=worker)
    page = chromium.new_page()
    page.goto(f"{worker.url}/ui#/connector/read-only")
    expect(page.get_by_role("heading", name="Configuration")).to_be_visible(timeout=WAIT_MS)
    assert page.get_by_role("button").count() == 0
    assert not page.get_by_role("link", name="New connector").is_visible()
    page.close()
    worker.kill()
