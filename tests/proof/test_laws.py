"""Laws that hold whatever the history and whatever the policy.

One hold turns some of them round, and is left out where it does: `hold.no-verified-survivor` asks for a whole
Model among those that stay. So where nothing whole stays, a policy that keeps one more Model lets others go.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.proof import engine
from tests.proof.histories import HISTORIES
from tests.proof.policies import OF_MODELS, POLICIES, Policy, accepted, keeps, policies, rules
from tests.proof.rows import Artifact, Event, Execution, History, Pin
from tests.proof.story import DAY
from tfx_janitor.lineage.timeline import as_of

lawful = settings(
    max_examples=100,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)

WITHOUT_BUDGET = policies(rules(budget=False))


def deletions(history: History, policy: Policy) -> set[int]:
    return {d.artifact_id for d in engine.plan(history, policy).deletions}


def survivors_are_whole(history: History, policy: Policy) -> bool:
    """Whether no Model is held for want of a whole one."""
    reasons = {r.code for d in engine.plan(history, policy).decisions for r in d.reasons}
    return "hold.no-verified-survivor" not in reasons


def words_of(value: object) -> set[str]:
    """All keys of a policy, at any depth."""
    if isinstance(value, dict):
        return set(value).union(*map(words_of, value.values()))
    return set().union(*map(words_of, value)) if isinstance(value, list) else set()


def more(value: Any) -> Any:
    """The same keep with every count and every duration raised; what stands in `unless` stays as it is."""
    if isinstance(value, list):
        return [more(part) if isinstance(part, dict) else part for part in value]
    raised = {}
    for word, said in value.items():
        if word in ("any_of", "all_of"):
            raised[word] = more(said)
        elif isinstance(said, int):
            raised[word] = said + 1
        elif word in ("within", "newer_than"):
            raised[word] = "400d"
        elif word == "best":
            raised[word] = {**said, "count": said["count"] + 1}
        elif word == "groups":
            raised[word] = [{**g, "keep": g["keep"] + 1} if "keep" in g else g for g in said]
        else:
            raised[word] = said
    return raised


def with_keeps(policy: Policy, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Policy:
    """The policy with every rule's keep changed, where it has one that keeps something."""
    changed = copy.deepcopy(policy)
    for rule in changed["rules"]:
        if rule.get("keep"):
            rule["keep"] = change(rule["keep"])
    return changed


@lawful
@given(HISTORIES, WITHOUT_BUDGET)
def test_keeping_more_of_the_same_never_deletes_more(history: History, policy: Policy) -> None:
    generous = with_keeps(policy, more)
    assume(accepted(generous) and survivors_are_whole(history, policy))
    assert deletions(history, generous) <= deletions(history, policy)


@lawful
@given(HISTORIES, WITHOUT_BUDGET, keeps(OF_MODELS, budget=False))
def test_one_more_word_never_deletes_more(history: History, policy: Policy, words: dict[str, Any]) -> None:
    words = {word: said for word, said in words.items() if word != "unless"}
    generous = with_keeps(policy, lambda keep: {**words, **keep})
    assume(accepted(generous) and survivors_are_whole(history, policy))
    assert deletions(history, generous) <= deletions(history, policy)


@lawful
@given(HISTORIES, POLICIES, st.integers(1, 40))
def test_a_pin_never_lets_another_one_go(history: History, policy: Policy, pinned: int) -> None:
    assume(pinned in history["artifacts"] and "pinned" not in str(policy))
    pin = Pin(artifact=pinned, since=0, until=None, released=None)
    with_pin: History = {**history, "pins": [*history["pins"], pin]}
    assert deletions(with_pin, policy) <= deletions(history, policy) - {pinned}


@lawful
@given(HISTORIES, POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_rules_says_nothing(history: History, policy: Policy, order: Any) -> None:
    shuffled = {**policy, "rules": order.sample(policy["rules"], len(policy["rules"]))}
    assert engine.verdicts(history, shuffled) == engine.verdicts(history, policy)


@lawful
@given(HISTORIES, HISTORIES, POLICIES)
def test_an_unrelated_pipeline_changes_nothing(history: History, other: History, policy: Policy) -> None:
    for rule in policy["rules"]:
        rule.pop("group_by", None)  # its default keeps pipelines apart
    assume(accepted(policy))
    told = engine.verdicts(history, policy)
    both = engine.verdicts(beside(history, other), policy)
    assert {artifact: verdict for artifact, verdict in both.items() if artifact in told} == told


def beside(history: History, other: History) -> History:
    """A history, and after it another one that happened in other pipelines and other places."""
    first_artifact, first_execution = len(history["artifacts"]), len(history["executions"])

    def moved(number: int, row: Artifact) -> Artifact:
        properties = dict(row["properties"])
        if "current_model" in properties:
            model = next(a for a, x in other["artifacts"].items() if x["type"] == "Model")
            properties |= {"current_model": place(model), "current_model_id": first_artifact + model}
        if "pushed_destination" in properties:
            properties["pushed_destination"] = f"{place(number)}/served"
        return {**row, "uri": place(number), "properties": properties}

    def place(number: int) -> str:
        return f"/history/other/{number}"

    def renamed(row: Execution) -> Execution:
        run = f"other {row['run']}"
        return {**row, "pipeline": f"other {row['pipeline']}", "run": run, "node": row["node"] or "node"}

    return {
        **history,
        "artifacts": history["artifacts"]
        | {first_artifact + number: moved(number, row) for number, row in other["artifacts"].items()},
        "executions": history["executions"]
        | {first_execution + number: renamed(row) for number, row in other["executions"].items()},
        "events": history["events"]
        + [
            (first_artifact + artifact, first_execution + execution, kind, key, time)
            for artifact, execution, kind, key, time in other["events"]
        ],
        "pins": history["pins"]
        + [{**pin, "artifact": first_artifact + pin["artifact"]} for pin in other["pins"]],
        "standing": history["standing"] + [first_artifact + number for number in other["standing"]],
    }


@lawful
@given(HISTORIES, WITHOUT_BUDGET)
def test_what_was_decided_is_decided_once(history: History, policy: Policy) -> None:
    """After the purge the same policy finds nothing more to delete.

    But for `unless`, which may take away the newest, and then the next newest.
    """
    assume("unless" not in words_of(policy))
    told = copy.deepcopy(history)
    gone = deletions(told, policy)
    for number in gone:
        nothing: Any = {"state": "DELETED", "bytes": None, "whole": False}
        told["artifacts"][number] |= nothing
    assert not deletions(told, policy)


@lawful
@given(HISTORIES, POLICIES, st.integers(0, 500))
def test_without_a_word_about_the_clock_the_clock_says_nothing(
    history: History, policy: Policy, days: int
) -> None:
    policy = {**policy, "min_age": "0s"}
    policy.pop("stale_after", None)
    assume("newer_than" not in words_of(policy) and accepted(policy))
    pins: list[Pin] = [{**pin, "until": None, "released": None} for pin in history["pins"]]
    newest = max((row["created"] for row in history["artifacts"].values()), default=0)
    told: History = {**history, "pins": pins, "now": max(history["now"], newest)}
    later: History = {**told, "now": told["now"] + days * DAY}
    assert engine.verdicts(told, policy) == engine.verdicts(later, policy)


@lawful
@given(HISTORIES, WITHOUT_BUDGET, st.integers(0, 500))
def test_as_time_goes_by_deletions_only_grow(history: History, policy: Policy, days: int) -> None:
    assume("unless" not in words_of(policy))
    later: History = {**history, "now": history["now"] + days * DAY}
    assume(survivors_are_whole(later, policy))
    assert deletions(history, policy) <= deletions(later, policy)


@lawful
@given(HISTORIES, POLICIES, st.floats(0, 1))
def test_the_store_of_an_earlier_moment_is_the_history_up_to_it(
    history: History, policy: Policy, share: float
) -> None:
    times = [row["created"] for row in (*history["artifacts"].values(), *history["executions"].values())]
    assume(times)
    moment = min(times) + round(share * (max(times) - min(times)))
    earlier = up_to(history, moment)
    then = as_of(engine.snapshot_of(history), moment)
    assert engine.rows(then) == engine.rows(engine.snapshot_of(earlier))
    decided = {d.artifact_id: d.verdict for d in engine.plan(earlier, policy, then).decisions}
    assert decided == {d.artifact_id: d.verdict for d in engine.plan(earlier, policy).decisions}


def up_to(history: History, moment: int) -> History:
    """The history cut off at a moment, as `lineage.timeline` says how a store can tell."""
    artifacts = {a: copy.copy(x) for a, x in history["artifacts"].items() if x["created"] <= moment}
    executions = {e: copy.copy(x) for e, x in history["executions"].items() if x["created"] <= moment}
    events: list[Event] = [
        event
        for event in history["events"]
        if event[0] in artifacts and event[1] in executions and event[4] <= moment
    ]
    for number, row in artifacts.items():
        if row["updated"] > moment:
            acts = [event for event in events if event[0] == number and event[3] == "mark"]
            if acts:
                row["state"] = "MARKED_FOR_DELETION"
            elif row["state"] in ("MARKED_FOR_DELETION", "DELETED"):
                row["state"] = "LIVE"
            row["updated"] = moment
    for row in executions.values():
        if row["updated"] > moment:
            row |= {"state": "RUNNING", "updated": moment}
    pins: list[Pin] = [
        {**pin, "released": None if (pin["released"] or 0) > moment else pin["released"]}
        for pin in history["pins"]
        if pin["since"] <= moment and pin["artifact"] in artifacts
    ]
    return {
        **history,
        "now": moment,
        "own": history["own"] if history["own"] in executions else None,
        "artifacts": artifacts,
        "executions": executions,
        "events": events,
        "pins": pins,
        "standing": [number for number in history["standing"] if number in artifacts],
    }
