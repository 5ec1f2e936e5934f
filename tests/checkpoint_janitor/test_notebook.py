"""`context.show(report)` in TFX's own InteractiveContext, inside a real IPython."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.checkpoint_janitor.conftest import BEAM_ARGS, Past
from tests.checkpoint_janitor.test_executor import Ran
from tests.checkpoint_janitor.test_options import policy_over, sqlite
from tests.page.conftest import Visit, browser, visit  # noqa: F401
from tfx_janitor.survey.crew import Threads

if TYPE_CHECKING:
    from tfx.orchestration.experimental.interactive.interactive_context import InteractiveContext

pytestmark = pytest.mark.tfx

Show = Callable[[Any], str]


@pytest.fixture
def ipython(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """IPython as in a notebook, and TFX without a visualization of ours."""
    from IPython.core.interactiveshell import InteractiveShell
    from tfx.orchestration.experimental.interactive import visualizations
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setattr(visualizations.get_registry(), "visualizations", {})
    monkeypatch.setitem(vars(builtins), "__IPYTHON__", True)
    InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    yield
    InteractiveShell.clear_instance()


@pytest.fixture
def context(ipython: None, tmp_path: Path) -> InteractiveContext:
    from tfx.orchestration.experimental.interactive import interactive_context

    root = str(tmp_path / "notebook")
    return interactive_context.InteractiveContext("inception", root, sqlite(tmp_path), BEAM_ARGS)


@pytest.fixture
def show(context: InteractiveContext) -> Show:
    """Shows an artifact, and gives the HTML below the cell."""
    from IPython.utils.capture import capture_output
    from tfx import types

    def shown(artifact: Any) -> str:
        channel = types.Channel(type=type(artifact)).set_artifacts([artifact])
        with capture_output() as captured:
            context.show(channel)
        return "".join(output.data.get("text/html", "") for output in captured.outputs)

    return shown


@pytest.fixture
def started(past: Callable[[int], Past]) -> Past:
    made = past(3)
    made.start_janitor()
    return made


def test_the_page_is_shown_in_a_frame_and_works(
    show: Show,
    started: Past,
    tmp_path: Path,
    visit: Callable[..., Visit],  # noqa: F811
):
    from tfx_janitor.checkpoint_janitor import notebook

    notebook.register()
    cell = tmp_path / "cell.html"
    cell.write_text(show(Ran(started, crew=Threads(2)).do().report))
    page = visit().page
    page.goto(cell.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for(state="attached")
    frame.locator("#decisions-table [data-id]").first.click()
    frame.get_by_role("heading", name="Made from").wait_for()
    frame.locator("body").press("Escape")
    # Its scripts are strangers to the notebook around it.
    assert (
        page.frames[-1].evaluate("try { parent.document.title } catch (error) { error.name }")
        == "SecurityError"
    )


def test_without_a_page_the_text_is_shown(show: Show, started: Past):
    from tfx_janitor.checkpoint_janitor import notebook

    notebook.register()
    told = show(Ran(started, crew=Threads(2)).do(parameters={"html": 0}).report)
    assert "<pre>CheckpointJanitor in inception: " in told and "<iframe" not in told


def test_without_any_file_the_properties_are_told_and_are_no_markup(show: Show, tmp_path: Path):
    from tfx_janitor.checkpoint_janitor import JanitorReport, notebook

    notebook.register()
    report = JanitorReport()
    report.uri, report.status, report.reason = str(tmp_path / "gone"), "failed", "no <script> at all"
    assert "<pre>failed: no &lt;script&gt; at all</pre>" in show(report)


def test_a_janitor_made_in_a_notebook_registers_it(show: Show, tmp_path: Path):
    from tfx_janitor import CheckpointJanitor
    from tfx_janitor.checkpoint_janitor import JanitorReport

    assert "<pre>" not in show(JanitorReport())
    CheckpointJanitor(policy=policy_over(tmp_path), metadata_connection_config=sqlite(tmp_path))
    assert "<pre>" in show(JanitorReport())


def test_run_by_the_context_itself_it_refuses_and_that_is_shown(
    show: Show, tmp_path: Path, context: InteractiveContext
):
    from tfx_janitor import CheckpointJanitor

    janitor = CheckpointJanitor(policy=policy_over(tmp_path), metadata_connection_config=sqlite(tmp_path))
    context.run(janitor)
    (report,) = janitor.outputs["report"].get()
    assert report.status == "failed"
    assert "InteractiveContext runs every node by itself" in show(report)
