"""Checkpoints that are marked and pruned inside a ModelRun that stays."""

from __future__ import annotations

import pytest

from tests.builders import History, damage_checkpoint, prune_checkpoints
from tests.deletion.three_runs import done, planned, three_runs
from tfx_janitor.deletion import remove
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.remove import Removed


def test_checkpoints_are_pruned_inside_a_model_run_that_stays(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[prune_checkpoints(last=1)], grace="1d")
    plan = planned(history, policy)
    assert apply(history.site(), plan)[0].detail == "checkpoints ckpt-1, ckpt-2"
    assert len(list(runs[0].model_run.path.glob("*.index"))) == 3
    assert purge(history.site()) == []

    outcomes = purge(history.site(now_ms=history.later(days=2)))

    assert set(done(outcomes).values()) == {"pruned"}
    for run in runs:
        assert history.state(run.model_run) == "LIVE"
        assert sorted(path.name for path in run.model_run.path.iterdir()) == [
            "checkpoint",
            "ckpt-3.data-00000-of-00001",
            "ckpt-3.index",
        ]
    assert sum(outcome.bytes for outcome in outcomes) == plan.summary.bytes_reclaimable


def test_a_damaged_newest_checkpoint_does_not_count(history: History) -> None:
    run = three_runs(history)[0]
    damage_checkpoint(run.model_run.path, "ckpt-3")
    collect(history.site(), history.policy(rules=[prune_checkpoints(last=1)]))
    left = sorted(path.stem for path in run.model_run.path.glob("*.index"))
    assert left == ["ckpt-2", "ckpt-3"]
    assert 'model_checkpoint_path: "ckpt-2"' in (run.model_run.path / "checkpoint").read_text()


def test_a_checkpoint_mark_is_judged_again(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[prune_checkpoints(last=1)], grace="1d")
    apply(history.site(), planned(history, policy))
    history.pipeline("other").run().consume(runs[0].model_run, state="RUNNING")
    purge(history.site(now_ms=history.later(days=2)))
    assert len(list(runs[0].model_run.path.glob("*.index"))) == 3
    assert len(list(runs[1].model_run.path.glob("*.index"))) == 1


def test_a_prune_that_died_between_index_and_shards_is_finished(history: History, monkeypatch) -> None:
    run = three_runs(history)[0]
    policy = history.policy(rules=[prune_checkpoints(last=1)])
    apply(history.site(), planned(history, policy))

    class Dies(BaseException):
        pass

    original = remove._unlink

    def die_at_the_shard(directory_fd: int, name: str) -> Removed:
        if ".data-" in name:
            raise Dies
        return original(directory_fd, name)

    with monkeypatch.context() as patch:
        patch.setattr(remove, "_unlink", die_at_the_shard)
        with pytest.raises(Dies):
            purge(history.site())
    left = sorted(path.name for path in run.model_run.path.iterdir())
    assert "ckpt-1.index" not in left
    assert "ckpt-1.data-00000-of-00001" in left

    assert done(purge(history.site()))[run.model_run.id] == "pruned"
    assert sorted(path.name for path in run.model_run.path.iterdir()) == [
        "checkpoint",
        "ckpt-3.data-00000-of-00001",
        "ckpt-3.index",
    ]


def test_shards_without_index_that_nobody_began_to_delete_stay(history: History) -> None:
    run = three_runs(history)[0]
    policy = history.policy(rules=[prune_checkpoints(last=1)])
    apply(history.site(), planned(history, policy))
    (run.model_run.path / "ckpt-1.index").unlink()  # somebody else's doing, or a save that is under way
    purge(history.site())
    assert (run.model_run.path / "ckpt-1.data-00000-of-00001").exists()


def test_a_model_run_in_use_is_not_pruned(history: History) -> None:
    runs = three_runs(history)
    history.pipeline("other").run().consume(runs[0].model_run, state="RUNNING")
    decision = planned(history, history.policy(rules=[prune_checkpoints(last=1)])).decision(
        runs[0].model_run.id
    )
    assert decision is not None
    assert decision.checkpoints == ()
