"""The pictures in docs/report.md: `python -m tests.page.pictures` makes them anew.

The store of the tests in both colour schemes, one of its artifacts, and a store of 100,000 artifacts.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.page.large_store import large_contents
from tests.page.messy_history import messy_history, policy_of
from tfx_janitor.cli import main
from tfx_janitor.report.page.rendering import render

DOCS = Path(__file__).parents[2] / "docs"
WIDTH = 1200


def picture(browser: Browser, page: Path, name: str, *, scheme: str, height: int, fragment: str = "") -> None:
    """The top of a page, or what a fragment of its address opens."""
    view = browser.new_page(color_scheme=scheme, viewport={"width": WIDTH, "height": height})  # type: ignore[arg-type]
    view.goto(f"{page.as_uri()}{fragment}")
    view.wait_for_selector("html[data-ready]", state="attached")
    if fragment and not fragment.startswith("#artifact"):
        view.evaluate("id => document.getElementById(id).scrollIntoView({behavior: 'instant'})", fragment[1:])
        view.wait_for_timeout(500)
    view.screenshot(path=DOCS / name)
    view.close()


def make(home: Path) -> None:
    """All of them, from stores that are built in a directory."""
    history = messy_history(home / "inception")
    small, large = home / "small.html", home / "large.html"
    arguments = [
        "--metadata",
        history.url,
        "report",
        "--policy",
        str(policy_of(history)),
        "--out",
        str(small),
    ]
    try:
        main(arguments)
    except SystemExit as ended:
        assert not ended.code, "the page was not made"
    large.write_text(render(large_contents(100_000)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--hide-scrollbars"]
        )
        picture(browser, small, "report-light.png", scheme="light", height=1750)
        picture(browser, small, "report-dark.png", scheme="dark", height=1750)
        picture(browser, small, "report-artifact.png", scheme="light", height=800, fragment="#artifact-2")
        picture(browser, large, "report-large.png", scheme="light", height=800)
        picture(browser, large, "report-decisions.png", scheme="dark", height=760, fragment="#decisions")
        browser.close()


if __name__ == "__main__":
    # A place whose name says nothing of who made the pictures.
    place = Path(tempfile.gettempdir()) / "tfx"
    place.mkdir()
    try:
        make(place)
    finally:
        shutil.rmtree(place)
