"""Marks that are taken back, before a purge, beside it, and after it."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.deletion.orphans.crash import Crash, done
from tests.deletion.orphans.interference import at_task, dying_before, refuse
from tfx_janitor import effects
from tfx_janitor.deletion import acts, orphans
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.apply import apply
from tfx_janitor.errors import JanitorError


def test_a_restored_directory_is_no_longer_marked(crash: Crash):
    crash.gc(grace="7d")
    assert done(crash.restore(crash.model_run)) == ["restored"]
    assert done(crash.restore(crash.model_run)) == ["skipped"]
    assert done(crash.purge(days=8)) == ["purged"]
    assert crash.there == [False, True]


def test_what_a_purge_has_failed_at_can_be_restored(crash: Crash):
    crash.gc(grace="7d")
    with effects.watched(refuse):
        crash.purge(days=8)
    assert done(crash.restore(crash.model, crash.model_run, days=8)) == ["restored", "restored"]
    assert crash.purge(days=9) == []
    assert crash.there == [True, True]


def test_all_that_a_plan_marked(crash: Crash):
    plan = crash.plan(grace="7d")
    site = crash.history.site(now_ms=crash.found_ms)
    apply(site, plan)
    assert orphans.marked_by(site, plan.id) == [str(crash.model), str(crash.model_run)]
    crash.restore(crash.model)
    assert orphans.marked_by(site, plan.id) == [str(crash.model_run)]
    assert orphans.marked_by(site, "sha256:other") == []


def test_what_was_never_marked_cannot_be_restored(crash: Crash):
    with pytest.raises(JanitorError, match="directories that were marked, got"):
        crash.restore(crash.model)


def test_what_is_gone_cannot_be_restored(crash: Crash):
    crash.gc(grace="7d")
    shutil.rmtree(crash.model)
    (outcome,) = crash.restore(crash.model)
    assert (outcome.done, outcome.detail) == ("failed", "nothing lies there any more")


# Beside a purge.


def test_a_restore_that_was_written_down_first_keeps_it(crash: Crash, monkeypatch: pytest.MonkeyPatch):
    crash.gc(grace="7d")
    begin = acts.begin

    def restored_just_before(site: Any, kind: Any, touches: Any, details: Any) -> int:
        if kind == "purge":
            monkeypatch.setattr(acts, "begin", begin)
            assert done(crash.restore(crash.model, crash.model_run)) == ["restored", "restored"]
        return begin(site, kind, touches, details)

    monkeypatch.setattr(acts, "begin", restored_just_before)
    outcomes = crash.purge(days=8)
    assert {(outcome.done, outcome.detail) for outcome in outcomes} == {
        ("skipped", "it was restored meanwhile")
    }
    assert crash.there == [True, True] and crash.marked == 0


def test_a_restore_that_comes_after_the_purge_was_written_down_is_told_so(crash: Crash):
    crash.gc(grace="7d")
    late: list[Outcome] = []
    crew = at_task("purge orphans", lambda: late.extend(crash.restore(crash.model, crash.model_run)))
    assert done(crash.gc(grace="7d", days=8, crew=crew)) == ["purged", "purged"]
    assert done(late) == ["failed", "failed"] and "is purging it" in late[0].detail


def test_a_purge_that_was_written_down_since_the_restore_read_the_acts(
    crash: Crash, monkeypatch: pytest.MonkeyPatch
):
    crash.gc(grace="7d")
    begin = acts.begin

    def purging_just_before(site: Any, kind: Any, touches: Any, details: Any) -> int:
        monkeypatch.setattr(acts, "begin", begin)
        with dying_before("rename", str(crash.execution)):
            crash.purge(days=8)
        return begin(site, kind, touches, details)

    monkeypatch.setattr(acts, "begin", purging_just_before)
    late = crash.restore(crash.model, crash.model_run)
    assert done(late) == ["failed", "failed"] and "is purging it" in late[0].detail
    assert crash.marked == 2
    # The purge was cut off, and the restore took nothing back.
    assert done(crash.purge(days=8)) == ["purged", "purged"]


def test_what_a_purge_that_was_cut_off_has_in_hand_is_kept_by_writing_into_it(crash: Crash):
    crash.gc(grace="7d")
    with dying_before("rename", str(crash.execution)):
        crash.purge(days=8)
    assert "write a file into the directory" in crash.restore(crash.model)[0].detail
    (crash.model / "mine").touch()
    assert done(crash.purge(days=8)) == ["skipped", "skipped"] and crash.there == [True, True]


def test_a_restore_that_began_at_the_same_moment(crash: Crash, monkeypatch: pytest.MonkeyPatch):
    """Both write down what they are about to do, then both look: nothing is deleted, nobody is told it is."""
    crash.gc(grace="7d")
    begin, told = acts.begin, []

    def purge_just_before(site: Any, kind: Any, touches: Any, details: Any) -> int:
        if kind == "restore":
            monkeypatch.setattr(acts, "begin", begin)
            restoring = begin(site, kind, touches, details)
            told.extend(crash.purge(days=8))
            return restoring
        return begin(site, kind, touches, details)

    monkeypatch.setattr(acts, "begin", purge_just_before)
    crash.restore(crash.model, crash.model_run)
    assert {outcome.detail for outcome in told} == {"it was restored meanwhile"}
    assert crash.there == [True, True]
