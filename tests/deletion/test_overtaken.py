"""What somebody else took between two looks: it is told as that, and what was promised is kept."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import History, Made, keep_models, prune_checkpoints
from tests.cli.conftest import Call, call
from tests.deletion.surroundings import before, unreadable
from tfx_janitor.deletion import acts, checkpoint_purge, claim, last_look, pins, second_judgement
from tfx_janitor.deletion import apply as applying
from tfx_janitor.deletion import purge as purging
from tfx_janitor.deletion import restore as restoring
from tfx_janitor.deletion.act import Kind, Outcome
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.mending import discard
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.restore import restore
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

__all__ = ["call"]

CHANGED = "it changed since it was decided: it is DELETED now"


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path)
    pipeline = history.pipeline()
    for _ in range(2):
        pipeline.run().train(steps=(1, 2, 3))
    return history


def marked(history: History, rule: dict[str, Any]) -> int:
    """The artifact of the older training that a rule marks, or inside which it marks checkpoints."""
    plan = make_plan(
        history.case(history.policy(rules=[rule])), Threads(1), metadata=history.url, created_ms=0
    )
    return apply(history.site(), plan)[0].artifact_id


@pytest.mark.parametrize(("owner", "name"), [(second_judgement, "judge"), (claim, "check_removable")])
def test_purged_by_another_while_it_is_judged(
    history: History, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    artifact_id = marked(history, keep_models(last=1))
    before(monkeypatch, owner, name, lambda: purge(history.site()))
    (outcome,) = purge(history.site())
    assert (outcome.artifact_id, outcome.done) == (artifact_id, "skipped")


def test_purged_by_another_while_it_is_rescued(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact_id = marked(history, keep_models(last=1))
    before(monkeypatch, purging, "check_whole", lambda: purge(history.site()))
    generous = history.policy(rules=[keep_models(last=2)])
    assert purge(history.site(), policy=generous) == [Outcome(artifact_id, "skipped", CHANGED)]


def test_purged_while_it_is_restored(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact_id = marked(history, keep_models(last=1))
    before(monkeypatch, restoring, "check_whole", lambda: purge(history.site()))
    assert restore(history.site(), [artifact_id]) == [Outcome(artifact_id, "skipped", CHANGED)]


def test_marked_and_purged_by_another_before_it_is_marked(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = history.policy(rules=[keep_models(last=1)])
    plan = make_plan(history.case(policy), Threads(1), metadata=history.url, created_ms=0)

    def another() -> None:
        apply(history.site(), plan)
        purge(history.site())

    before(monkeypatch, applying.limits, "check", another)
    (outcome,) = apply(history.site(), plan)
    assert (outcome.done, outcome.well) == ("skipped", True)
    assert outcome.detail == f"another janitor purged it meanwhile: act {newest(history, 'purge')}"


# What another janitor did that this one was about to do is told as that, and is no failure.


def newest(history: History, kind: Kind) -> int:
    return acts.read(history.store, kinds=(kind,))[-1].id


@pytest.mark.parametrize("where", ["plan", "transition"])
@pytest.mark.parametrize("ended", [True, False])
def test_marked_by_another_meanwhile(
    history: History, monkeypatch: pytest.MonkeyPatch, where: str, ended: bool
) -> None:
    policy = history.policy(rules=[keep_models(last=1)], grace="7d")
    plan = make_plan(history.case(policy), Threads(1), metadata=history.url, created_ms=0)

    def another() -> None:
        with monkeypatch.context() as patch:
            if not ended:
                patch.setattr(acts, "end", lambda *_: None)
            apply(history.site(), plan)

    before(monkeypatch, applying.limits if where == "plan" else applying, CALLS[where], another)
    (outcome,) = apply(history.site(), plan)
    first, second = acts.read(history.store, kinds=("apply",))
    act_id = first.id if where == "plan" else second.id  # begun before, or while this one's was under way
    assert (outcome.done, outcome.well) == ("skipped", True)
    assert outcome.detail == f"another janitor marked it meanwhile: act {act_id}"


CALLS = {"plan": "check", "transition": "transition"}


@pytest.mark.parametrize("by", ["a janitor", "a person"])
def test_marked_and_taken_back_meanwhile(history: History, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    policy = history.policy(rules=[keep_models(last=1)], grace="7d")
    plan = make_plan(history.case(policy), Threads(1), metadata=history.url, created_ms=0)

    def another() -> None:
        (outcome,) = apply(history.site(), plan)
        if by == "a janitor":
            purge(history.site(), policy=history.policy(rules=[keep_models(last=2)]))
        else:
            restore(history.site(), [outcome.artifact_id])

    before(monkeypatch, applying, "transition", another)
    (outcome,) = apply(history.site(), plan)
    assert (outcome.well, outcome.detail) == (
        (True, f"another janitor rescued it meanwhile: act {newest(history, 'rescue')}")
        if by == "a janitor"
        else (False, "it changed since it was decided")
    )


def test_marked_by_somebody_else_meanwhile(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = history.policy(rules=[keep_models(last=1)])
    plan = make_plan(history.case(policy), Threads(1), metadata=history.url, created_ms=0)
    (decision,) = (decision for decision in plan.decisions if decision.verdict == "delete")
    before(
        monkeypatch,
        applying,
        "transition",
        lambda: history.set_state(decision.artifact_id, "MARKED_FOR_DELETION"),
    )
    (outcome,) = apply(history.site(), plan)
    assert (outcome.well, outcome.detail) == (False, "expected state LIVE, found MARKED_FOR_DELETION")


def test_an_act_of_long_ago_did_not_mark_it_meanwhile(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id = marked(history, keep_models(last=1))
    history.set_state(artifact_id, "LIVE")  # by another tool, and so it is marked again
    policy = history.policy(rules=[keep_models(last=1)])
    plan = make_plan(history.case(policy), Threads(1), metadata=history.url, created_ms=0)
    before(monkeypatch, applying, "transition", lambda: history.set_state(artifact_id, "MARKED_FOR_DELETION"))
    (outcome,) = apply(history.site(), plan)
    assert (outcome.well, outcome.detail) == (False, "expected state LIVE, found MARKED_FOR_DELETION")


def test_discarded_by_a_person_meanwhile(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = history.policy(rules=[keep_models(last=1)])
    plan = make_plan(history.case(policy), Threads(1), metadata=history.url, created_ms=0)
    (decision,) = (decision for decision in plan.decisions if decision.verdict == "delete")
    before(
        monkeypatch,
        applying,
        "transition",
        lambda: discard(history.site(), policy, [decision.artifact_id], "mine"),
    )
    (outcome,) = apply(history.site(), plan)
    assert (outcome.well, outcome.detail) == (False, "expected state LIVE, found MARKED_FOR_DELETION")


def test_purged_by_another_before_it_is_claimed(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact_id = marked(history, keep_models(last=1))
    before(monkeypatch, claim, "transition", lambda: purge(history.site()))
    (outcome,) = purge(history.site())
    assert (outcome.artifact_id, outcome.done, outcome.well) == (artifact_id, "skipped", True)
    assert outcome.detail.startswith("another janitor purged it meanwhile: act ")


def test_rescued_by_another_before_it_is_rescued(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact_id = marked(history, keep_models(last=1))
    generous = history.policy(rules=[keep_models(last=2)])
    before(monkeypatch, purging, "transition", lambda: purge(history.site(), policy=generous))
    (outcome,) = purge(history.site(), policy=generous)
    assert (outcome.artifact_id, outcome.done, outcome.well) == (artifact_id, "skipped", True)
    assert outcome.detail == f"another janitor rescued it meanwhile: act {newest(history, 'rescue')}"


def test_rescued_by_another_before_it_is_claimed(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    marked(history, keep_models(last=1))
    generous = history.policy(rules=[keep_models(last=2)])
    before(monkeypatch, claim, "transition", lambda: purge(history.site(), policy=generous))
    (outcome,) = purge(history.site())
    assert (outcome.well, outcome.detail) == (False, "expected state MARKED_FOR_DELETION, found LIVE")


def test_two_gc_at_once_both_end_well(history: History, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    file = history.policy_file(rules=[keep_models(last=1)], grace="7d")
    policy = history.policy(rules=[keep_models(last=1)], grace="7d")
    before(monkeypatch, applying, "transition", lambda: collect(history.site(), policy))
    answer = call("--metadata", history.url, "gc", "--policy", file, "--format", "json")
    assert (answer.code, answer.json["summary"]["well"]) == (0, True)
    assert answer.json["summary"]["done"] == {"skipped": 1}


def test_checkpoints_restored_before_the_act_that_prunes_them_stay(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id = marked(history, prune_checkpoints(last=1))
    restored: list[Outcome] = []
    before(monkeypatch, acts, "begin", lambda: restored.extend(restore(history.site(), [artifact_id])))
    pruned = next(outcome for outcome in purge(history.site()) if outcome.artifact_id == artifact_id)
    assert [outcome.done for outcome in restored] == ["restored"]
    assert (pruned.done, pruned.detail.endswith("a restore was faster")) == ("skipped", True)
    assert len(list(Path(history.row(artifact_id).uri).glob("*.index"))) == 3


@pytest.mark.parametrize(("minutes", "left"), [(59, 3), (60, 1)])
def test_a_restore_that_was_cut_off_keeps_checkpoints_for_an_hour(
    history: History, monkeypatch: pytest.MonkeyPatch, minutes: int, left: int
) -> None:
    artifact_id = marked(history, prune_checkpoints(last=1))
    begun_ms = history.now_ms

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(acts, "end", die)
        restore(history.site(now_ms=begun_ms), [artifact_id])
    purge(history.site(now_ms=begun_ms + minutes * 60_000))
    assert len(list(Path(history.row(artifact_id).uri).glob("*.index"))) == left


def test_checkpoints_that_a_purge_has_in_hand_are_not_restored(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id = marked(history, prune_checkpoints(last=1))
    before(monkeypatch, acts, "begin", lambda: purge(history.site()))
    (outcome,) = restore(history.site(), [artifact_id])
    assert (outcome.done, outcome.detail.endswith("a purge of them has begun")) == ("skipped", True)
    assert len(list(Path(history.row(artifact_id).uri).glob("*.index"))) == 1


# What is needed by the time that its turn comes: no row changes by that, so no compare-and-set shows it.


def pin_it(history: History, artifact_id: int) -> None:
    pins.pin(history.site(), artifact_id, "needed after all")


def use_it(history: History, artifact_id: int) -> None:
    """A run that takes a marked artifact, as a partial run and an Importer do."""
    history.pipeline("other").run().consume(made(history, artifact_id), state="RUNNING")


def lie_inside(history: History, artifact_id: int) -> None:
    """A run that writes where a marked artifact lies: as a component with a directory of its own does."""
    run = history.pipeline("other").run()
    run.import_model(f"{history.row(artifact_id).uri}/below")
    for number in range(last_look._NEWEST):
        run.import_model(f"/elsewhere/{number}")


def made(history: History, artifact_id: int) -> Made:
    row = history.row(artifact_id)
    return Made(row.id, row.type, row.uri)


@pytest.mark.parametrize("need", [pin_it, use_it, lie_inside])
def test_a_payload_that_is_needed_before_its_turn_comes_stays(
    history: History, monkeypatch: pytest.MonkeyPatch, need: Callable[[History, int], None]
) -> None:
    artifact_id = marked(history, keep_models(last=1))
    before(monkeypatch, acts, "begin", lambda: need(history, artifact_id))
    (outcome,) = purge(history.site())
    assert (outcome.done, outcome.detail.startswith("needed again: ")) == ("skipped", True)
    assert Path(history.row(artifact_id).uri).exists()
    (outcome,) = purge(history.site())
    assert outcome.done == "rescued"


@pytest.mark.parametrize("need", [pin_it, use_it, lie_inside])
def test_checkpoints_that_are_needed_before_their_turn_comes_stay(
    history: History, monkeypatch: pytest.MonkeyPatch, need: Callable[[History, int], None]
) -> None:
    artifact_id = marked(history, prune_checkpoints(last=1))
    before(monkeypatch, checkpoint_purge, "needed_since", lambda: need(history, artifact_id))
    outcome = next(outcome for outcome in purge(history.site()) if outcome.artifact_id == artifact_id)
    assert (outcome.done, outcome.detail.startswith("needed again: ")) == ("skipped", True)
    assert len(list(Path(history.row(artifact_id).uri).glob("*.index"))) == 3


def test_a_model_that_a_rollback_has_in_hand_stays(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact_id = marked(history, keep_models(last=1))
    run, model = history.pipeline("other").run(), made(history, artifact_id)
    before(monkeypatch, acts, "begin", lambda: run.consume(model, type="tfx_janitor.act.rollback"))
    (outcome,) = purge(history.site())
    assert (outcome.done, model.path.exists()) == ("skipped", True)


def test_whoever_needs_what_has_vanished_cannot_be_helped(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id = marked(history, keep_models(last=1))
    purge(history.site())
    history.set_state(artifact_id, "LIVE")
    before(monkeypatch, acts, "begin", lambda: use_it(history, artifact_id))
    assert [outcome.done for outcome in purge(history.site())] == ["corrected"]


def test_what_is_brought_back_before_its_purge_is_finished_stays(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is DELETED, and all of it lies there still. It is claimed no more, so no row would be compared."""
    artifact_id = marked(history, keep_models(last=1))
    with monkeypatch.context() as patch:
        patch.setattr(claim, "remove_payload", fails)
        purge(history.site())
    assert history.state(artifact_id) == "DELETED"

    def bring_back() -> None:
        discard(history.site(), history.policy(rules=[keep_models(last=1)]), [artifact_id], "to look at")
        restore(history.site(), [artifact_id])

    before(monkeypatch, claim, "check_removable", bring_back)
    (outcome,) = purge(history.site())
    assert (outcome.done, outcome.detail) == ("skipped", CHANGED.replace("DELETED", "LIVE"))
    assert (history.state(artifact_id), Path(history.row(artifact_id).uri).exists()) == ("LIVE", True)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_what_cannot_be_looked_at_has_not_vanished(
    history: History, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """A purge of it was begun and failed: had it vanished since, it would go without another judgement."""
    artifact_id = marked(history, keep_models(last=1))
    with monkeypatch.context() as patch:
        patch.setattr(claim, "check_removable", fails)
        assert [outcome.done for outcome in purge(history.site())] == ["failed"]
    pin_it(history, artifact_id)
    payload = Path(history.row(artifact_id).uri)
    with monkeypatch.context() as patch:
        unreadable(patch, payload, code)
        purge(history.site())
    purge(history.site())
    assert (history.state(artifact_id), payload.exists()) == ("LIVE", True)


def fails(*_: object) -> None:
    raise OSError(errno.EIO, "Input/output error")
