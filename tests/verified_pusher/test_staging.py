from __future__ import annotations

import fcntl
import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from tfx_janitor.deletion import remove
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.staging import Corner, stage


@pytest.fixture
def corner(base: Path) -> Corner:
    return Corner(str(base))


def _staged(corner: Corner) -> list[str]:
    return sorted(os.listdir(corner.staging))


def _build(path: str) -> None:
    os.makedirs(os.path.join(path, "variables"))
    Path(path, "saved_model.pb").write_text("graph")


def test_a_base_directory_is_made_with_nothing_in_it_that_a_model_server_reads(
    corner: Corner, base: Path
) -> None:
    with stage(corner, Unsynced()) as staged:
        assert not os.path.exists(staged)
        assert Path(staged).is_relative_to(base)
        assert os.listdir(base) == [".tfx-janitor-push"]


def test_what_was_not_published_is_gone_afterwards(corner: Corner) -> None:
    with stage(corner, Unsynced()) as staged:
        _build(staged)
    assert _staged(corner) == []


def test_what_was_not_published_is_gone_after_an_error_too(corner: Corner) -> None:
    with pytest.raises(KeyboardInterrupt), stage(corner, Unsynced()) as staged:
        _build(staged)
        raise KeyboardInterrupt
    assert _staged(corner) == []


def test_pushers_that_live_at_the_same_time_leave_each_other_alone(corner: Corner) -> None:
    with stage(corner, Unsynced()) as first:
        _build(first)
        with stage(corner, Unsynced()) as second:
            _build(second)
            assert first != second
        assert os.path.exists(os.path.join(first, "saved_model.pb"))
    assert _staged(corner) == []


def _stage_and_die(base: str) -> None:
    with stage(Corner(base), Unsynced()) as staged:
        _build(staged)
        os._exit(9)


def test_the_next_push_clears_away_what_a_dead_process_left(corner: Corner, base: Path) -> None:
    dying = multiprocessing.get_context("spawn").Process(target=_stage_and_die, args=(str(base),))
    dying.start()
    dying.join()
    assert dying.exitcode == 9
    assert _staged(corner) == ["stage-1"]
    with stage(corner, Unsynced()) as staged:
        assert not os.path.exists(staged)
    assert _staged(corner) == []


def test_a_directory_that_nobody_has_locked_is_cleared_away(corner: Corner) -> None:
    corner.make(Unsynced())
    os.mkdir(os.path.join(corner.staging, "stage-1"))
    with stage(corner, Unsynced()):
        pass
    assert _staged(corner) == []


def test_a_removal_that_a_dead_process_began_is_finished(
    corner: Corner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_after_the_rename(*_: object) -> None:
        raise OSError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(remove, "_empty_entry", die_after_the_rename)
        with stage(corner, Unsynced()) as staged:
            _build(staged)
    assert _staged(corner) == [remove.TRASH]
    with stage(corner, Unsynced()):
        pass
    assert _staged(corner) == []


def test_what_cannot_be_cleared_away_stops_no_push(corner: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    corner.make(Unsynced())
    os.mkdir(os.path.join(corner.staging, "stage-1"))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(remove, "vanish", refuse)
    with stage(corner, Unsynced()) as staged:
        _build(staged)
    assert _staged(corner) == ["stage-1", "stage-2"]


def test_a_process_that_was_forked_meanwhile_excludes_nobody(corner: Corner) -> None:
    corner.make(Unsynced())
    fork = multiprocessing.get_context("fork")
    over = fork.Event()
    child = fork.Process(target=over.wait, args=(60,), daemon=True)
    with corner.alone():
        child.start()
    with open(os.path.join(corner.path, "lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    over.set()
    child.join()


def test_only_one_pusher_is_alone_at_a_time(corner: Corner) -> None:
    corner.make(Unsynced())
    inside = 0
    most = 0
    counting = threading.Lock()

    def enter() -> None:
        nonlocal inside, most
        for _ in range(50):
            with corner.alone():
                with counting:
                    inside += 1
                    most = max(most, inside)
                with counting:
                    inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
