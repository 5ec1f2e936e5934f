"""What somebody else took between two looks: it is told as that, and what was promised is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import History, keep_models, prune_checkpoints
from tfx_janitor.deletion import acts, claim, second_judgement
from tfx_janitor.deletion import apply as applying
from tfx_janitor.deletion import purge as purging
from tfx_janitor.deletion import restore as restoring
from tfx_janitor.deletion.acts import Outcome
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.restore import restore
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

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


def before(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, meanwhile: Callable[[], object]) -> None:
    """Lets something happen just before a function is called for the first time."""
    real, pending = getattr(owner, name), [meanwhile]

    def call(*args: Any, **kwargs: Any) -> Any:
        while pending:
            pending.pop()()
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)


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
    assert [(outcome.done, outcome.detail) for outcome in apply(history.site(), plan)] == [
        ("skipped", CHANGED)
    ]


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


def test_checkpoints_that_a_purge_has_in_hand_are_not_restored(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id = marked(history, prune_checkpoints(last=1))
    before(monkeypatch, acts, "begin", lambda: purge(history.site()))
    (outcome,) = restore(history.site(), [artifact_id])
    assert (outcome.done, outcome.detail.endswith("a purge of them has begun")) == ("skipped", True)
    assert len(list(Path(history.row(artifact_id).uri).glob("*.index"))) == 1
