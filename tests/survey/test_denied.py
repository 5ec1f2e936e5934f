"""What would be marked and cannot be purged, for this user may not remove it, is told with the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History, Retraining, keep_models
from tests.deletion.surroundings import closed, mounted
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey import cautions
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

READ_ONLY = 0o500


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(blessed=None, pushed=False) for _ in range(3)]


def planned(history: History, **policy: object) -> Plan:
    case = history.case(history.policy(rules=[keep_models(last=1)], **policy))
    return make_plan(case, Threads(1), metadata=history.url, created_ms=history.now_ms)


def said(plan: Plan) -> list[str]:
    return [f"{one.field}: {one.message}" for one in plan.cautions]


def test_who_may_write_is_told_nothing(history: History, runs: list[Retraining]):
    assert said(planned(history)) == []


def test_a_directory_that_is_not_ours_is_told_and_decides_nothing(history: History, runs: list[Retraining]):
    free = planned(history)
    directory = runs[0].model.path.parent
    with closed(directory, mode=READ_ONLY):
        denied = planned(history)
        other_root = planned(history, roots=[str(history.home / "nowhere"), str(history.root)])
    words = (
        f"{directory}: read-only, or not this user's to write; "
        "2 of what would go can be marked there, and not purged"
    )
    assert said(denied) == [f"roots[0]: {words}"]
    assert f"roots[1]: {words}" in said(other_root)
    assert (denied.id, denied.summary) == (free.id, free.summary)


def test_a_disk_that_is_mounted_to_be_read_is_told_to_root_as_well(history: History, runs: list[Retraining]):
    root = history.root
    with (
        mounted("--bind", str(root), target=root, below=root.parent),
        mounted("-o", "remount,bind,ro", target=root, below=root.parent),
    ):
        assert len(said(planned(history))) == 1
    assert said(planned(history)) == []


def test_several_directories_are_one_line(history: History, runs: list[Retraining]):
    other = history.pipeline("other")
    more = [other.retrain(blessed=None, pushed=False) for _ in range(2)]
    ours, theirs = runs[0].model.path.parent, more[0].model.path.parent
    with closed(ours, theirs, mode=READ_ONLY):
        (told,) = said(planned(history))
    assert told.startswith(f"roots[0]: {ours}, and 1 more of its directories: read-only")
    assert "3 of what would go can be marked" in told


def test_what_nobody_would_delete_does_not_matter(history: History, runs: list[Retraining]):
    with closed(runs[0].model_run.path.parent, mode=READ_ONLY):
        assert said(planned(history)) == []


def test_only_so_many_directories_are_looked_at(
    history: History, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cautions, "_MOST", 0)
    with closed(runs[0].model.path.parent, mode=READ_ONLY):
        assert said(planned(history)) == []


def test_directories_that_no_artifact_claims_count(history: History, runs: list[Retraining]):
    run = history.pipeline().run()
    run.start_training(steps=(100,))
    case = history.case(
        history.policy(rules=[keep_models(last=9)], orphans={"older_than": "14d"}),
        now_ms=history.later(days=15),
    )
    with closed(runs[0].model_run.path.parent, mode=READ_ONLY):
        plan = make_plan(case, Threads(1), metadata=history.url, created_ms=history.now_ms)
    assert plan.abandoned
    (told,) = said(plan)
    assert told.startswith(f"roots[0]: {runs[0].model_run.path.parent}: read-only")
