from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verified_pusher.small_models import make_model, push_small
from tfx_janitor import effects
from tfx_janitor.effects import Effect
from tfx_janitor.verified_pusher.durability import Unsynced, make_directories
from tfx_janitor.verified_pusher.errors import PushError


@pytest.fixture
def synced() -> Any:
    """The paths that are put on disk while a test runs."""
    paths: list[str] = []

    def note(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.kind == "fsync":
            paths.append(effect.subject)
        return change()

    with effects.watched(note):
        yield paths


def test_what_was_noted_is_put_on_disk_once(tmp_path: Path, synced: list[str]) -> None:
    unsynced = Unsynced()
    for number in range(50):
        (tmp_path / f"{number}").write_text("")
        unsynced.add(str(tmp_path), str(tmp_path / f"{number}"))
    assert synced == []
    unsynced.sync()
    assert sorted(synced) == sorted(map(str, [tmp_path, *tmp_path.iterdir()]))
    unsynced.sync()
    assert len(synced) == 51


def test_one_that_fails_keeps_no_other_from_the_disk(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "there").write_text("")
    unsynced = Unsynced()
    unsynced.add(str(tmp_path / "gone"), str(tmp_path / "there"))
    with pytest.raises(FileNotFoundError, match="gone"):
        unsynced.sync()
    assert synced == [str(tmp_path / "there")]


def test_what_must_be_on_disk_is_put_there_where_no_thread_can_be_started(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(_thread: object) -> None:
        raise RuntimeError("can't start new thread")

    unsynced = Unsynced()
    unsynced.add(str(tmp_path), str(tmp_path / "gone"))
    monkeypatch.setattr(threading.Thread, "start", cannot)
    with pytest.raises(FileNotFoundError, match="gone"):
        unsynced.sync()
    assert synced == [str(tmp_path)]


def test_a_disk_that_fails_is_told_by_a_file_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    unsynced = Unsynced()
    unsynced.add(str(tmp_path))
    monkeypatch.setattr(effects, "fsync", fail)
    with pytest.raises(OSError, match=f"Input/output error: '{tmp_path}'$"):
        unsynced.sync()


def test_directories_are_made_with_those_above_them(tmp_path: Path, synced: list[str]) -> None:
    unsynced = Unsynced()
    make_directories(str(tmp_path / "a" / "b"), unsynced)
    make_directories(str(tmp_path / "a" / "b"), unsynced)
    assert (tmp_path / "a" / "b").is_dir()
    unsynced.sync()
    assert sorted(synced) == [str(tmp_path), str(tmp_path / "a")]


def test_a_file_where_a_directory_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(NotADirectoryError, match=r"expected a directory at .*a, and there is something else"):
        make_directories(str(tmp_path / "a"), Unsynced())


def test_a_version_that_stood_there_already_is_put_on_disk(tmp_path: Path, synced: list[str]) -> None:
    stood = make_model(tmp_path / "serving" / "1600000000", "cat")
    (stood / "assets.extra").mkdir()
    done = push_small(make_model(tmp_path / "model", "cat"), tmp_path / "serving")
    assert (done.version, done.is_new) == (1_600_000_000, False)
    assert {str(path) for path in (stood.parent, stood, *stood.rglob("*"))} <= set(synced)


def test_a_version_whose_name_was_not_put_on_disk_is_so_by_the_next_push(tmp_path: Path) -> None:
    model, base = make_model(tmp_path / "model", "cat"), tmp_path / "serving"
    synced: list[str] = []

    def fail_once_it_is_visible(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.kind == "fsync" and (base / "1700000000").exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return change()

    def note(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.kind == "fsync":
            synced.append(effect.subject)
        return change()

    with effects.watched(fail_once_it_is_visible), pytest.raises(PushError, match="survive a power cut"):
        push_small(model, base)
    with effects.watched(note):
        assert not push_small(model, base).is_new
    assert str(base) in synced
