"""A scenario, struck again and again: what it does, what a strike breaks, and what the next run mends.

The world is put back before each strike, at the same paths: URIs are absolute.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from ml_metadata import errors

from tests.builders import History
from tests.deletion.faults.injection import CRASHES, OF_FILES, OF_MLMD, Change, Crash, Fault, Striking
from tests.deletion.faults.invariants import Allowed, age_temporary_files, unsettled, violations
from tests.deletion.faults.scenarios import Build, Deed
from tests.deletion.faults.world import World, look
from tfx_janitor import effects
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.site import Site
from tfx_janitor.effects import Effect
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.connection import open_url
from tfx_janitor.survey.crew import Threads

DELETING = ("tfx_janitor/deletion/", "tfx_janitor/payload/")

COLLECTING = ("deletion/gc.py",)
"""It makes plans, applies and purges: the ways are those of these."""


@dataclass(frozen=True, slots=True)
class Passed:
    """An effect that passed the seam in an undisturbed run.

    Attributes:
      line: the file and line of the deletion that made it.
      way: the functions of the deletion that led there.
    """

    effect: Effect
    line: tuple[str, int]
    way: tuple[str, ...]


@dataclass
class Recording:
    """A watcher that only looks."""

    passed: list[Passed] = field(default_factory=list)

    def __call__(self, effect: Effect, change: Change) -> Any:
        frames = list(_deleting(sys._getframe(1)))
        (file, line), *_ = [(name, frame.f_lineno) for name, frame in frames]
        way = tuple(frame.f_code.co_name for name, frame in frames if name not in COLLECTING)
        self.passed.append(Passed(effect, (file, line), way))
        return change()


def _deleting(frame: FrameType | None) -> Iterator[tuple[str, FrameType]]:
    while frame is not None:
        name = frame.f_code.co_filename
        for folder in DELETING:
            if folder in name:
                yield name.rpartition("tfx_janitor/")[2], frame
        frame = frame.f_back


@dataclass
class Trial:
    """One scenario, on the same place again and again, each time as it was built.

    Attributes:
      passed: all effects of an undisturbed run.
      runs: how often the act was struck.
      problems: all that was broken so far.
    """

    name: str
    build: Build
    parent: Path
    passed: list[Passed] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    runs: int = 0
    _settled: dict[Hashable, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Builds the scenario, and lets it happen once."""
        self.home, self._template = self.parent / "home", self.parent / "template"
        history = History(self.home)
        self.deed: Deed = self.build(history)
        self._url = history.url
        del history
        shutil.copytree(self.home, self._template, symlinks=True)
        self.before = self.look()
        recording = Recording()
        with effects.watched(recording):
            outcomes = self.act()
        self.problems += [f"{self.name}, undisturbed: {o}" for o in outcomes if not o.well]
        self.passed = recording.passed
        self.after = self.look()
        self._settled[self.after.key] = []
        self.allowed = Allowed.between(self.before, self.after, self.home)
        self.problems += self.violated(self.after)

    def reset(self) -> None:
        """Everything as it was built, at the same paths."""
        shutil.rmtree(self.home)
        shutil.copytree(self._template, self.home, symlinks=True)

    def act(self, workers: int = 1) -> Sequence[Outcome]:
        """The act, by a janitor that has just come to the store."""
        store, url = open_url(self._url, readonly=False)
        return self.deed.does(Site(store, url, "tester@here", self.deed.now_ms, Threads(workers)))

    def look(self) -> World:
        """The world as somebody sees it who has just come."""
        store, _ = open_url(self._url, readonly=False)
        return look(self.home, store, self.deed.now_ms)

    def violated(self, now: World) -> list[str]:
        return violations(self.home, self.before, now, self.allowed)

    def strike(self, fault: Fault, at: int, *, workers: int = 1) -> list[str]:
        """Everything that is wrong after one strike, and after the run that follows it."""
        self.runs += 1
        self.reset()
        striking = Striking(fault, at)
        problems: list[str] = []
        silent = False
        try:
            with effects.watched(striking):
                silent = all(outcome.well for outcome in self.act(workers))
        except (Crash, JanitorError, errors.StatusError):
            pass
        except Exception as error:
            problems.append(f"ended in {error!r}")
        if not striking.struck:
            problems.append("nothing was struck")
        now = self.look()
        problems += self.violated(now)
        if silent or fault.harmless:
            problems += [f"not done, and not told: {what}" for what in unsettled(self.after, now)]
        if now.key not in self._settled:
            self._settled[now.key] = self._finish()
        problems += self._settled[now.key]
        self._note(problems, fault, at, workers)
        return problems

    def _finish(self) -> list[str]:
        """The next run, which nothing disturbs: what it leaves undone."""
        age_temporary_files(self.home)
        problems: list[str] = []
        # Who pins or releases again is told that it is done already.
        with contextlib.suppress(JanitorError):
            problems += [f"next run: {o}" for o in self.act() if o.done == "failed"]
        now = self.look()
        problems += [f"next run: {problem}" for problem in self.violated(now)]
        return problems + [f"next run: {what}" for what in unsettled(self.after, now)]

    def _note(self, problems: list[str], fault: Fault, at: int, workers: int) -> None:
        if not problems:
            return
        where = f"effect {at}"
        if workers == 1 and at <= len(self.passed):
            effect = self.passed[at - 1].effect
            where += f" ({effect.kind} {effect.subject})"
        self.problems += [f"{self.name}, {fault.name}, {where}: {problem}" for problem in problems]

    def faults(self, met: Counter[Hashable] | None = None) -> Iterator[tuple[int, Fault]]:
        """Every effect with both crashes; with every error where the deletion comes this way the first time.

        Where it comes the same way again, as for the second file of a tree, with one error in turn.

        Args:
          met: how often it came which way in earlier trials; counts on.
        """
        met = Counter() if met is None else met
        for at, passed in enumerate(self.passed, 1):
            kinds = OF_MLMD if passed.effect.kind == "mlmd" else OF_FILES
            way = (passed.effect.kind, passed.line, passed.way)
            again = met[way]
            met[way] += 1
            for fault in (*CRASHES, *(kinds if not again else (kinds[again % len(kinds)],))):
                yield at, fault
