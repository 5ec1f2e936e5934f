"""Directories that no artifact claims: marked, left for the grace, looked at again, and gone."""

from __future__ import annotations

import os

from tests.deletion.orphans.crash import DAY_MS, Crash, done
from tests.deletion.orphans.interference import refuse
from tests.deletion.surroundings import picture
from tfx_janitor import effects
from tfx_janitor.deletion import acts, orphan_marks, orphan_purge, orphans
from tfx_janitor.deletion.act import NOT_BEGUN
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.remove import Removed
from tfx_janitor.payload.places import resolve


def test_marked_first_and_gone_after_the_grace(crash: Crash):
    before = picture(crash.trainer)
    marked = crash.gc(grace="7d")
    assert done(marked) == ["marked", "marked"]
    assert [outcome.path for outcome in marked] == [str(crash.model), str(crash.model_run)]
    assert [outcome.artifact_id for outcome in marked] == [0, 0]
    assert marked[0].detail.startswith(f"expire.older-than: execution {crash.execution} is RUNNING")
    assert picture(crash.trainer) == before

    assert crash.gc(grace="7d", days=6.9) == []
    size = sum(file.stat().st_size for file in crash.model_run.iterdir())
    purged = crash.gc(grace="7d", days=7)
    assert done(purged) == ["purged", "purged"]
    assert [outcome.bytes for outcome in purged] == [0, size]
    assert crash.there == [False, False] and crash.in_trash() == [] and crash.marked == 0
    assert crash.gc(grace="7d", days=30) == []
    assert crash.well.model.path.exists() and crash.well.model_run.path.exists()


def test_a_training_in_flight_in_the_same_root_is_left(crash: Crash):
    healthy = crash.pipeline.run().start_training(steps=(1,))
    written = crash.trainer / "model_run" / str(healthy) / "ckpt-1.index"
    os.utime(written, (0, crash.found_ms / 1000))
    assert done(crash.gc()) == ["marked", "marked", "purged", "purged"]
    assert crash.there == [False, False] and written.exists()


def test_without_the_section_nothing_is_marked_and_nothing_looked_for(crash: Crash):
    assert crash.gc(orphans=None) == []
    assert crash.plan(orphans=None).orphans is None


def test_only_those_of_the_pipeline_that_acts_are_for(crash: Crash):
    other = Crash(crash.history.home, "other", history=crash.history)
    site = crash.history.site(now_ms=other.found_ms, only_pipeline="other")
    assert done(collect(site, crash.policy(grace="7d")).outcomes) == ["marked", "marked"]
    everything = crash.gc(grace="7d", days=1)
    assert {outcome.path for outcome in everything} == {str(crash.model), str(crash.model_run)}
    late = crash.history.site(now_ms=crash.found_ms + 30 * DAY_MS, only_pipeline="other")
    assert done(purge(late)) == ["purged", "purged"]
    assert other.there == [False, False] and crash.there == [True, True]


def test_what_a_runner_tries_again_is_done_once(crash: Crash):
    crash.gc(grace="7d")
    (mark, *_) = orphan_marks.orphan_marks(acts.read(crash.history.store))
    order = orphan_purge.OrphanOrder(mark.orphan, mark.label, (resolve(str(crash.history.root)),))
    assert orphan_purge.remove_orphan(order) is not None
    assert orphan_purge.remove_orphan(order) == Removed(0, 0)


def test_what_may_not_be_removed_stays_marked_and_is_tried_again(crash: Crash):
    crash.gc(grace="7d")
    with effects.watched(refuse):
        assert done(crash.purge(days=8)) == ["failed", "failed"]
    assert crash.there == [True, True] and crash.marked == 2
    assert done(crash.purge(days=8)) == ["purged", "purged"]


def test_who_wants_to_stop_is_waited_for_by_no_mark(crash: Crash):
    stopping = crash.history.site(now_ms=crash.found_ms, stopping=lambda: True)
    outcomes = orphans.mark(stopping, crash.plan().abandoned, {})
    assert [(outcome.done, outcome.detail) for outcome in outcomes] == [("skipped", NOT_BEGUN)] * 2
    assert crash.marked == 0
