from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfx_janitor import effects
from tfx_janitor.effects import Effect
from tfx_janitor.verified_pusher.durability import Unsynced, make_directories


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
