"""Mark, wait, judge again, purge: on real stores with real payloads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.builders import (
    History,
    Retraining,
    damage_checkpoint,
    damage_saved_model,
    keep_model_runs,
    keep_models,
    prune_checkpoints,
)
from tfx_janitor.deletion import acts, pins, remove
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.remove import TRASH, Removed
from tfx_janitor.deletion.restore import marked_by, restore
from tfx_janitor.errors import JanitorError, Refused
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def three_runs(history: History, name: str = "inception") -> list[Retraining]:
    """Three runs of which only the newest is still served."""
    pipeline = history.pipeline(name)
    runs = [pipeline.retrain(steps=(1, 2, 3)) for _ in range(3)]
    for run in runs[:2]:
        shutil.rmtree(run.push.destination)
    return runs


def planned(history: History, policy: RetentionPolicy, now_ms: int | None = None) -> Plan:
    return make_plan(history.case(policy, now_ms=now_ms), Threads(2), metadata=history.url, created_ms=0)


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


def done(outcomes: Sequence[Outcome]) -> dict[int, str]:
    return {outcome.artifact_id: outcome.done for outcome in outcomes}


def test_apply_marks_and_touches_no_byte(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)], grace="7d")
    before = sorted(path for path in history.root.rglob("*"))

    outcomes = apply(history.site(), planned(history, policy))

    assert done(outcomes) == {runs[0].model.id: "marked", runs[1].model.id: "marked"}
    assert history.states(*(run.model for run in runs)) == ["MARKED_FOR_DELETION"] * 2 + ["LIVE"]
    assert sorted(history.root.rglob("*")) == before


def test_nothing_but_the_state_changes_in_the_store(history: History) -> None:
    runs = three_runs(history)
    rows = {run.model.id: history.row(run.model) for run in runs}
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))
    for artifact_id, row in rows.items():
        now = history.row(artifact_id)
        assert (now.uri, now.name, dict(now.custom_properties)) == (
            row.uri,
            row.name,
            dict(row.custom_properties),
        )


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


def test_collecting_twice_does_nothing_the_second_time(history: History) -> None:
    three_runs(history)
    policy = history.policy(rules=[keep_models(last=1), keep_model_runs(last=2), prune_checkpoints(last=1)])
    assert collect(history.site(), policy).outcomes
    known = len(acts.read(history.store))
    again = collect(history.site(), policy)
    assert again.outcomes == ()
    assert again.plan.summary.delete == again.plan.summary.checkpoints_delete == 0
    assert len(acts.read(history.store)) == known


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


@pytest.mark.parametrize("part", ["pipeline", "roots"])
def test_policies_that_share_a_store_take_back_no_marks_of_each_other(history: History, part: str) -> None:
    """Each team has a cron job and a policy of its own, for its pipelines or for its directories."""
    teams = {name: three_runs(history, name) for name in ("cats", "dogs")}
    policies = []
    for name in teams:
        rule = keep_models(last=1)
        said: dict[str, Any] = {"rules": [rule], "grace": "1d"}
        if part == "pipeline":
            rule["match"]["pipeline"] = name
        else:
            said["roots"] = [str(history.pipeline(name).root)]
        policies.append(history.policy(**said))
    collected = [
        done(collect(history.site(now_ms=history.later(days=days)), policy).outcomes)
        for days in (0, 2)
        for policy in policies
    ]
    cats, dogs = ([run.model.id for run in runs[:2]] for runs in teams.values())
    assert collected == [
        dict.fromkeys(cats, "marked"),
        dict.fromkeys(dogs, "marked"),
        dict.fromkeys(cats, "purged"),
        dict.fromkeys(dogs, "purged"),
    ]


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


def test_what_changed_since_the_plan_is_skipped_and_said_so(history: History) -> None:
    runs = three_runs(history)
    plan = planned(history, history.policy(rules=[keep_models(last=1)]))
    history.pipeline("other").run().consume(runs[0].model, state="RUNNING")
    history.set_property(runs[1].model, "note", "written meanwhile")
    outcomes = {outcome.artifact_id: outcome for outcome in apply(history.site(), plan)}
    assert "needed again: hold.active-execution" in outcomes[runs[0].model.id].detail
    assert "changed since" in outcomes[runs[1].model.id].detail
    assert history.states(runs[0].model, runs[1].model) == ["LIVE", "LIVE"]


def test_a_plan_is_for_the_store_that_it_was_made_on(history: History, tmp_path: Path) -> None:
    three_runs(history)
    plan = planned(history, history.policy(rules=[keep_models(last=1)]))
    (tmp_path / "other").mkdir()
    other = History(tmp_path / "other")
    with pytest.raises(JanitorError, match="was made on"):
        apply(other.site(), plan)


def test_limits_refuse_until_the_plan_is_approved_by_its_id(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)], limits={"max_fraction": 0.5})
    plan = planned(history, policy)
    with pytest.raises(Refused, match=f"2 of 3 artifacts is more than max_fraction 0.5.*{plan.id}"):
        apply(history.site(), plan)
    with pytest.raises(JanitorError, match="expected the id of this plan"):
        apply(history.site(), plan, approved="sha256:another")
    assert history.states(*(run.model for run in runs)) == ["LIVE"] * 3
    assert len(apply(history.site(), plan, approved=plan.id)) == 2


@pytest.mark.parametrize("limit", [{"max_items": 1}, {"max_bytes": 1000}])
def test_limits_on_items_and_bytes(history: History, limit: dict[str, int]) -> None:
    three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)], limits={"max_fraction": None, **limit})
    with pytest.raises(Refused, match=next(iter(limit))):
        apply(history.site(), planned(history, policy))


def test_marks_that_wait_for_their_grace_do_not_fill_up_the_limits(history: History) -> None:
    pipeline = history.pipeline()
    policy = history.policy(
        rules=[keep_models(last=2), prune_checkpoints(last=1)],
        grace="7d",
        limits={"max_fraction": 0.5, "max_items": 2},
    )
    for _ in range(2):
        pipeline.run().train(steps=(1,))
    for _ in range(8):
        pipeline.run().train(steps=(1, 2))  # one model and one checkpoint more to go in every round
        assert collect(history.site(), policy).refused is None


def test_a_refused_plan_does_not_stop_the_purge_of_what_was_marked_before(history: History) -> None:
    pipeline = history.pipeline()
    models = [pipeline.run().train().model for _ in range(3)]
    collect(history.site(), history.policy(rules=[keep_models(last=2)], grace="1d"))
    models += [pipeline.run().train().model for _ in range(3)]
    strict = history.policy(rules=[keep_models(last=2)], grace="1d", limits={"max_items": 1})
    collected = collect(history.site(now_ms=history.later(days=2)), strict)
    assert isinstance(collected.refused, Refused)
    assert collected.applied == ()
    assert done(collected.purged) == {models[0].id: "purged"}
    assert history.states(*models) == ["DELETED"] + ["LIVE"] * 5


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


def test_marks_of_others_are_theirs(history: History) -> None:
    runs = three_runs(history)
    history.set_state(runs[0].model, "MARKED_FOR_DELETION")
    assert purge(history.site(now_ms=history.later(days=100))) == []
    assert runs[0].model.path.exists()


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


def test_a_mark_that_came_too_late_is_not_ours(history: History) -> None:
    runs = three_runs(history)
    plan = planned(history, history.policy(rules=[keep_models(last=1)], grace="1d"))
    history.set_state(runs[0].model, "MARKED_FOR_DELETION")
    assert done(apply(history.site(), plan))[runs[0].model.id] == "skipped"
    outcomes = purge(history.site(now_ms=history.later(days=2)))
    assert done(outcomes) == {runs[1].model.id: "purged"}


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


def test_an_artifact_whose_directory_is_not_there_stays_as_it_is(history: History) -> None:
    runs = three_runs(history)
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))
    shutil.rmtree(runs[0].model.path)  # or its disk is not mounted
    outcomes = {outcome.artifact_id: outcome for outcome in purge(history.site())}
    assert outcomes[runs[0].model.id].done == "skipped"
    assert history.state(runs[0].model) == "MARKED_FOR_DELETION"


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


def test_collecting_within_the_grace_marks_nothing_twice(history: History) -> None:
    three_runs(history)
    policy = history.policy(rules=[keep_models(last=1), prune_checkpoints(last=1)], grace="7d")
    assert collect(history.site(), policy).applied
    known = len(acts.read(history.store))
    assert collect(history.site(), policy).outcomes == ()
    assert len(acts.read(history.store)) == known


def test_restore_takes_checkpoint_marks_back(history: History) -> None:
    runs = three_runs(history)
    plan = planned(history, history.policy(rules=[prune_checkpoints(last=1)], grace="1d"))
    apply(history.site(), plan)
    first, *others = marked_by(history.site(), plan.id)
    (outcome,) = restore(history.site(), [first])
    assert (outcome.done, outcome.detail) == ("restored", "checkpoints ckpt-1, ckpt-2")
    assert done(purge(history.site(now_ms=history.later(days=2)))) == dict.fromkeys(others, "pruned")
    assert [len(list(run.model_run.path.glob("*.index"))) for run in runs] == [3, 1, 1]


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


def test_acts_are_lineage(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)])
    collected = collect(history.site(actor="anna@lab"), policy)
    story = acts.read(history.store, runs[0].model.id)
    assert [(act.kind, act.actor, act.ended) for act in story] == [
        ("apply", "anna@lab", True),
        ("purge", "anna@lab", True),
    ]
    assert story[0].details["plan_id"] == collected.plan.id
    assert RetentionPolicy.from_dict(story[0].details["policy"]) == policy
    assert [outcome.done for outcome in story[1].outcomes] == ["purged", "purged"]


def test_an_act_that_never_ended_shows(history: History) -> None:
    runs = three_runs(history)
    acts.begin(history.site(), "purge", [Touch(runs[0].model.id, "purge")], {})
    (act,) = acts.read(history.store)
    assert not act.ended


def test_pins_need_a_reason_an_artifact_and_a_future(history: History) -> None:
    runs = three_runs(history)
    with pytest.raises(JanitorError, match="expected a reason"):
        pins.pin(history.site(), runs[0].model.id, " ")
    with pytest.raises(JanitorError, match="has no 4711"):
        pins.pin(history.site(), 4711, "because")
    with pytest.raises(JanitorError, match="future"):
        pins.pin(history.site(), runs[0].model.id, "because", until_ms=1)
    with pytest.raises(JanitorError, match="no pin stands"):
        pins.unpin(history.site(), runs[0].model.id)
    assert acts.read(history.store) == []


def test_pins_come_and_go_and_touch_no_artifact(history: History) -> None:
    runs = three_runs(history)
    before = history.row(runs[0].model)
    pins.pin(history.site(), runs[0].model.id, "one")
    pins.pin(history.site(), runs[0].model.id, "two")
    assert [pin.reason for pin in pins.standing(history.site())] == ["one", "two"]
    assert len(pins.unpin(history.site(), runs[0].model.id)) == 2
    assert pins.standing(history.site()) == []
    assert history.row(runs[0].model) == before
