"""Pages opened in a real browser, which hands every error and every request to the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright

from tests.builders import History
from tests.page.messy_history import messy_history, policy_of

AXE = Path(__file__).parents[2] / ".tools" / "axe" / "axe.min.js"
SERIOUS = ("serious", "critical")

PATIENCE_MS = 15_000
"""Waiting is done with `expect`: `wait_for_function` evaluates a string, which the page forbids."""


class Visit:
    """An open page. When the test ends, it must have had no errors and asked for nothing."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_default_timeout(PATIENCE_MS)
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        # Nobody answers it: whoever waits for an answer is an error of its own.
        page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        page.route("**/*", self._answer)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _answer(self, route: Route) -> None:
        if route.request.url.startswith("file://"):
            route.continue_()
        else:
            self.requests.append(route.request.url)
            route.abort()

    def open(self, file: Path, fragment: str = "") -> float:
        """Opens a page; gives the seconds until everything was drawn, by the browser's own clock."""
        self.page.goto(f"{file.as_uri()}{fragment}")
        self.page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
        return int(self.page.get_attribute("html", "data-ready") or 0) / 1000

    def ids(self) -> list[int]:
        """Ids of the rows in sight, from the top."""
        found = self.page.locator("#decisions-table [data-id]").all_inner_texts()
        return [int(text) for text in found]

    def shows(self, told: str) -> None:
        """Waits until the line above the table says this."""
        expect(self.page.locator("#decisions-count")).to_have_text(told, timeout=PATIENCE_MS)
        # The rows are drawn with the next frame: what is clicked before that may be gone.
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def violations(self) -> list[str]:
        """What an accessibility checker finds serious."""
        self.page.evaluate(AXE.read_text())
        found: Any = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{violation['impact']}: {violation['id']} at {violation['nodes'][0]['target']}"
            for violation in found["violations"]
            if violation["impact"] in SERIOUS
        ]


@pytest.fixture(scope="module")  # no longer than that: a process can only have one at a time
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None or not AXE.is_file():
        missing = "chromium" if chromium is None else "axe-core"
        pytest.skip(f"no {missing} here; scripts/browser.sh installs it, if root and a network are there")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """`visit()`, `visit(color_scheme="dark")`: a window of its own."""
    visits: list[Visit] = []

    def opened(**options: Any) -> Visit:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        visits.append(Visit(context.new_page()))
        return visits[-1]

    yield opened
    for one in visits:
        one.page.context.close()
    assert [(one.errors, one.requests) for one in visits] == [([], [])] * len(visits)


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return messy_history(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def policy(history: History) -> Path:
    return policy_of(history)
