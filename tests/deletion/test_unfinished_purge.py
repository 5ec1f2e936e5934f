"""A purge that did not come to its end is finished by the next, and what is live again is put right."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import History, keep_models
from tests.deletion.three_runs import done, planned, three_runs
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.remove import TRASH
from tfx_janitor.survey.crew import Threads


class Dies(BaseException):
    """The end of a process."""


def dies_at(task: str) -> Callable[..., object]:
    """A crew whose process ends as it comes to a task."""
    real = Threads.run

    def run(crew: Threads, name: str, *work: Any) -> object:
        if name == task:
            raise Dies
        return real(crew, name, *work)

    return run


def test_a_purge_that_died_after_its_claim_is_finished(history: History, monkeypatch) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))
    with monkeypatch.context() as patch:
        patch.setattr(Threads, "run", dies_at("purge"))
        with pytest.raises(Dies):
            purge(history.site())
    assert history.states(runs[0].model, runs[1].model) == ["DELETED", "DELETED"]
    assert runs[0].model.path.exists()

    assert set(done(purge(history.site())).values()) == {"finished"}
    assert not runs[0].model.path.exists()
    assert purge(history.site()) == []


def test_what_came_to_lie_where_a_purge_was_cut_off_stays(history: History, monkeypatch) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))
    with monkeypatch.context() as patch:
        patch.setattr(Threads, "run", dies_at("purge"))
        with pytest.raises(Dies):
            purge(history.site())
    newcomer = history.pipeline("elsewhere").run().import_model(runs[0].model.path / "inside")
    (left,) = (outcome for outcome in purge(history.site()) if outcome.artifact_id == runs[0].model.id)
    assert left.done == "skipped"
    assert f"artifact {newcomer.id} lies there" in left.detail
    assert runs[0].model.path.exists()


def test_an_artifact_that_a_stale_launcher_calls_live_again_is_put_right(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))
    purge(history.site())
    history.set_state(runs[0].model, "LIVE")
    (corrected,) = purge(history.site())
    assert (corrected.artifact_id, corrected.done) == (runs[0].model.id, "corrected")
    assert history.state(runs[0].model) == "DELETED"
    assert purge(history.site()) == []


def test_what_is_live_again_on_a_disk_that_is_not_mounted_stays(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[keep_models(last=2)])
    collect(history.site(), policy)
    history.set_state(runs[0].model, "LIVE")
    unmounted = history.home / "unmounted"
    history.root.rename(unmounted)
    assert runs[0].model.id not in done(purge(history.site()))
    assert history.state(runs[0].model) == "LIVE"
    unmounted.rename(history.root)
    assert done(purge(history.site())) == {runs[0].model.id: "corrected"}


def test_what_is_live_again_and_lies_there_again_stays(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))
    purge(history.site())
    shutil.copytree(runs[2].model.path, runs[0].model.path)
    history.set_state(runs[0].model, "LIVE")
    assert purge(history.site()) == []
    assert history.state(runs[0].model) == "LIVE"


def test_a_purge_that_died_amid_the_bytes_is_finished(history: History, monkeypatch) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("tfx_janitor.deletion.remove._unlink", fail)
        outcomes = purge(history.site())
    assert set(done(outcomes).values()) == {"failed"}
    assert not runs[0].model.path.exists()  # never half a payload at its place
    assert list(runs[0].model.path.parent.glob(f"{TRASH}/*"))

    assert set(done(purge(history.site())).values()) == {"finished"}
    assert not list(history.root.rglob(TRASH))


def test_a_disk_that_is_unmounted_after_a_failed_purge_is_not_taken_for_empty(
    history: History, monkeypatch
) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("tfx_janitor.deletion.remove._rename_into_trash", fail)
        purge(history.site())
    unmounted = history.home / "unmounted"
    history.root.rename(unmounted)
    assert "purged" not in done(purge(history.site())).values()
    unmounted.rename(history.root)
    assert done(purge(history.site()))[runs[0].model.id] == "finished"
