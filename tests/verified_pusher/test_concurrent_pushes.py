"""Pushers that push at the same time, and a reader that watches the base directory meanwhile."""

from __future__ import annotations

import fcntl
import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfx_janitor import effects
from tfx_janitor.deletion import remove
from tfx_janitor.effects import Effect
from tfx_janitor.payload import saved_model
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import manifest, rename, versions
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import Push

from .conftest import Models, Pushes, everything, files_of, version_names
from .small_models import push_small

pytestmark = pytest.mark.tfx


class TestTwoPushersAtOnce:
    def test_exclude_each_other_from_numbering_to_retiring(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push_to(model("cats"))
        asked = []

        def excluding(act: Callable[..., object]) -> Callable[..., object]:
            def checked(*arguments: object, **others: object) -> object:
                asked.append(act.__name__)
                with open(base / ".tfx-janitor-push" / "lock") as lock, pytest.raises(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return act(*arguments, **others)

            return checked

        for module, name in (
            (versions, "following"),
            (versions, "write_highest"),
            (rename, "to_free_name"),
            (remove, "vanish"),
        ):
            monkeypatch.setattr(module, name, excluding(getattr(module, name)))
        push_to(model("dogs"), options=PushOptions(keep_versions=1))
        assert asked == ["following", "write_highest", "to_free_name", "vanish"]

    def test_in_threads_make_as_many_versions_as_models(
        self, exported: dict[str, Path], push_to: Pushes, base: Path
    ) -> None:
        names = ["cats", "dogs", "birds", "sharded"]
        start = threading.Barrier(len(names))
        done: dict[str, Push] = {}

        def run(name: str) -> None:
            start.wait()
            done[name] = push_to(exported[name])

        threads = [threading.Thread(target=run, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert version_names(base) == [str(1_700_000_000 + n) for n in range(4)]
        for name in names:
            assert files_of(done[name].destination) == everything(exported[name])
            assert manifest.check(done[name].destination) == ()

    def test_in_processes_make_as_many_versions_as_models(
        self, exported: dict[str, Path], base: Path
    ) -> None:
        names = ["cats", "dogs", "birds"]
        spawn = multiprocessing.get_context("spawn")
        processes = [spawn.Process(target=push_small, args=(exported[name], base)) for name in names]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0]
        pushed = [files_of(base / name) for name in version_names(base)]
        assert len(pushed) == 3
        assert all(everything(exported[name]) in pushed for name in names)

    def test_with_the_same_model_make_one_version(
        self, exported: dict[str, Path], push_to: Pushes, base: Path
    ) -> None:
        start = threading.Barrier(3)
        done: list[Push] = []

        def run() -> None:
            start.wait()
            done.append(push_to(exported["cats"]))

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(push.is_new for push in done) == [False, False, True]
        assert {push.version for push in done} == {1_700_000_000}
        assert version_names(base) == ["1700000000"]


class TestAReaderThatWatches:
    def test_never_sees_a_version_that_is_not_whole(
        self, exported: dict[str, Path], push_to: Pushes, base: Path
    ) -> None:
        expected = _sizes(exported["large"])
        assert sum(expected.values()) > 40 << 20
        base.mkdir()
        looked = threading.Condition()
        looks: list[list[dict[str, int]]] = []
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                seen = [_sizes(base / name) for name in version_names(base)]
                with looked:
                    looks.append(seen)
                    looked.notify_all()

        def change_while_watched(effect: Effect, change: Callable[[], Any]) -> Any:
            done = change()
            with looked:
                # The look that is under way may have begun before; the one after it did not.
                last = len(looks) + 2
                assert looked.wait_for(lambda: len(looks) >= last, timeout=30)
            return done

        reader = threading.Thread(target=watch)
        reader.start()
        try:
            with effects.watched(change_while_watched):
                done = push_to(exported["large"])
        finally:
            over.set()
            reader.join()
        assert looks[0] == []
        assert looks[-1] == [expected]
        assert all(look in ([], [expected]) for look in looks)
        assert saved_model.verify(done.destination, Level.CHECKSUMS).whole


def _sizes(model: Path) -> dict[str, int]:
    """Size of every file of a model, by its path."""
    return {
        str(path.relative_to(model)): path.stat().st_size
        for path in model.rglob("*")
        if path.is_file() and path.name != manifest.NAME
    }
