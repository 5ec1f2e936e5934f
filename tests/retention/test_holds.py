"""Each hold on the shape that it is for: a policy that keeps little, and what stays all the same."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.builders import (
    TRAINER,
    History,
    Output,
    Retraining,
    damage_saved_model,
    keep_model_runs,
    keep_models,
)
from tests.deletion.surroundings import unreadable
from tests.elapsing import elapse
from tfx_janitor.deletion import acts, pins
from tfx_janitor.deletion.act import Touch
from tfx_janitor.retention.plan import Decision, Plan
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

JANITOR = "tfx_janitor.checkpoint_janitor.component.CheckpointJanitor"
VERIFIED_PUSHER = "tfx_janitor.verified_pusher.component.VerifiedPusher"

ONE_OF_EACH = [
    keep_models(last=1),
    keep_model_runs(last=1),
    {"name": "pushed", "match": {"type": "PushedModel"}, "keep": {"last": 1}},
    {"name": "blessings", "match": {"type": "ModelBlessing"}, "keep": {"last": 1}},
]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def plan(history: History, **case) -> Plan:
    policy = history.policy(rules=ONE_OF_EACH, **case.pop("policy", {}))
    return make_plan(history.case(policy, **case), Threads(2), metadata=history.url, created_ms=0)


def judged(history: History, **case) -> Mapping[int, Decision]:
    return {decision.artifact_id: decision for decision in plan(history, **case).decisions}


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def old_and_new(history: History) -> tuple[Retraining, Retraining]:
    """Two runs of which the first is served no more: without any other hold it goes."""
    pipeline = history.pipeline()
    old, new = pipeline.retrain(), pipeline.retrain()
    shutil.rmtree(old.push.destination)
    return old, new


def test_an_old_model_that_nothing_needs_goes(history: History) -> None:
    old, new = old_and_new(history)
    decisions = judged(history)
    assert [decisions[made.id].verdict for made in (old.model, old.model_run, old.push.pushed_model)] == [
        "delete"
    ] * 3
    assert decisions[new.model.id].verdict == "keep"


@pytest.mark.parametrize("state", ["NEW", "RUNNING"])
def test_active_execution_holds_its_inputs(history: History, state: str) -> None:
    old, _ = old_and_new(history)
    execution = history.pipeline("other").run().consume(old.model, state=state)
    decision = judged(history)[old.model.id]
    assert codes(decision) == ["hold.active-execution", "hold.active-run"]
    assert decision.reasons[0].path == (("artifact", old.model.id), ("execution", execution))
    assert state in decision.reasons[0].detail


@pytest.mark.parametrize("state", ["COMPLETE", "CACHED", "FAILED", "CANCELED"])
def test_an_execution_that_is_over_holds_nothing(history: History, state: str) -> None:
    old, _ = old_and_new(history)
    history.pipeline("other").run().consume(old.model, state=state)
    assert judged(history)[old.model.id].verdict == "delete"


def test_active_run_holds_what_its_finished_nodes_used(history: History) -> None:
    old, _ = old_and_new(history)
    run = history.pipeline("other").run()
    done = run.consume(old.model)
    running = run.execute("x.Sleeper", state="RUNNING")[0]
    decision = judged(history)[old.model.id]
    assert codes(decision) == ["hold.active-run"]
    assert decision.reasons[0].path == (
        ("artifact", old.model.id),
        ("execution", done),
        ("execution", running),
    )


def test_the_janitor_itself_does_not_hold_by_running(history: History) -> None:
    old, new = old_and_new(history)
    own = history.pipeline().run().consume(new.model, type=JANITOR, state="RUNNING")
    assert judged(history, own_execution=own)[old.model.id].verdict == "delete"
    assert "hold.active-execution" not in codes(judged(history, own_execution=own)[new.model.id])


def test_another_janitor_that_runs_does_hold(history: History) -> None:
    old, _ = old_and_new(history)
    history.pipeline("other").run().consume(old.model, type=JANITOR, state="RUNNING")
    assert "hold.active-execution" in codes(judged(history)[old.model.id])


def test_our_own_pusher_is_a_node_like_any_other(history: History) -> None:
    old, _ = old_and_new(history)
    run = history.pipeline("other").run()
    run.consume(old.model, type=VERIFIED_PUSHER, state="RUNNING")
    _, made = run.execute(VERIFIED_PUSHER, node="P", outputs={"pushed_model": Output("PushedModel")})
    decisions = judged(history)
    assert "hold.active-execution" in codes(decisions[old.model.id])
    assert "hold.newest" in codes(decisions[made["pushed_model"].id])


def test_an_act_that_was_cut_off_holds_nothing(history: History) -> None:
    old, _ = old_and_new(history)
    acts.begin(history.site(), "purge", [Touch(old.model.id, "purge")], {})
    assert judged(history)[old.model.id].verdict == "delete"


def test_the_janitors_own_run_is_held_as_a_whole(history: History) -> None:
    old, _ = old_and_new(history)
    run = history.pipeline().run()
    run.consume(old.model)
    own = run.execute(JANITOR, state="RUNNING")[0]
    decision = judged(history, own_execution=own)[old.model.id]
    assert codes(decision) == ["hold.active-run"]
    assert "the janitor's own" in decision.reasons[0].detail


def test_stale_after_ends_what_died(history: History) -> None:
    old, _ = old_and_new(history)
    history.pipeline("other").run().consume(old.model, state="RUNNING")
    later = history.later(days=3)
    assert judged(history, now_ms=later)[old.model.id].verdict == "keep"
    dead = judged(history, now_ms=later, policy={"stale_after": "2d"})
    assert dead[old.model.id].verdict == "delete"
    alive = judged(history, now_ms=later, policy={"stale_after": "4d"})
    assert alive[old.model.id].verdict == "keep"


def test_newest_holds_all_outputs_of_the_newest_successful_execution(history: History) -> None:
    pipeline = history.pipeline()
    first = pipeline.run().train()
    second = pipeline.run().train()
    pipeline.run().train_from_cache(first)  # the newest successful execution of Trainer has first's outputs
    pipeline.run().fail_training()
    decisions = judged(history)
    assert codes(decisions[first.model.id]) == ["hold.newest"]
    assert codes(decisions[first.model_run.id]) == ["hold.newest"]
    assert codes(decisions[second.model.id]) == ["keep.last"]


def test_a_resolver_does_not_hold_what_it_resolved(history: History) -> None:
    old, _ = old_and_new(history)
    history.pipeline().run().resolve(old.model)
    assert judged(history)[old.model.id].verdict == "delete"


def test_latest_blessed_holds_model_and_blessing(history: History) -> None:
    pipeline = history.pipeline()
    blessed = pipeline.retrain(pushed=False)
    pipeline.retrain(blessed=False)
    pipeline.retrain(blessed=False)
    decisions = judged(history)
    assert blessed.evaluation is not None
    assert codes(decisions[blessed.model.id]) == ["hold.latest-blessed"]
    assert codes(decisions[blessed.blessing.id]) == ["hold.latest-blessed"]
    assert decisions[blessed.model.id].reasons[0].path == (
        ("artifact", blessed.model.id),
        ("execution", blessed.evaluation.execution),
        ("artifact", blessed.blessing.id),
    )


def test_latest_blessed_is_what_tfx_would_resolve_when_a_newer_one_is_marked(history: History) -> None:
    pipeline = history.pipeline()
    first, second = pipeline.retrain(pushed=False), pipeline.retrain(pushed=False)
    pipeline.retrain(blessed=False)
    history.set_state(second.model, "MARKED_FOR_DELETION")
    decisions = judged(history)
    assert "hold.latest-blessed" in codes(decisions[first.model.id])  # LIVE: resolved today
    assert "hold.latest-blessed" in codes(decisions[second.model.id])  # resolved again once it is rescued


def test_each_pipeline_has_its_own_latest_blessed(history: History) -> None:
    one, two = history.pipeline("one"), history.pipeline("two")
    blessed = one.retrain(pushed=False)
    one.retrain(blessed=False)
    two.retrain(pushed=False)
    assert "hold.latest-blessed" in codes(judged(history)[blessed.model.id])


def test_served_holds_the_push_and_its_model_by_the_path_between(history: History) -> None:
    pipeline = history.pipeline()
    old = pipeline.retrain()
    pipeline.retrain()
    decisions = judged(history)
    reason = decisions[old.model.id].reasons[0]
    assert reason.code == "hold.served"
    assert reason.path == (
        ("artifact", old.model.id),
        ("execution", old.push.execution),
        ("artifact", old.push.pushed_model.id),
    )
    assert str(old.push.destination) in reason.detail
    assert codes(decisions[old.push.pushed_model.id]) == ["hold.served"]


def test_a_serving_directory_that_is_not_there_proves_nothing(history: History) -> None:
    """It may not be mounted here; but where it stands, a version that is not in it is served no more."""
    pipeline = history.pipeline()
    old = pipeline.retrain()
    pipeline.retrain()
    serving = old.push.destination.parent
    serving.rename(history.home / "elsewhere")
    reason = judged(history)[old.model.id].reasons[0]
    assert reason.code == "hold.served" and "nobody here can tell whether it still stands" in reason.detail
    serving.mkdir()
    assert judged(history)[old.model.id].verdict == "delete"


def test_a_serving_directory_that_one_may_not_search_proves_nothing(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = history.pipeline()
    old = pipeline.retrain()
    pipeline.retrain()
    unreadable(monkeypatch, old.push.destination, errno.EACCES)
    reason = judged(history)[old.model.id].reasons[0]
    assert reason.code == "hold.served" and "nobody here can tell whether it still stands" in reason.detail


def test_served_through_an_infra_blessing_holds_the_model_behind_it(history: History) -> None:
    pipeline = history.pipeline()
    run = pipeline.run()
    old = run.train()
    run.push(infra_blessing=run.infra_validate())
    pipeline.retrain()
    assert codes(judged(history)[old.model.id]) == ["hold.served"]


def test_pins_hold_until_they_end(history: History) -> None:
    old, _ = old_and_new(history)
    pin = pins.pin(history.site(), old.model.id, "audit 2026", until_ms=history.later(days=2))
    decision = judged(history)[old.model.id]
    assert codes(decision) == ["hold.pinned"]
    assert "audit 2026" in decision.reasons[0].detail
    assert decision.reasons[0].path[-1] == ("context", pin.context_id)
    assert judged(history, now_ms=history.later(days=3))[old.model.id].verdict == "delete"
    pins.unpin(history.site(), old.model.id)
    assert judged(history)[old.model.id].verdict == "delete"


def test_a_pin_changes_no_other_verdict(history: History) -> None:
    old, _ = old_and_new(history)
    before = {number: decision.verdict for number, decision in judged(history).items()}
    pins.pin(history.site(), old.model.id, "because")
    after = {number: decision.verdict for number, decision in judged(history).items()}
    assert after == {**before, old.model.id: "keep"}


def test_external_models_are_held(history: History) -> None:
    run = history.pipeline().run()
    path = history.root / "handmade"
    path.mkdir(parents=True)
    imported = run.import_model(path)
    assert codes(judged(history)[imported.id])[:2] == ["hold.newest", "hold.external"]


def test_what_an_importer_reused_is_held(history: History) -> None:
    old, _ = old_and_new(history)
    later = history.pipeline("other").run()
    later.import_model(old.model.uri, reuse=old.model)
    decision = judged(history)[old.model.id]
    assert "hold.external" in codes(decision)
    assert decision.pipeline == "inception"  # the Trainer's, not the Importer's


def test_outside_roots_is_held_also_through_links_and_prefixes(history: History) -> None:
    old, _ = old_and_new(history)
    elsewhere = history.home / "elsewhere"
    shutil.move(old.model.path, elsewhere)
    old.model.path.symlink_to(elsewhere)
    assert codes(judged(history)[old.model.id]) == ["hold.outside-roots"]
    prefix = judged(history, policy={"roots": [str(history.root)[:-1]]})
    assert codes(prefix[old.model_run.id]) == ["hold.outside-roots"]
    itself = judged(history, policy={"roots": [old.model_run.uri]})
    assert codes(itself[old.model_run.id]) == ["hold.outside-roots"]


@pytest.mark.parametrize(
    "spelling", ["{}", "{}/", "file://{}", "{}/../{name}", "{}/Format-Serving", "{parent}"]
)
def test_shared_payload_is_held_in_every_spelling(history: History, spelling: str) -> None:
    old, _ = old_and_new(history)
    uri = spelling.format(old.model.uri, name=old.model.path.name, parent=old.model.path.parent)
    history.pipeline("other").run().execute("x.Copier", outputs={"copy": Output("Other", uri=uri)})
    decision = judged(history)[old.model.id]
    assert codes(decision) == ["hold.shared-payload"]


def test_two_records_of_one_payload_that_both_go_are_no_hold_and_count_once(history: History) -> None:
    pipeline = history.pipeline()
    old = pipeline.run().train()
    twin = pipeline.run().execute(TRAINER, outputs={"model": Output("Model", uri=old.model.uri + "/")})[1][
        "model"
    ]
    pipeline.run().train()
    made = make_plan(
        history.case(history.policy(rules=[keep_models(last=1)])),
        Threads(2),
        metadata=history.url,
        created_ms=0,
    )
    sizes = {decision.artifact_id: decision.bytes for decision in made.deletions}
    assert sizes.keys() == {old.model.id, twin.id}
    assert made.summary.bytes_reclaimable == sizes[old.model.id] == sizes[twin.id]


def test_active_run_holds_between_two_nodes_what_its_resolver_found(history: History) -> None:
    pipeline = history.pipeline()
    base = pipeline.run().train().model
    elapse(history, hours=2)
    run = pipeline.run()
    run.resolve(base)
    trained = run.train()  # so the base is the newest no more, and no execution of the run is active
    decision = judged(history, policy={"min_age": "1h"})[base.id]
    assert codes(decision) == ["hold.active-run"]
    assert decision.reasons[0].path[-1] != ("execution", trained.execution)
    later = history.later(hours=2)
    assert judged(history, policy={"min_age": "1h"}, now_ms=later)[base.id].verdict == "delete"


def test_too_young_is_held(history: History) -> None:
    old, _ = old_and_new(history)
    held = codes(judged(history, policy={"min_age": "1h"})[old.model.id])
    assert held == ["hold.active-run", "hold.too-young"]
    assert (
        judged(history, policy={"min_age": "1h"}, now_ms=history.later(hours=2))[old.model.id].verdict
        == "delete"
    )


def test_good_old_bytes_stay_while_the_new_ones_are_not_whole(history: History) -> None:
    pipeline = history.pipeline()
    old, new = pipeline.run().train(), pipeline.run().train()
    shutil.rmtree(new.model.path / "Format-Serving" / "variables")
    decision = judged(history)[old.model.id]
    assert codes(decision) == ["hold.no-verified-survivor"]
    assert str(new.model.id) in decision.reasons[0].detail


def test_newest_checkpoint_holds_the_model_run_of_a_broken_model(history: History) -> None:
    pipeline = history.pipeline()
    old, _ = pipeline.run().train(), pipeline.run().train()
    shutil.rmtree(old.model.path / "Format-Serving" / "variables")
    policy = history.policy(rules=[keep_models(last=5), keep_model_runs(last=1)])
    made = make_plan(history.case(policy), Threads(2), metadata=history.url, created_ms=0)
    decision = made.decision(old.model_run.id)
    assert decision is not None
    assert codes(decision) == ["hold.newest-checkpoint"]


def test_unknown_states_and_producers_are_never_deleted(history: History) -> None:
    old, _ = old_and_new(history)
    history.set_state(old.model, "ABANDONED")
    _, orphan = history.pipeline().run().execute(TRAINER, outputs={"model": Output("Model")}, state="FAILED")
    decisions = judged(history)
    assert decisions[old.model.id].verdict == "unknown"
    assert "unknown.state" in codes(decisions[old.model.id])
    assert decisions[orphan["model"].id].verdict == "unknown"
    assert "unknown.no-producer" in codes(decisions[orphan["model"].id])


@pytest.mark.parametrize("uri", ["gs://bucket/model", "", "relative/model", "hdfs://x/y"])
def test_uris_without_a_handler_are_unknown(history: History, uri: str) -> None:
    pipeline = history.pipeline()
    _, made = pipeline.run().execute(TRAINER, outputs={"model": Output("Model", uri=uri or " ")})
    pipeline.run().train()
    decision = judged(history)[made["model"].id]
    assert decision.verdict == "unknown"
    assert "unknown.uri" in codes(decision)


def test_a_payload_that_is_not_there_is_unknown_not_deleted(history: History) -> None:
    old, _ = old_and_new(history)
    shutil.rmtree(old.model.path)
    decision = judged(history)[old.model.id]
    assert decision.verdict == "unknown"
    assert codes(decision)[0] == "unknown.payload"


def test_other_pipelines_are_not_governed_when_one_is_asked_for(history: History) -> None:
    old, _ = old_and_new(history)
    other = history.pipeline("other")
    foreign = [other.retrain(pushed=False) for _ in range(3)]
    decisions = judged(history, only_pipeline="inception")
    assert old.model.id in decisions
    assert not {retrained.model.id for retrained in foreign} & decisions.keys()


def test_damage_in_a_model_that_goes_holds_nothing(history: History) -> None:
    old, _ = old_and_new(history)
    damage_saved_model(old.model.path)
    decisions = judged(history)
    assert decisions[old.model.id].verdict == "delete"
    assert decisions[old.model_run.id].verdict == "delete"
