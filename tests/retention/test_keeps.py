"""Each word of the policy on one small history: what it keeps, and what it says of what it misses."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.builders import PUSHER, History, Output, Retraining, keep_models
from tfx_janitor.policy.keep import COMBINATORS, LINEAGE_WORDS, Keep
from tfx_janitor.retention.calendar import PERIODS
from tfx_janitor.retention.keeps import WORDS
from tfx_janitor.retention.plan import Decision
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> tuple[History, list[Retraining]]:
    """Five runs, one a day apart; the second was not blessed; nothing is served any more."""
    history = History(tmp_path_factory.mktemp("five"))
    pipeline = history.pipeline()
    runs = [pipeline.retrain(blessed=blessed) for blessed in (True, False, True, True, False)]
    for age, run in enumerate(reversed(runs)):
        history.backdate(run.model, run.model_run, days=age)
        if run.pushing is not None:
            shutil.rmtree(run.push.destination)
    history.set_property(runs[0].model, "tags", "golden, audit-2026")
    return history, runs


def decide(history: History, now_ms: int | None = None, **keep) -> Mapping[int, Decision]:
    policy = history.policy(rules=[keep_models(**keep)])
    plan = make_plan(history.case(policy, now_ms=now_ms), Threads(2), metadata=history.url, created_ms=0)
    return {decision.artifact_id: decision for decision in plan.decisions}


def kept(five: tuple[History, list[Retraining]], code: str, now_ms: int | None = None, **keep) -> list[int]:
    """Numbers of the runs, from 1, whose model the word keeps."""
    history, runs = five
    decisions = decide(history, now_ms, **keep)
    return [
        n for n, r in enumerate(runs, 1) if any(why.code == code for why in decisions[r.model.id].reasons)
    ]


def test_last_keeps_the_newest(five) -> None:
    assert kept(five, "keep.last", last=2) == [4, 5]


def test_first_keeps_the_oldest(five) -> None:
    assert kept(five, "keep.first", first=2) == [1, 2]


def test_within_is_measured_from_the_newest_of_the_group_not_from_now(five) -> None:
    history, _ = five
    assert kept(five, "keep.within", within="50h") == [3, 4, 5]
    assert kept(five, "keep.within", now_ms=history.later(days=365), within="50h") == [3, 4, 5]


def test_newer_than_is_measured_from_now(five) -> None:
    history, _ = five
    assert kept(five, "keep.newer_than", newer_than="50h") == [3, 4, 5]
    assert kept(five, "keep.newer_than", now_ms=history.later(days=2), newer_than="50h") == [5]


def test_blessed_counts_blessed_ones_only(five) -> None:
    assert kept(five, "keep.blessed", blessed=2) == [3, 4]


def test_pushed_counts_pushed_ones_only(five) -> None:
    assert kept(five, "keep.pushed", pushed=1) == [4]


def test_a_push_that_was_refused_is_no_push(tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.pipeline().run()
    refused = run.train().model
    outputs = {"pushed_model": Output("PushedModel", {"pushed": 0})}
    run.execute(PUSHER, inputs={"model": [refused]}, outputs=outputs)
    history.pipeline().run().train()
    assert decide(history, pushed=1)[refused.id].verdict == "delete"


def test_tagged_keeps_by_whole_words(five) -> None:
    assert kept(five, "keep.tagged", tagged=["golden"], last=1) == [1]
    assert kept(five, "keep.tagged", tagged=["gold", "audit"], last=1) == []


def test_ids_keeps_what_is_named(five) -> None:
    _, runs = five
    assert kept(five, "keep.ids", ids=[runs[1].model.id], last=1) == [2]


def test_words_add_up_and_each_says_how_far_it_missed(five) -> None:
    history, runs = five
    decisions = decide(history, last=1, blessed=2)
    gone = decisions[runs[0].model.id]
    assert gone.verdict == "delete"
    assert [(reason.code, reason.rule, reason.detail) for reason in gone.reasons] == [
        ("expire.last", "models", "rank 5 of 5, keeps 1"),
        ("expire.blessed", "models", "rank 3 of 3, keeps 2"),
    ]
    missed = decisions[runs[1].model.id]
    assert [reason.detail for reason in missed.reasons] == ["rank 4 of 5, keeps 1", "not blessed"]
    assert [r.code for r in decisions[runs[2].model.id].reasons] == ["keep.blessed"]


def test_model_runs_count_by_their_model(five) -> None:
    history, runs = five
    rule = {"name": "runs", "match": {"type": "ModelRun"}, "keep": {"blessed": 1, "pushed": 2}}
    plan = make_plan(
        history.case(history.policy(rules=[rule])), Threads(2), metadata=history.url, created_ms=0
    )
    reasons = {d.artifact_id: [reason.code for reason in d.reasons] for d in plan.decisions}
    assert reasons[runs[3].model_run.id] == ["keep.blessed", "keep.pushed"]
    assert reasons[runs[2].model_run.id] == ["keep.pushed"]


def test_several_rules_delete_only_what_all_let_go(five) -> None:
    history, runs = five
    rules = [keep_models("few", last=1), keep_models("more", last=3)]
    plan = make_plan(
        history.case(history.policy(rules=rules)), Threads(2), metadata=history.url, created_ms=0
    )
    verdicts = {decision.artifact_id: decision.verdict for decision in plan.decisions}
    assert [verdicts[run.model.id] for run in runs] == ["delete", "delete", "keep", "keep", "keep"]


def test_a_rule_that_only_prunes_keeps_what_another_would_delete(five) -> None:
    history, runs = five
    rules = [
        {"name": "runs", "match": {"type": "ModelRun"}, "keep": {"last": 1}},
        {"name": "inside", "match": {"type": "ModelRun"}, "checkpoints": {"last": 1}},
    ]
    plan = make_plan(
        history.case(history.policy(rules=rules)), Threads(2), metadata=history.url, created_ms=0
    )
    decision = plan.decision(runs[0].model_run.id)
    assert decision is not None
    assert [(r.code, r.rule) for r in decision.reasons] == [("keep.prunes-inside", "inside")]


def test_groups_are_ranked_each_alone(tmp_path: Path) -> None:
    history = History(tmp_path)
    models = {}
    for name in ("one", "two"):
        pipeline = history.pipeline(name)
        models[name] = [pipeline.run().train().model for _ in range(3)]
    split = decide(history, last=2)
    assert [split[m.id].verdict for m in models["one"]] == ["delete", "keep", "keep"]
    rule = {**keep_models(last=2), "group_by": []}
    together = make_plan(
        history.case(history.policy(rules=[rule])), Threads(2), metadata=history.url, created_ms=0
    )
    verdicts = {decision.artifact_id: decision for decision in together.decisions}
    assert [verdicts[m.id].verdict for m in models["one"]] == ["delete", "delete", "keep"]
    assert [r.code for r in verdicts[models["one"][2].id].reasons] == ["hold.newest"]


def test_nothing_kept_must_be_spelled_out_and_holds_hold_all_the_same(five) -> None:
    history, runs = five
    rule = {"name": "all", "match": {"type": "Model"}, "keep": {}, "unsafe_delete_all": True}
    plan = make_plan(
        history.case(history.policy(rules=[rule])), Threads(2), metadata=history.url, created_ms=0
    )
    decisions = {decision.artifact_id: decision for decision in plan.decisions}
    assert [r.code for r in decisions[runs[0].model.id].reasons] == ["expire.all"]
    assert [r.code for r in decisions[runs[3].model.id].reasons] == ["hold.latest-blessed"]
    assert [r.code for r in decisions[runs[4].model.id].reasons] == ["hold.newest"]


def test_every_word_of_the_schema_has_its_piece_here() -> None:
    assert {*WORDS, *PERIODS, *LINEAGE_WORDS, *COMBINATORS, "max_bytes"} == set(Keep.model_fields)
