"""Acts as they were written, and acts that somebody altered since."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import History, Retraining, keep_models, prune_checkpoints
from tests.deletion.chain.tampering import found, hash_of, only, rewrite, seal_anew, set_state, write_sql
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Touch
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.chain import Finding
from tfx_janitor.deletion.history import HistoryVerification, verify
from tfx_janitor.deletion.purge import purge
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan


def test_what_nobody_touched_is_as_written(history: History, plan: Plan):
    known = acts.read(history.store)
    assert [act.kind for act in known] == ["apply", "purge", "pin", "unpin"]
    verified = verify(history.store, plan=plan)
    assert verified.findings == ()
    assert (verified.acts, verified.sealed) == (4, 4)
    assert verified.heads == ((known[-1].id, hash_of(known[-1])),)


def test_each_act_names_the_one_before_it(history: History, plan: Plan):
    known = acts.read(history.store)
    assert [act.seal and act.seal.previous for act in known] == [
        (),
        *(((before.id, hash_of(before)),) for before in known[:-1]),
    ]


def test_a_store_without_acts_is_as_written(history: History):
    assert verify(history.store) == HistoryVerification(0, 0, (), ())


# Altered.


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"actor": "somebody@else"}, "actor"),
        ({"at_ms": 1}, "time"),
        ({"version": "9.9"}, "version"),
        ({"details": "{}"}, "details"),
        ({"details": "no JSON"}, "details"),
        ({"details": "[]"}, "details"),
        ({"details": '{"contexts": 5, "plan_id": 5, "policy": 5, "reason": 5}'}, "details"),
        ({"previous": "[]"}, "acts that it names"),
        ({"previous": "no JSON"}, "acts that it names"),
        ({"previous": "7"}, "acts that it names"),
        ({"outcomes": "[]"}, "outcomes"),
        ({"outcomes": "no JSON"}, "outcomes"),
        ({"outcomes": '[["one", "purged", "", 0]]'}, "outcomes"),
        ({"outcomes": "[7]"}, "outcomes"),
        ({"outcomes": None}, "outcomes"),
    ],
)
@pytest.mark.parametrize("which", [1, 3], ids=["in the middle", "the newest"])
def test_an_altered_act_is_found(
    history: History, plan: Plan, properties: dict[str, str | int | None], told: str, which: int
):
    act = acts.read(history.store)[which]
    rewrite(history, act, **properties)
    # Of an act of unpinning, the pin that it released tells as well.
    (finding,) = (one for one in verify(history.store).findings if one.kind != "altered-pin")
    assert (finding.kind, finding.act_id) == ("altered-act", act.id)
    assert told in finding.detail
    assert finding.expected != finding.found


def test_another_touched_artifact_is_found(history: History, plan: Plan, runs: list[Retraining]):
    act = acts.read(history.store)[1]
    event = mlmd.Event(artifact_id=runs[3].model.id, execution_id=act.id, type=mlmd.Event.INPUT)
    event.path.steps.add().key = "purge"
    history.store.put_events([event])
    assert found(verify(history.store)) == [("altered-act", act.id)]


def test_a_touch_that_says_otherwise_is_found(history: History, plan: Plan):
    act = acts.read(history.store)[1]
    paths = f"SELECT id FROM Event WHERE execution_id = {act.id}"
    write_sql(history, f"UPDATE EventPath SET step_key = 'restore' WHERE event_id IN ({paths})")
    assert found(verify(history.store)) == [("altered-act", act.id)]


def test_a_touch_that_was_taken_away_is_found(history: History, plan: Plan, runs: list[Retraining]):
    act = acts.read(history.store)[1]
    artifact = runs[0].model.id
    write_sql(history, f"DELETE FROM Event WHERE execution_id = {act.id} AND artifact_id = {artifact}")
    assert found(verify(history.store)) == [("altered-act", act.id)]


def test_an_act_that_was_hashed_anew_is_betrayed_by_the_next(history: History, plan: Plan):
    before = acts.read(history.store)[1]
    rewrite(history, before, actor="somebody@else")
    seal_anew(history, before.id)
    after = acts.read(history.store)[1]
    finding = only(verify(history.store))
    assert (finding.kind, finding.act_id) == ("altered-act", before.id)
    assert (finding.expected, finding.found) == (hash_of(before), hash_of(after))


def test_outcomes_that_were_hashed_anew_are_betrayed_by_the_next(history: History, plan: Plan):
    before = acts.read(history.store)[1]
    rewrite(history, before, outcomes="[]")
    seal_anew(history, before.id)
    assert found(verify(history.store)) == [("altered-act", before.id)]


def test_the_newest_act_hashed_anew_shows_to_who_noted_the_head(history: History, plan: Plan):
    newest = acts.read(history.store)[-1]
    rewrite(history, newest, actor="somebody@else")
    seal_anew(history, newest.id)
    assert verify(history.store).findings == ()
    assert only(verify(history.store, noted=[hash_of(newest)])) == Finding(
        "missing-head",
        None,
        "no act has the hash that was noted: it is gone, or altered and hashed anew",
        expected=hash_of(newest),
    )


@pytest.mark.parametrize("which", [1, 3], ids=["in the middle", "the newest"])
def test_an_end_that_was_taken_back_is_found(history: History, plan: Plan, which: int):
    act = acts.read(history.store)[which]
    set_state(history, act, "RUNNING")
    finding = only(verify(history.store))
    assert (finding.kind, finding.act_id, finding.expected) == ("altered-act", act.id, hash_of(act))


def test_an_end_that_was_taken_back_without_trace_is_betrayed_by_the_next(history: History, plan: Plan):
    act = acts.read(history.store)[1]
    set_state(history, act, "RUNNING")
    rewrite(history, act, outcomes=None, ended_hash=None)
    finding = only(verify(history.store))
    assert (finding.kind, finding.act_id, finding.expected) == ("altered-act", act.id, hash_of(act))


def test_outcomes_of_an_act_that_never_ended_are_found(history: History, runs: list[Retraining]):
    act_id = acts.begin(history.site(), "purge", [Touch(runs[0].model.id, "purge")], {})
    assert verify(history.store).findings == ()
    rewrite(history, acts.read(history.store)[0], outcomes=f'[[{runs[0].model.id}, "purged", "", 5]]')
    assert found(verify(history.store)) == [("altered-act", act_id)]


@pytest.mark.parametrize("state", ["COMPLETE", "FAILED"])
def test_an_act_that_never_ended_may_be_given_up_but_not_ended_by_others(
    history: History, runs: list[Retraining], state: str
):
    act_id = acts.begin(history.site(), "purge", [Touch(runs[0].model.id, "purge")], {})
    set_state(history, acts.read(history.store)[0], state)
    assert found(verify(history.store)) == ([("altered-act", act_id)] if state == "COMPLETE" else [])


def test_who_needs_the_acts_is_told_which_cannot_be_read(history: History, plan: Plan):
    act = acts.read(history.store)[0]
    rewrite(history, act, details="no JSON")
    with pytest.raises(acts.DamagedAct, match=f"act {act.id} cannot be read: its details .*history --verify"):
        purge(history.site())


def test_an_altered_act_of_marking_deletes_nothing(tmp_path: Path):
    """Somebody shortens the grace of what was marked, artifacts and checkpoints."""
    history = History(tmp_path)
    pipeline = history.pipeline()
    marked, _ = (pipeline.retrain(steps=(1, 2), pushed=False) for _ in range(2))
    policy = history.policy(rules=[keep_models(last=1), prune_checkpoints(last=1)], grace="7d")
    made = make_plan(history.case(policy), Threads(2), metadata=history.url, created_ms=0)
    apply(history.site(), made)
    for act in acts.read(history.store):
        rewrite(history, act, details=json.dumps({**act.details, "grace_ms": 0}))
    outcomes = purge(history.site())
    assert {outcome.done for outcome in outcomes} == {"skipped"}
    assert {outcome.artifact_id for outcome in outcomes} >= {marked.model.id, marked.model_run.id}
    assert "is not as it was written: see tfx-janitor history --verify" in outcomes[0].detail
    assert marked.model.path.exists()
    assert (marked.model_run.path / "ckpt-1.index").exists()
