from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import History, flip_bit, keep_models
from tests.serving import ModelServer as StandIn
from tests.serving import labelled_model
from tfx_janitor.deletion import remove
from tfx_janitor.payload.verification import Level
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan
from tfx_janitor.verified_pusher import retirement, versions
from tfx_janitor.verified_pusher.manifest import Execution
from tfx_janitor.verified_pusher.retirement import Retirement, loaded_by_nobody
from tfx_janitor.verified_pusher.rollback import choose, put_back
from tfx_janitor.verified_pusher.serving import ModelServer, ServerSilent, in_use_by_any
from tfx_janitor.verified_pusher.versions import Version

from .conftest import version_names


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Five versions, and a directory that is none."""
    for name in ("8", "9", "10", "11", "12", "notes"):
        labelled_model(tmp_path / name, name)
    return tmp_path


def retire(
    base: Path,
    keep: int | None,
    *,
    pushed: int = 12,
    in_use: Callable[[int], bool] = loaded_by_nobody,
) -> Retirement:
    return retirement.retire(str(base), keep, pushed=pushed, in_use=in_use)


def test_the_oldest_go_and_the_newest_stay(base: Path) -> None:
    assert retire(base, 2) == Retirement((8, 9, 10))
    assert sorted(os.listdir(base)) == ["11", "12", "notes"]


def test_what_is_no_model_does_not_count_among_those_that_stay(base: Path) -> None:
    """What stock Pushers leave when they are killed: a number with nothing behind it, or with a part."""
    (base / "11" / "variables" / "variables.index").unlink()
    (base / "13").mkdir()
    labelled_model(base / "14", "14")
    assert retire(base, 3, pushed=14).retired == (8, 9)
    assert version_names(base) == ["10", "11", "12", "13", "14"], "10, 12 and 14 are what can be served"
    assert retire(base, 4, pushed=14) == Retirement()


def test_without_a_number_all_stay(base: Path) -> None:
    assert retire(base, None) == Retirement()
    assert len(version_names(base)) == 5


def test_a_loaded_version_stays_until_it_is_unloaded(base: Path) -> None:
    assert retire(base, 1, in_use=lambda number: number == 9).retired == (8, 10, 11)
    assert retire(base, 1).retired == (9,)


def test_what_a_model_server_has_loaded_stays_until_it_has_unloaded_it(base: Path, tmp_path: Path) -> None:
    with StandIn(base, latest=2, poll_seconds=None) as server:
        in_use = in_use_by_any([ModelServer(server.address, "inception")])
        assert server.available == [11, 12]
        assert retire(base, 1, in_use=in_use).retired == (8, 9, 10)
        assert version_names(base) == ["11", "12"]
        labelled_model(base / "13", "13")
        server.poll()
        assert server.available == [12, 13]
        assert retire(base, 1, pushed=13, in_use=in_use).retired == (11,)


def test_a_model_server_that_cannot_be_asked_keeps_everything(base: Path) -> None:
    with StandIn(base, poll_seconds=None) as server:
        gone = ModelServer(server.address, "inception")
    outcome = retire(base, 1, in_use=in_use_by_any([gone]))
    assert outcome.retired == ()
    (problem,) = outcome.problems
    assert problem.startswith("could not tell which versions may be retired: model server")
    assert len(version_names(base)) == 5


def test_a_directory_that_cannot_be_read_does_not_fail_the_push_that_is_done(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(_: str) -> tuple[Version, ...]:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(versions, "served", stale)
    for outcome in (retire(base, 2), retirement.retire_repeats(str(base), in_use=loaded_by_nobody)):
        (problem,) = outcome.problems
        assert problem.startswith("could not tell which versions may be retired: ")
    assert len(version_names(base)) == 5


def test_nothing_goes_while_the_newest_is_damaged(base: Path) -> None:
    shard = base / "12" / "variables" / "variables.data-00000-of-00001"
    flip_bit(shard, 0)
    outcome = retire(base, 2)
    assert outcome.retired == ()
    (problem,) = outcome.problems
    assert problem.startswith("retired nothing: version 12, the newest, is damaged: variables/variables.data")
    flip_bit(shard, 0)
    assert retire(base, 2).retired == (8, 9, 10)


def test_a_version_that_is_a_link_goes_without_what_it_points_to(
    base: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = labelled_model(tmp_path_factory.mktemp("elsewhere") / "model", "elsewhere")
    (base / "7").symlink_to(elsewhere)
    assert retire(base, 5).retired == (7,)
    assert (elsewhere / "saved_model.pb").exists()


def test_one_that_cannot_go_does_not_hold_up_the_others(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vanish = remove.vanish

    def refuse_nine(path: str, label: str, **others: object) -> remove.Removed:
        if path.endswith("/9"):
            raise PermissionError("not yours")
        return vanish(path, label, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(remove, "vanish", refuse_nine)
    assert retire(base, 2) == Retirement((8, 10), ("could not retire 9: not yours",))


def test_no_half_removed_version_is_visible_and_the_next_push_finishes(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_after_the_rename(*_: object) -> None:
        raise OSError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(remove, "_empty_entry", die_after_the_rename)
        retire(base, 4)
    assert version_names(base) == ["10", "11", "12", "9"]
    assert (base / remove.TRASH).exists()
    assert retire(base, None) == Retirement()
    assert not (base / remove.TRASH).exists()


def test_an_empty_trash_of_a_retirement_that_was_struck_is_cleared_away(base: Path) -> None:
    (base / remove.TRASH).mkdir(parents=True)
    retire(base, None)
    assert not (base / remove.TRASH).exists()


def test_what_others_put_into_the_trash_is_not_touched(base: Path) -> None:
    (base / remove.TRASH / "artifact-7").mkdir(parents=True)
    retire(base, None)
    assert (base / remove.TRASH / "artifact-7").exists()


def test_what_was_put_back_stays_known_by_the_version_that_it_was_put_back_from(base: Path) -> None:
    choice = choose(str(base), level=Level.CHECKSUMS, to=9)
    put_back(choice, execution=Execution(), now_ms=0, level=Level.CHECKSUMS)
    assert retire(base, 1, pushed=13).retired == (8, 10, 11, 12)
    assert version_names(base) == ["13", "9"]
    labelled_model(base / "14", "14")
    assert retire(base, 1, pushed=14).retired == (9, 13)


def test_only_what_was_put_back_before_from_the_same_version_is_a_repeat(base: Path) -> None:
    assert retirement.retire_repeats(str(base), in_use=loaded_by_nobody) == Retirement()
    for to in (9, 10, 9, 10, 9):  # become 13 to 17
        choice = choose(str(base), level=Level.CHECKSUMS, to=to)
        put_back(choice, execution=Execution(), now_ms=0, level=Level.CHECKSUMS)

    def silent(_: int) -> bool:
        raise ServerSilent("no answer")

    unknown = retirement.retire_repeats(str(base), in_use=silent)
    assert unknown == Retirement((), ("could not tell which versions may be retired: no answer",))
    assert retirement.retire_repeats(str(base), in_use=lambda number: number == 15).retired == (13,)
    assert retirement.retire_repeats(str(base), in_use=loaded_by_nobody).retired == (15,)
    assert version_names(base) == ["10", "11", "12", "14", "16", "17", "8", "9"]


def test_a_retired_version_no_longer_holds_its_model(tmp_path: Path) -> None:
    history = History(tmp_path)
    first, _, third = (history.pipeline().retrain() for _ in range(3))

    def planned() -> Plan:
        policy = history.policy(rules=[keep_models(last=1)])
        return make_plan(history.case(policy), Threads(2), metadata=history.url, created_ms=0)

    def verdict_on_the_first() -> tuple[str, bool]:
        (decision,) = [one for one in planned().decisions if one.artifact_id == first.model.id]
        return decision.verdict, any(reason.code == "hold.served" for reason in decision.reasons)

    assert verdict_on_the_first() == ("keep", True)
    newest = third.push.destination
    assert retire(newest.parent, 1, pushed=int(newest.name)).retired[0] == int(first.push.destination.name)
    assert verdict_on_the_first() == ("delete", False)
