"""What was marked is taken back."""

from __future__ import annotations

import pytest

from tests.builders import History, damage_saved_model, keep_models, prune_checkpoints
from tests.deletion.three_runs import done, planned, three_runs
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.restore import marked_by, restore
from tfx_janitor.errors import JanitorError


def test_restore_brings_back_what_apply_marked(history: History) -> None:
    runs = three_runs(history)
    plan = planned(history, history.policy(rules=[keep_models(last=1)], grace="7d"))
    apply(history.site(), plan)
    ids = marked_by(history.site(), plan.id)
    assert ids == [runs[0].model.id, runs[1].model.id]
    assert set(done(restore(history.site(), ids)).values()) == {"restored"}
    assert history.states(*(run.model for run in runs)) == ["LIVE"] * 3
    assert set(done(restore(history.site(), ids)).values()) == {"skipped"}


def test_restore_refuses_what_is_damaged_gone_or_unheard_of(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)], grace="7d")))
    damage_saved_model(runs[0].model.path)
    outcomes = {o.artifact_id: o for o in restore(history.site(), [runs[0].model.id, runs[1].model.id])}
    assert (outcomes[runs[0].model.id].done, outcomes[runs[1].model.id].done) == ("failed", "restored")
    assert "variables.data-00000-of-00001" in outcomes[runs[0].model.id].detail
    assert history.state(runs[0].model) == "MARKED_FOR_DELETION"
    with pytest.raises(JanitorError, match="has no 4711"):
        restore(history.site(), [4711])
    with pytest.raises(JanitorError, match="no plan sha256:x was ever applied"):
        marked_by(history.site(), "sha256:x")


def test_a_restored_artifact_is_not_purged_by_its_old_mark(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)], grace="1d")))
    restore(history.site(), [runs[0].model.id])
    outcomes = purge(history.site(now_ms=history.later(days=2)))
    assert done(outcomes) == {runs[1].model.id: "purged"}


def test_restore_takes_checkpoint_marks_back(history: History) -> None:
    runs = three_runs(history)
    plan = planned(history, history.policy(rules=[prune_checkpoints(last=1)], grace="1d"))
    apply(history.site(), plan)
    first, *others = marked_by(history.site(), plan.id)
    (outcome,) = restore(history.site(), [first])
    assert (outcome.done, outcome.detail) == ("restored", "checkpoints ckpt-1, ckpt-2")
    assert done(purge(history.site(now_ms=history.later(days=2)))) == dict.fromkeys(others, "pruned")
    assert [len(list(run.model_run.path.glob("*.index"))) for run in runs] == [3, 1, 1]
