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
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import History, Made, keep_models
from tests.deletion.janitor_process import MEANWHILE, Janitor, Task, at_once, janitors
from tfx_janitor.deletion import acts, history
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.remove import TRASH
from tfx_janitor.policy.schema import RetentionPolicy

ROUNDS = 50
TRAININGS = 4
"""Of each round: twice as many artifacts."""

DAY_MS = 86_400_000


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
        runs = {"name": "model-runs", "match": {"type": "ModelRun"}, "keep": {"last": TRAININGS + 1}}
        rules = [keep_models(last=models), {**runs, "checkpoints": {"last": 1}}]
        return self.past.policy(rules=rules, grace=grace)

    def train(self) -> None:
        """Makes what can go in the next round."""
        for _ in range(TRAININGS):
            training = self._pipeline.run().train(steps=(1, 2, 3))
            for made in (training.model, training.model_run):
                self.made[made.id] = (made, sizes(made.path))

    def states(self) -> dict[int, str]:
        """Names of the states of all artifacts now."""
        return {row.id: mlmd.Artifact.State.Name(row.state) for row in self.past.store.get_artifacts()}

    def meet(self, *tasks: Task) -> list[list[Outcome]]:
        """Gives both a task, or the first alone; one begins up to a tenth of a second after the other."""
        who = [self.first, self.second]
        self.chance.shuffle(who)
        late = self.chance.randrange(2)
        delays = [
            self.chance.choice((0.0, self.chance.uniform(0, 0.1))) if n == late else 0.0 for n in (0, 1)
        ]
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
    place.meet(*[Task("purge", later + 2 * DAY_MS, place.patient)] * 2)


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
    """All that is not as it must be between two rounds: in what they said, in the store, and on disk."""
    problems = [
        f"{janitor}: {outcome}"
        for janitor, outcomes in place.outcomes.items()
        for outcome in outcomes
        if not (outcome.well or MEANWHILE.fullmatch(outcome.detail))
    ]
    closed: dict[tuple[int, int], set[str]] = defaultdict(set)
    purged: Counter[int] = Counter()
    freed: Counter[int] = Counter()
    for act in acts.read(place.past.store):
        if not act.ended:
            problems.append(f"act {act.id} never ended")
        done = {outcome.artifact_id: outcome.done for outcome in act.outcomes}
        for mark in act.details.get("closes", ()):
            closed[tuple(mark)].add(done.get(mark[1], ""))
        for outcome in act.outcomes:
            purged[outcome.artifact_id] += outcome.done == "purged"
            freed[outcome.artifact_id] += outcome.bytes if outcome.done != "marked" else 0
    problems += [
        f"{mark}: restored and pruned" for mark, ways in closed.items() if {"restored", "pruned"} <= ways
    ]
    states = place.states()
    for artifact_id, (made, had) in place.made.items():
        here, state, times = sizes(made.path), states[artifact_id], purged[artifact_id]
        # What pruning takes out of the state file is counted nowhere.
        uncounted = sum(had.values()) - freed[artifact_id]
        if state == "DELETED":
            well = times == 1 and not made.path.exists() and 0 <= uncounted <= had.get("checkpoint", 0)
        else:
            well = state == "LIVE" and not times and whole(made, here, had)
        if not well:
            problems.append(
                f"{made.type} {artifact_id} is {state}, was purged {times} times, has {len(here)} of "
                f"{len(had)} files; {uncounted} bytes are not counted as freed"
            )
    return problems + [f"trash: {path}" for path in place.past.root.rglob(TRASH)]


def whole(made: Made, here: dict[str, int], had: dict[str, int]) -> bool:
    """Whether a payload has all that it had; a ModelRun may have lost older checkpoints."""
    if made.type != "ModelRun":
        return here == had
    pruned = {name for name in had.keys() - here.keys() if name.startswith(("ckpt-1.", "ckpt-2."))}
    return had.keys() - pruned == here.keys() and all(
        size == here[name] for name, size in had.items() if name not in {*pruned, "checkpoint"}
    )


def print_totals(place: Place) -> int:
    """Tells what became of all items. Returns how many artifacts were purged."""
    told = []
    for janitor, outcomes in sorted(place.outcomes.items()):
        counted = Counter(outcome.done for outcome in outcomes)
        told.append(f"{janitor}: {', '.join(f'{number} {done}' for done, number in sorted(counted.items()))}")
    states = Counter(place.states().values())
    print(f"\n{ROUNDS} rounds, {len(place.made)} artifacts, {dict(states)}; {'; '.join(told)}")
    return states["DELETED"]
