"""Between mark and purge, up to the last moment: what changed, or is claimed or needed, stays."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.builders import write_checkpoints
from tests.deletion.orphans.crash import Crash, done
from tests.deletion.orphans.interference import at_task
from tests.deletion.surroundings import mounted


@contextmanager
def marked(crash: Crash) -> Iterator[None]:
    """Marks both, lets something happen, and expects that what happened keeps both."""
    assert done(crash.gc(grace="7d")) == ["marked", "marked"]
    yield
    outcomes = crash.purge(days=8, policy=crash.policy(grace="7d"))
    assert crash.there == [True, True]
    assert {outcome.done for outcome in outcomes} <= {"rescued", "skipped"}


def test_a_training_that_goes_on_keeps_its_directories(crash: Crash):
    with marked(crash):
        write_checkpoints(crash.model_run, (300,))
        os.utime(crash.model_run / "ckpt-300.index", (0, crash.found_ms / 1000 + 7 * 86400))


def test_whatever_changed_goes_into_a_new_grace(crash: Crash):
    crash.gc(grace="7d")
    (crash.model / "note").touch()
    outcomes = crash.purge(days=8)
    assert [(outcome.done, outcome.detail) for outcome in outcomes] == [
        ("skipped", "it changed since it was marked"),
        ("skipped", f"as {crash.model} of the same execution: it changed since it was marked"),
    ]
    assert crash.there == [True, True] and crash.marked == 0
    assert done(crash.gc(grace="7d", days=8)) == ["marked", "marked"]
    assert done(crash.gc(grace="7d", days=15)) == ["purged", "purged"]


def test_an_execution_that_came_to_its_end_keeps_what_it_made(crash: Crash):
    with marked(crash):
        crash.history.end(crash.execution)


def test_an_artifact_that_claims_one_of_them_keeps_both(crash: Crash):
    with marked(crash):
        crash.history.pipeline("importing").run().import_model(crash.model_run / "ckpt-100")


def test_another_directory_in_its_place_stays(crash: Crash):
    with marked(crash):
        shutil.copytree(crash.model_run, crash.model_run.with_name("copy"))
        shutil.move(crash.model_run, crash.history.home / "moved")
        crash.model_run.with_name("copy").rename(crash.model_run)


def test_a_link_in_its_place_stays(crash: Crash):
    with marked(crash):
        elsewhere = crash.history.home / "elsewhere"
        crash.model_run.rename(elsewhere)
        crash.model_run.symlink_to(elsewhere)
    assert (crash.history.home / "elsewhere" / "ckpt-100.index").exists()


def test_one_that_somebody_removed_does_not_keep_the_other(crash: Crash):
    crash.gc(grace="7d")
    shutil.rmtree(crash.model)
    outcomes = crash.purge(days=8)
    assert sorted((outcome.done, outcome.detail) for outcome in outcomes) == [
        ("purged", ""),
        ("skipped", "it is gone already"),
    ]
    assert crash.purge(days=9) == []


def test_a_disk_that_is_not_mounted_proves_nothing(crash: Crash):
    crash.gc(grace="7d")
    aside = crash.history.home / "aside"
    crash.pipeline.root.rename(aside)
    outcomes = crash.purge(days=8)
    assert done(outcomes) == ["skipped", "skipped"] and "is its disk mounted?" in outcomes[0].detail
    aside.rename(crash.pipeline.root)
    assert done(crash.purge(days=8)) == ["purged", "purged"]


def test_the_policy_in_force_must_let_go_too(crash: Crash):
    crash.gc(grace="7d")
    outcomes = crash.purge(days=8, policy=crash.policy(orphans={"older_than": "100d"}))
    assert done(outcomes) == ["rescued", "rescued"]
    assert crash.there == [True, True] and crash.marked == 0


@pytest.mark.parametrize("fields", [{"orphans": None}, {"roots": ["/srv/of-another-team"]}])
def test_a_policy_that_has_no_say_leaves_the_mark_to_the_one_that_made_it(
    crash: Crash, fields: dict[str, Any]
):
    crash.gc(grace="7d")
    assert crash.purge(days=8, policy=crash.policy(**fields)) == []
    assert crash.there == [True, True] and crash.marked == 2
    assert done(crash.purge(days=8, policy=crash.policy())) == ["purged", "purged"]


def test_what_is_marked_is_not_marked_again(crash: Crash):
    assert done(crash.gc(grace="7d")) == ["marked", "marked"]
    assert crash.gc(grace="7d", days=1) == []
    assert crash.marked == 2


def test_what_cannot_be_looked_at_waits(crash: Crash):
    crash.gc(grace="7d")
    inside, kept = crash.model / "mount", crash.history.home / "kept"
    inside.mkdir()
    kept.mkdir()
    with mounted("--bind", str(kept), target=inside, below=crash.history.home):
        outcomes = crash.purge(days=8)
        assert done(outcomes) == ["skipped", "skipped"]
        assert outcomes[0].detail == f"unknown.payload: {inside} is a mount point; unmount it first"
        assert crash.marked == 2


def test_what_changes_after_the_second_look_stays(crash: Crash):
    crash.gc(grace="7d")
    crew = at_task("purge orphans", lambda: (crash.model / "late").touch())
    outcomes = crash.gc(grace="7d", days=8, crew=crew)
    assert [(outcome.done, outcome.path) for outcome in outcomes] == [
        ("skipped", str(crash.model)),
        ("purged", str(crash.model_run)),
    ]
    assert crash.there == [True, False]
