"""Two janitors in two processes at the same instant, fifty times on one store: each artifact goes once.

What each of five stories lets meet, again and again, with a head start for one that differs each time:

collect     both mark, purge and prune what nobody has touched
mark        both mark; then both purge and prune
restore     one purges what a person restores
rescue      one purges what the other, under a more generous policy, rescues
late mark   one purges what the other is about to mark
"""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.builders import History, Made, keep_model_runs, keep_models, prune_checkpoints
from tests.deletion.janitor_process import Janitor, Task, at_once, janitors
from tfx_janitor.deletion import acts, history
from tfx_janitor.deletion.acts import Outcome
from tfx_janitor.deletion.remove import TRASH
from tfx_janitor.policy.schema import RetentionPolicy

ROUNDS = 50
TRAININGS = 5
"""Of each round: twice as many artifacts."""

DAY_MS = 86_400_000

MEANWHILE = re.compile(r"it changed since it was decided|expected state [A-Z_]+, found [A-Z_]+")
"""The reasons for which one janitor may leave something to the other."""


def sizes(directory: Path) -> dict[str, int]:
    """Names and sizes of all files below a directory."""
    files = [Path(at, name) for at, _, names in os.walk(directory) for name in names]
    return {str(path.relative_to(directory)): path.stat().st_size for path in files}


@dataclass
class Place:
    """One store with a pipeline in it, and two janitors.

    Attributes:
      made: what was made, with the files and sizes that it had then.
      outcomes: what each janitor said of its items, in all rounds.
    """

    past: History
    first: Janitor
    second: Janitor
    chance: random.Random = field(default_factory=lambda: random.Random(50))
    made: dict[int, tuple[Made, dict[str, int]]] = field(default_factory=dict)
    outcomes: dict[str, list[Outcome]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._pipeline = self.past.pipeline("inception")
        self.policy = self._keeping(models=1, grace="0s")
        self.patient = self._keeping(models=1, grace="1d")
        self.generous = self._keeping(models=TRAININGS - 1, grace="1d")

    def _keeping(self, *, models: int, grace: str) -> RetentionPolicy:
        rules = [keep_models(last=models), keep_model_runs(last=2), prune_checkpoints(last=1)]
        return self.past.policy(rules=rules, grace=grace)

    def train(self) -> None:
        """Makes what can go in the next round."""
        for _ in range(TRAININGS):
            training = self._pipeline.run().train(steps=(1, 2, 3))
            for made in (training.model, training.model_run):
                self.made[made.id] = (made, sizes(made.path))

    def meet(self, *tasks: Task) -> list[list[Outcome]]:
        """Gives both a task, or the first alone; one begins up to a tenth of a second after the other."""
        who = [self.first, self.second]
        self.chance.shuffle(who)
        late = self.chance.randrange(2)
        delays = [self.chance.choice((0.0, self.chance.uniform(0, 0.1))) if n == late else 0.0 for n in (0, 1)]
        given = [
            (janitor, Task(task.what, task.now_ms, task.policy, task.ids, after))
            for janitor, task, after in zip(who, tasks, delays, strict=False)
        ]
        answers = at_once(*given)
        for (janitor, _), outcomes in zip(given, answers, strict=True):
            self.outcomes[janitor.name] += outcomes
        return answers


def collect(place: Place, now: int) -> None:
    place.meet(*[Task("collect", now, place.policy)] * 2)


def mark(place: Place, now: int) -> None:
    place.meet(*[Task("apply", now, place.patient)] * 2)
    place.meet(*[Task("purge", now + 2 * DAY_MS, place.patient)] * 2)


def restore(place: Place, now: int) -> None:
    (marked,) = place.meet(Task("apply", now, place.patient))
    ids = sorted(outcome.artifact_id for outcome in marked)
    later = now + 2 * DAY_MS
    place.meet(Task("purge", later, place.patient), Task("restore", later, ids=ids[::2]))


def rescue(place: Place, now: int) -> None:
    place.meet(Task("apply", now, place.patient))
    later = now + 2 * DAY_MS
    place.meet(Task("purge", later, place.patient), Task("purge", later, place.generous))


def late_mark(place: Place, now: int) -> None:
    place.meet(Task("apply", now, place.patient))
    place.train()
    later = now + 2 * DAY_MS
    place.meet(Task("purge", later, place.patient), Task("apply", later, place.patient))


STORIES: tuple[Callable[[Place, int], None], ...] = (collect, mark, restore, rescue, late_mark)


@pytest.fixture
def place(tmp_path: Path) -> Iterable[Place]:
    past = History(tmp_path)
    with janitors(past.url, 2) as (first, second):
        yield Place(past, first, second)


def test_each_artifact_goes_once_and_what_stays_is_whole(place: Place) -> None:
    for number in range(ROUNDS):
        place.train()
        now = time.time_ns() // 1_000_000 + 1000
        STORIES[number % len(STORIES)](place, now)
        assert wrong(place) == [], f"round {number}, {STORIES[number % len(STORIES)].__name__}"

    assert history.verify(place.past.store).findings == ()
    assert print_totals(place) > ROUNDS * TRAININGS


def wrong(place: Place) -> list[str]:
    """All that is not as it must be between two rounds: in the store, on disk, and in what they said."""
    problems = [
        f"{janitor}: {outcome}"
        for janitor, outcomes in place.outcomes.items()
        for outcome in outcomes
        if outcome.done == "failed" or (outcome.done == "skipped" and not MEANWHILE.fullmatch(outcome.detail))
    ]
    purged: dict[int, list[Outcome]] = defaultdict(list)
    freed: Counter[int] = Counter()
    for act in acts.read(place.past.store):
        if not act.ended:
            problems.append(f"act {act.id} never ended")
        for outcome in act.outcomes:
            if outcome.done == "purged":
                purged[outcome.artifact_id].append(outcome)
            if outcome.done != "marked":
                freed[outcome.artifact_id] += outcome.bytes
    for artifact_id, (made, had) in place.made.items():
        state, here = place.past.state(artifact_id), sizes(made.path)
        times = len(purged[artifact_id])
        what = f"{made.type} {artifact_id}, {state}, purged {times} times, {len(here)} of {len(had)} files"
        if state == "DELETED":
            if times != 1 or made.path.exists() or freed[artifact_id] != sum(had.values()):
                problems.append(f"{what}, freed {freed[artifact_id]} of {sum(had.values())} bytes")
        elif state != "LIVE" or times or not whole(made, here, had):
            problems.append(what)
    return problems + [f"trash: {path}" for path in place.past.root.rglob(TRASH)]


def whole(made: Made, here: dict[str, int], had: dict[str, int]) -> bool:
    """Whether a payload has all that it had; a ModelRun may have lost older checkpoints."""
    if made.type == "ModelRun":
        lost = {name for name in had.keys() - here.keys() if name.startswith(("ckpt-1.", "ckpt-2."))}
        had = {name: size for name, size in had.items() if name not in lost and name != "checkpoint"}
        here = {name: size for name, size in here.items() if name != "checkpoint"}
    return here == had


def print_totals(place: Place) -> int:
    """Tells what became of all items. Returns how many artifacts were purged."""
    told = []
    for janitor, outcomes in sorted(place.outcomes.items()):
        counted = Counter(outcome.done for outcome in outcomes)
        told.append(f"{janitor}: {', '.join(f'{number} {done}' for done, number in sorted(counted.items()))}")
    states = Counter(place.past.states(*(made for made, _ in place.made.values())))
    print(f"\n{ROUNDS} rounds, {len(place.made)} artifacts, {dict(states)}; {'; '.join(told)}")
    return states["DELETED"]
