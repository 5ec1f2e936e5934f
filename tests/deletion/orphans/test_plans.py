"""Orphans in a plan: what changed since is not marked, limits count them, and the acts tell of them."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.deletion.orphans.crash import Crash, done
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.history import verify
from tfx_janitor.errors import Refused
from tfx_janitor.retention.plan import Plan


def test_what_was_written_since_the_plan_is_skipped(crash: Crash):
    plan = crash.plan()
    (crash.model / "late").touch()
    os.utime(crash.model / "late", (0, crash.found_ms / 1000))
    skipped = apply(crash.history.site(now_ms=crash.found_ms), plan)
    assert done(skipped) == ["skipped", "skipped"]
    assert skipped[0].detail.startswith("needed again: keep.older-than: ")
    assert crash.marked == 0


def test_what_changed_since_the_plan_is_skipped_however_old_it_looks(crash: Crash):
    plan = crash.plan()
    (crash.model / "late").touch()
    skipped = apply(crash.history.site(now_ms=crash.found_ms), plan)
    assert [(outcome.done, outcome.detail) for outcome in skipped] == [
        ("skipped", "it changed since it was decided"),
        ("skipped", "it changed since it was decided"),
    ]


def test_what_is_claimed_since_the_plan_is_skipped(crash: Crash):
    plan = crash.plan()
    run = crash.history.pipeline("importing").run()
    run.import_model(crash.model)
    run.import_model(crash.model_run)
    skipped = apply(crash.history.site(now_ms=crash.found_ms), plan)
    assert {outcome.detail for outcome in skipped} == {"it is gone, or something claims it now"}


# Limits, records and seals.


def test_limits_count_directories(crash: Crash):
    with pytest.raises(Refused, match="2 artifacts, checkpoints and directories are more than max_items 1"):
        apply(
            crash.history.site(now_ms=crash.found_ms),
            crash.plan(limits={"max_fraction": None, "max_items": 1}),
        )
    limits = {"max_fraction": None, "max_bytes": 10}
    plan = crash.plan(limits=limits, grace="7d")
    with pytest.raises(Refused, match="bytes are more than max_bytes 10"):
        apply(crash.history.site(now_ms=crash.found_ms), plan)
    assert done(apply(crash.history.site(now_ms=crash.found_ms), plan, approved=plan.id)) == ["marked"] * 2
    # What is marked was weighed when it was marked.
    assert apply(crash.history.site(now_ms=crash.found_ms), crash.plan(limits=limits, grace="7d")) == []


def test_a_plan_with_orphans_survives_being_written_down(crash: Crash):
    plan = crash.plan()
    read = Plan.from_json("".join(plan.to_json()))
    assert read.orphans == plan.orphans and read.id == plan.id
    assert len(plan.abandoned) == 2
    assert crash.plan(days=1).id == plan.id


def test_a_plan_without_the_section_has_no_list(crash: Crash):
    text = "".join(crash.plan(orphans=None).to_json())
    assert '"orphans"' not in text
    assert Plan.from_json(text).orphans is None


def test_the_history_is_as_it_was_written(crash: Crash):
    plan = crash.plan(grace="7d")
    apply(crash.history.site(now_ms=crash.found_ms), plan)
    crash.purge(days=8)
    found = verify(crash.history.store, plan=plan)
    assert (found.acts, found.sealed, found.findings) == (2, 2, ())
    altered = replace(plan.abandoned[0], reasons=())
    forged = replace(plan, orphans=(altered, *plan.abandoned[1:]))
    assert [finding.kind for finding in verify(crash.history.store, plan=forged).findings] == ["altered-plan"]


def test_an_altered_mark_purges_nothing(crash: Crash):
    crash.gc(grace="7d")
    (act,) = acts.read(crash.history.store, kinds=("apply",))
    (row,) = crash.history.store.get_executions_by_id([act.id])
    details = row.custom_properties["details"].string_value
    row.custom_properties["details"].string_value = details.replace('"grace_ms": 604800000', '"grace_ms": 0')
    crash.history.store.put_executions([row])
    outcomes = crash.purge(days=1)
    assert done(outcomes) == ["skipped", "skipped"] and "is not as it was written" in outcomes[0].detail
    assert crash.there == [True, True]


def test_outcomes_of_artifacts_are_recorded_as_before_there_were_orphans():
    assert Outcome(7, "marked", "why", 3).row == [7, "marked", "why", 3]
    assert Outcome(0, "marked", "why", 3, "/p").row == [0, "marked", "why", 3, "/p"]
