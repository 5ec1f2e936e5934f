"""The holds on every shape that TFX leaves in a real store, each as a history that reads like a sentence."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.builders import TRAINER, History, Made, Output, keep_model_runs, keep_models
from tests.retention.pure_histories import PureHistory, keep
from tfx_janitor.deletion import pins
from tfx_janitor.retention.plan import Decision
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

MODEL_VALIDATOR = "tfx.components.model_validator.component.ModelValidator"
TUNER = "tfx.components.tuner.component.Tuner"

RULES = [
    keep_models(last=1),
    keep_model_runs(last=1),
    {
        "name": "others",
        "match": {"type": ["HyperParameters", "TunerResults", "PushedModel", "InfraBlessing"]},
        "keep": {"last": 1},
    },
]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def judged(history: History, **case: Any) -> Mapping[int, Decision]:
    policy = history.policy(rules=RULES, **case.pop("policy", {}))
    plan = make_plan(history.case(policy, **case), Threads(2), metadata=history.url, created_ms=0)
    return {decision.artifact_id: decision for decision in plan.decisions}


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def tune(history: History, pipeline: str = "inception") -> dict[str, Made]:
    outputs = {
        "best_hyperparameters": Output("HyperParameters"),
        "tuner_results": Output("TunerResults"),
    }
    made = history.pipeline(pipeline).run().execute(TUNER, outputs=outputs)[1]
    for artifact in made.values():
        artifact.path.mkdir(parents=True)
    return made


def test_a_cached_execution_is_the_newest_of_its_node(history: History) -> None:
    pipeline = history.pipeline()
    first, _ = pipeline.run().train(), pipeline.run().train()
    pipeline.run().train_from_cache(first)
    decisions = judged(history)
    assert codes(decisions[first.model.id]) == ["hold.newest"]
    assert decisions[first.model.id].run == "inception-run-1"  # still the run that made it


def test_a_partial_run_in_flight_holds_what_it_took_over(history: History) -> None:
    pipeline = history.pipeline()
    first, _ = pipeline.run().train(), pipeline.run().train()
    partial = pipeline.run()
    partial.train_from_cache(first)  # a partial run takes outputs over, without inputs
    running, _ = partial.execute("x.Sleeper", state="RUNNING")
    decision = judged(history)[first.model.id]
    assert codes(decision) == ["hold.active-run", "hold.newest"]
    assert f"execution {running} is active" in decision.reasons[0].detail


def test_what_a_resolver_found_is_held_until_its_run_is_over(history: History) -> None:
    pipeline = history.pipeline()
    first, _ = pipeline.run().train(), pipeline.run().train()
    run = pipeline.run()
    run.resolve(first.model)
    training, _ = run.execute(TRAINER, state="RUNNING")  # the Evaluator that will take it comes after this
    assert codes(judged(history)[first.model.id]) == ["hold.active-run"]
    history.end(training)
    assert judged(history)[first.model.id].verdict == "delete"


def test_what_an_importer_reused_is_external_and_still_the_trainers(history: History) -> None:
    pipeline = history.pipeline()
    first, _ = pipeline.run().train(), pipeline.run().train()
    history.pipeline("other").run().import_model(first.model.uri, reuse=first.model)
    decision = judged(history)[first.model.id]
    assert "hold.external" in codes(decision)
    assert (decision.pipeline, decision.node) == ("inception", "Trainer")


def test_what_an_importer_imported_anew_shares_its_payload(history: History) -> None:
    pipeline = history.pipeline()
    first, _ = pipeline.run().train(), pipeline.run().train()
    again = history.pipeline("other").run().import_model(first.model.uri)
    decisions = judged(history)
    assert codes(decisions[first.model.id]) == ["hold.shared-payload"]
    assert "hold.external" in codes(decisions[again.id])


def test_a_legacy_model_validator_blesses_by_uri_alone(history: History) -> None:
    pipeline = history.pipeline()
    run = pipeline.run()
    model = run.train().model
    blessing = Output("ModelBlessing", {"blessed": 1, "current_model": model.uri})
    run.execute(MODEL_VALIDATOR, inputs={"model": [model]}, outputs={"blessing": blessing})
    pipeline.run().train()
    assert codes(judged(history)[model.id]) == ["hold.latest-blessed"]


def test_a_blessing_of_a_model_that_nobody_knows_blesses_nothing(history: History) -> None:
    pipeline = history.pipeline()
    old = pipeline.run().train().model
    for named in ({"current_model_id": 4711}, {"current_model": "/nowhere"}, {"current_model_id": "?"}):
        blessing = Output("ModelBlessing", {"blessed": 1, **named})
        pipeline.run().execute(MODEL_VALIDATOR, outputs={"blessing": blessing})
    pipeline.run().train()
    assert judged(history)[old.id].verdict == "delete"


def test_an_infra_blessing_that_carries_a_model_is_held_while_a_pusher_may_push_it(history: History) -> None:
    pipeline = history.pipeline()
    run = pipeline.run()
    model = run.train().model
    carrying = run.infra_validate()
    newer = pipeline.run()
    newer.train()
    newer.infra_validate()
    pushing = history.pipeline("push").run().consume(carrying, state="NEW")
    assert "hold.active-execution" in codes(judged(history)[carrying.id])
    history.end(pushing)
    decisions = judged(history)
    assert decisions[carrying.id].verdict == decisions[model.id].verdict == "delete"


def test_a_model_pushed_as_an_infra_blessing_is_served_even_if_the_push_is_forgotten(
    history: History,
) -> None:
    pipeline = history.pipeline()
    run = pipeline.run()
    model = run.train().model
    push = run.push(infra_blessing=run.infra_validate())
    pipeline.run().train()
    history.set_state(push.pushed_model, "DELETED")  # a server loads what stands there, not what MLMD says
    assert codes(judged(history)[model.id]) == ["hold.served"]
    shutil.rmtree(push.destination)
    assert judged(history)[model.id].verdict == "delete"


def test_a_pusher_that_failed_after_it_had_pushed_serves_all_the_same(history: History) -> None:
    pipeline = history.pipeline()
    run = pipeline.run()
    model = run.train().model
    push = run.push()
    history.end(push.execution, "FAILED")
    pipeline.run().train()
    assert codes(judged(history)[model.id]) == ["hold.served"]


def test_a_model_pushed_to_a_relative_path_is_served(history: History) -> None:
    pipeline = history.pipeline()
    run = pipeline.run()
    model = run.train().model
    run.push(base=Path("serving/inception"), served=False)  # relative to where the pipeline was started
    newer = pipeline.run()
    newer.train()
    newer.push()
    decision = judged(history)[model.id]
    assert codes(decision) == ["hold.served"]


def test_a_pin_vouches_for_nothing_but_what_it_is_on(history: History) -> None:
    pipeline = history.pipeline()
    old, pinned, broken = (pipeline.run().train().model for _ in range(3))
    shutil.rmtree(broken.path / "Format-Serving" / "variables")
    assert codes(judged(history)[old.id]) == ["hold.no-verified-survivor"]
    pins.pin(history.site(), pinned.id, "audit")
    assert codes(judged(history)[old.id]) == ["hold.no-verified-survivor"]


def test_tuner_outputs_of_the_newest_tuning_are_held_together(history: History) -> None:
    old, new = tune(history), tune(history)
    history.pipeline().run().consume(new["best_hyperparameters"])
    decisions = judged(history)
    assert {decisions[made.id].verdict for made in old.values()} == {"delete"}
    assert [codes(decisions[made.id])[0] for made in new.values()] == ["hold.newest"] * 2


def test_a_warm_start_holds_its_base_only_while_it_trains(history: History) -> None:
    pipeline = history.pipeline()
    base, _ = pipeline.run().train(), pipeline.run().train()
    run = pipeline.run()
    training = run.consume(base.model, type=TRAINER, state="RUNNING")
    assert "hold.active-execution" in codes(judged(history)[base.model.id])
    history.end(training)
    run.train(warm_start=base.model)
    assert judged(history)[base.model.id].verdict == "delete"


def test_pipelines_in_one_store_have_their_own_newest_and_baselines(history: History) -> None:
    ours, theirs = history.pipeline("ours"), history.pipeline("theirs")
    kept = ours.run("nightly").train()
    for _ in range(3):
        theirs.run().train()
    assert codes(judged(history)[kept.model.id]) == ["hold.newest", "keep.last"]


def test_a_renamed_pipeline_leaves_the_newest_of_its_old_name_alone(history: History) -> None:
    old = history.pipeline("inception").retrain(pushed=False)
    renamed = history.pipeline("inception-v2")
    renamed.run().consume(old.model)
    for _ in range(2):
        renamed.retrain(pushed=False)
    decision = judged(history)[old.model.id]
    assert codes(decision) == ["hold.newest", "hold.latest-blessed", "keep.last"]
    assert decision.pipeline == "inception"


def test_a_model_that_another_pipeline_blessed_is_its_baseline(history: History) -> None:
    makers, judges = history.pipeline("makers"), history.pipeline("judges")
    lent = makers.run().train().model
    judges.run().evaluate(model=lent)
    for _ in range(2):
        makers.retrain(pushed=False)
    decision = judged(history)[lent.id]
    assert codes(decision) == ["hold.latest-blessed"]
    assert "judges" in decision.reasons[0].detail


def test_a_blessing_of_another_pipeline_takes_no_baseline_away(history: History) -> None:
    makers, judges = history.pipeline("makers"), history.pipeline("judges")
    baseline = makers.retrain(pushed=False).model
    lent = makers.retrain(blessed=False, pushed=False).model
    judges.run().evaluate(model=lent)
    makers.retrain(blessed=False, pushed=False)
    assert codes(judged(history)[baseline.id]) == ["hold.latest-blessed"]


def test_an_older_blessing_makes_the_baseline_when_the_newer_one_is_marked(history: History) -> None:
    pipeline = history.pipeline()
    run = pipeline.run()
    model = run.train().model
    older, newer = run.evaluate().blessing, run.evaluate().blessing
    history.set_state(newer, "MARKED_FOR_DELETION")
    pipeline.run().train()
    policy = history.policy(
        rules=[{"name": "b", "match": {"type": "ModelBlessing"}, "keep": {"first": 9, "unless": {"last": 9}}}]
    )
    plan = make_plan(history.case(policy), Threads(2), metadata=history.url, created_ms=0)
    held = {decision.artifact_id: codes(decision) for decision in plan.decisions}
    assert held == {
        older.id: ["hold.latest-blessed"],  # resolved today
        newer.id: ["hold.newest", "hold.latest-blessed"],  # resolved again once it is rescued
    }
    assert codes(judged(history)[model.id]) == ["hold.latest-blessed"]


def test_a_run_that_died_holds_for_ever_unless_its_policy_says_when_it_is_dead(history: History) -> None:
    pipeline = history.pipeline()
    old, _ = pipeline.run().train(), pipeline.run().train()
    died = pipeline.run()
    died.consume(old.model)
    died.start_training(steps=(1, 2))
    later = history.later(days=30)
    assert codes(judged(history, now_ms=later)[old.model.id]) == ["hold.active-run"]
    assert judged(history, now_ms=later, policy={"stale_after": "7d"})[old.model.id].verdict == "delete"


def test_what_was_written_without_contexts_has_a_newest_by_its_type() -> None:
    past = PureHistory()
    first, second = past.artifact("Model"), past.artifact("Model")
    past.execution(TRAINER, outputs=[first])
    past.execution(TRAINER, outputs=[second])
    decisions = past.decisions(rules=[keep("Model", first=1)])
    assert codes(decisions[second]) == ["hold.newest"]


@pytest.mark.parametrize(
    "spelling", ["file://{}", "file://localhost{}", "{}/", "{}/.", "{}//", "{}/../{name}"]
)
def test_one_place_in_two_spellings_is_one_place(history: History, spelling: str) -> None:
    pipeline = history.pipeline()
    old, _ = pipeline.run().train(), pipeline.run().train()
    uri = spelling.format(old.model.uri, name=old.model.path.name)
    history.pipeline("other").run().execute("x.Copier", outputs={"copy": Output("Copy", uri=uri)})
    assert codes(judged(history)[old.model.id]) == ["hold.shared-payload"]


def test_a_link_names_the_place_that_it_leads_to(history: History) -> None:
    pipeline = history.pipeline()
    old, _ = pipeline.run().train(), pipeline.run().train()
    alias = history.home / "alias"
    alias.symlink_to(history.root)
    uri = str(alias / old.model.path.relative_to(history.root))
    history.pipeline("other").run().execute("x.Copier", outputs={"copy": Output("Copy", uri=uri)})
    assert codes(judged(history)[old.model.id]) == ["hold.shared-payload"]


@pytest.mark.parametrize("inside", [True, False])
def test_a_payload_in_a_payload_is_shared_both_ways(history: History, inside: bool) -> None:
    pipeline = history.pipeline()
    old, _ = pipeline.run().train(), pipeline.run().train()
    uri = old.model.path / "Format-Serving" if inside else old.model.path.parent
    history.pipeline("other").run().execute("x.Copier", outputs={"copy": Output("Copy", uri=str(uri))})
    assert codes(judged(history)[old.model.id]) == ["hold.shared-payload"]


@pytest.mark.parametrize("uri", ["/", "file:///", "//", "/.."])
def test_an_artifact_that_claims_the_whole_disk_holds_all_that_lies_there(history: History, uri: str) -> None:
    pipeline = history.pipeline()
    old, _ = pipeline.run().train(), pipeline.run().train()
    history.pipeline("other").run().execute("x.Copier", outputs={"copy": Output("Copy", uri=uri)})
    assert codes(judged(history)[old.model.id]) == ["hold.shared-payload"]


def test_a_sibling_whose_name_begins_alike_is_another_place(history: History) -> None:
    pipeline = history.pipeline()
    old, _ = pipeline.run().train(), pipeline.run().train()
    uri = f"{old.model.uri}0"
    history.pipeline("other").run().execute("x.Copier", outputs={"copy": Output("Copy", uri=uri)})
    assert judged(history)[old.model.id].verdict == "delete"
