"""Each finding: a situation that makes it, seen; the healthy store next to it has none."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.builders import (
    History,
    Retraining,
    damage_checkpoint,
    damage_saved_model,
    keep_models,
    write_saved_model,
)
from tests.deletion.surroundings import closed
from tfx_janitor.audit.audit import audit
from tfx_janitor.audit.finding import CODES, Finding
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.mending import discard
from tfx_janitor.deletion.purge import purge
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    """Three whole runs; all three versions are served."""
    pipeline = history.pipeline()
    return [pipeline.retrain(steps=(1, 2, 3)) for _ in range(3)]


def found(history: History, policy: RetentionPolicy | None = None, **span: float) -> list[Finding]:
    site = history.site(now_ms=history.later(**span))
    findings = list(audit(site, policy or history.policy(), Level.CHECKSUMS).findings)
    assert all(finding.evidence for finding in findings)
    return findings


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_a_store_in_good_order_has_none(history: History, runs: list[Retraining]) -> None:
    assert found(history) == []


def test_what_was_deleted_in_good_order_is_none(history: History, runs: list[Retraining]) -> None:
    for run in runs[:2]:
        shutil.rmtree(run.push.destination)
    policy = history.policy(rules=[keep_models(last=1)])
    plan = make_plan(history.case(policy), Threads(1), metadata=history.url, created_ms=0)
    assert len(apply(history.site(), plan)) == 2
    purge(history.site())
    assert found(history, days=30) == []


def test_every_code_is_explained_and_made_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [code for code in CODES if f'"{code}"' not in text] == []


def test_a_missing_payload(history: History, runs: list[Retraining]) -> None:
    shutil.rmtree(runs[0].model.path)
    (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("missing-payload", runs[0].model.id)
    assert finding.mend[:2] == ("forget", str(runs[0].model.id))


def test_a_disk_that_is_not_mounted_is_no_reason_to_forget(history: History, runs: list[Retraining]) -> None:
    history.root.rename(history.home / "unmounted")
    findings = found(history)
    assert set(codes(findings)) == {"missing-payload"}
    assert {finding.mend for finding in findings} == {()}


def test_a_payload_that_may_not_be_read(history: History, runs: list[Retraining]) -> None:
    with closed(runs[0].model.path):
        (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("unreadable-payload", runs[0].model.id)
    assert finding.mend == ()
    assert found(history) == []


def test_examples_without_a_split(history: History, runs: list[Retraining]) -> None:
    shutil.rmtree(runs[0].examples.path / "Split-eval")
    (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("partial-payload", runs[0].examples.id)
    assert finding.evidence == {"missing": ["Split-eval"]}


def test_a_model_without_a_graph_is_partial(history: History, runs: list[Retraining]) -> None:
    (runs[0].model.path / "Format-Serving" / "saved_model.pb").unlink()
    assert codes(found(history)) == ["partial-payload"]


def test_an_emptied_variables_directory(history: History, runs: list[Retraining]) -> None:
    """What the question was that all of this began with."""
    for path in (runs[0].model.path / "Format-Serving" / "variables").iterdir():
        path.unlink()
    (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("emptied-variables", runs[0].model.id)


def test_a_flipped_bit_is_found_with_its_tensor(history: History, runs: list[Retraining]) -> None:
    damage_saved_model(runs[0].model.path)
    (finding,) = found(history)
    assert finding.code == "damaged-model"
    assert "tensor" in finding.detail
    structure = audit(history.site(), history.policy(), Level.STRUCTURE)
    assert structure.findings == ()


def test_a_damaged_model_that_is_marked_is_on_its_way_out(history: History, runs: list[Retraining]) -> None:
    damage_saved_model(runs[0].model.path)
    history.set_state(runs[0].model, "MARKED_FOR_DELETION")
    assert codes(found(history)) == ["stuck-mark"]


def test_a_broken_checkpoint(history: History, runs: list[Retraining]) -> None:
    damage_checkpoint(runs[0].model_run.path, "ckpt-1")
    (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("broken-checkpoint", runs[0].model_run.id)
    assert finding.evidence == {"checkpoint": "ckpt-1"}


def test_a_checkpoint_file_that_names_what_is_gone(history: History, runs: list[Retraining]) -> None:
    for path in runs[0].model_run.path.glob("ckpt-3.*"):
        path.unlink()
    (finding,) = found(history)
    assert finding.code == "stale-checkpoint-state"
    assert "ckpt-3" in finding.detail


def test_a_checkpoint_file_whose_latest_is_broken(history: History, runs: list[Retraining]) -> None:
    damage_checkpoint(runs[0].model_run.path, "ckpt-3")
    findings = {finding.code: finding.detail for finding in found(history)}
    assert findings.keys() == {"broken-checkpoint", "stale-checkpoint-state"}
    assert findings["stale-checkpoint-state"].endswith("names ckpt-3 as the latest, which is broken")


def test_a_checkpoint_file_that_lists_what_is_gone(history: History, runs: list[Retraining]) -> None:
    for path in runs[0].model_run.path.glob("ckpt-[12].*"):
        path.unlink()
    (finding,) = found(history)
    assert finding.code == "stale-checkpoint-state"
    assert finding.detail.endswith("lists ckpt-1 and 1 more: not there")


def test_bytes_of_what_is_deleted(history: History, runs: list[Retraining]) -> None:
    history.set_state(runs[0].model, "DELETED")
    (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("undeleted-payload", runs[0].model.id)
    assert finding.bytes > 0
    assert finding.mend[0] == "discard"


def test_bytes_that_somebody_else_has_are_not_undeleted(history: History, runs: list[Retraining]) -> None:
    history.pipeline("elsewhere").run().import_model(runs[0].model.path)
    history.set_state(runs[0].model, "DELETED")
    assert found(history) == []


def test_bytes_around_those_that_somebody_else_has_are_not_undeleted(
    history: History, runs: list[Retraining]
) -> None:
    history.pipeline("elsewhere").run().import_model(runs[0].model.path / "Format-Serving")
    history.set_state(runs[0].model, "DELETED")
    assert found(history) == []


def test_bytes_inside_those_that_somebody_else_has_are_not_undeleted(
    history: History, runs: list[Retraining]
) -> None:
    inner = history.pipeline("elsewhere").run().import_model(runs[0].model.path / "Format-Serving")
    history.set_state(inner, "DELETED")
    assert found(history) == []


def test_a_state_that_came_to_life_again(history: History, runs: list[Retraining]) -> None:
    for run in runs[:2]:
        shutil.rmtree(run.push.destination)
    policy = history.policy(rules=[keep_models(last=1)])
    plan = make_plan(history.case(policy), Threads(1), metadata=history.url, created_ms=0)
    apply(history.site(), plan)
    purge(history.site())
    history.set_state(runs[0].model, "LIVE")
    (finding,) = found(history)
    assert (finding.code, finding.mend) == ("resurrected-state", ("purge",))


def test_two_records_of_one_payload(history: History, runs: list[Retraining]) -> None:
    twin = history.pipeline("elsewhere").run().import_model(runs[0].model.path)
    (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("shared-payload", twin.id)
    assert finding.evidence == {"other": runs[0].model.id}


def test_a_payload_inside_another_ones(history: History, runs: list[Retraining]) -> None:
    inner = history.pipeline("elsewhere").run().import_model(runs[0].model.path / "Format-Serving")
    (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("shared-payload", inner.id)
    assert finding.mend == ()


def test_an_execution_that_died_without_a_word(history: History, runs: list[Retraining]) -> None:
    execution = runs[0].run.consume(runs[0].model, state="RUNNING")
    assert found(history) == []  # it may be alive
    (finding,) = found(history, days=8)
    assert (finding.code, finding.execution_id) == ("stale-execution", execution)
    assert finding.evidence["holds"] == [runs[0].model.id]
    assert found(history, history.policy(stale_after="1d"), days=8) == []


def test_a_blessing_of_a_model_that_nobody_knows(history: History, runs: list[Retraining]) -> None:
    history.set_property(runs[0].blessing, "current_model_id", 4711)
    (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("dangling-reference", runs[0].blessing.id)


def test_the_newest_push_is_gone_and_an_earlier_version_is_served(
    history: History, runs: list[Retraining]
) -> None:
    first, second, third = (run.push.destination for run in runs)
    shutil.rmtree(second)  # retired, as far as anybody can tell
    assert found(history) == []
    shutil.rmtree(third)
    (finding,) = found(history)
    pushed = runs[2].push.pushed_model
    assert (finding.code, finding.artifact_id) == ("dangling-reference", pushed.id)
    assert finding.detail.endswith(f"is gone; {first.name} is served")
    assert finding.mend[:2] == ("discard", str(pushed.id))
    history.set_state(pushed, "MARKED_FOR_DELETION")  # on its way out, as the mend leaves it
    assert "dangling-reference" not in codes(found(history))


def test_a_directory_of_which_no_version_stands_was_taken_out_of_service(
    history: History, runs: list[Retraining]
) -> None:
    for run in runs:
        shutil.rmtree(run.push.destination)
    assert found(history) == []
    history.serving.rename(history.home / "elsewhere")
    assert found(history) == []


def test_a_later_version_that_nobody_recorded_takes_the_place_of_a_push(
    history: History, runs: list[Retraining]
) -> None:
    runs[2].push.destination.rename(runs[2].push.destination.with_name("1900000000"))
    assert codes(found(history)) == ["unaccounted-version"]


def test_a_version_without_lineage(history: History, runs: list[Retraining]) -> None:
    stray = write_saved_model(history.serving / "inception" / "1800000000")
    (finding,) = found(history)
    assert (finding.code, finding.path) == ("unaccounted-version", str(stray))


def test_a_base_directory_that_only_the_policy_names(history: History, runs: list[Retraining]) -> None:
    stray = write_saved_model(history.home / "elsewhere" / "1")
    assert found(history) == []
    (finding,) = found(history, history.policy(serving=[str(history.home / "elsewhere")]))
    assert (finding.code, finding.path) == ("unaccounted-version", str(stray))


def test_a_version_with_other_bytes_than_its_model(history: History, runs: list[Retraining]) -> None:
    (runs[0].push.destination / "assets.extra").mkdir()
    (runs[0].push.destination / "assets.extra" / "note").write_text("tampered with")
    (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("diverged-version", runs[0].push.pushed_model.id)
    assert finding.mend[0] == "withdraw"


def test_a_served_version_that_is_damaged(history: History, runs: list[Retraining]) -> None:
    damage_saved_model(runs[2].push.destination)
    (finding,) = found(history)
    assert (finding.code, finding.path) == ("damaged-model", str(runs[2].push.destination))
    assert finding.mend[0] == "rollback"


def test_a_push_of_what_was_not_blessed(history: History) -> None:
    run = history.pipeline().retrain(blessed=False, pushed=False)
    pushed = run.run.push()
    (finding,) = found(history)
    assert (finding.code, finding.artifact_id) == ("unblessed-push", pushed.pushed_model.id)
    assert ("artifact", run.model.id) in finding.lineage


def test_a_mark_that_nobody_here_made(history: History, runs: list[Retraining]) -> None:
    history.set_state(runs[0].model, "MARKED_FOR_DELETION")
    (finding,) = found(history)
    assert (finding.code, finding.mend) == ("stuck-mark", ("restore", str(runs[0].model.id)))


def test_a_mark_whose_grace_was_over_long_ago(history: History, runs: list[Retraining]) -> None:
    policy = history.policy(rules=[keep_models(last=1)], grace=timedelta(days=1))
    for run in runs[:2]:
        shutil.rmtree(run.push.destination)
    plan = make_plan(history.case(policy), Threads(1), metadata=history.url, created_ms=0)
    apply(history.site(), plan)
    assert found(history, days=7) == []
    findings = found(history, days=9)
    assert codes(findings) == ["stuck-mark", "stuck-mark"]
    assert findings[0].mend == ("purge",)


def test_a_directory_that_nobody_claims(history: History, runs: list[Retraining]) -> None:
    execution = history.pipeline().run().start_training(steps=(1, 2))
    assert found(history) == []  # it may be training
    policy = history.policy(orphans={"older_than": "14d"}, stale_after="1d")
    findings = found(history, policy, days=30)
    assert set(codes(findings)) == {"orphan-directory"}
    assert {finding.execution_id for finding in findings} == {execution}
    assert {finding.mend for finding in findings} == {("gc",)}


def test_a_directory_that_is_marked_is_on_its_way_out(history: History, runs: list[Retraining]) -> None:
    history.pipeline().run().start_training(steps=(1, 2))
    policy = history.policy(
        rules=[keep_models(last=9)], orphans={"older_than": "14d"}, stale_after="1d", grace="10d"
    )
    collect(history.site(now_ms=history.later(days=30)), policy)
    assert found(history, policy, days=30) == []
    # Its grace is over, and for a week nobody has come.
    assert set(codes(found(history, policy, days=48))) == {"orphan-directory"}


def test_a_directory_of_an_execution_that_nobody_knows(history: History, runs: list[Retraining]) -> None:
    stranger = runs[0].model.path.parent / "4711"
    write_saved_model(stranger / "Format-Serving")
    (finding,) = found(history)
    assert (finding.code, finding.path) == ("unaccounted-directory", str(stranger.parent))
    assert finding.bytes > 0 and finding.mend == ()


def test_what_was_discarded_and_is_held_is_not_stuck(history: History, runs: list[Retraining]) -> None:
    policy = history.policy(rules=[keep_models(last=9)], grace="1d")
    discard(history.site(), policy, [runs[0].model.id], "it is damaged")
    assert found(history, policy, days=30) == []  # its copy is served
    shutil.rmtree(runs[0].push.destination)
    (finding,) = found(history, policy, days=30)
    assert (finding.code, finding.artifact_id) == ("stuck-mark", runs[0].model.id)


def test_what_was_discarded_by_an_act_that_was_altered_is_stuck(
    history: History, runs: list[Retraining]
) -> None:
    policy = history.policy(rules=[keep_models(last=9)], grace="1d")
    discard(history.site(), policy, [runs[0].model.id], "it is damaged")
    (act,) = acts.read(history.store)
    (row,) = history.store.get_executions_by_id([act.id])
    details = {**act.details, "reason": "somebody else's"}
    row.custom_properties["details"].string_value = json.dumps(details, sort_keys=True)
    history.store.put_executions([row])
    (finding,) = found(history, policy, days=30)  # no purge comes, though its copy is served
    assert (finding.code, finding.artifact_id) == ("stuck-mark", runs[0].model.id)


def test_a_version_that_is_not_whole_is_not_to_be_adopted(history: History, runs: list[Retraining]) -> None:
    serving = runs[0].push.destination.parent
    (serving / "1").mkdir()
    findings = found(history)
    assert codes(findings) == ["partial-payload", "unaccounted-version"]
    assert {finding.mend[:3] for finding in findings} == {("withdraw", str(serving), "1")}


def test_what_is_put_back_is_no_finding_itself(history: History) -> None:
    pipeline = history.pipeline()
    good = pipeline.retrain()
    pipeline.retrain(blessed=False, pushed=False).run.push()
    damage_saved_model(pipeline.retrain().push.destination)
    (damaged,) = (finding for finding in found(history) if finding.code == "damaged-model")
    base, version = str(good.push.destination.parent), good.push.destination.name
    assert damaged.mend == ("rollback", base, "--to", version, "--withdraw")


def test_where_nothing_can_be_put_back_a_person_must_push(history: History) -> None:
    damage_saved_model(history.pipeline().retrain().push.destination)
    (finding,) = found(history)
    assert (finding.code, finding.mend) == ("damaged-model", ())
