"""A push that is cut off, by the power, its death or a failing disk, shows nothing that is not whole."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfx_janitor import effects
from tfx_janitor.effects import Effect
from tfx_janitor.verified_pusher import rename
from tfx_janitor.verified_pusher.copying import Archive
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.options import PushOptions

from .conftest import Models, Pushes, everything, version_names
from .small_models import push_small

pytestmark = pytest.mark.tfx


def _die_at_the_rename(model: Path, base: Path) -> None:
    rename.to_free_name = lambda source, target: os._exit(9)
    push_small(model, base)


class TestAPowerCut:
    @pytest.mark.parametrize("way", list(Archive))
    def test_finds_all_of_a_version_on_disk_from_the_moment_it_shows(
        self, model: Models, push_to: Pushes, base: Path, tmp_path: Path, way: Archive
    ) -> None:
        unsynced: set[str] = set()
        when_it_shows: set[str] = set()

        def watch(effect: Effect, change: Callable[[], Any]) -> Any:
            if effect.kind == "rename" and "/staging/stage-" in effect.subject:
                when_it_shows.update(unsynced)
            result = change()
            if effect.kind == "fsync":
                unsynced.discard(effect.subject)
            elif "lock" not in effect.subject:
                if effect.kind not in ("rename", "link"):
                    unsynced.add(effect.subject)
                if effect.kind not in ("write", "copy"):
                    unsynced.add(os.path.dirname(effect.subject))
            return result

        archive = str(tmp_path / "pushed_model" / "8")
        with effects.watched(watch):
            push_to(model("sharded"), archive=archive, options=PushOptions(archive=way))
        assert os.path.isdir(archive) == (way is not Archive.NONE)
        # Of the record of numbers the content is on disk, and its new name with the version's own.
        assert when_it_shows == {str(base / ".tfx-janitor-push")}


class TestADyingPush:
    def test_leaves_nothing_visible_and_the_next_one_clears_it_away(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        process = multiprocessing.get_context("spawn").Process(
            target=_die_at_the_rename, args=(model("cats"), base)
        )
        process.start()
        process.join()
        assert process.exitcode == 9
        assert version_names(base) == []
        assert os.listdir(base / ".tfx-janitor-push" / "staging") == ["stage-1"]

        assert push_to(model("cats")).version == 1_700_000_001
        assert version_names(base) == ["1700000001"]
        assert os.listdir(base / ".tfx-janitor-push" / "staging") == []

    def test_that_fails_at_the_rename_has_left_only_an_archive(
        self, model: Models, push_to: Pushes, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(source: str, target: str) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(rename, "to_free_name", fail)
        with pytest.raises(PushError, match="No space left on device; nothing became visible"):
            push_to(model("cats"), archive=str(tmp_path / "archive"))
        assert version_names(base) == []
        assert os.listdir(base / ".tfx-janitor-push" / "staging") == []
        assert everything(tmp_path / "archive") == everything(model("cats"))

    def test_that_fails_after_the_rename_says_that_the_version_is_visible(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        to_free_name = rename.to_free_name

        def rename_and_lose_the_disk(source: str, target: str) -> None:
            to_free_name(source, target)
            patch.setattr(effects, "fsync", lose)

        def lose(descriptor: int, name: str) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(rename, "to_free_name", rename_and_lose_the_disk)
            with pytest.raises(PushError, match=r"is visible and whole, but .* may not survive a power cut"):
                push_to(model("cats"))
        assert push_to(model("cats")).is_new is False
        assert version_names(base) == ["1700000000"]
