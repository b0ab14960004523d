"""Checks a page's accessibility with axe-core, from npm, as a browser shows it."""

from playwright.sync_api import Page

from tests.servers.npm import npm_file

VERSION = "4.10.3"
GRAVE = ("serious", "critical")
RUN = "axe.run(document, {resultTypes: ['violations']})"


def grave_violations(page: Page) -> list[str]:
    """What is serious or critical, with the elements it is found at."""
    page.evaluate(npm_file("axe-core", VERSION, "axe.min.js").read_text())
    found = page.evaluate(RUN)["violations"]
    return [
        f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes']][:5]}"
        for each in found
        if each["impact"] in GRAVE
    ]
