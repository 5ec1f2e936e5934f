"""The model takes the steps that the code takes, in the same order; and the code, on a real store, where the
model finds that an order is not safe."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.builders import History, keep_models
from tests.proof.protocol.steps import janitor_steps
from tests.proof.protocol.world import CLAIM_FIRST, Cast, World
from tfx_janitor.deletion import acts, states
from tfx_janitor.deletion.act import Kind
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.restore import restore
from tfx_janitor.deletion.site import Site
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

EFFECTS = {
    "writes the act of marking": ["act of apply"],
    "writes the act of purging": ["act of purge"],
    "sets MARKED": ["MARKED_FOR_DELETION"],
    "sets DELETED": ["DELETED"],
    "reads the acts": ["reads acts", "reads rows"],
    "reads the row": ["reads rows", "reads acts"],
    "renames the payload": ["renames"],
    "deletes some of the bytes": ["deletes bytes"],
}
"""What steps of the model are in the code; there the bytes go file by file, here in two halves."""


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def policy(history: History) -> RetentionPolicy:
    """Keeps the newest of two models; the older goes after a day."""
    pipeline = history.pipeline()
    for _ in range(2):
        pipeline.run().train()
    return history.policy(rules=[keep_models(last=1)], grace="1d", limits={"max_fraction": None})


def marked(history: History, policy: RetentionPolicy, now_ms: int | None = None) -> int:
    """Marks the older model."""
    plan = make_plan(history.case(policy, now_ms=now_ms), Threads(1), metadata=history.url, created_ms=0)
    (outcome,) = apply(history.site(now_ms=now_ms), plan)
    return outcome.artifact_id


def state_and_presence(history: History, artifact_id: int) -> tuple[str, bool]:
    return history.state(artifact_id), Path(history.row(artifact_id).uri).exists()


def test_the_model_takes_the_steps_that_the_code_takes(
    history: History, policy: RetentionPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    _watch(monkeypatch, seen)

    marked(history, policy)
    assert [effect for effect in seen if not effect.startswith("reads")] == _modelled(
        Cast().begin(), "judges"
    )
    seen.clear()
    later = history.site(now_ms=history.later(days=2))
    purge(later)

    due = replace(Cast().begin(), row="MARKED", grace="over")
    assert seen == _modelled(due, "reads")


def _modelled(world: World, first: str) -> list[str]:
    """The effects of one run of the model's janitor that nothing disturbs."""
    (step,) = (step for step in janitor_steps(world, 0, CLAIM_FIRST) if step[0].startswith(first))
    labels = [step[0]]
    while (world := step[1]).janitors[0].phase != "idle":
        (step,) = janitor_steps(world, 0, CLAIM_FIRST)
        labels.append(step[0])
    return [
        effect
        for label in labels
        for start in EFFECTS
        if label.startswith(start)
        for effect in EFFECTS[start]
    ]


def _watch(monkeypatch: pytest.MonkeyPatch, seen: list[str]) -> None:
    """Notes what the code does to the store and to the payload."""

    def note(owner: Any, name: str, told: Callable[..., str]) -> None:
        real = getattr(owner, name)

        def noted(*args: Any, **kwargs: Any) -> Any:
            what = told(*args, **kwargs)
            if not (seen and seen[-1] == what == "deletes bytes"):
                seen.append(what)
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, noted)

    note(acts, "read", lambda *_: "reads acts")
    note(Site, "read", lambda *_: "reads rows")
    note(acts, "begin", lambda _site, kind, *_: f"act of {kind}")
    note(states, "_compare_and_set", lambda _store, _rows, target: target.name)
    note(os, "rename", lambda *_args, **_kwargs: "renames")
    note(os, "unlink", lambda *_args, **_kwargs: "deletes bytes")


def test_restored_after_the_second_judgement(
    history: History, policy: RetentionPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id = marked(history, policy)
    later = history.later(days=2)
    _before_the_act_of_purging(monkeypatch, lambda: restore(history.site(now_ms=later), [artifact_id]))
    purge(history.site(now_ms=later))
    assert state_and_presence(history, artifact_id) == ("LIVE", True)


def test_rescued_by_one_janitor_after_another_has_judged(
    history: History, policy: RetentionPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id = marked(history, policy)
    later = history.later(days=2)
    generous = history.policy(rules=[keep_models(last=2)])
    _before_the_act_of_purging(monkeypatch, lambda: purge(history.site(now_ms=later), policy=generous))
    purge(history.site(now_ms=later))
    assert state_and_presence(history, artifact_id) == ("LIVE", True)


def test_the_grace_of_an_older_mark(
    history: History, policy: RetentionPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id = marked(history, policy)
    later = history.later(days=2)
    pending = [
        lambda: restore(history.site(now_ms=later), [artifact_id]),
        lambda: marked(history, policy, now_ms=later),
    ]
    _between_the_reads(monkeypatch, pending)
    purge(history.site(now_ms=later))
    assert state_and_presence(history, artifact_id) == ("MARKED_FOR_DELETION", True)


def _before_the_act_of_purging(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    real = acts.begin
    pending = [meanwhile]

    def begin(site: Site, kind: Kind, *args: Any) -> int:
        if kind == "purge" and pending:
            pending.pop()()
        return real(site, kind, *args)

    monkeypatch.setattr(acts, "begin", begin)


def _between_the_reads(monkeypatch: pytest.MonkeyPatch, pending: Sequence[Callable[[], object]]) -> None:
    """Lets it happen after the first of the reads of rows and acts, whichever is the first."""
    waiting = list(pending)

    def then(real: Callable[..., Any]) -> Callable[..., Any]:
        def read(*args: Any) -> Any:
            found = real(*args)
            now, waiting[:] = waiting[:], []
            for meanwhile in now:
                meanwhile()
            return found

        return read

    monkeypatch.setattr(acts, "read", then(acts.read))
    monkeypatch.setattr(Site, "read", then(Site.read))
