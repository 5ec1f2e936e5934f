"""What was marked is purged after its grace, if it is judged the same again and is ours to purge."""

from __future__ import annotations

import os
import shutil

from tests.builders import History, damage_saved_model, keep_models, prune_checkpoints
from tests.deletion.three_runs import done, planned, three_runs
from tfx_janitor.deletion import pins
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.remove import TRASH
from tfx_janitor.deletion.restore import restore


def test_purge_waits_for_the_grace(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)], grace="7d")
    apply(history.site(), planned(history, policy))

    assert purge(history.site(now_ms=history.later(days=6))) == []
    assert runs[0].model.path.exists()

    outcomes = purge(history.site(now_ms=history.later(days=8)))
    assert done(outcomes) == {runs[0].model.id: "purged", runs[1].model.id: "purged"}
    assert all(outcome.bytes > 10_000 for outcome in outcomes)
    assert history.states(*(run.model for run in runs)) == ["DELETED", "DELETED", "LIVE"]
    assert not runs[0].model.path.exists()
    assert runs[2].model.path.exists()
    assert not list(history.root.rglob(TRASH))


def test_what_is_used_again_after_the_mark_is_rescued(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)], grace="1d")
    apply(history.site(), planned(history, policy))
    history.pipeline("other").run().consume(runs[0].model, state="RUNNING")

    outcomes = purge(history.site(now_ms=history.later(days=2)))

    assert done(outcomes) == {runs[0].model.id: "rescued", runs[1].model.id: "purged"}
    rescued = next(outcome for outcome in outcomes if outcome.done == "rescued")
    assert "hold.active-execution" in rescued.detail
    assert history.state(runs[0].model) == "LIVE"
    assert runs[0].model.path.exists()


def test_a_pin_after_the_mark_rescues(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)], grace="1d")))
    pins.pin(history.site(), runs[1].model.id, "the customer asked for it")
    assert done(purge(history.site()))[runs[1].model.id] == "rescued"


def test_a_more_generous_policy_of_today_rescues(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)], grace="1d")))
    generous = history.policy(rules=[keep_models(last=2)])
    outcomes = purge(history.site(now_ms=history.later(days=2)), policy=generous)
    assert done(outcomes) == {runs[0].model.id: "purged", runs[1].model.id: "rescued"}


def test_what_is_not_whole_is_not_rescued_into_service(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)], grace="1d")))
    history.pipeline("other").run().consume(runs[0].model, state="RUNNING")
    damage_saved_model(runs[0].model.path)
    outcomes = {outcome.artifact_id: outcome for outcome in purge(history.site())}
    assert outcomes[runs[0].model.id].done == "failed"
    assert history.state(runs[0].model) == "MARKED_FOR_DELETION"


def test_purge_verifies_the_survivors_checksums_which_plan_does_not(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)])
    plan = planned(history, policy)
    damage_saved_model(runs[2].model.path)
    assert plan.summary.delete == planned(history, policy).summary.delete == 2  # the structure is whole
    apply(history.site(), plan)
    outcomes = purge(history.site())
    assert done(outcomes) == {runs[0].model.id: "rescued", runs[1].model.id: "rescued"}
    assert "hold.no-verified-survivor" in outcomes[0].detail
    assert runs[0].model.path.exists()


def test_marks_of_others_are_theirs(history: History) -> None:
    runs = three_runs(history)
    history.set_state(runs[0].model, "MARKED_FOR_DELETION")
    assert purge(history.site(now_ms=history.later(days=100))) == []
    assert runs[0].model.path.exists()


def test_where_one_may_not_write_nothing_is_claimed(history: History, monkeypatch) -> None:
    """Be it only in the directory that the payload lies in."""
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))
    around = runs[0].model.path.parent.stat()

    def may_write(_: str, __: int, *, dir_fd: int, **___: bool) -> bool:
        return not os.path.samestat(os.fstat(dir_fd), around)

    monkeypatch.setattr(os, "access", may_write)
    outcomes = {outcome.artifact_id: outcome for outcome in purge(history.site())}
    refused = f"{runs[0].model.path}: Permission denied: the directory around it"
    assert (outcomes[runs[0].model.id].done, outcomes[runs[0].model.id].detail) == ("failed", refused)
    assert history.state(runs[0].model) == "MARKED_FOR_DELETION"
    assert runs[0].model.path.exists()


def test_what_cannot_be_moved_is_not_even_claimed(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))
    (runs[0].model.path.parent / TRASH).write_text("somebody's file")
    assert done(purge(history.site()))[runs[0].model.id] == "failed"
    assert history.state(runs[0].model) == "MARKED_FOR_DELETION"
    assert done(restore(history.site(), [runs[0].model.id])) == {runs[0].model.id: "restored"}


def test_a_mark_that_was_taken_back_is_not_ours_when_somebody_else_marks(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)], grace="1d")))
    restore(history.site(), [runs[0].model.id])
    history.set_state(runs[0].model, "MARKED_FOR_DELETION")
    outcomes = purge(history.site(now_ms=history.later(days=2)))
    assert done(outcomes) == {runs[1].model.id: "purged"}


def test_an_artifact_whose_directory_is_not_there_stays_as_it_is(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))
    shutil.rmtree(runs[0].model.path)  # or its disk is not mounted
    outcomes = {outcome.artifact_id: outcome for outcome in purge(history.site())}
    assert outcomes[runs[0].model.id].done == "skipped"
    assert history.state(runs[0].model) == "MARKED_FOR_DELETION"


def test_one_pipelines_janitor_leaves_anothers_marks_alone(history: History) -> None:
    ours, theirs = three_runs(history, "ours"), three_runs(history, "theirs")
    policy = history.policy(rules=[keep_models(last=1), prune_checkpoints(last=1)])
    apply(history.site(), planned(history, policy))
    outcomes = purge(history.site(only_pipeline="ours"))
    assert done(outcomes).keys() == {ours[0].model.id, ours[1].model.id} | {run.model_run.id for run in ours}
    assert history.states(*(run.model for run in theirs)) == ["MARKED_FOR_DELETION"] * 2 + ["LIVE"]
    assert len(list(theirs[0].model_run.path.glob("*.index"))) == 3
    purge(history.site())
    assert history.states(*(run.model for run in theirs)) == ["DELETED"] * 2 + ["LIVE"]
    assert len(list(theirs[0].model_run.path.glob("*.index"))) == 1
