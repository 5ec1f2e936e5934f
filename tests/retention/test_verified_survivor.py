"""hold.no-verified-survivor: nothing goes from a group of which no survivor is known to be whole."""

from __future__ import annotations

from tests.retention.pure_histories import PureHistory, codes, keep, told
from tests.retention.settling import ONE_MODEL, ids, retrained


def test_the_old_stays_while_no_survivor_of_its_group_is_whole(past: PureHistory) -> None:
    first, second, third, fourth, fifth = retrained(past, 5)
    past.damaged = {
        model: f"torn {model}" for model in (second.model, third.model, fourth.model, fifth.model)
    }
    rules = [keep("Model", last=4)]
    assert told(past.decisions(rules=rules)[first.model]) == [
        "hold.no-verified-survivor: no surviving model of its group is whole "
        f"(model {fifth.model}: torn {fifth.model}; model {fourth.model}: torn {fourth.model}; "
        f"model {third.model}: torn {third.model}) [artifact {first.model}]"
    ]
    del past.damaged[second.model]
    assert past.deleted(rules=rules) == [first.model]


def test_what_stays_by_a_pin_alone_does_not_stand_for_the_others(past: PureHistory) -> None:
    pinned, second, third = retrained(past, 3)
    past.pin(pinned.model)
    past.damaged = {third.model: "torn"}
    assert told(past.decisions(rules=ONE_MODEL)[second.model]) == [
        "hold.no-verified-survivor: no surviving model of its group is whole "
        f"(model {third.model}: torn) [artifact {second.model}]"
    ]
    settled = past.settlement(rules=ONE_MODEL, trusting=True)
    assert [ids(group) for group in settled.groups_to_verify()] == [[third.model]]


def test_what_is_pinned_and_stays_for_another_reason_as_well_does(past: PureHistory) -> None:
    pinned, second, third = retrained(past, 3)
    past.pin(pinned.model)
    past.damaged = {third.model: "torn"}
    assert past.deleted(rules=[keep("Model", last=1, ids=[pinned.model])]) == [second.model]
    past.served = {pinned.pushed}
    assert past.deleted(rules=ONE_MODEL) == [second.model]
    past.served = set()
    distilled = past.artifact("Distilled", day=4)
    past.run(day=4).execute("Distiller", inputs=[pinned.model], outputs=[distilled])
    past.run(day=5).execute("Copier", inputs=[distilled], outputs=[past.artifact("Model", day=5)])
    assert past.deleted(rules=[keep("Model", last=1, ancestors_of="model")]) == [second.model]


def test_where_nobody_verified_a_survivor_nothing_is_said_of_any(past: PureHistory) -> None:
    first, _ = retrained(past)
    past.unverified = True
    assert told(past.decisions(rules=ONE_MODEL)[first.model]) == [
        f"hold.no-verified-survivor: no surviving model of its group is whole [artifact {first.model}]"
    ]


def test_each_group_needs_a_survivor_of_its_own_and_only_of_models(past: PureHistory) -> None:
    first, second = retrained(past)
    other_first, other_second = (past.run(pipeline="other", day=day).train()[0] for day in (1, 2))
    past.damaged = {other_second: "torn"}
    assert past.deleted(rules=ONE_MODEL) == [first.model]
    settled = past.settlement(rules=ONE_MODEL, trusting=True)
    assert sorted(ids(settled.deletions)) == [first.model, other_first]
    assert [ids(group) for group in settled.groups_to_verify()] == [[second.model], [other_second]]
    pushes = past.settlement(rules=[keep("PushedModel", last=1)])
    assert (ids(pushes.deletions), pushes.groups_to_verify()) == ([first.pushed], [])


def test_a_group_of_which_none_would_survive_stays(past: PureHistory) -> None:
    first, second = retrained(past)
    past.change(second.model, properties={"kind": "newest"})
    rule = {**keep("Model", ids=[9999]), "group_by": ["properties.kind"]}
    assert codes(past.decisions(rules=[rule])[first.model]) == ["hold.no-verified-survivor"]
    assert past.settlement(rules=[rule], trusting=True).groups_to_verify() == [()]


def test_a_group_that_loses_nothing_is_not_verified(past: PureHistory) -> None:
    retrained(past)
    assert past.settlement(rules=[keep("Model", last=2)], trusting=True).groups_to_verify() == []


def test_a_group_of_many_types_is_verified_by_its_models(past: PureHistory) -> None:
    first, second = retrained(past)
    rule = {**keep(["Model", "ModelRun"], ids=[second.model, second.model_run]), "group_by": []}
    settled = past.settlement(rules=[rule], trusting=True)
    assert [ids(group) for group in settled.groups_to_verify()] == [[second.model]]
    past.damaged = {second.model: "torn"}
    decisions = past.decisions(rules=[rule])
    assert codes(decisions[first.model]) == ["hold.no-verified-survivor"]
    assert codes(decisions[first.model_run]) == ["expire.ids"]  # the Model beside it stays, and is whole
