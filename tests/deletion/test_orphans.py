"""Directories that no artifact claims: marked, left for the grace, looked at again, and gone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.builders import History, keep_models, write_checkpoints
from tests.deletion.surroundings import mounted, picture
from tfx_janitor import effects
from tfx_janitor.deletion import acts, orphan_marks, orphan_purge, orphans
from tfx_janitor.deletion.act import NOT_BEGUN, Outcome
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.history import verify
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.remove import TRASH, Removed
from tfx_janitor.effects import Effect
from tfx_janitor.errors import JanitorError, Refused
from tfx_janitor.lineage.connection import open_url
from tfx_janitor.payload.places import resolve
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.crew import Done, Failed, Item, Threads, attempt
from tfx_janitor.survey.survey import make_plan

DAY_MS = 86_400_000


class Crash:
    """A pipeline that trained well once, and whose second training died and left two directories."""

    def __init__(self, home: Path, name: str = "inception", history: History | None = None) -> None:
        self.history = history or History(home)
        self.pipeline = self.history.pipeline(name)
        self.well = self.pipeline.retrain()
        run = self.pipeline.run()
        run.ingest()
        self.execution = run.start_training(steps=(100, 200))
        self.trainer = self.pipeline.root / "Trainer"
        self.model = self.trainer / "model" / str(self.execution)
        self.model_run = self.trainer / "model_run" / str(self.execution)
        self.found_ms = self.history.later(days=15)

    def policy(self, **fields: Any) -> RetentionPolicy:
        """Nothing but orphans goes."""
        said = {"rules": [keep_models(last=9)], "orphans": {"older_than": "14d"}, **fields}
        return self.history.policy(**said)

    def plan(self, *, days: float = 0, **fields: Any) -> Plan:
        now_ms = self.found_ms + round(days * DAY_MS)
        case = self.history.case(self.policy(**fields), now_ms=now_ms)
        return make_plan(case, Threads(2), metadata=self.history.url, created_ms=0)

    def gc(self, *, days: float = 0, crew: Any = None, **fields: Any) -> list[Outcome]:
        """What a collection does some days after it was found."""
        site = {"now_ms": self.found_ms + round(days * DAY_MS), "crew": crew or Threads(2)}
        return list(collect(self.history.site(**site), self.policy(**fields)).outcomes)

    def purge(self, *, days: float = 0, policy: RetentionPolicy | None = None, **site: Any) -> list[Outcome]:
        now_ms = self.found_ms + round(days * DAY_MS)
        return purge(self.history.site(now_ms=now_ms, **site), policy=policy)

    def restore(self, *paths: Path, days: float = 0) -> list[Outcome]:
        now_ms = self.found_ms + round(days * DAY_MS)
        return orphans.restore(self.history.site(now_ms=now_ms), [str(path) for path in paths])

    @property
    def there(self) -> list[bool]:
        return [self.model.exists(), self.model_run.exists()]

    @property
    def marked(self) -> int:
        return len(orphan_marks.orphan_marks(acts.read(self.history.store)))

    def in_trash(self) -> list[str]:
        """What lies in the trash beside the two directories."""
        return [
            path.name
            for directory in (self.model.parent, self.model_run.parent)
            if (directory / TRASH).exists()
            for path in (directory / TRASH).iterdir()
        ]


@pytest.fixture
def crash(tmp_path: Path) -> Crash:
    return Crash(tmp_path)


def done(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.done for outcome in outcomes]


# The way of things.


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


# Between plan and mark.


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


# Between mark and purge.


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


# The last moment.


def at_task(awaited: str, act: Callable[[], object]) -> Threads:
    """A crew before whose work somebody acts."""

    class Meddled(Threads):
        def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
            if task == awaited:
                act()
            return super().run(task, work, items)

    return Meddled(2)


def test_what_changes_after_the_second_look_stays(crash: Crash):
    crash.gc(grace="7d")
    crew = at_task("purge orphans", lambda: (crash.model / "late").touch())
    outcomes = crash.gc(grace="7d", days=8, crew=crew)
    assert [(outcome.done, outcome.path) for outcome in outcomes] == [
        ("skipped", str(crash.model)),
        ("purged", str(crash.model_run)),
    ]
    assert crash.there == [True, False]


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


# Cut off.


class Dies(BaseException):
    """The end of a process."""


class Alone(Threads):
    """A crew of one: what ends the process ends it at once."""

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        return [attempt(work, item) for item in items]


@contextmanager
def dying_before(kind: str, subject: str) -> Iterator[None]:
    """The process ends before its first effect of a kind on a name."""

    def watch(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.kind == kind and effect.subject == subject:
            raise Dies
        return change()

    with effects.watched(watch), pytest.raises(Dies):
        yield


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


class Dying:
    """The process ends before or after its nth effect, well or not as that ends."""

    def __init__(self, fatal: int, after: bool) -> None:
        self._left, self._after = fatal, after

    def __call__(self, effect: Effect, change: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left != -1:
            return change()
        try:
            if self._after:
                change()
        finally:
            raise Dies


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


def refuse(effect: Effect, change: Callable[[], Any]) -> Any:
    """Where nothing may be renamed, nothing can be removed."""
    if effect.kind == "rename":
        raise PermissionError(13, "Permission denied", effect.subject)
    return change()


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


# Taking it back.


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
