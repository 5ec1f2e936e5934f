"""A policy on a store's own history: what it would have deleted when, and what of it was used later.

Every run below is a day after the one before it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import (
    EVALUATOR,
    TRAINER,
    History,
    Made,
    Output,
    Pipeline,
    Retraining,
    Run,
    keep_models,
    prune_checkpoints,
)
from tests.elapsing import elapse
from tfx_janitor.deletion import pins
from tfx_janitor.deletion.acts import begin, end
from tfx_janitor.deletion.apply import apply
from tfx_janitor.lineage.timeline import as_of
from tfx_janitor.rehearsal.replay import replay
from tfx_janitor.rehearsal.replayed import Replay, ReplayedMark
from tfx_janitor.retention.timestamps import to_ms
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.past import look_back
from tfx_janitor.survey.survey import make_plan

DAY = to_ms(timedelta(days=1))


@pytest.fixture
def pipeline(history: History) -> Pipeline:
    return history.pipeline("inception")


def retrain_daily(pipeline: Pipeline, days: int, **how: Any) -> list[Retraining]:
    made = []
    for _ in range(days):
        made.append(pipeline.retrain(**{"pushed": False, **how}))
        elapse(pipeline.history, days=1)
    return made


def replayed(history: History, *, most: int = 300, only_pipeline: str | None = None, **policy: Any) -> Replay:
    """Up to a day after the last thing that happened: the moment that `elapse` has left."""
    now_ms = history.now_ms + DAY
    past = as_of(history.snapshot(), now_ms)
    policy = {"rules": [keep_models(last=1)], "grace": "36h", **policy}
    case = history.case(history.policy(**policy), now_ms=now_ms, only_pipeline=only_pipeline)
    storage = look_back(case, Threads(2))
    return replay(past, case.policy, storage, now_ms=now_ms, only_pipeline=only_pipeline, most=most)


def mark_of(replay: Replay, artifact: Made) -> ReplayedMark:
    (found,) = [mark for mark in replay.marks if mark.artifact_id == artifact.id]
    return found


def born(history: History, artifact: Made | int) -> int:
    return history.row(artifact).create_time_since_epoch


def test_it_marks_when_a_run_ends_and_deletes_when_the_grace_is_over(
    history: History, pipeline: Pipeline
) -> None:
    first, second, third, _ = retrain_daily(pipeline, 4)

    found = replayed(history)

    assert [mark.artifact_id for mark in found.deletions] == [first.model.id, second.model.id]
    mark = mark_of(found, first.model)
    assert mark.marked_ms == pytest.approx(born(history, second.model), abs=2000)
    assert mark.fate_ms - mark.marked_ms == to_ms(timedelta(hours=36))
    assert [reason.code for reason in mark.why] == ["expire.last"]
    assert mark.bytes is not None and mark.bytes > 0
    assert mark_of(found, third.model).fate == "marked"  # its grace is not over yet
    assert found.regretted == []


def test_what_the_policy_keeps_is_never_marked(history: History, pipeline: Pipeline) -> None:
    retrain_daily(pipeline, 3)

    assert replayed(history, rules=[keep_models(last=3)]).marks == ()


def test_without_grace_it_deletes_at_once(history: History, pipeline: Pipeline) -> None:
    first, *_ = retrain_daily(pipeline, 2)

    mark = mark_of(replayed(history, grace="0s"), first.model)

    assert (mark.fate, mark.fate_ms) == ("deleted", mark.marked_ms)


def test_pruning_inside_is_not_replayed(history: History, pipeline: Pipeline) -> None:
    retrain_daily(pipeline, 3)

    assert replayed(history, rules=[prune_checkpoints(last=1)]).marks == ()


def test_a_use_after_the_deletion_is_a_regret(history: History, pipeline: Pipeline) -> None:
    first, *_ = retrain_daily(pipeline, 4)
    run = history.pipeline("scoring").run("nightly")
    execution = run.consume(first.model)

    (mark,) = replayed(history).regretted

    (use,) = mark.regrets
    assert (mark.artifact_id, use.how, use.execution_id) == (first.model.id, "input", execution)
    assert (use.pipeline, use.run, use.node) == ("scoring", "nightly", "BulkInferrer")
    assert use.at_ms - mark.fate_ms == pytest.approx(1.5 * DAY, abs=5000)


def test_a_use_before_the_deletion_is_none(history: History, pipeline: Pipeline) -> None:
    first, *_ = retrain_daily(pipeline, 2)
    history.pipeline("scoring").run().consume(first.model)  # in the grace
    elapse(history, days=1)
    retrain_daily(pipeline, 1)

    found = replayed(history)

    assert mark_of(found, first.model).fate == "deleted"
    assert found.regretted == []


def reuses(run: Run, old: Retraining) -> None:
    run.train_from_cache(old.training)


def imports(run: Run, old: Retraining) -> None:
    run.import_model(old.model.uri, reuse=old.model)


def resolves(run: Run, old: Retraining) -> None:
    run.resolve(old.model)


def blesses(run: Run, old: Retraining) -> None:
    named: dict[str, str | int] = {"blessed": 1, "baseline_model_id": old.model.id}
    run.execute(EVALUATOR, outputs={"blessing": Output("ModelBlessing", named)})


def pushes_by_way_of_an_infra_blessing(run: Run, old: Retraining) -> None:
    validator = run.pipeline.run()
    run.push(model=old.model, infra_blessing=validator.infra_validate(model=old.model))


@pytest.mark.parametrize(
    ("uses", "how"),
    [
        (reuses, {"cache"}),
        (imports, {"import"}),
        (resolves, {"resolve"}),
        (blesses, {"bless"}),
        (pushes_by_way_of_an_infra_blessing, {"input", "push"}),
    ],
)
def test_a_use_need_not_be_an_input(
    history: History, pipeline: Pipeline, uses: Callable[[Run, Retraining], None], how: set[str]
) -> None:
    first, *_ = retrain_daily(pipeline, 4)
    uses(pipeline.run(), first)

    mark = mark_of(replayed(history), first.model)

    assert {use.how for use in mark.regrets} == how
    assert mark.missed == ()


def test_somebody_who_pinned_it_later_wanted_it(history: History, pipeline: Pipeline) -> None:
    first, *_ = retrain_daily(pipeline, 4)
    pins.pin(history.site(now_ms=history.now_ms + DAY // 2), first.model.id, "the audit asks for it")

    mark = mark_of(replayed(history), first.model)

    (use,) = mark.regrets
    assert (use.how, use.execution_id) == ("pin", None)
    assert mark.bytes is not None and mark.bytes > 0  # measured, though nothing would delete it today


def test_a_payload_that_is_gone_has_no_size(history: History, pipeline: Pipeline) -> None:
    first, second, *_ = retrain_daily(pipeline, 4)
    for made in (first, second):
        shutil.rmtree(made.model.path)
    pins.pin(history.site(now_ms=history.now_ms), first.model.id, "so that today's policy keeps it")

    found = replayed(history)

    gone, also_gone, third = found.deletions
    assert (gone.bytes, also_gone.bytes) == (None, None)
    assert (found.bytes, found.unmeasured) == (third.bytes, 2)


def test_what_only_tfx_looks_up_is_missed_while_it_is_marked(history: History, pipeline: Pipeline) -> None:
    first, *_ = retrain_daily(pipeline, 2)
    pipeline.run().resolve(first.model)
    elapse(history, days=1)
    retrain_daily(pipeline, 1)

    mark = mark_of(replayed(history), first.model)

    assert [use.how for use in mark.missed] == ["resolve"]
    assert mark.regrets == ()


def test_what_is_in_use_when_its_grace_is_over_is_rescued(history: History, pipeline: Pipeline) -> None:
    first, *_ = retrain_daily(pipeline, 2)
    scoring = history.pipeline("scoring").run().consume(first.model, state="RUNNING")
    elapse(history, days=1)
    history.end(scoring)
    elapse(history, days=1)
    retrain_daily(pipeline, 1)

    found = replayed(history)

    rescued, again = (mark for mark in found.marks if mark.artifact_id == first.model.id)
    assert rescued.fate == "rescued"
    assert "hold.active-execution" in [reason.code for reason in rescued.fate_why]
    assert all(reason.holds for reason in rescued.fate_why)
    assert again.marked_ms > rescued.fate_ms
    assert found.rescued == [rescued]


def test_what_the_real_janitor_did_is_left_out(history: History, pipeline: Pipeline) -> None:
    first, second, *_ = retrain_daily(pipeline, 3)
    before = [mark.artifact_id for mark in replayed(history).marks]
    policy = history.policy(rules=[keep_models(last=2)])
    site = history.site(now_ms=history.now_ms)
    apply(site, make_plan(history.case(policy), Threads(2), metadata=history.url, created_ms=0))
    assert history.states(first.model, second.model) == ["MARKED_FOR_DELETION", "LIVE"]
    history.set_state(second.model, "DELETED")
    shutil.rmtree(second.model.path)

    found = replayed(history)

    assert [mark.artifact_id for mark in found.marks] == before
    assert mark_of(found, second.model).bytes is None
    assert found.unmeasured == sum(mark.fate == "deleted" for mark in found.marks if mark.bytes is None)


def test_a_destination_that_stands_today_has_held_its_model_ever_since(
    history: History, pipeline: Pipeline
) -> None:
    retrain_daily(pipeline, 3, pushed=True)

    assert replayed(history).marks == ()


def test_a_destination_that_is_gone_held_its_model_until_the_next_push(
    history: History, pipeline: Pipeline
) -> None:
    first, *_ = retrain_daily(pipeline, 1, pushed=True)
    retrain_daily(pipeline, 1)
    third, *_ = retrain_daily(pipeline, 1, pushed=True)
    shutil.rmtree(first.push.destination)

    mark = mark_of(replayed(history), first.model)

    assert mark.marked_ms == pytest.approx(born(history, third.model), abs=2000)


def test_one_pipeline_alone(history: History, pipeline: Pipeline) -> None:
    retrain_daily(pipeline, 3)
    others = retrain_daily(history.pipeline("other"), 3)

    found = replayed(history, only_pipeline="other")

    assert {mark.artifact_id for mark in found.deletions} == {others[0].model.id}


def test_of_many_runs_some_are_judged_and_the_last_always_is(history: History, pipeline: Pipeline) -> None:
    *_, last_but_one, _ = made = retrain_daily(pipeline, 6)

    found = replayed(history, most=3, grace="0s")

    assert (found.ends, found.judged, found.thinned) == (6, 4, True)
    assert {mark.artifact_id for mark in found.deletions} == {m.model.id for m in made[:-1]}
    assert len({mark.marked_ms for mark in found.marks}) < 5
    assert mark_of(found, last_but_one.model).fate == "deleted"


def test_nothing_is_deleted_twice(history: History, pipeline: Pipeline) -> None:
    retrain_daily(pipeline, 5)

    ids = [mark.artifact_id for mark in replayed(history, grace="0s").marks]

    assert len(ids) == len(set(ids)) == 4


def test_the_document_tells_every_mark_and_both_policies(history: History, pipeline: Pipeline) -> None:
    first, *_ = retrain_daily(pipeline, 4)
    history.pipeline("scoring").run().consume(first.model)
    strict, lax = replayed(history), replayed(history, rules=[keep_models(last=9)])

    document = strict.document(lax, metadata=history.url)

    assert document["schema"] == "tfx-janitor/replay/v1"
    assert document["compared"]["marks"] == []
    told = document["replay"]
    assert told["summary"]["regretted"] == told["summary"]["regrets"] == 1
    assert told["summary"]["deleted"] == sum(mark["fate"] == "deleted" for mark in told["marks"])
    (regret,) = told["marks"][0]["regrets"]
    assert regret["how"] == "input" and regret["after_seconds"] == pytest.approx(36 * 3600, abs=5)


def test_what_is_deleted_no_longer_counts(history: History, pipeline: Pipeline) -> None:
    first, second, _, fourth = retrain_daily(pipeline, 4)

    found = replayed(history, rules=[keep_models(all_of=[{"first": 2}, {"newer_than": "36h"}])], grace="0s")

    # When the fourth came, the third was one of the first two that were left.
    last_run = born(history, fourth.model)
    early = [mark.artifact_id for mark in found.marks if mark.marked_ms <= last_run + 2000]
    assert early == [first.model.id, second.model.id]


def test_a_budget_counts_the_sizes_of_today(history: History, pipeline: Pipeline) -> None:
    first, *_ = retrain_daily(pipeline, 3)

    found = replayed(history, rules=[keep_models(last=1, max_bytes="30kB")], grace="0s")

    assert [mark.artifact_id for mark in found.marks] == [first.model.id]


def test_what_is_not_understood_is_never_marked(history: History, pipeline: Pipeline) -> None:
    for number in range(2):
        uri = f"gs://bucket/pipelines/{number}"
        pipeline.run().execute(TRAINER, outputs={"model": Output("Model", uri=uri)})
        elapse(history, days=1)

    assert replayed(history, roots=["gs://bucket/pipelines"]).marks == ()


def test_it_judges_when_runs_end_and_acts_are_no_runs(history: History, pipeline: Pipeline) -> None:
    retrain_daily(pipeline, 2)
    end(history.site(), begin(history.site(), "apply", [], {}), [])
    elapse(history, days=1)
    pipeline.run().start_training()
    elapse(history, days=1)

    assert replayed(history).ends == 2


def test_an_execution_in_no_run_stands_for_itself(history: History, pipeline: Pipeline) -> None:
    retrain_daily(pipeline, 2)
    for _ in range(2):
        type_id = history.type_id("execution", "a.notebook")
        notebook = mlmd.Execution(type_id=type_id, last_known_state=mlmd.Execution.COMPLETE)
        history.store.put_executions([notebook])
        elapse(history, days=1)

    assert replayed(history).ends == 4


def test_nothing_is_marked_between_runs_so_that_the_moments_stay_few(
    history: History, pipeline: Pipeline
) -> None:
    retrain_daily(pipeline, 3)

    # Each turns old between two runs, when the grace of an earlier one is over.
    found = replayed(history, rules=[keep_models(newer_than="30h")], grace="7h")

    ends = {born(history, artifact.id) for artifact in history.store.get_artifacts_by_type("Model")}
    early = [mark.marked_ms for mark in found.marks if mark.marked_ms < found.until_ms]
    assert all(any(abs(marked - end) < 2000 for end in ends) for marked in early)
    assert found.judged <= 2 * found.ends + 1
