"""Janitors in processes of their own, each with its own handle on one store, as two cron jobs have.

    with janitors(history.url, 2) as (first, second):
        (applied,) = at_once((first, Task("apply", policy, now_ms)))
        purged, restored = at_once((first, Task("purge", policy, later)), (second, Task("restore", ids=[7])))

They stay for many tasks, so that a task costs what it does and no start of a process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import re
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Literal

from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.restore import restore
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.connection import open_url
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

_PATIENCE = 120
"""Seconds after which a process that says nothing counts as hung."""

MEANWHILE = re.compile(
    r"it changed since it was decided(: it is [A-Z_]+ now)?"
    r"|another janitor (marked|purged|rescued) it meanwhile: act \d+"
    r"|expected state [A-Z_]+, found [A-Z_]+"
    r"|it is (LIVE|DELETED), not marked(; its payload was purged)?"
    r"|needed again: .*"
    r"|checkpoints .*: a (purge of them has begun|restore was faster)"
)
"""Why a janitor may leave an item as it is: somebody else was faster."""

What = Literal["collect", "apply", "purge", "restore"]


@dataclass(frozen=True, slots=True)
class Task:
    """What one janitor does at one moment.

    Attributes:
      what: as on the command line; "apply" makes its plan itself, and "collect" is `gc`.
      now_ms: the moment that everything is judged at.
      ids: what "restore" restores.
      after: seconds that it waits when all are ready, so that others get ahead by that.
    """

    what: What
    now_ms: int
    policy: RetentionPolicy | None = None
    ids: Sequence[int] = ()
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Crashed:
    """An exception that reached the end of a task, as a traceback."""

    traceback: str


@dataclass(frozen=True)
class Janitor:
    """One janitor in its process."""

    name: str
    _pipe: Connection

    def begin(self, task: Task) -> None:
        """Gives it a task; it is ready for it when this returns, and waits for `go`."""
        self._pipe.send(task)
        self._hear()

    def go(self) -> None:
        """Lets it begin."""
        self._pipe.send("go")

    def done(self) -> list[Outcome]:
        """Waits for what became of the task.

        Raises:
          AssertionError: it crashed.
        """
        answer = self._hear()
        assert not isinstance(answer, Crashed), f"{self.name} crashed:\n{answer.traceback}"
        return answer

    def _hear(self) -> list[Outcome] | Crashed:
        assert self._pipe.poll(_PATIENCE), f"{self.name} says nothing for {_PATIENCE} s"
        return self._pipe.recv()


def at_once(*given: tuple[Janitor, Task]) -> list[list[Outcome]]:
    """Lets janitors do their tasks at the same instant. Returns the outcomes of each."""
    for janitor, task in given:
        janitor.begin(task)
    for janitor, _ in given:
        janitor.go()
    return [janitor.done() for janitor, _ in given]


@contextlib.contextmanager
def janitors(url: str, number: int) -> Iterator[list[Janitor]]:
    """Janitors on the store at a URL, each in a fresh process that ends with the block."""
    fresh = multiprocessing.get_context("spawn")
    started = []
    for count in range(1, number + 1):
        ours, theirs = fresh.Pipe()
        name = f"janitor-{count}@here"
        process = fresh.Process(target=_work, args=(url, name, theirs), name=name, daemon=True)
        process.start()
        theirs.close()
        started.append((process, ours, Janitor(name, ours)))
    try:
        yield [janitor for _, _, janitor in started]
    finally:
        for _, pipe, _ in started:
            pipe.close()
        for process, _, _ in started:
            process.join(_PATIENCE)


def _work(url: str, name: str, pipe: Connection) -> None:
    store, metadata = open_url(url, readonly=False)
    crew = Threads(2)
    with contextlib.suppress(EOFError):  # nobody has a task any more
        while True:
            task: Task = pipe.recv()
            pipe.send([])
            pipe.recv()
            time.sleep(task.after)
            try:
                pipe.send(_carry_out(Site(store, metadata, name, task.now_ms, crew), task))
            except Exception:
                pipe.send(Crashed(traceback.format_exc()))


def _carry_out(site: Site, task: Task) -> list[Outcome]:
    if task.what == "restore":
        return restore(site, task.ids)
    if task.what == "purge":
        return purge(site, policy=task.policy)
    assert task.policy is not None, f"{task.what} needs a policy"
    if task.what == "collect":
        return list(collect(site, task.policy).outcomes)
    case = site.case(site.read(), task.policy)
    return apply(site, make_plan(case, site.crew, metadata=site.metadata, created_ms=site.now_ms))
