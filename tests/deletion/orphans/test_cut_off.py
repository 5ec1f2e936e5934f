"""A purge that is cut off anywhere is brought to its end by the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.builders import write_checkpoints
from tests.deletion.orphans.crash import Crash, done
from tests.deletion.orphans.interference import Alone, Dies, Dying, dying_before
from tfx_janitor import effects
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.gc import collect
from tfx_janitor.effects import Effect
from tfx_janitor.lineage.connection import open_url


def test_killed_before_the_rename_it_is_judged_again(crash: Crash):
    crash.gc(grace="7d")
    with dying_before("rename", str(crash.execution)):
        crash.purge(days=8)
    assert crash.there == [True, True] and crash.marked == 2
    assert done(crash.purge(days=8)) == ["purged", "purged"]


def test_killed_after_the_rename_the_next_purge_empties_the_trash(crash: Crash):
    crash.gc(grace="7d")
    with dying_before("unlink", "ckpt-100.index"):
        crash.purge(days=8)
    assert crash.model_run.exists() is False
    assert crash.in_trash() == [f"execution-{crash.execution}"]
    outcomes = crash.purge(days=8)
    assert sorted(done(outcomes)) in (["finished", "finished"], ["finished", "purged"])
    assert crash.there == [False, False] and crash.in_trash() == [] and crash.marked == 0


def test_what_an_execution_writes_anew_after_the_rename_is_not_what_was_marked(crash: Crash):
    crash.gc(grace="7d")
    with dying_before("unlink", "ckpt-100.index"):
        crash.purge(days=8)
    write_checkpoints(crash.model_run, (1,))
    crash.purge(days=8)
    assert crash.in_trash() == [] and (crash.model_run / "ckpt-1.index").exists()


def test_killed_before_the_act_ended(crash: Crash, monkeypatch: pytest.MonkeyPatch):
    crash.gc(grace="7d")
    end = acts.end

    def dies(site: Any, act: int, outcomes: Any) -> None:
        raise Dies

    monkeypatch.setattr(acts, "end", dies)
    with pytest.raises(Dies):
        crash.purge(days=8)
    monkeypatch.setattr(acts, "end", end)
    assert crash.there == [False, False] and crash.marked == 2
    assert done(crash.purge(days=8)) == ["finished", "finished"]
    assert crash.marked == 0


def all_of_it(crash: Crash) -> None:
    """A collection that marks and purges, on a store whose every call is an effect."""
    store, _ = open_url(crash.history.url, readonly=False)
    site = replace(crash.history.site(now_ms=crash.found_ms, crew=Alone()), store=store)
    collect(site, crash.policy())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_effect_the_next_run_brings_it_to_its_end(tmp_path: Path, after: bool):
    made: list[Effect] = []

    def count(effect: Effect, change: Callable[[], Any]) -> Any:
        made.append(effect)
        return change()

    with effects.watched(count):
        all_of_it(Crash(tmp_path / "whole"))
    assert {effect.kind for effect in made} >= {"mlmd", "mkdir", "rename", "unlink", "rmdir"}
    for fatal in range(len(made)):
        crash = Crash(tmp_path / str(fatal))
        with effects.watched(Dying(fatal, after)), pytest.raises(Dies):
            all_of_it(crash)
        crash.gc()
        assert (crash.there, crash.in_trash(), crash.marked) == ([False, False], [], 0), made[fatal]
        assert crash.well.model.path.exists()
