"""Pushes that are struck at every single effect, pushers that die, and pushers that meet."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import pytest

from tests.deletion.faults.injection import CRASHES, OF_FILES, Crash, Fault, Striking
from tests.verified_pusher.small_models import (
    content_of,
    leftovers,
    make_model,
    problems,
    push_small,
    standing,
)
from tfx_janitor import effects
from tfx_janitor.effects import Effect
from tfx_janitor.verified_pusher import copying, durability, manifest, versions
from tfx_janitor.verified_pusher.copying import Archive
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import Push
from tfx_janitor.verified_pusher.staging import Corner

Prepare = Callable[["Trial"], None]

ROUNDS = 30
KILLS = 50
SEED = 5


@dataclass
class Trial:
    """One push, struck again and again, each time on the base directory as it was prepared."""

    home: Path
    options: PushOptions
    prepare: Prepare
    effects: list[Effect] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.models = {
            name: make_model(self.home / "models" / name, name) for name in ("old", "new", "other")
        }
        self.known = {content_of(model) for model in self.models.values()}
        self.base, self.archive, self.later = (
            self.home / name for name in ("serving", "archive", "later-archive")
        )
        self.prepare(self)
        self.template = self.home / "template"
        if self.base.exists():
            shutil.copytree(self.base, self.template)
        self.before = standing(self.base)

    def push(self, name: str = "new", archive: Path | None = None) -> Push:
        return push_small(self.models[name], self.base, options=self.options, archive=archive or self.archive)

    def restore(self) -> None:
        for path in (self.base, self.archive, self.later):
            shutil.rmtree(path, ignore_errors=True)
        if self.template.exists():
            shutil.copytree(self.template, self.base)

    def count(self) -> None:
        """Pushes undisturbed, and notes every effect."""

        def note(effect: Effect, change: Callable[[], Any]) -> Any:
            self.effects.append(effect)
            return change()

        self.restore()
        with effects.watched(note):
            done = self.push()
        assert self.judge(done, None) == []

    def strike(self, fault: Fault, at: int) -> list[str]:
        """Strikes a push at one effect; what is wrong then, or after the next push."""
        self.runs += 1
        self.restore()
        striking = Striking(fault, at)
        done = error = None
        with effects.watched(striking):
            try:
                done = self.push()
            except (Crash, PushError) as ended:
                error = ended
        assert striking.struck
        found = self.judge(done, error)
        return [f"{fault.name} at {at}, {self.effects[at - 1]}: {problem}" for problem in found]

    def judge(self, done: Push | None, error: BaseException | None) -> list[str]:
        found = problems(self.base, self.known)
        shown = standing(self.base)
        fresh = [number for number in shown if number not in self.before]
        if done is None and len(shown) < len(self.before):
            found.append(f"of {self.before} only {shown} are left, though the push did not succeed")
        if "nothing became visible" in str(error) and fresh:
            found.append(f"{fresh} became visible, though the error says: {error}")
        if done is not None:
            if content_of(done.destination) != content_of(self.models["new"]):
                found.append("the push succeeded, but another model is served")
            if done.archived is not Archive.NONE and content_of(self.archive) != content_of(
                self.models["new"]
            ):
                found.append("the push succeeded, but the archive is not the model")
        used = max([*shown, self._recorded()], default=0)
        return found + self._next(fresh, used)

    def _recorded(self) -> int:
        return versions.read_highest(Corner(str(self.base)).record)

    def _next(self, fresh: list[int], used: int) -> list[str]:
        """Pushes the same model again, undisturbed, and then another one."""
        found = []
        again = self.push(archive=self.later)
        if again.is_new == bool(fresh or self._has_it_before(again)):
            found.append(f"the next push made {again.version} beside {fresh}")
        if again.is_new and again.version <= used:
            found.append(f"{again.version} follows {used}")
        shutil.rmtree(self.later, ignore_errors=True)
        other = self.push("other", archive=self.later)
        if other.version <= max(used, again.version):
            found.append(f"{other.version} follows {max(used, again.version)}")
        if self.options.keep_versions == 1 and standing(self.base) != [other.version]:
            found.append(f"{standing(self.base)} are left, and should be retired")
        return found + problems(self.base, self.known) + leftovers(self.base)

    def _has_it_before(self, again: Push) -> bool:
        return again.version in self.before


def _nothing(_: Trial) -> None:
    pass


def _an_older_version(trial: Trial) -> None:
    trial.push("old", archive=trial.home / "old-archive")


def _the_same_model(trial: Trial) -> None:
    trial.push("new", archive=trial.home / "old-archive")


@pytest.mark.parametrize(
    ("prepare", "options"),
    [
        pytest.param(_nothing, PushOptions(), id="first push"),
        pytest.param(_an_older_version, PushOptions(), id="second push"),
        pytest.param(_an_older_version, PushOptions(keep_versions=1), id="second push, first retired"),
        pytest.param(_an_older_version, PushOptions(archive=Archive.COPY), id="archive copied"),
        pytest.param(_the_same_model, PushOptions(), id="same model again"),
    ],
)
def test_a_push_that_is_struck_at_any_effect_shows_nothing_in_part_and_the_next_one_goes_on(
    tmp_path: Path, prepare: Prepare, options: PushOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    _strike_all(Trial(tmp_path, options, prepare), monkeypatch)


def test_so_it_is_where_room_is_looked_for_first_and_pieces_are_copied_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_file_system", lambda device: "ext4")
    monkeypatch.setattr(copying, "_STEP", 200)
    monkeypatch.setattr(copying, "_PIECE", 200)
    trial = Trial(tmp_path, PushOptions(), _an_older_version)
    _strike_all(trial, monkeypatch)
    assert {"allocate", "write"} <= {effect.kind for effect in trial.effects if ".data-" in effect.subject}


def _strike_all(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    # In one order, so that each effect has its number.
    monkeypatch.setattr(durability, "_AT_ONCE", 1)
    trial.count()
    found: Counter[str] = Counter()
    for at in range(1, len(trial.effects) + 1):
        for fault in (*CRASHES, *OF_FILES):
            found.update(trial.strike(fault, at))
    print(f"{len(trial.effects)} effects, {trial.runs} pushes struck, {len(found)} problems")
    assert not found, "\n".join(found)


# Two pushers and a reader, each in a process of its own.


def _rival(
    home: Path, name: str, keep: int | None, barrier: Barrier, answers: multiprocessing.Queue[Any]
) -> None:
    for number in range(ROUNDS):
        same = number % 2
        model = home / "models" / (f"{number}" if same else f"{number}-{name}")
        barrier.wait()
        try:
            done = push_small(model, home / "serving", options=PushOptions(keep_versions=keep))
            answers.put((number, name, done.version, done.is_new, content_of(model), ""))
        except Exception as error:  # whatever it is, the test tells it
            answers.put((number, name, 0, False, "", repr(error)))
        barrier.wait()


def _read(base: Path, begun: Event, over: Event, answers: multiprocessing.Queue[Any]) -> None:
    looks, partial, seen = 0, set(), set()
    begun.set()
    while not over.is_set():
        looks += 1
        # Only the new ones, so as to see them as soon as anybody can.
        for number in set(standing(base)) - seen:
            seen.add(number)
            version = base / str(number)
            try:
                expected = {file.path: file.size for file in manifest.read(str(version)).files}
                found = {
                    str(path.relative_to(version)): path.stat().st_size
                    for path in version.rglob("*")
                    if path.is_file() and path.name != manifest.NAME
                }
                problem = "" if found == expected else f"{number} has {found}"
            except (OSError, manifest.ManifestError) as error:
                problem = f"{number}: {error!r}"
            if problem and version.exists():  # else it was retired under our eyes
                partial.add(problem)
    answers.put((looks, len(seen), partial))


@pytest.mark.parametrize("keep", [None, 3], ids=["all kept", "three kept"])
def test_two_pushers_at_once_and_a_reader_that_watches(tmp_path: Path, keep: int | None) -> None:
    for number in range(ROUNDS):
        names = [f"{number}"] if number % 2 else [f"{number}-{name}" for name in "ab"]
        for name in names:
            make_model(tmp_path / "models" / name, name)
    base = tmp_path / "serving"
    base.mkdir()
    spawn = multiprocessing.get_context("spawn")
    answers, looks, barrier = spawn.Queue(), spawn.Queue(), spawn.Barrier(2)
    begun, over = spawn.Event(), spawn.Event()
    # Daemons: where an answer does not come, the session must not wait for a reader that never ends.
    reader = spawn.Process(target=_read, args=(base, begun, over, looks), daemon=True)
    rivals = [
        spawn.Process(target=_rival, args=(tmp_path, name, keep, barrier, answers), daemon=True)
        for name in "ab"
    ]
    reader.start()
    assert begun.wait(60)
    for process in rivals:
        process.start()
    done = [answers.get(timeout=60) for _ in range(2 * ROUNDS)]
    over.set()
    looked, seen, partial = looks.get(timeout=60)
    for process in (reader, *rivals):
        process.join()
    print(f"{ROUNDS} rounds, {looked} looks at {seen} versions, {len(standing(base))} stand")

    assert [error for *_, error in done if error] == []
    assert partial == set()
    assert seen > ROUNDS
    highest = 0
    for number in range(ROUNDS):
        (first, second) = [answer for answer in done if answer[0] == number]
        assert min(first[2], second[2]) > highest
        assert (first[2] == second[2]) is bool(number % 2)
        assert first[3] + second[3] == (1 if number % 2 else 2)
        highest = max(first[2], second[2])
    contents = {answer[2]: answer[4] for answer in done}
    shown = standing(base)
    assert shown == sorted(contents)[-(keep or len(contents)) :]
    assert {number: content_of(base / str(number)) for number in shown} == {
        number: contents[number] for number in shown
    }
    assert problems(base, set(contents.values())) == []
    assert leftovers(base) == []


def _push_and_tell(model: Path, base: Path, archive: Path, began: Event) -> None:
    began.set()
    push_small(model, base, archive=archive, options=PushOptions(keep_versions=5))


def test_a_pusher_that_is_killed_at_any_moment_leaves_only_whole_versions(tmp_path: Path) -> None:
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([__name__, "tests.verified_pusher.small_models"])
    base, chance = tmp_path / "serving", random.Random(SEED)
    known: set[str] = set()
    looked_at: set[int] = set()
    numbers: list[int] = []
    began_in_all, killed, within = 0, 0, 0.05
    while killed < KILLS and began_in_all < 10 * KILLS:
        began_in_all += 1
        model = make_model(tmp_path / "models" / str(began_in_all), str(began_in_all))
        known.add(content_of(model))
        began = forking.Event()
        arguments = (model, base, tmp_path / "pushed_model" / str(began_in_all), began)
        process = forking.Process(target=_push_and_tell, args=arguments)
        process.start()
        assert began.wait(60)
        time.sleep(chance.uniform(0, within))
        process.kill()
        process.join()
        # However fast the machine is now: about half of the pushes are killed, at any moment of theirs.
        within *= 0.8 if process.exitcode == 0 else 1.25
        killed += process.exitcode != 0
        assert problems(base, known, looked_at=looked_at) == []
        fresh = [one for one in standing(base) if one not in looked_at]
        assert len(fresh) <= 1
        assert all(one > max(numbers, default=0) for one in fresh)
        numbers += fresh
        looked_at.update(fresh)
    print(f"{began_in_all} pushes, {killed} killed, {len(numbers)} versions were shown")
    assert killed == KILLS

    done = push_small(make_model(tmp_path / "models" / "last", "last"), base)
    assert done.version > max(numbers)
    assert problems(base, known | {done.content_digest}) == []
    assert leftovers(base) == []
