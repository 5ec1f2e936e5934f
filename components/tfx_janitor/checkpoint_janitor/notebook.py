"""A JanitorReport in a notebook: `context.show(...)` of TFX's InteractiveContext shows its page.

A CheckpointJanitor that is made in IPython registers this by itself. IPython itself is imported only to show
something.
"""

from __future__ import annotations

import html
import os

from tfx import types
from tfx.dsl.io import fileio
from tfx.orchestration.experimental.interactive import visualizations

from tfx_janitor.checkpoint_janitor.artifacts import PAGE_FILE, REPORT_TEXT_FILE, JanitorReport
from tfx_janitor.report.text import printable

_HEIGHT = 800
"""Of the frame, in pixels."""


def register() -> None:
    """Lets every InteractiveContext show JanitorReports. Once more does no harm."""
    visualizations.get_registry().register(JanitorReportVisualization)


class JanitorReportVisualization(visualizations.ArtifactVisualization):
    """The page in a frame; the report's text where there is none."""

    ARTIFACT_TYPE = JanitorReport

    def display(self, artifact: types.Artifact) -> None:  # type: ignore[override] # as TFX's own do
        """Shows one JanitorReport below the present cell."""
        from IPython.display import HTML, display

        page = os.path.join(artifact.uri, PAGE_FILE)
        if not artifact.page_missing and fileio.exists(page):
            display(HTML(_framed(_read(page))))
            return
        text = os.path.join(artifact.uri, REPORT_TEXT_FILE)
        told = _read(text) if fileio.exists(text) else f"{artifact.status}: {printable(artifact.reason)}"
        display(HTML(f"<pre>{html.escape(told)}</pre>"))


def _framed(page: str) -> str:
    # The sandbox has no origin: the page's scripts reach neither the notebook nor its server.
    return (
        f'<div><iframe title="Report of a CheckpointJanitor" sandbox="allow-scripts" '
        f'style="width: 100%; height: {_HEIGHT}px; border: 0" srcdoc="{html.escape(page)}"></iframe></div>'
    )


def _read(path: str) -> str:
    with fileio.open(path, "rb") as file:
        return file.read().decode(errors="replace")
