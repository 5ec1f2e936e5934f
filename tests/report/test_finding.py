"""Which artifact a person means."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History
from tfx_janitor.report.finding import NotFound, find


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("finding"))


def test_the_artifact_deepest_around_a_path(history: History):
    run = history.pipeline("nested").run()
    outer = run.import_model(history.home / "outside")
    inner = run.import_model(history.home / "outside" / "inner")
    snapshot = history.snapshot()

    def found(name: object) -> int:
        return int(snapshot.artifacts.id[find(snapshot, str(name)).row])

    assert found(history.home / "outside" / "inner" / "x") == inner.id
    assert found(history.home / "outside" / "x") == outer.id
    assert found(f"{history.home}/./outside/x/../inner/") == inner.id
    with pytest.raises(NotFound):
        find(snapshot, str(history.home / "outsider"))


def test_of_several_at_one_place_the_living_then_the_newest(history: History):
    run = history.pipeline("shared").run()
    place = history.home / "shared"
    first, second, third = (run.import_model(place) for _ in range(3))
    history.set_state(third, "DELETED")
    snapshot = history.snapshot()
    found = find(snapshot, str(place))
    assert int(snapshot.artifacts.id[found.row]) == second.id
    assert [int(snapshot.artifacts.id[row]) for row in found.others] == [first.id, third.id]


def test_a_name_of_digits_is_an_id(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    history.pipeline("digits").run().import_model(tmp_path / "1")
    monkeypatch.chdir(tmp_path)
    snapshot = history.snapshot()
    assert int(snapshot.artifacts.id[find(snapshot, "1").row]) == 1
    assert snapshot.artifacts.uri[find(snapshot, "./1").row] == str(tmp_path / "1")


def test_of_a_base_directory_the_version_pushed_last_is_named(history: History):
    pipeline = history.pipeline("pushed")
    first, last = (pipeline.retrain().push.destination for _ in range(2))
    with pytest.raises(NotFound) as raised:
        find(history.snapshot(), str(last.parent))
    assert f"and no PushedModel is served there, but one in it: {last}; give " in str(raised.value)
    assert str(first) not in str(raised.value)
