"""What a push does when model servers are waited for."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import flip_bit
from tests.serving import ModelServer as StandIn
from tests.serving import labelled_model, unservable
from tests.serving.models import LoadError, Predict
from tfx_janitor.verified_pusher import closed_loop, manifest, rollback
from tfx_janitor.verified_pusher.closed_loop import NotServed, await_available, push_until_served
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.manifest import Execution, Rollback, Source
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import Push
from tfx_janitor.verified_pusher.retirement import Retirement
from tfx_janitor.verified_pusher.rollback import Choice
from tfx_janitor.verified_pusher.serving import ModelServer
from tfx_janitor.verified_pusher.staging import Corner

from .conftest import version_names

MINUTE = timedelta(minutes=1)


@dataclass
class Pusher:
    """Pushes labelled models to a base directory that a stand-in watches."""

    home: Path
    base: Path
    options: PushOptions

    def model(self, label: str) -> Path:
        return labelled_model(self.home / "models" / label, label)

    def push(self, model: Path, *, seconds: float | None = 30) -> Push:
        waiting = None if seconds is None else timedelta(seconds=seconds)
        return push_until_served(
            str(model),
            str(self.base),
            source=Source(str(model), 12, "Model"),
            execution=Execution(34),
            now_ms=0,
            options=replace(self.options, await_serving=waiting),
        )

    def label(self, version: str) -> str:
        return (self.base / version / "assets" / "vocabulary.txt").read_text()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandIn]:
    with StandIn(tmp_path / "serving") as server:
        yield server


@pytest.fixture
def pusher(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pusher:
    monkeypatch.setattr(closed_loop, "_INTERVAL_S", 0.02)
    servers = (ModelServer(server.address, "inception"),)
    return Pusher(tmp_path, server.base, PushOptions(keep_versions=1, model_servers=servers))


def test_old_versions_are_retired_when_the_new_one_is_served(pusher: Pusher, server: StandIn) -> None:
    for number, label in enumerate(("cats", "dogs", "birds"), start=1):
        assert pusher.push(pusher.model(label)).version == number
        assert number in server.available
    # Of the last two the server may still have been unloading one.
    assert "1" not in version_names(pusher.base)
    assert server.refused == {}


def test_a_refused_version_is_taken_back_and_the_servers_words_are_told(
    pusher: Pusher, server: StandIn
) -> None:
    pusher.push(pusher.model("cats"))
    with pytest.raises(NotServed) as failed:
        pusher.push(unservable(pusher.model("dogs"), "no such op: Foo"))
    assert str(failed.value) == (
        f"version 2 at {pusher.base}/2 is not served: model server {server.address}/inception refused it: "
        "no such op: Foo; version 3 serves again what version 1 served, version 2 was taken out of service"
    )
    assert version_names(pusher.base) == ["1", "3"]
    assert pusher.label("3") == "cats"
    recorded = manifest.read(str(pusher.base / "3"))
    assert recorded.rollback == Rollback(version=1, instead_of=2)
    assert recorded.source == manifest.read(str(pusher.base / "1")).source
    assert recorded.execution == Execution(34)


def test_nothing_is_retired_for_a_version_that_is_refused(pusher: Pusher) -> None:
    patient = replace(pusher, options=replace(pusher.options, keep_versions=None))
    patient.push(pusher.model("cats"))
    patient.push(pusher.model("dogs"))
    with pytest.raises(NotServed):
        pusher.push(unservable(pusher.model("birds"), "no such op: Foo"))
    assert version_names(pusher.base) == ["1", "2", "4"]


def test_the_next_push_goes_on_as_ever(pusher: Pusher, server: StandIn) -> None:
    pusher.push(pusher.model("cats"))
    with pytest.raises(NotServed):
        pusher.push(unservable(pusher.model("dogs"), "no such op: Foo"))
    assert pusher.push(pusher.model("birds")).version == 4
    pusher.push(pusher.model("fish"))
    assert pusher.label(version_names(pusher.base)[-1]) == "fish"
    assert server.available[-1] == 5


def test_the_first_version_ever_leaves_nothing_when_it_is_refused(pusher: Pusher) -> None:
    with pytest.raises(NotServed, match="there is no version before version 1, version 1 was taken out"):
        pusher.push(unservable(pusher.model("cats"), "too large"))
    assert version_names(pusher.base) == []


@pytest.fixture
def with_a_small_one(pusher: Pusher, server: StandIn) -> Iterator[Pusher]:
    """A second server watches the base directory: one too small for any model that the other one serves."""

    def refuse(version: Path) -> Predict:
        end = time.monotonic() + MINUTE.total_seconds()
        # The other one may have gone on to the next version meanwhile.
        while max(server.available, default=0) < int(version.name) and time.monotonic() < end:
            time.sleep(0.01)
        raise LoadError("out of memory")

    with StandIn(pusher.base, load=refuse) as small:
        servers = (*pusher.options.model_servers, ModelServer(small.address, "inception"))
        yield replace(pusher, options=replace(pusher.options, model_servers=servers))


def test_the_only_version_that_a_server_serves_is_not_taken_from_it(
    with_a_small_one: Pusher, server: StandIn
) -> None:
    pusher = with_a_small_one
    with pytest.raises(
        NotServed, match=r"refused it: out of memory; .* it stays, for model server .* serves it"
    ):
        pusher.push(pusher.model("cats"))
    assert (version_names(pusher.base), server.available) == (["1"], [1])


def test_what_a_server_has_served_before_the_push_is_not_taken_from_it(
    pusher: Pusher, server: StandIn, with_a_small_one: Pusher
) -> None:
    dogs = pusher.model("dogs")
    pusher.push(pusher.model("cats"), seconds=None)
    pusher.push(dogs)
    with pytest.raises(NotServed, match=r"made no new version, and it stays: model server .* serves it"):
        with_a_small_one.push(dogs)
    assert version_names(pusher.base)[-1] == "2"
    assert server.available == [2]


def test_a_server_of_another_base_directory_does_not_serve_what_is_pushed(
    pusher: Pusher, tmp_path: Path
) -> None:
    elsewhere = labelled_model(tmp_path / "staging" / "1700000000", "cats").parent
    with StandIn(elsewhere) as server:
        servers = (ModelServer(server.address, "inception"),)
        mistaken = replace(pusher, options=replace(pusher.options, model_servers=servers))
        with pytest.raises(NotServed, match="does not know it yet"):
            mistaken.push(pusher.model("dogs"), seconds=0.1)


def test_what_servers_could_not_load_before_is_not_put_back(pusher: Pusher, server: StandIn) -> None:
    pusher.push(pusher.model("cats"))
    pusher.push(unservable(pusher.model("dogs"), "no such op: Foo"), seconds=None)
    assert await_available(pusher.options.model_servers, 2, timeout=MINUTE, stands=lambda _: False)
    with pytest.raises(
        NotServed, match="version 4 serves again what version 1 served, version 3 was taken out"
    ):
        pusher.push(unservable(pusher.model("birds"), "no such op: Foo"))
    assert pusher.label("4") == "cats"


def test_one_push_after_the_other_that_is_refused_does_not_fill_the_disk(
    pusher: Pusher, server: StandIn
) -> None:
    pusher.push(pusher.model("cats"))
    for number in range(5):
        with pytest.raises(NotServed, match="serves again what version 1 served"):
            pusher.push(unservable(pusher.model(f"dogs {number}"), "no such op: Foo"))
    names = sorted(map(int, version_names(pusher.base)))
    assert names[0] == 1 and names[-1] == 11
    assert len(names) <= 3, "what was pushed, what was put back last, and what the server has loaded"
    assert {pusher.label(str(name)) for name in names} == {"cats"}


def test_without_keep_versions_what_was_put_back_before_stays_as_well(pusher: Pusher) -> None:
    keeps_all = replace(pusher, options=replace(pusher.options, keep_versions=None))
    keeps_all.push(pusher.model("cats"))
    for number in range(3):
        with pytest.raises(NotServed):
            keeps_all.push(unservable(pusher.model(f"dogs {number}"), "no such op: Foo"))
    assert sorted(map(int, version_names(pusher.base))) == [1, 3, 5, 7]


def test_what_is_refused_goes_even_if_somebody_pushes_while_it_is_taken_back(
    pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    pusher.push(pusher.model("cats"))
    choose: Callable[..., Choice] = rollback.choose

    def choose_too_late(base: str, **how: Any) -> Choice:
        choice = choose(base, **how)
        pusher.push(pusher.model("birds"), seconds=None)
        return choice

    monkeypatch.setattr(rollback, "choose", choose_too_late)
    with pytest.raises(NotServed, match="version 3 was pushed meanwhile and stays, version 2 was taken out"):
        pusher.push(unservable(pusher.model("dogs"), "no such op: Foo"))
    assert version_names(pusher.base)[-1] == "3"
    assert pusher.label("3") == "birds"


def test_a_server_that_never_answers_is_a_reason_as_well(pusher: Pusher, server: StandIn) -> None:
    pusher.push(pusher.model("cats"))
    server.stop()
    with pytest.raises(NotServed, match=r"after 0.1 seconds model server .* does not tell its versions"):
        pusher.push(pusher.model("dogs"), seconds=0.1)
    assert version_names(pusher.base) == ["1", "3"]


def test_the_version_that_was_served_before_the_push_is_not_taken_back(
    pusher: Pusher, server: StandIn
) -> None:
    cats = pusher.model("cats")
    pusher.push(cats)
    server.stop()
    with pytest.raises(NotServed, match="it was there before this push, which made no new version"):
        pusher.push(cats, seconds=0.1)
    assert version_names(pusher.base) == ["1"]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def put_back(*_: object, **__: object) -> Push:
        raise PushError("no space left on device")

    monkeypatch.setattr(rollback, "put_back", put_back)


@pytest.mark.usefixtures("full_disk")
def test_what_cannot_be_put_back_is_left_to_the_servers_if_it_is_what_they_will_find(
    pusher: Pusher, server: StandIn
) -> None:
    pusher.push(pusher.model("cats"))
    words = "version 1 is left to the servers, but was not put back: no space .* version 2 was taken out"
    with pytest.raises(NotServed, match=words):
        pusher.push(unservable(pusher.model("dogs"), "no such op: Foo"))
    assert (version_names(pusher.base), server.available) == (["1"], [1])


@pytest.mark.usefixtures("full_disk")
def test_and_else_the_refused_version_stays_in_front_of_a_damaged_one(pusher: Pusher) -> None:
    patient = replace(pusher, options=replace(pusher.options, keep_versions=None))
    patient.push(pusher.model("cats"))
    patient.push(pusher.model("dogs"))
    flip_bit(pusher.base / "2" / "variables" / "variables.data-00000-of-00001", 0)
    with pytest.raises(
        NotServed, match="it stays, for what was served before could not be put back: no space"
    ):
        patient.push(unservable(pusher.model("birds"), "no such op: Foo"))
    assert version_names(pusher.base) == ["1", "2", "3"]


def test_a_lock_that_cannot_be_had_hides_nothing(
    pusher: Pusher, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unlockable(Corner):
        @contextlib.contextmanager
        def alone(self) -> Iterator[None]:
            raise OSError("no locks available")
            yield

    pusher.push(pusher.model("cats"))
    monkeypatch.setattr(closed_loop, "Corner", Unlockable)
    done = pusher.push(pusher.model("dogs"))
    assert done.retirement == Retirement((), (f"could not lock {pusher.base}: no locks available",))
    words = r"refused it: no such op: Foo; .* version 3 could not be taken out of service: no locks available"
    with pytest.raises(NotServed, match=words):
        pusher.push(unservable(pusher.model("birds"), "no such op: Foo"))


def test_what_is_refused_goes_even_if_an_earlier_push_that_died_has_made_it(
    pusher: Pusher, server: StandIn
) -> None:
    pusher.push(pusher.model("cats"))
    dogs = unservable(pusher.model("dogs"), "no such op: Foo")
    assert pusher.push(dogs, seconds=None).version == 2  # and then its process was no more
    with pytest.raises(NotServed, match="version 3 serves again what version 1 served, version 2 was taken"):
        pusher.push(dogs)
    assert version_names(pusher.base) == ["1", "3"]


def test_without_a_time_nobody_is_waited_for(pusher: Pusher, server: StandIn) -> None:
    pusher.push(pusher.model("cats"))
    done = pusher.push(unservable(pusher.model("dogs"), "no such op: Foo"), seconds=None)
    assert done.version == 2
    assert done.retirement.retired == (), "the server has version 1 loaded, for it cannot load the other"


@pytest.mark.tfx
def test_the_component_fails_with_the_servers_words(pusher: Pusher, server: StandIn, tmp_path: Path) -> None:
    from tfx.types import standard_artifacts

    from tfx_janitor.verified_pusher.executor import Executor

    pusher.push(pusher.model("cats"))
    model, pushed_model = standard_artifacts.Model(), standard_artifacts.PushedModel()
    model.uri = str(tmp_path / "Trainer" / "model" / "8")
    unservable(labelled_model(Path(model.uri) / "Format-Serving", "dogs"), "no such op: Foo")
    pushed_model.uri = str(tmp_path / "Pusher" / "pushed_model" / "9")
    properties = {
        "push_destination": json.dumps({"filesystem": {"base_directory": str(pusher.base)}}),
        "model_servers": json.dumps([f"{server.address}/inception"]),
        "await_serving": "30s",
    }
    with pytest.raises(NotServed, match=r"refused it: no such op: Foo; version .* serves again"):
        Executor().Do({"model": [model]}, {"pushed_model": [pushed_model]}, properties)
    assert not pushed_model.has_custom_property("pushed")
    assert pusher.label(version_names(pusher.base)[-1]) == "cats"
