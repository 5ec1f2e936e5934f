"""Eleven models and moments in which a push can go wrong: here with VerifiedPusher and with the stock Pusher.

Every push is a node of a real pipeline on LocalDagRunner. The cases are told, with what each pusher makes of
them, in docs/pushing.md; what is asserted of the stock Pusher is what that of TFX does, and a failure there
says that it has changed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.builders import flip_bit, write_saved_model
from tfx_janitor import effects
from tfx_janitor.verified_pusher import manifest

from .conftest import everything, version_names
from .running import Pipeline, stock, verified

pytestmark = pytest.mark.tfx

Content = dict[str, bytes | None]


@dataclass
class Shop:
    """A pipeline with one of the pushers, the directory that it pushes to, and a clock that stands still."""

    directory: Path
    pusher: Callable[[Path], Any]
    now_s: int = 1_700_000_000
    pipeline: Pipeline = field(init=False)

    def __post_init__(self) -> None:
        self.pipeline = Pipeline(self.directory)

    @property
    def base(self) -> Path:
        return self.directory / "serving"

    def push(self, artifact: Path) -> None:
        self.pipeline.run(artifact, self.pusher(self.base))

    def served(self) -> dict[str, Content]:
        """What a model server finds, by version; the manifest, which it ignores, left out."""
        return {
            name: {file: data for file, data in everything(self.base / name).items() if file != manifest.NAME}
            for name in version_names(self.base)
        }

    def recorded(self) -> list[str]:
        """The versions that the metadata store holds for pushed, oldest first."""
        return [one["pushed_version"] for one in self.pipeline.pushed()]


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    from tfx_janitor.verified_pusher import executor

    return _with_clock(Shop(tmp_path / "ours", verified), executor, monkeypatch)


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    from tfx.components.pusher import executor

    return _with_clock(Shop(tmp_path / "theirs", stock), executor, monkeypatch)


def _with_clock(shop: Shop, executor: Any, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop.directory.mkdir()
    clock = SimpleNamespace(time=lambda: float(shop.now_s), time_ns=lambda: shop.now_s * 10**9)
    monkeypatch.setattr(executor, "time", clock)
    return shop


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    """Makes the artifact of a whole model; those of different names have different contents."""

    def make(name: str = "cats", below: str = "models") -> Path:
        artifact = tmp_path / below / name
        artifact.mkdir(parents=True)
        saved_model = write_saved_model(artifact / "Format-Serving")
        (saved_model / "assets.extra").mkdir()
        (saved_model / "assets.extra" / "card.txt").write_text(f"a model of {name}")
        return artifact

    return make


def content(artifact: Path) -> Content:
    return everything(artifact / "Format-Serving")


def refuses(shop: Shop, artifact: Path, why: str) -> None:
    with pytest.raises(Exception, match=why):
        shop.push(artifact)
    assert (shop.served(), shop.recorded()) == ({}, [])


def test_1_a_plain_model(ours: Shop, theirs: Shop, model: Callable[..., Path]) -> None:
    cats = model()
    for shop in (ours, theirs):
        shop.push(cats)
        assert shop.served() == {"1700000000": content(cats)}
        assert shop.recorded() == ["1700000000"]


def test_2_a_file_whose_name_begins_like_the_graph_s(
    ours: Shop, theirs: Shop, model: Callable[..., Path]
) -> None:
    cats = model()
    (cats / "Format-Serving" / "assets.extra" / "saved_model.pb.sig").write_bytes(b"signed")
    whole = content(cats)
    ours.push(cats)
    assert list(ours.served().values()) == [whole]

    theirs.push(cats)
    (served,) = theirs.served().values()
    assert whole.keys() - served.keys() == {"assets.extra/saved_model.pb.sig"}
    assert theirs.recorded() == ["1700000000"]


def test_3_a_path_in_which_the_graph_s_name_occurs(
    ours: Shop, theirs: Shop, model: Callable[..., Path]
) -> None:
    cats = model(below="saved_model.pb_x")
    ours.push(cats)
    assert list(ours.served().values()) == [content(cats)]

    theirs.push(cats)
    (served,) = theirs.served().values()
    assert served.keys() == {"saved_model.pb"}  # without its variables
    assert theirs.recorded() == ["1700000000"]


def test_4_variables_without_content(ours: Shop, theirs: Shop, model: Callable[..., Path]) -> None:
    cats = model()
    for file in (cats / "Format-Serving" / "variables").iterdir():
        os.truncate(file, 0)
    refuses(ours, cats, "refused to push .* variables/variables.index")
    theirs.push(cats)
    assert theirs.served() == {"1700000000": content(cats)}
    assert theirs.recorded() == ["1700000000"]


def test_5_a_flipped_bit(ours: Shop, theirs: Shop, model: Callable[..., Path]) -> None:
    cats = model()
    flip_bit(next((cats / "Format-Serving" / "variables").glob("*.data-*")))
    refuses(ours, cats, "refused to push .* variables/variables.data-00000-of-00001")
    theirs.push(cats)
    assert theirs.served() == {"1700000000": content(cats)}
    assert theirs.recorded() == ["1700000000"]


def test_6_an_empty_model(ours: Shop, theirs: Shop, model: Callable[..., Path]) -> None:
    cats = model()
    shutil.rmtree(cats / "Format-Serving")
    (cats / "Format-Serving").mkdir()
    refuses(ours, cats, "saved_model.pb is missing")
    theirs.push(cats)
    assert theirs.served() == {"1700000000": {}}
    assert theirs.recorded() == ["1700000000"]


def test_7_two_models_in_one_second(ours: Shop, theirs: Shop, model: Callable[..., Path]) -> None:
    cats, dogs = model("cats"), model("dogs")
    for shop in (ours, theirs):
        shop.push(cats)
        shop.push(dogs)
    assert ours.served() == {"1700000000": content(cats), "1700000001": content(dogs)}
    assert ours.recorded() == ["1700000000", "1700000001"]

    assert theirs.served() == {"1700000000": content(cats)}  # the dogs are nowhere
    assert theirs.recorded() == ["1700000000", "1700000000"]


@pytest.mark.parametrize("later_s", [0, -3600], ids=["in-one-second", "after-the-clock-went-back"])
def test_8_the_newest_version_is_the_model_that_was_pushed_last(
    ours: Shop, theirs: Shop, model: Callable[..., Path], later_s: int
) -> None:
    cats, dogs = model("cats"), model("dogs")
    for shop in (ours, theirs):
        shop.push(cats)
        shop.now_s += later_s
        shop.push(dogs)
    assert _newest(ours) == content(dogs)
    assert _newest(theirs) == content(cats)


def _newest(shop: Shop) -> Content:
    served = shop.served()
    return served[max(served, key=int)]


def test_9_the_same_model_again(ours: Shop, theirs: Shop, model: Callable[..., Path]) -> None:
    cats = model()
    for shop in (ours, theirs):
        shop.push(cats)
        shop.now_s += 60
        shop.push(cats)
    assert ours.served() == {"1700000000": content(cats)}
    assert ours.recorded() == ["1700000000"] * 2

    # Model servers load it again, and it takes its place a second time.
    assert theirs.served() == {"1700000000": content(cats), "1700000060": content(cats)}
    assert theirs.recorded() == ["1700000000", "1700000060"]


def test_10_a_reader_during_a_push_of_50_megabytes(
    ours: Shop, theirs: Shop, model: Callable[..., Path]
) -> None:
    cats = model()
    for number in range(5):
        part = cats / "Format-Serving" / "assets.extra" / f"part-{number}"
        part.write_bytes(os.urandom(1 << 20) * 10)
    sizes = {name: len(data) for name, data in content(cats).items() if data is not None}
    with _watched(ours.base, sizes) as lacked:
        ours.push(cats)
    assert lacked == []

    with _watched(theirs.base, sizes) as lacked:
        theirs.push(cats)
    assert any("saved_model.pb" in lacking for lacking in lacked)
    assert theirs.served() == ours.served() == {"1700000000": content(cats)}


@contextlib.contextmanager
def _watched(base: Path, sizes: dict[str, int]) -> Iterator[list[set[str]]]:
    """Looks at the versions in a directory all the time; gives, look by look, what a version lacked."""
    lacked: list[set[str]] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for name in version_names(base):
                there = dict(_sizes(base / name))
                if lacking := {file for file, size in sizes.items() if there.get(file) != size}:
                    lacked.append(lacking)

    reader = threading.Thread(target=look, daemon=True)
    reader.start()
    try:
        yield lacked
    finally:
        over.set()
        reader.join()


def _sizes(version: Path) -> Iterator[tuple[str, int]]:
    for path in version.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(version)), path.stat().st_size


def test_11_a_process_that_is_killed_half_way(ours: Shop, theirs: Shop, model: Callable[..., Path]) -> None:
    cats = model()
    for shop, die in ((ours, _die_at_third_file_of_ours), (theirs, _die_at_third_file_of_theirs)):
        # Forked from this process, which has TFX loaded already.
        process = multiprocessing.get_context("fork").Process(target=die, args=(shop, cats))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        assert shop.recorded() == []
    assert ours.served() == {}
    assert _staged(ours.base)  # beside the versions, where no server looks
    (left,) = theirs.served().values()
    assert left.keys() < content(cats).keys()  # part of a model, under a number: servers try to load it

    for shop in (ours, theirs):
        shop.now_s += 60
        shop.push(cats)
    assert ours.served() == {"1700000060": content(cats)}
    assert _staged(ours.base) == []  # the next push has cleared it away
    assert theirs.served() == {"1700000000": left, "1700000060": content(cats)}


def _staged(base: Path) -> list[Path]:
    return list(base.glob(".tfx-janitor-push/staging/*"))


def _die_at_third_file_of_ours(shop: Shop, artifact: Path) -> None:
    killed = _killed_at(3)

    def watch(effect: effects.Effect, change: Callable[[], Any]) -> Any:
        if effect.kind == "create":
            killed()
        return change()

    with effects.watched(watch):
        shop.push(artifact)


def _die_at_third_file_of_theirs(shop: Shop, artifact: Path) -> None:
    from tfx.utils import io_utils

    killed, copy = _killed_at(3), io_utils.fileio.copy

    def dying_copy(*arguments: Any, **named: Any) -> None:
        killed()
        copy(*arguments, **named)

    io_utils.fileio.copy = dying_copy
    shop.push(artifact)


def _killed_at(count: int) -> Callable[[], None]:
    """A call that kills its own process when it is made for the last time."""
    left = iter(range(count - 1))

    def call() -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    return call
