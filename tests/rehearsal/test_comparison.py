"""Two policies on one store: what differs, and nothing else."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.builders import History, Retraining, Rules, keep_model_runs, keep_models, prune_checkpoints
from tfx_janitor.rehearsal.comparison import Change, Comparison
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan


@pytest.fixture
def retrained(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(pushed=False) for _ in range(5)]


def planned(history: History, rules: Rules) -> Plan:
    case = history.case(history.policy(rules=rules))
    return make_plan(case, Threads(2), metadata=history.url, created_ms=0)


def compared(history: History, old: Rules, new: Rules) -> Comparison:
    return Comparison(planned(history, old), planned(history, new))


def told(changes: list[Change]) -> dict[int, tuple[str, str]]:
    return {change.told.artifact_id: change.standings for change in changes}


def test_what_only_one_of_them_deletes_is_told_with_the_reasons_of_both(
    history: History, retrained: list[Retraining]
) -> None:
    comparison = compared(history, [keep_models(last=4)], [keep_models(last=2)])

    first, second, third, *_ = (made.model.id for made in retrained)
    changes = list(comparison.changes)
    assert told(changes) == {second: ("keep", "delete"), third: ("keep", "delete")}
    old, new = changes[0].old, changes[0].new
    assert old is not None and [reason.code for reason in old.reasons] == ["keep.last"]
    assert new is not None and [reason.code for reason in new.reasons] == ["expire.last"]
    assert first not in told(changes)  # both delete it, and that they miss it by more or less is no change


def test_the_other_way_round_it_is_the_mirror_image(history: History, retrained: list[Retraining]) -> None:
    old = [keep_models(last=4), prune_checkpoints(last=1)]
    new = [keep_models(last=2), keep_model_runs(last=3)]
    one, other = compared(history, old, new).difference, compared(history, new, old).difference

    assert (one.deletes, one.deletes_bytes) == (other.spares, other.spares_bytes) != (0, 0)
    assert (one.checkpoints_spares, one.checkpoints_spares_bytes) == (
        other.checkpoints_deletes,
        other.checkpoints_deletes_bytes,
    )
    assert one.checkpoints_spares == 3  # one in each of the ModelRuns that stay under both
    assert one.bytes_reclaimable == -other.bytes_reclaimable
    assert (one.changed, one.same) == (other.changed, other.same)


def test_bytes_are_those_of_the_payloads_that_make_the_difference(
    history: History, retrained: list[Retraining]
) -> None:
    difference = compared(history, [keep_models(last=4)], [keep_models(last=2)]).difference

    files = [path for made in retrained[1:3] for path in made.model.path.rglob("*") if path.is_file()]
    assert difference.deletes_bytes == sum(path.stat().st_size for path in files) > 0
    assert difference.bytes_reclaimable == difference.deletes_bytes


def test_what_comes_under_a_rule_or_is_let_out_of_all(history: History, retrained: list[Retraining]) -> None:
    old = [keep_models(last=9)]
    new = [keep_models(last=9) | {"match": {"type": "Examples"}, "name": "data"}]

    difference = compared(history, old, new).difference

    assert (difference.governs, difference.releases) == (5, 5)
    assert difference.deletes == difference.spares == 0


def test_what_one_policy_would_delete_unseen_is_a_deletion_not_only_a_new_rule(
    history: History, retrained: list[Retraining]
) -> None:
    comparison = compared(history, [keep_models(last=9)], [keep_models(last=9), keep_model_runs(last=4)])

    assert told(list(comparison.changes))[retrained[0].model_run.id] == ("ungoverned", "delete")
    assert (comparison.difference.governs, comparison.difference.deletes) == (5, 1)


def test_a_checkpoint_that_goes_under_one_policy_alone_is_a_change_inside(
    history: History, retrained: list[Retraining]
) -> None:
    comparison = compared(history, [prune_checkpoints(last=2)], [prune_checkpoints(last=1)])

    changes = list(comparison.changes)
    assert [change.standings for change in changes] == [("keep", "keep")] * 5
    (inside,) = changes[0].checkpoints
    assert (inside.told.name, inside.verdicts) == ("ckpt-100", ("keep", "delete"))
    assert comparison.difference.checkpoints_deletes == 5
    assert comparison.difference.deletes == 0


def test_what_cannot_be_judged_under_one_policy_alone(history: History, retrained: list[Retraining]) -> None:
    shutil.rmtree(retrained[1].model.path)

    comparison = compared(history, [keep_models(last=4)], [keep_models(last=3)])

    assert told(list(comparison.changes)) == {retrained[1].model.id: ("keep", "unknown")}
    assert (comparison.difference.doubts, comparison.difference.understands) == (1, 0)
    assert comparison.difference.bytes_reclaimable == 0


def test_other_words_for_the_same_verdicts_are_no_difference(
    history: History, retrained: list[Retraining]
) -> None:
    comparison = compared(
        history, [keep_models(last=2)], [keep_models(any_of=[{"ids": [9999]}, {"last": 2}], name="mine")]
    )

    assert list(comparison.changes) == []
    assert (comparison.difference.changed, comparison.difference.same) == (0, 5)


def test_the_document_holds_both_policies_the_totals_and_every_change(
    history: History, retrained: list[Retraining]
) -> None:
    comparison = compared(history, [keep_models(last=4)], [keep_models(last=2)])

    document: dict[str, Any] = json.loads("".join(comparison.to_json()))

    assert document["schema"] == "tfx-janitor/comparison/v1"
    assert document["old"]["plan_id"] == comparison.old.id
    assert document["new"]["policy"]["rules"][0]["keep"]["last"] == 2
    assert document["difference"]["deletes"] == len(document["changes"]) == 2
    change = document["changes"][0]
    assert (change["old"]["verdict"], change["new"]["verdict"]) == ("keep", "delete")
    assert change["new"]["reasons"][0]["code"] == "expire.last"
    assert change["bytes"] > 0
