"""Who is nominated, what storage must have been asked, and all that is said of what stays."""

from __future__ import annotations

from tests.retention.pure_histories import FIRST_ARTIFACT, PureHistory, codes, keep, prune, told
from tests.retention.settling import MODELS_AND_RUNS, ONE_MODEL, ids, retrained
from tfx_janitor.retention.facts import StorageFacts
from tfx_janitor.retention.settle import nominate, settle, trust_again
from tfx_janitor.retention.settlement import Settlement

# Who is nominated.


def test_nominated_is_what_no_rule_keeps_and_no_hold_holds(past: PureHistory) -> None:
    first, second, third = retrained(past, 3)
    past.pin(second.model)
    rules = [*MODELS_AND_RUNS, {**keep("Model", ids=[first.model]), "name": "more"}]
    nomination = nominate(past.case(rules=rules))
    assert sorted(ids(nomination.rows)) == [first.model_run, second.model_run]
    assert third.model_run not in ids(nomination.rows)


def test_what_one_rule_prunes_inside_no_rule_deletes(past: PureHistory) -> None:
    first, _ = retrained(past)
    assert first.model_run in past.deleted(rules=[keep("ModelRun", last=1)])
    decisions = past.decisions(rules=[keep("ModelRun", last=1), prune(last=1)])
    assert told(decisions[first.model_run]) == [
        "keep.prunes-inside (inside): this rule prunes checkpoints and never deletes"
    ]


def test_all_rules_must_let_go_and_each_says_its_part(past: PureHistory) -> None:
    first, second, _ = retrained(past, 3)
    by_tag = {**keep("Model", tagged="golden"), "name": "golden"}
    assert past.deleted(rules=[*ONE_MODEL, by_tag]) == [first.model, second.model]
    past.change(first.model, properties={"tags": "golden"})
    decisions = past.decisions(rules=[*ONE_MODEL, by_tag])
    assert codes(decisions[first.model]) == ["keep.tagged"]
    assert told(decisions[second.model]) == [
        "expire.last (model): rank 2 of 3, keeps 1",
        "expire.tagged (golden): has none of the tags golden",
    ]


# What storage was not asked about.


def test_what_storage_was_not_asked_about_is_unknown(past: PureHistory) -> None:
    first, _ = retrained(past)
    nomination = nominate(past.case(rules=ONE_MODEL))
    assert settle(nomination, StorageFacts()).deletions == frozenset()
    past.not_understood = {first.model: "no handler for gs:// yet"}
    decision = past.decisions(rules=ONE_MODEL)[first.model]
    assert (decision.verdict, codes(decision)) == ("unknown", ["unknown.uri"])


def test_a_payload_that_nobody_looked_at_is_unknown_even_without_another_reason(past: PureHistory) -> None:
    first, _ = retrained(past)
    past.unplaced.add(first.model)
    decision = past.decisions(rules=ONE_MODEL)[first.model]
    assert decision.verdict == "unknown"
    assert told(decision) == ["unknown.payload: its payload was not looked at"]


def test_a_settlement_says_all_holds_of_a_row_in_their_order(past: PureHistory) -> None:
    first, _ = retrained(past)
    past.pin(first.model)
    past.unreadable = {first.model: "torn"}
    settled: Settlement = past.settlement(rules=ONE_MODEL)
    assert [reason.code for reason in settled.holds_on(first.model - FIRST_ARTIFACT)] == [
        "hold.pinned",
        "unknown.payload",
    ]
    assert [reason.code for reason in settled.reasons_of(first.model - FIRST_ARTIFACT)][2:] == ["expire.last"]


# What storage tells later, while every payload is still trusted.


def test_a_payload_that_proves_unreadable_stays_and_the_others_are_trusted_still(past: PureHistory) -> None:
    first, second, third = retrained(past, 3)
    past.damaged = dict.fromkeys((first.model, third.model), "torn")
    tentative = past.settlement(rules=ONE_MODEL, trusting=True)
    past.unreadable = {first.model: "permission denied"}
    facts = past.facts(tentative.nomination.case)
    settled = trust_again(tentative, facts)
    assert ids(settled.deletions) == [second.model]
    assert settled.facts is facts


def test_sizes_are_taken_down_and_change_nothing_that_was_settled(past: PureHistory) -> None:
    first, second = retrained(past)
    past.damaged = {second.model: "torn"}
    tentative = past.settlement(rules=ONE_MODEL, trusting=True)
    past.sizes = {first.model: 42}
    facts = past.facts(tentative.nomination.case)
    settled = trust_again(tentative, facts)
    assert ids(settled.deletions) == [first.model]
    assert settled.facts is facts


# On whose wholeness it depends that something goes.


def vouching(settled: Settlement, *numbers: int) -> list[int]:
    return sorted(row + FIRST_ARTIFACT for row in settled.vouching_for({n - FIRST_ARTIFACT for n in numbers}))


def test_for_a_model_that_goes_those_of_its_group_vouch_that_stay(past: PureHistory) -> None:
    first, _, third, fourth = retrained(past, 4)
    other, other_stays = (past.run(pipeline="other", day=day).train()[0] for day in (1, 3))
    settled = past.settlement(rules=[keep("Model", newer_than="97d")], trusting=True)
    assert vouching(settled, first.model) == [third.model, fourth.model]
    assert vouching(settled, other) == [other_stays]
    assert vouching(settled, first.model, other) == [third.model, fourth.model, other_stays]
    assert vouching(settled, third.model) == []  # it stays, whoever is whole


def test_for_a_model_run_the_model_beside_it_vouches_and_whoever_lets_that_one_go(past: PureHistory) -> None:
    first, second = retrained(past)
    past.run(pipeline="other", day=1).train()
    past.run(pipeline="other", day=2).train()
    stays = past.settlement(rules=[keep("Model", last=2), keep("ModelRun", last=1)], trusting=True)
    assert vouching(stays, first.model_run) == [first.model]
    goes = past.settlement(rules=MODELS_AND_RUNS, trusting=True)
    assert vouching(goes, first.model_run) == [first.model, second.model]
    assert vouching(goes, second.model_run) == [second.model]  # it is pruned inside, or never touched
