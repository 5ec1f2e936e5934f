"""Acts that were altered or taken away, and the plans and pins that they tell of."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import History, Retraining, keep_models, prune_checkpoints
from tfx_janitor.deletion import acts, pins, seals
from tfx_janitor.deletion.act import Act, Outcome, Touch
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.chain import Finding
from tfx_janitor.deletion.history import HistoryVerification, verify
from tfx_janitor.deletion.purge import purge
from tfx_janitor.lineage.read_api import PIN_CONTEXT_TYPE
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(pushed=False, blessed=None) for _ in range(4)]


@pytest.fixture
def plan(history: History, runs: list[Retraining]) -> Plan:
    """A plan that was applied and purged; then somebody pinned an artifact, and released it."""
    site = history.site()
    policy = history.policy(rules=[keep_models(last=2)])
    made = make_plan(site.case(site.read(), policy), site.crew, metadata=site.metadata, created_ms=0)
    assert [outcome.done for outcome in apply(site, made)] == ["marked", "marked"]
    assert [outcome.done for outcome in purge(site)] == ["purged", "purged"]
    pins.pin(site, runs[2].model.id, "demo")
    pins.unpin(history.site(), runs[2].model.id)
    return made


def _row(history: History, act: Act) -> Any:
    return history.store.get_executions_by_id([act.id])[0]


def _rewrite(history: History, act: Act, **properties: str | int | None) -> None:
    """Alters properties of an act with MLMD itself; None takes one away."""
    row = _row(history, act)
    for name, value in properties.items():
        if value is None:
            del row.custom_properties[name]
        elif isinstance(value, int):
            row.custom_properties[name].int_value = value
        else:
            row.custom_properties[name].string_value = value
    history.store.put_executions([row])


def _set_state(history: History, act: Act, state: str) -> None:
    row = _row(history, act)
    row.last_known_state = mlmd.Execution.State.Value(state)
    history.store.put_executions([row])


def _sql(history: History, *statements: str) -> None:
    """What MLMD has no call for, in another process, as `History.backdate` does it."""
    script = (
        "import json, sqlite3, sys; database = sqlite3.connect(sys.argv[1], timeout=60);"
        " [database.execute(one) for one in json.loads(sys.argv[2])]; database.commit()"
    )
    command = [sys.executable, "-S", "-c", script, str(history.database), json.dumps(statements)]
    subprocess.run(command, check=True)


def _remove(history: History, *removed: Act) -> None:
    listed = ", ".join(str(act.id) for act in removed)
    _sql(
        history,
        f"DELETE FROM Event WHERE execution_id IN ({listed})",
        f"DELETE FROM ExecutionProperty WHERE execution_id IN ({listed})",
        f"DELETE FROM Execution WHERE id IN ({listed})",
    )


def _found(verified: HistoryVerification) -> list[tuple[str, int | None]]:
    return [(finding.kind, finding.act_id) for finding in verified.findings]


def _only(verified: HistoryVerification) -> Finding:
    (finding,) = verified.findings
    return finding


def _hash(act: Act) -> str:
    assert act.seal is not None
    return act.seal.hash


def _seal_anew(history: History, act_id: int) -> None:
    """Gives an act the hashes that fit what it says now, as who alters it knowingly would."""
    (act,) = (act for act in acts.read(history.store) if act.id == act_id)
    assert act.seal is not None
    begun = seals.beginning(act, act.seal.previous)
    _rewrite(history, act, begun_hash=begun, ended_hash=seals.end(begun, act.outcomes))


def test_what_nobody_touched_is_as_written(history: History, plan: Plan):
    known = acts.read(history.store)
    assert [act.kind for act in known] == ["apply", "purge", "pin", "unpin"]
    verified = verify(history.store, plan=plan)
    assert verified.findings == ()
    assert (verified.acts, verified.sealed) == (4, 4)
    assert verified.heads == ((known[-1].id, _hash(known[-1])),)


def test_each_act_names_the_one_before_it(history: History, plan: Plan):
    known = acts.read(history.store)
    assert [act.seal and act.seal.previous for act in known] == [
        (),
        *(((before.id, _hash(before)),) for before in known[:-1]),
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
    _rewrite(history, act, **properties)
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
    assert _found(verify(history.store)) == [("altered-act", act.id)]


def test_a_touch_that_says_otherwise_is_found(history: History, plan: Plan):
    act = acts.read(history.store)[1]
    paths = f"SELECT id FROM Event WHERE execution_id = {act.id}"
    _sql(history, f"UPDATE EventPath SET step_key = 'restore' WHERE event_id IN ({paths})")
    assert _found(verify(history.store)) == [("altered-act", act.id)]


def test_a_touch_that_was_taken_away_is_found(history: History, plan: Plan, runs: list[Retraining]):
    act = acts.read(history.store)[1]
    artifact = runs[0].model.id
    _sql(history, f"DELETE FROM Event WHERE execution_id = {act.id} AND artifact_id = {artifact}")
    assert _found(verify(history.store)) == [("altered-act", act.id)]


def test_an_act_that_was_hashed_anew_is_betrayed_by_the_next(history: History, plan: Plan):
    before = acts.read(history.store)[1]
    _rewrite(history, before, actor="somebody@else")
    _seal_anew(history, before.id)
    after = acts.read(history.store)[1]
    finding = _only(verify(history.store))
    assert (finding.kind, finding.act_id) == ("altered-act", before.id)
    assert (finding.expected, finding.found) == (_hash(before), _hash(after))


def test_outcomes_that_were_hashed_anew_are_betrayed_by_the_next(history: History, plan: Plan):
    before = acts.read(history.store)[1]
    _rewrite(history, before, outcomes="[]")
    _seal_anew(history, before.id)
    assert _found(verify(history.store)) == [("altered-act", before.id)]


def test_the_newest_act_hashed_anew_shows_to_who_noted_the_head(history: History, plan: Plan):
    newest = acts.read(history.store)[-1]
    _rewrite(history, newest, actor="somebody@else")
    _seal_anew(history, newest.id)
    assert verify(history.store).findings == ()
    assert _only(verify(history.store, noted=[_hash(newest)])) == Finding(
        "missing-head",
        None,
        "no act has the hash that was noted: it is gone, or altered and hashed anew",
        expected=_hash(newest),
    )


@pytest.mark.parametrize("which", [1, 3], ids=["in the middle", "the newest"])
def test_an_end_that_was_taken_back_is_found(history: History, plan: Plan, which: int):
    act = acts.read(history.store)[which]
    _set_state(history, act, "RUNNING")
    finding = _only(verify(history.store))
    assert (finding.kind, finding.act_id, finding.expected) == ("altered-act", act.id, _hash(act))


def test_an_end_that_was_taken_back_without_trace_is_betrayed_by_the_next(history: History, plan: Plan):
    act = acts.read(history.store)[1]
    _set_state(history, act, "RUNNING")
    _rewrite(history, act, outcomes=None, ended_hash=None)
    finding = _only(verify(history.store))
    assert (finding.kind, finding.act_id, finding.expected) == ("altered-act", act.id, _hash(act))


def test_outcomes_of_an_act_that_never_ended_are_found(history: History, runs: list[Retraining]):
    act_id = acts.begin(history.site(), "purge", [Touch(runs[0].model.id, "purge")], {})
    assert verify(history.store).findings == ()
    _rewrite(history, acts.read(history.store)[0], outcomes=f'[[{runs[0].model.id}, "purged", "", 5]]')
    assert _found(verify(history.store)) == [("altered-act", act_id)]


@pytest.mark.parametrize("state", ["COMPLETE", "FAILED"])
def test_an_act_that_never_ended_may_be_given_up_but_not_ended_by_others(
    history: History, runs: list[Retraining], state: str
):
    act_id = acts.begin(history.site(), "purge", [Touch(runs[0].model.id, "purge")], {})
    _set_state(history, acts.read(history.store)[0], state)
    assert _found(verify(history.store)) == ([("altered-act", act_id)] if state == "COMPLETE" else [])


def test_who_needs_the_acts_is_told_which_cannot_be_read(history: History, plan: Plan):
    act = acts.read(history.store)[0]
    _rewrite(history, act, details="no JSON")
    with pytest.raises(acts.DamagedAct, match=f"act {act.id} cannot be read: its details .*history --verify"):
        purge(history.site())


# Taken away.


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_removed_act_is_found(history: History, plan: Plan, which: int):
    known = acts.read(history.store)
    removed, after = known[which], known[which + 1]
    _remove(history, removed)
    finding = verify(history.store).findings[0]
    assert (finding.kind, finding.act_id) == ("removed-act", removed.id)
    assert finding.expected == _hash(removed)
    assert f"act {after.id} names it" in finding.detail


def test_the_newest_acts_removed_show_only_to_who_noted_the_head(history: History, plan: Plan):
    first, *removed = acts.read(history.store)
    _remove(history, *removed)
    _sql(history, "DELETE FROM Context WHERE name LIKE 'artifact-%-act-%'")
    assert verify(history.store).findings == ()
    assert verify(history.store, noted=[_hash(first)]).findings == ()
    assert _found(verify(history.store, noted=[_hash(removed[-1])])) == [("missing-head", None)]


def test_a_head_that_was_noted_is_still_there_when_more_was_done(history: History, plan: Plan):
    noted = [hash for _, hash in verify(history.store).heads]
    pins.pin(history.site(), acts.read(history.store)[-1].touches[0].artifact_id, "again")
    assert verify(history.store, noted=noted).findings == ()
    assert noted != [hash for _, hash in verify(history.store).heads]


def test_a_beginning_that_was_noted_stands_when_the_act_has_ended(history: History, runs: list[Retraining]):
    act_id = acts.begin(history.site(), "purge", [Touch(runs[0].model.id, "purge")], {})
    noted = [hash for _, hash in verify(history.store).heads]
    acts.end(history.site(), act_id, [Outcome(runs[0].model.id, "purged", bytes=5)])
    assert verify(history.store, noted=noted).findings == ()


# Side by side.


def _begin_at_once(
    history: History, runs: list[Retraining], number: int, monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """Several acts of several janitors, none of which sees another."""
    seen = acts._unnamed(history.store)
    with monkeypatch.context() as at_once:
        at_once.setattr(acts, "_unnamed", lambda store: seen)
        touches = [Touch(runs[0].model.id, "purge")]
        return [acts.begin(history.site(), "purge", touches, {"janitor": n}) for n in range(number)]


def test_acts_begun_at_once_are_no_finding_and_the_next_names_them_all(
    history: History, plan: Plan, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch
):
    forked = _begin_at_once(history, runs, 3, monkeypatch)
    verified = verify(history.store)
    assert verified.findings == ()
    assert [act_id for act_id, _ in verified.heads] == forked

    joining = acts.begin(history.site(), "rescue", [], {})
    verified = verify(history.store)
    assert verified.findings == ()
    assert [act_id for act_id, _ in verified.heads] == [joining]
    for act in acts.read(history.store):
        if act.id in forked:
            _remove(history, act)
    assert _found(verify(history.store)) == [("removed-act", act_id) for act_id in forked]


def test_more_acts_at_once_than_the_next_looks_at_are_no_finding(
    history: History, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch
):
    forked = _begin_at_once(history, runs, 6, monkeypatch)
    joining = acts.begin(history.site(), "rescue", [], {})
    verified = verify(history.store)
    assert verified.findings == ()
    assert [act_id for act_id, _ in verified.heads] == [*forked[:2], joining]


def test_an_act_that_ended_after_the_next_had_begun_is_named_twice(history: History, runs: list[Retraining]):
    slow = acts.begin(history.site(), "purge", [Touch(runs[0].model.id, "purge")], {})
    acts.begin(history.site(), "rescue", [], {})
    acts.end(history.site(), slow, [Outcome(runs[0].model.id, "purged")])
    last = acts.begin(history.site(), "restore", [], {})
    verified = verify(history.store)
    assert verified.findings == ()
    assert [act_id for act_id, _ in verified.heads] == [last]

    _rewrite(history, acts.read(history.store)[0], outcomes="[]")
    _seal_anew(history, slow)
    assert _found(verify(history.store)) == [("altered-act", slow)]


def test_an_act_begun_while_reading_is_left_for_the_next_time(
    history: History, plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    by_type = history.store.get_executions_by_type

    def meanwhile(name: str) -> Any:
        found = by_type(name)
        if name.endswith(".apply"):
            acts.begin(history.site(), "apply", [], {})
            acts.begin(history.site(), "purge", [], {})
        return found

    with monkeypatch.context() as reading:
        reading.setattr(history.store, "get_executions_by_type", meanwhile)
        assert [act.kind for act in acts.read(history.store)] == ["apply", "purge", "pin", "unpin"]
        assert verify(history.store).findings == ()


# Older versions.


def _without_hashes(history: History, *without: Act) -> None:
    for act in without:
        _rewrite(history, act, previous=None, begun_hash=None, ended_hash=None)


def test_acts_of_an_older_version_are_no_finding(history: History, plan: Plan):
    _without_hashes(history, *acts.read(history.store))
    verified = verify(history.store, plan=plan)
    assert (verified.findings, verified.heads) == ((), ())
    assert (verified.acts, verified.sealed) == (4, 0)

    first = acts.begin(history.site(), "rescue", [], {})
    verified = verify(history.store)
    assert verified.findings == ()
    assert [act_id for act_id, _ in verified.heads] == [first]


def test_an_act_without_a_hash_after_one_that_has_one_is_found(history: History, plan: Plan):
    newest = acts.read(history.store)[-1]
    _without_hashes(history, newest)
    finding = _only(verify(history.store))
    assert (finding.kind, finding.act_id) == ("unsealed-act", newest.id)


@pytest.mark.parametrize("which", [0, 1])
def test_a_hash_that_was_taken_away_is_found_where_another_act_names_it(
    history: History, plan: Plan, which: int
):
    act = acts.read(history.store)[which]
    _without_hashes(history, act)
    finding = _only(verify(history.store))
    assert (finding.kind, finding.act_id, finding.expected) == ("altered-act", act.id, _hash(act))


def test_an_unreadable_act_of_an_older_version_is_found(history: History, plan: Plan):
    known = acts.read(history.store)
    _without_hashes(history, *known)
    _rewrite(history, known[0], details="no JSON")
    assert _found(verify(history.store)) == [("altered-act", known[0].id)]


# Plans.


def test_an_altered_policy_is_found_and_named(history: History, plan: Plan):
    act = acts.read(history.store)[0]
    details = {**act.details, "policy": {**act.details["policy"], "grace": "1d"}}
    _rewrite(history, act, details=json.dumps(details))
    assert _found(verify(history.store)) == [("altered-act", act.id), ("altered-plan", act.id)]


def test_another_plan_id_is_found(history: History, plan: Plan):
    act = acts.read(history.store)[0]
    _rewrite(history, act, details=json.dumps({**act.details, "plan_id": "sha256:" + "0" * 64}))
    assert _found(verify(history.store)) == [("altered-act", act.id)]


def test_a_plan_that_was_altered_and_hashed_anew_is_not_the_one_that_was_applied(
    history: History, plan: Plan
):
    decisions = [dataclasses.replace(decision, reasons=decision.reasons[:0]) for decision in plan.decisions]
    altered = dataclasses.replace(plan, source=lambda: iter(decisions), id="")
    finding = _only(verify(history.store, plan=altered))
    assert (finding.kind, finding.act_id, finding.found) == ("altered-plan", None, altered.id)


def test_what_was_decided_is_recorded_beside_the_plans_id(history: History, plan: Plan):
    reworded = [
        dataclasses.replace(d, reasons=tuple(dataclasses.replace(r, detail="so") for r in d.reasons))
        for d in plan.decisions
    ]
    # An id that is claimed: `Plan.from_json` would not let this pass.
    altered = dataclasses.replace(plan, source=lambda: iter(reworded))
    assert altered.id == plan.id
    finding = _only(verify(history.store, plan=altered))
    assert (finding.kind, finding.act_id) == ("altered-plan", acts.read(history.store)[0].id)


# Pins.


def _alter_pin(history: History, alter: Callable[[Any], object]) -> None:
    (context,) = history.store.get_contexts_by_type(PIN_CONTEXT_TYPE)
    alter(context)
    history.store.put_contexts([context])


def _end_at(context: Any) -> None:
    context.custom_properties["until_ms"].int_value = 1


def _reword(context: Any) -> None:
    context.custom_properties["reason"].string_value = "none"


def _move(context: Any) -> None:
    context.custom_properties["artifact_id"].int_value = 1


def _empty(context: Any) -> None:
    context.custom_properties.clear()


@pytest.fixture
def pinned(history: History, runs: list[Retraining]) -> int:
    """A pin that stands; the id of its act."""
    pins.pin(history.site(), runs[2].model.id, "demo", history.later(days=30))
    return acts.read(history.store)[0].id


@pytest.mark.parametrize("alter", [_end_at, _reword, _move, _empty])
def test_an_altered_pin_is_found(history: History, pinned: int, alter: Callable[[Any], object]):
    assert verify(history.store).findings == ()
    _alter_pin(history, alter)
    assert set(_found(verify(history.store))) == {("altered-pin", pinned)}


def test_a_removed_pin_is_found(history: History, pinned: int):
    _sql(history, "DELETE FROM Context WHERE name LIKE 'artifact-%-act-%'")
    assert _found(verify(history.store)) == [("removed-pin", pinned)]


def test_a_pin_that_no_act_set_is_found(history: History, pinned: int):
    type_id = history.store.get_context_type(PIN_CONTEXT_TYPE).id
    history.store.put_contexts([mlmd.Context(type_id=type_id, name="somebody's")])
    assert _found(verify(history.store)) == [("unknown-pin", None)]


def test_the_pin_of_a_removed_act_is_found(history: History, pinned: int):
    _remove(history, *acts.read(history.store))
    assert _found(verify(history.store)) == [("unknown-pin", pinned)]


def test_a_release_by_no_act_is_found(history: History, pinned: int):
    def release(context: Any) -> None:
        context.custom_properties["released_ms"].int_value = 7

    _alter_pin(history, release)
    finding = _only(verify(history.store))
    assert (finding.kind, finding.act_id) == ("altered-pin", pinned)
    assert "by no act" in finding.detail


def test_a_release_that_was_taken_back_is_found(history: History, pinned: int, runs: list[Retraining]):
    pins.unpin(history.site(), runs[2].model.id)

    def stand_again(context: Any) -> None:
        del context.custom_properties["released_ms"]

    _alter_pin(history, stand_again)
    finding = _only(verify(history.store))
    assert (finding.kind, finding.act_id) == ("altered-pin", acts.read(history.store)[-1].id)


def test_a_release_at_another_time_is_found(history: History, pinned: int, runs: list[Retraining]):
    pins.unpin(history.site(), runs[2].model.id)

    def release_sooner(context: Any) -> None:
        context.custom_properties["released_ms"].int_value -= 1

    _alter_pin(history, release_sooner)
    assert _found(verify(history.store)) == [("altered-pin", pinned)]


def test_a_release_cut_off_before_it_was_written_is_no_finding(history: History, pinned: int):
    (context,) = history.store.get_contexts_by_type(PIN_CONTEXT_TYPE)
    artifact_id = context.custom_properties["artifact_id"].int_value
    acts.begin(history.site(), "unpin", [Touch(artifact_id, "unpin")], {"contexts": [context.id]})
    assert verify(history.store).findings == ()


def test_an_altered_act_of_pinning_says_nothing_against_its_pin(history: History, pinned: int):
    _rewrite(history, acts.read(history.store)[0], actor="somebody@else")
    assert _found(verify(history.store)) == [("altered-act", pinned)]


def test_a_release_of_an_older_version_says_only_on_which_artifact(
    history: History, pinned: int, runs: list[Retraining]
):
    pins.unpin(history.site(), runs[2].model.id)
    known = acts.read(history.store)
    _without_hashes(history, *known)
    _rewrite(history, known[-1], details="{}")
    assert verify(history.store).findings == ()


def test_a_pin_cut_off_before_it_was_written_is_no_finding(history: History, runs: list[Retraining]):
    acts.begin(history.site(), "pin", [Touch(runs[2].model.id, "pin")], {"reason": "demo", "until_ms": None})
    assert verify(history.store).findings == ()


def test_a_pin_set_while_looking_is_no_finding(
    history: History, pinned: int, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch
):
    by_type = history.store.get_contexts_by_type

    def meanwhile(name: str) -> Any:
        pins.pin(history.site(), runs[3].model.id, "just now")
        found = by_type(name)
        with monkeypatch.context() as inside:
            inside.setattr(history.store, "get_contexts_by_type", by_type)
            pins.unpin(history.site(), runs[3].model.id)
            pins.pin(history.site(), runs[3].model.id, "later")
        return found

    with monkeypatch.context() as looking:
        looking.setattr(history.store, "get_contexts_by_type", meanwhile)
        assert verify(history.store).findings == ()
    assert verify(history.store).findings == ()


def test_an_altered_act_of_marking_deletes_nothing(tmp_path: Path):
    """Somebody shortens the grace of what was marked, artifacts and checkpoints."""
    history = History(tmp_path)
    pipeline = history.pipeline()
    marked, _ = (pipeline.retrain(steps=(1, 2), pushed=False) for _ in range(2))
    policy = history.policy(rules=[keep_models(last=1), prune_checkpoints(last=1)], grace="7d")
    made = make_plan(history.case(policy), Threads(2), metadata=history.url, created_ms=0)
    apply(history.site(), made)
    for act in acts.read(history.store):
        _rewrite(history, act, details=json.dumps({**act.details, "grace_ms": 0}))
    outcomes = purge(history.site())
    assert {outcome.done for outcome in outcomes} == {"skipped"}
    assert {outcome.artifact_id for outcome in outcomes} >= {marked.model.id, marked.model_run.id}
    assert "is not as it was written: see tfx-janitor history --verify" in outcomes[0].detail
    assert marked.model.path.exists()
    assert (marked.model_run.path / "ckpt-1.index").exists()
