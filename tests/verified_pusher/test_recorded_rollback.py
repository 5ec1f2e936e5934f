"""Rolling back on a real store with real holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import errors

from tests.builders import History, flip_bit
from tfx_janitor import effects
from tfx_janitor.deletion import acts, history
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.effects import Effect
from tfx_janitor.lineage.connection import open_url
from tfx_janitor.payload import saved_model
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import content, manifest, rollback
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.manifest import Execution, Manifest, Rollback, Source, Verified
from tfx_janitor.verified_pusher.push import Push
from tfx_janitor.verified_pusher.rollback import RollbackError
from tfx_janitor.verified_pusher.rollback_act import roll_back

from .conftest import version_names
from .rolling_back import Base, Recorded, three_pushes
from .small_models import NOON_MS


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return three_pushes(tmp_path)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def test_the_store_knows_what_was_put_back(recorded: Recorded) -> None:
    done = recorded.back()
    (act,) = acts.read(recorded.history.store)
    assert (act.kind, act.ended, act.actor) == ("rollback", True, "tester@here")
    assert act.details["version"] == int(recorded.second.push.destination.name)
    assert {(touch.artifact_id, touch.what) for touch in act.touches} == {
        (recorded.second.push.pushed_model.id, "put back"),
        (recorded.third.push.pushed_model.id, "replace"),
        (recorded.second.model.id, "serve"),
    }
    assert [outcome.done for outcome in act.outcomes] == ["put back", "replaced", "served", "pushed"]
    row = recorded.history.row(done.pushed_model_id)
    assert row.type == "PushedModel"
    assert row.custom_properties["pushed"].int_value == 1
    assert row.custom_properties["pushed_destination"].string_value == done.push.destination
    assert row.custom_properties["pushed_version"].string_value == str(done.push.version)
    assert row.custom_properties["source_model_id"].int_value == recorded.second.model.id
    assert manifest.read(done.push.destination).execution == Execution(id=act.id)


def test_the_history_still_verifies(recorded: Recorded) -> None:
    recorded.back()
    recorded.back()
    assert history.verify(recorded.history.store).findings == ()


def test_no_context_of_a_pipeline_knows_it(recorded: Recorded) -> None:
    done = recorded.back()
    store = recorded.history.store
    with pytest.raises(errors.NotFoundError, match="No contexts found"):
        store.get_contexts_by_artifact(done.pushed_model_id)
    with pytest.raises(errors.NotFoundError, match="No contexts found"):
        store.get_contexts_by_execution(done.act_id)


def test_the_model_behind_it_is_held_when_all_other_versions_are_gone(recorded: Recorded) -> None:
    model = recorded.first.model.id
    done = recorded.back(to=recorded.first.push.destination)
    for run in (recorded.first, recorded.second, recorded.third):
        shutil.rmtree(run.push.destination)
    (held,) = recorded.held_by_serving(model)
    assert held.detail == f"served at {done.push.destination}"
    assert held.path == (
        ("artifact", model),
        ("execution", done.act_id),
        ("artifact", done.pushed_model_id),
    )
    assert recorded.verdicts()[model].verdict == "keep"
    assert recorded.verdicts()[recorded.second.model.id].verdict == "delete"


def test_a_retired_version_is_put_back_from_its_archive(recorded: Recorded) -> None:
    first = recorded.first.push
    assert recorded.retire(1) == (int(first.destination.name), int(recorded.second.push.destination.name))
    done = recorded.back(to=first.destination)
    assert (done.choice.target.archived, done.choice.target.path) == (True, first.pushed_model.uri)
    label = Path(done.push.destination) / "assets" / "vocabulary.txt"
    assert label.read_text() == str(recorded.first.model.id)


def test_without_a_version_to_ask_for_archives_are_history_too(recorded: Recorded) -> None:
    recorded.retire(1)
    shutil.rmtree(recorded.second.push.pushed_model.path)
    done = recorded.back()
    assert done.choice.target.version == int(recorded.first.push.destination.name)
    (over,) = done.choice.passed_over
    assert (over.why, over.damaged) == ("is no longer served, and no archive of it is left", False)


def test_a_damaged_archive_is_not_put_back(recorded: Recorded) -> None:
    recorded.retire(1)
    flip_bit(recorded.first.push.pushed_model.path / "variables" / "variables.data-00000-of-00001", 0)
    with pytest.raises(RollbackError, match=r"is damaged at .*pushed_model"):
        recorded.back(to=recorded.first.push.destination)
    assert acts.read(recorded.history.store) == []


def test_what_was_put_back_and_is_gone_is_put_back_from_the_archive_that_it_came_from(
    recorded: Recorded,
) -> None:
    done = recorded.back()
    for name in version_names(recorded.base)[1:]:
        shutil.rmtree(recorded.base / name)
    target = recorded.back(to=Path(done.push.destination)).choice.target
    assert (target.version, target.path) == (done.push.version, recorded.second.push.pushed_model.uri)


def test_archives_bring_back_service_where_nothing_is_served(recorded: Recorded) -> None:
    shutil.rmtree(recorded.base)
    recorded.base.mkdir()
    done = recorded.back()
    assert done.choice.current is None
    assert done.choice.target.version == int(recorded.third.push.destination.name)
    assert manifest.read(done.push.destination).rollback == Rollback(done.choice.target.version, None)


def test_one_that_failed_says_so(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Push:
        raise PushError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(rollback, "put_back", fail)
        with pytest.raises(PushError, match="no space"):
            recorded.back()
    (act,) = acts.read(recorded.history.store)
    assert act.ended
    assert {(outcome.done, outcome.detail) for outcome in act.outcomes} == {("failed", "no space")}


def test_the_model_of_a_version_without_a_pushed_model_is_known_by_its_manifest(recorded: Recorded) -> None:
    """As where model servers refused a push, and the version before was put back by the pusher itself."""
    base, model = Base(recorded.history.home), recorded.second.model
    base.path = recorded.base
    source = Source(model.uri, model.id, "Model")
    put_back = base.push("cats", source=source, now_ms=recorded.history.now_ms)
    base.push("dogs")
    done = recorded.back(to=base.path / str(put_back))
    assert (
        recorded.history.row(done.pushed_model_id).custom_properties["source_model_id"].int_value == model.id
    )
    shutil.rmtree(recorded.second.push.destination)
    assert recorded.held_by_serving(model.id)


def test_a_store_that_never_saw_a_push_learns_of_it(base: Base, tmp_path: Path) -> None:
    store = History(tmp_path)
    done = roll_back(store.site(), str(base.path), level=Level.CHECKSUMS)
    assert done.choice.target.version == 2
    assert store.row(done.pushed_model_id).type == "PushedModel"
    (act,) = acts.read(store.store)
    assert act.touches == (), "the manifest's Model 12 is one of another store"
    assert manifest.read(done.push.destination).source.artifact_id is None
    assert history.verify(store.store).findings == ()


def test_a_store_begun_anew_has_another_model_under_the_same_id(recorded: Recorded) -> None:
    base, model = Base(recorded.history.home), recorded.second.model
    base.path = recorded.base
    put_back = base.push("cats", source=Source(model.uri, model.id, "Model"), now_ms=NOON_MS)
    base.push("dogs")
    done = recorded.back(to=base.path / str(put_back))
    assert done.choice.target.source.artifact_id is None, "the Model was made after the push"


def test_what_lineage_says_needs_no_clock(recorded: Recorded) -> None:
    """The machine that pushed was slow by years, and its manifest says so."""
    version, model = recorded.second.push.destination, recorded.second.model
    written = Manifest(
        version=int(version.name),
        created_at_ms=0,
        source=Source(model.uri, model.id, "Model"),
        execution=Execution(),
        verified=Verified("checksums", "SavedModel", 1),
        files=content.digest(content.scan(str(version))),
    )
    manifest.write(str(version), written, Unsynced())
    assert recorded.back().choice.target.source.artifact_id == model.id


def test_one_that_fails_where_the_store_knows_nothing_says_so_too(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Push:
        raise PushError("no space")

    store = History(tmp_path)
    monkeypatch.setattr(rollback, "put_back", fail)
    with pytest.raises(PushError, match="no space"):
        roll_back(store.site(), str(base.path), level=Level.CHECKSUMS)
    (act,) = acts.read(store.store)
    assert act.outcomes == (Outcome(0, "failed", "no space", path=str(base.path)),)


class Killed(BaseException):
    """The process is no more."""


def dying_at(number: int) -> effects.Watcher:
    """Lets the process die before the change of this number, counted from 0."""
    left = number

    def watch(effect: Effect, change: Callable[[], Any]) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return change()

    return watch


def killed_at(number: int, recorded: Recorded) -> bool:
    """Rolls back, and dies before the change of this number; False if there are fewer."""
    store, _ = open_url(recorded.history.url, readonly=False)  # one whose writes are changes of the world
    with effects.watched(dying_at(number)):
        try:
            roll_back(
                replace(recorded.history.site(), store=store), str(recorded.base), level=Level.CHECKSUMS
            )
        except Killed:
            return True
    return False


def test_killed_at_any_change_it_leaves_whole_versions_that_the_next_one_accounts_for(tmp_path: Path) -> None:
    number, cut_off_when_visible = 0, 0
    while killed_at(number, recorded := Recorded(tmp_path / str(number))):
        names = version_names(recorded.base)
        for name in names:
            assert saved_model.verify(str(recorded.base / name), Level.CHECKSUMS).whole
        recorded.back()
        if len(names) == 4:
            cut_off_when_visible += 1
            first, _ = acts.read(recorded.history.store)
            made = recorded.history.row(first.outcomes[-1].artifact_id)
            assert made.custom_properties["pushed_version"].string_value == names[-1]
        assert history.verify(recorded.history.store).findings == ()
        number += 1
    assert number > 10
    assert cut_off_when_visible > 2, "to record the PushedModel takes several changes"
