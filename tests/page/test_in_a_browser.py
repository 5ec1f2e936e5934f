"""The page of a small store in a browser: what it shows, how one moves in it, and that everybody can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.builders import History
from tests.page.conftest import PATIENCE_MS, Visit
from tests.page.messy_history import HOSTILE
from tfx_janitor.cli import main

VisitPage = Callable[..., Visit]


@pytest.fixture(scope="module")
def page(history: History, policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "report.html"
    with pytest.raises(SystemExit) as ended:
        main(["--metadata", history.url, "report", "--policy", str(policy), "--out", str(out)])
    assert not ended.value.code
    return out


@pytest.fixture
def opened(visit: VisitPage, page: Path) -> Visit:
    one = visit()
    one.open(page)
    return one


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_checker_finds_nothing_serious(visit: VisitPage, page: Path, scheme: str) -> None:
    one = visit(color_scheme=scheme)
    one.open(page)
    assert one.violations() == []
    one.page.click("#decisions-table [data-id] >> nth=0")
    one.page.wait_for_selector("dialog[open] .graph svg")
    assert one.violations() == []


def test_a_name_that_is_markup_is_shown_as_it_is(opened: Visit) -> None:
    assert HOSTILE in opened.page.locator("#treemap-list").inner_text()
    opened.page.fill("#filter-pipeline", HOSTILE)
    opened.shows("12 of 122 artifacts")
    opened.page.click("#decisions-table [data-id] >> nth=0")
    opened.page.wait_for_selector("dialog[open] dd")
    assert HOSTILE in opened.page.locator("dialog dd").all_inner_texts()[2]


def test_a_row_opens_its_reasons_and_its_lineage(opened: Visit) -> None:
    opened.page.fill("#filter-search", "model trainer pinned")
    opened.shows("1 of 122 artifacts")
    opened.page.click("#decisions-table [data-id='2']")
    dialog = opened.page.locator("dialog[open]")
    assert dialog.locator("h2").inner_text() == "Model 2 keep"
    assert "hold.served" in dialog.locator(".reasons").inner_text()
    assert "Pusher 4" in "".join(dialog.locator(".reasons .path").all_inner_texts())
    drawn = dialog.locator(".graph svg text:not(.sub)").all_text_contents()
    assert {"ImportExampleGen 1", "Examples 1", "Trainer 2", "Model 2", "PushedModel 6"} <= set(drawn)


def test_a_box_of_the_graph_leads_on_and_back_leads_back(opened: Visit, page: Path) -> None:
    opened.open(page, "#artifact-2")
    opened.page.click(".graph a[href='#artifact-1'] rect")
    title = opened.page.locator("#detail-title")
    expect(title).to_contain_text("Examples 1", timeout=PATIENCE_MS)
    opened.page.click("#detail-back")
    expect(title).to_contain_text("Model 2", timeout=PATIENCE_MS)


def test_the_keyboard_goes_from_row_to_row_opens_one_and_comes_back(opened: Visit) -> None:
    first, second = opened.ids()[:2]
    opened.page.focus(f"#decisions-table [data-id='{first}']")
    opened.page.keyboard.press("ArrowDown")
    expect(opened.page.locator(f"#decisions-table [data-id='{second}']")).to_be_focused(timeout=PATIENCE_MS)
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_selector("dialog[open]")
    opened.page.keyboard.press("Escape")
    opened.page.wait_for_selector("dialog:not([open])", state="attached")
    # The browser tells of the closing, whereupon the page moves the focus, a moment after it.
    expect(opened.page.locator(f"#decisions-table [data-id='{second}']")).to_be_focused(timeout=PATIENCE_MS)


def test_rows_stay_when_the_table_comes_into_sight_and_fit_when_the_window_shrinks(opened: Visit) -> None:
    row = opened.page.locator("#decisions-table .tabulator-row").first
    before = row.element_handle()
    assert before is not None
    wide = before.evaluate("row => row.offsetWidth")
    opened.page.evaluate("scrollTo(0, 0)")
    row.scroll_into_view_if_needed()
    opened.page.locator("#decisions-table [data-id]").first.focus()
    opened.page.set_viewport_size({"width": 1240, "height": 700})
    expect(row).not_to_have_js_property("offsetWidth", wide, timeout=PATIENCE_MS)
    assert before.evaluate("row => row.isConnected")
    expect(opened.page.locator("#decisions-table [data-id]").first).to_be_focused()


def test_a_heading_sorts_by_the_keyboard(opened: Visit) -> None:
    ids = opened.ids()
    for expected in ("ascending", "descending"):
        opened.page.focus("#decisions-table [tabulator-field='id'] button")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_selector(f"#decisions-table [tabulator-field='id'][aria-sort='{expected}']")
    assert opened.ids()[0] > ids[0]


def test_the_list_beside_the_treemap_leads_to_the_table(opened: Visit) -> None:
    for name in ("inception", "Trainer", "Model"):
        opened.page.get_by_role("region", name="What is stored").get_by_role(
            "button", name=name, exact=True
        ).click()
    opened.shows("11 of 122 artifacts")
    assert opened.page.input_value("#filter-type") == "Model"


def test_a_click_into_the_treemap_goes_in(opened: Visit) -> None:
    opened.page.click("#treemap", position={"x": 100, "y": 200})
    opened.page.wait_for_selector("#treemap-path >> text=inception")


@pytest.mark.parametrize(
    ("verdict", "told"), [("keep", 53), ("delete", 11), ("unknown", 1), ("ungoverned", 56), ("deleted", 1)]
)
def test_verdicts_are_told_apart(opened: Visit, verdict: str, told: int) -> None:
    opened.page.select_option("#filter-verdict", verdict)
    opened.shows(f"{told} of 122 artifacts")
    others = opened.page.locator("#decisions-table .chip", has_not_text=verdict)
    expect(others).to_have_count(0, timeout=PATIENCE_MS)


def test_serving_is_drawn_and_told(opened: Visit) -> None:
    assert opened.page.locator(".serving svg").count() == 2
    rows = opened.page.get_by_role("region", name="Versions of").first.locator("tbody tr").all_inner_texts()
    assert "serving" in rows[0] and all("stands" in row for row in rows[1:])


def test_what_the_janitor_did_is_told_with_who_and_why(opened: Visit) -> None:
    rows = (
        opened.page.get_by_role("region", name="What the janitor did").locator("tbody tr").all_inner_texts()
    )
    assert [row.split("\t")[1].split()[0] for row in rows] == ["purge", "apply", "pin"]
    assert "anna@ops" in rows[2] and "audit 2026 <b>keep</b>" in rows[2]


def test_on_paper_the_rows_stand_in_a_plain_table(opened: Visit) -> None:
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")
    assert opened.page.locator("#decisions-print tbody tr").count() == 65
    assert not opened.page.locator("#decisions-table").is_visible()


def test_without_scripts_totals_and_findings_can_be_read(visit: VisitPage, page: Path) -> None:
    one = visit(java_script_enabled=False)
    one.page.goto(page.as_uri())
    assert "need JavaScript" in one.page.inner_text("noscript")
    assert "missing-payload" in one.page.inner_text("#findings")


def test_a_browser_that_is_too_old_is_told_so(visit: VisitPage, page: Path) -> None:
    one = visit()
    one.page.add_init_script("delete window.DecompressionStream")
    one.page.goto(page.as_uri())
    one.page.wait_for_selector("#notice:not([hidden])")
    assert "too old" in one.page.inner_text("#notice")
