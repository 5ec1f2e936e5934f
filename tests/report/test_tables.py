"""Tables as a terminal shows them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.report.conftest import KEPT, Decide, Show, checkpoint
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.report.plan_view import listing
from tfx_janitor.report.tables import (
    checkpoint_table,
    decision_table,
    outcome_summary,
    outcome_table,
    summary_lines,
)
from tfx_janitor.retention.plan import Decision, Plan, Reason, Summary

MISSED = Reason("expire.last", "rank 5 of 7, keeps 3", "models")


def test_artifacts_stand_under_their_node_the_newest_first(decide: Decide, show: Show):
    decisions = [
        decide(MISSED, artifact_id=2, verdict="delete", bytes=96_400_000),
        decide(artifact_id=12),
        decide(artifact_id=7, node="Pusher", output="pushed_model", type="PushedModel"),
    ]
    assert show(decision_table(decisions)) == [
        "id  created (UTC)        size  verdict  why",
        "",
        "inception / Pusher / pushed_model (PushedModel)",
        " 7  1970-01-01 00:00           keep     rule models: last",
        "",
        "inception / Trainer / model (Model)",
        "12  1970-01-01 00:00           keep     rule models: last",
        " 2  1970-01-01 00:00  96.4 MB  delete   rule models: last: rank 5 of 7, keeps 3",
    ]


def test_on_80_columns_ids_and_words_stay_whole(decide: Decide, show: Show):
    reasons = [Reason(f"hold.{code}") for code in ("newest", "latest-blessed", "served", "active-run")]
    lines = show(decision_table([decide(*reasons, artifact_id=1_000_000)]), width=80)
    assert all(len(line) <= 80 for line in lines)
    assert lines[3].startswith(
        "1000000  1970-01-01 00:00        keep     newest of its node; latest blessed;"
    )
    assert lines[4].split() == ["served;", "its", "run", "is", "not", "over"]


def test_names_are_inert(decide: Decide, show: Show):
    sly = decide(pipeline="[red]sly[/red]", node="N\x1b[2J", output=None)
    assert "[red]sly[/red] / N\\x1b[2J (Model)" in show(decision_table([sly]))


def test_an_artifact_that_nobody_produced(decide: Decide, show: Show):
    orphan = decide(pipeline=None, node=None, output=None, run=None)
    assert "no known pipeline (Model)" in show(decision_table([orphan]))


def test_checkpoints_of_each_model_run(decide: Decide, show: Show):
    run = decide(
        type="ModelRun",
        artifact_id=3,
        checkpoints=(
            checkpoint(1, "delete", Reason("expire.last", "rank 2 of 2, keeps 1", "thin")),
            checkpoint(2, "keep", Reason("keep.last", "rank 1 of 2, keeps 1", "thin"), directory="best"),
        ),
    )
    assert show(checkpoint_table([decide(), run])) == [
        "ModelRun 3 of inception / Trainer, run-1",
        "ckpt-1       1.0 kB  delete   rule thin: last: rank 2 of 2, keeps 1",
        "best/ckpt-2  1.0 kB  keep     rule thin: last",
    ]


def test_outcomes(show: Show):
    outcomes = [Outcome(12, "purged", bytes=1000), Outcome(13, "failed", "[Errno] x\x07")]
    assert show(outcome_table(outcomes, {12: "Model"})) == [
        "purged  Model 12     1.0 kB",
        "failed  artifact 13          [Errno] x\\x07",
    ]
    assert str(outcome_summary(outcomes)) == "1 purged, 1 failed; 1.0 kB freed"


def test_on_a_narrow_terminal_it_is_below_the_rest_why(decide: Decide, show: Show):
    decisions = [decide(MISSED, artifact_id=2, verdict="delete", bytes=96_400_000), decide(artifact_id=12)]
    assert show(decision_table(decisions), width=40) == [
        "id  created (UTC)        size  verdict",
        "",
        "inception / Trainer / model (Model)",
        "12  1970-01-01 00:00           keep",
        "    rule models: last",
        " 2  1970-01-01 00:00  96.4 MB  delete",
        "    rule models: last: rank 5 of 7,",
        "    keeps 3",
    ]


def test_a_long_path_leaves_room_for_what_there_is_to_say(show: Show):
    path = "/srv/pipelines/inception/Trainer/model_run/70"
    outcomes = [
        Outcome(12, "skipped", "it is LIVE, not marked"),
        Outcome(0, "marked", "expire.older-than: execution 70 is RUNNING", bytes=1400, path=path),
        Outcome(13, "purged"),
    ]
    assert show(outcome_table(outcomes), width=80) == [
        "skipped  artifact 12",
        "         it is LIVE, not marked",
        f"marked   {path}  1.4 kB",
        "         expire.older-than: execution 70 is RUNNING",
        "purged   artifact 13",
    ]
    assert show(outcome_table([])) == []
    # Each item on a line of its own where it has room, as for `grep`.
    assert len(show(outcome_table(outcomes), width=200)) == 3


def plan(*decisions: Decision, **summary: int) -> Plan:
    return Plan(0, 0, "sqlite:///m.db", {}, Summary(**summary), lambda: iter(decisions))


def test_the_totals_of_a_plan(show: Show):
    made = plan(
        artifacts=1200,
        keep=1000,
        delete=200,
        ungoverned=3,
        checkpoints=4,
        checkpoints_delete=1,
        bytes_reclaimable=10,
    )
    assert show(*summary_lines(made)) == [
        "1,200 artifacts governed: 1,000 keep, 200 delete, 0 unknown; 3 that no rule governs",
        "4 checkpoints inside: 1 delete",
        "10 bytes would be freed",
        f"plan {made.id}",
    ]


@pytest.mark.parametrize(("most", "ids", "left_out"), [(None, [1, 2, 3], 0), (3, [1, 2, 3], 0), (2, [2], 2)])
def test_a_long_plan_lists_what_changes(most: int | None, ids: list[int], left_out: int):
    decisions = [replace(KEPT, artifact_id=number) for number in (1, 2, 3)]
    decisions[1] = replace(decisions[1], verdict="delete", reasons=(MISSED,))
    found = listing(plan(*decisions), most)
    assert ([decision.artifact_id for decision in found.decisions], found.left_out) == (ids, left_out)
