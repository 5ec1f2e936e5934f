"""The executions of all contexts at once are those that MLMD tells context by context."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from tests.builders import History
from tests.busy_store import held
from tfx_janitor.lineage import associations, read_api
from tfx_janitor.lineage.connection import open_url
from tfx_janitor.lineage.patience import PatientStore
from tfx_janitor.lineage.snapshot import Snapshot


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Two pipelines with three runs each."""
    written = History(tmp_path)
    for name in ("a", "a.b"):
        pipeline = written.pipeline(name)
        for _ in range(3):
            pipeline.retrain()
    return written


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Contexts whose executions MLMD is asked for, however few there are."""
    found: list[int] = []
    original = PatientStore.get_executions_by_context

    def ask(self: PatientStore, context_id: int):
        found.append(context_id)
        return original(self, context_id)

    monkeypatch.setattr(PatientStore, "get_executions_by_context", ask)
    monkeypatch.setattr(read_api, "_FEW_CONTEXTS", 0)
    return found


def test_the_snapshot_is_the_same(history: History, asked: list[int]) -> None:
    at_once = read(history)
    assert asked == []
    assert columns(at_once) == columns(history.snapshot())


def test_few_contexts_are_asked_one_by_one(history: History, asked: list[int], monkeypatch) -> None:
    monkeypatch.setattr(read_api, "_FEW_CONTEXTS", 100)
    monkeypatch.setattr(read_api, "read_associations", lambda _: pytest.fail("it was read at once"))
    read(history)
    assert asked


@pytest.mark.parametrize("query", ["raise SystemExit(1)", "import no_such_module"])
def test_where_the_file_cannot_be_read_so_each_context_is_asked(
    history: History, asked: list[int], monkeypatch, query: str
) -> None:
    monkeypatch.setattr(associations, "_QUERY", query)
    assert columns(read(history)) == columns(history.snapshot())
    assert asked


def test_a_file_that_somebody_has_for_himself_is_not_read(history: History, monkeypatch) -> None:
    query = associations._QUERY.replace("timeout=60", "timeout=0.1")
    monkeypatch.setattr(associations, "_QUERY", query)
    with held(history.database):
        assert associations.read_associations(str(history.database)) is None
    assert associations.read_associations(str(history.database)) is not None


def test_a_file_that_is_not_there_stays_away(tmp_path: Path) -> None:
    assert associations.read_associations(str(tmp_path / "none.db")) is None
    assert list(tmp_path.iterdir()) == []


def test_any_path_is_read(history: History, tmp_path: Path) -> None:
    odd = tmp_path / "what? 100%23 #1.db"
    odd.write_bytes(history.database.read_bytes())
    found = associations.read_associations(str(odd))
    assert found is not None
    (pipeline, _) = history.store.get_contexts_by_type("pipeline")
    executions = history.store.get_executions_by_context(pipeline.id)
    assert found.of(pipeline.id) == sorted(execution.id for execution in executions)
    assert found.of(10_000) == []


def read(history: History) -> Snapshot:
    store, _ = open_url(history.url, readonly=True)
    return read_api.read(store)


def columns(snapshot: Snapshot) -> dict[str, object]:
    values = {f.name: getattr(snapshot.executions, f.name) for f in fields(snapshot.executions)}
    return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in values.items()}
