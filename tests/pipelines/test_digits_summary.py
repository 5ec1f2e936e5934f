from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from pipelines.inception_digits.workspace import open_workspace

pytestmark = pytest.mark.tfx


def test_a_demo_whose_models_were_all_bad_says_that_nothing_is_served(tmp_path: Path):
    from pipelines.inception_digits import summary

    demo = open_workspace(tmp_path / "demo", "digits", fresh=True)
    console = Console(record=True)
    console.print(summary._served_table(demo, []))
    assert console.export_text() == "nothing: no model was pushed\n"
