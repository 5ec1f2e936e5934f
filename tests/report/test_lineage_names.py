"""Readable names on a lineage path."""

from __future__ import annotations

from pathlib import Path

from tests.builders import History
from tfx_janitor.deletion.pins import pin
from tfx_janitor.report.lineage_names import LineageNames


def test_every_kind_of_step(tmp_path: Path):
    history = History(tmp_path)
    run = history.pipeline("inception").run("run\n1")
    trained = run.train()
    history.set_state(trained.model_run, "MARKED_FOR_DELETION")
    pinned = pin(history.site(actor="anna@host"), trained.model.id, "demo")
    names = LineageNames(history.snapshot())
    steps = [
        ("artifact", trained.model.id),
        ("artifact", trained.model_run.id),
        ("execution", trained.execution),
        ("context", pinned.context_id),
        ("artifact", 4711),
        ("execution", 4711),
        ("context", 4711),
    ]
    assert names.path(steps) == [
        f"Model {trained.model.id}",
        f"ModelRun {trained.model_run.id} (MARKED_FOR_DELETION)",
        f"execution {trained.execution} (Trainer, run run\\n1, COMPLETE)",
        "pin of anna@host",
        "artifact 4711",
        "execution 4711",
        "context 4711",
    ]
