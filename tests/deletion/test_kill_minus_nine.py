"""The command line ended by SIGKILL, two hundred times, on a store of two pipelines with thirty runs each.

The moments are spread over the time that a run takes, over the time from its first act on, and over the
changes that it makes to the world: while one of them is made, or right after it. Nothing is mended in
between, and each run goes on with what the last one left.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from tests.builders import History, Made, keep_model_runs, keep_models
from tests.deletion.faults.command import Bell, started
from tests.deletion.faults.invariants import (
    LIFE,
    TEMPORARY,
    Allowed,
    age_temporary_files,
    marked_inside,
    unsettled,
    violations,
)
from tests.deletion.faults.world import Content, Files, Row, World, content_of, contents_below, look
from tfx_janitor.deletion import pins
from tfx_janitor.deletion.remove import TRASH
from tfx_janitor.lineage.connection import open_url
from tfx_janitor.retention.timestamps import to_iso, to_ms

KILLS = 200
PIPELINES = ("inception", "digits")
RUNS = 30
STEPS = (1, 2, 3)
SEED = 9

STEP_MS = to_ms(timedelta(hours=8))
"""How far the time moves on from one command to the next; so long is the grace of a mark."""

STAGE = 4
"""So many runs less than the one before keeps each policy."""

KEPT = 2
"""So many of the newest runs of each pipeline lose nothing under any policy here."""

MEASURED = 0.05
"""Share of the commands that nobody kills, to learn how long they take."""

HUNG = 60
"""Seconds."""


MOST_CHANGES = 200
"""A command makes up to so many of them here. Early ones are struck more often: all commands come to them."""

CHANGE = 0.004
"""Seconds that one change may take: a transaction of sqlite's on a disk that is waited for."""


@dataclass(frozen=True)
class Moment:
    """So many seconds after the beginning of a run, of its first act, or of the nth change that it makes."""

    of: Literal["run", "acting", "change"]
    seconds: float
    number: int = 0


@dataclass(frozen=True)
class Ending:
    """How a command ended, after how many seconds, and how long after its first act began."""

    code: int | None
    run: float
    acting: float


@dataclass
class Spans:
    """How long commands take that nobody kills, and their acting: seconds by command, averages."""

    _seconds: dict[tuple[str, str], float] = field(default_factory=dict)

    def learn(self, command: str, ending: Ending) -> None:
        for of, seconds in (("run", ending.run), ("acting", ending.acting)):
            if seconds:
                known = self._seconds.get((command, of), seconds)
                self._seconds[command, of] = (known + seconds) / 2

    def moment(self, command: str, chance: random.Random) -> Moment | None:
        """When a command is killed; None, if nobody knows yet how long it takes."""
        of: Literal["run", "acting", "change"] = chance.choice(("run", "acting", "change", "change"))
        if of == "change":
            number = int(MOST_CHANGES ** chance.random())
            return Moment(of, chance.uniform(0, CHANGE), number)
        seconds = self._seconds.get((command, of))
        return None if seconds is None else Moment(of, chance.uniform(0, seconds))


@dataclass
class Place:
    """A store on which commands are killed, what all was like when it was made, and what time it is.

    Attributes:
      files, rows: as they were made.
      runs: by pipeline, oldest first, what each run made.
      held: what no policy lets go: models that are pinned, or the latest blessed ones.
    """

    parent: Path
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    files: dict[str, Content] = field(default_factory=dict)
    rows: dict[int, Row] = field(default_factory=dict)
    runs: dict[str, list[list[Made]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.history = History(self.parent / "home")
        self.home, self.log = self.history.home, self.parent / "log"
        blessed = {self.run_whole(name) for _ in range(RUNS) for name in PIPELINES}
        latest = {max(blessed & {made.id for run in runs for made in run}) for runs in self.runs.values()}
        self.pinned = frozenset(self.chance.choice(runs[:-KEPT])[1].id for runs in self.runs.values())
        for artifact_id in self.pinned:
            pins.pin(self.history.site(), artifact_id, "needed for an audit")
        self.held = self.pinned | latest
        self.policies = [self._policy(last) for last in range(RUNS - STAGE, KEPT - 1, -STAGE)]
        self.files |= contents_below(self.home)
        self.now_ms = self.history.now_ms

    def run_whole(self, name: str) -> int:
        """A whole run of a pipeline. Returns the id of its blessed model."""
        done = self.history.pipeline(name).retrain(steps=STEPS, pushed=False)
        assert done.evaluation is not None
        made = [done.examples, done.model, done.model_run, done.blessing, done.evaluation.evaluation]
        self._note(name, made)
        return done.model.id

    def train(self, name: str) -> None:
        """A run of a pipeline that comes no further than to its Trainer."""
        done = self.history.pipeline(name).run().train(steps=STEPS)
        self._note(name, [done.model, done.model_run])

    def _note(self, name: str, made: list[Made]) -> None:
        self.runs[name].append(made)
        for one in made:
            place = os.path.relpath(one.uri, self.home)
            self.rows[one.id] = Row(one.type, place, "LIVE")
            self.files[place] = content_of(one.path)
            self.files |= contents_below(self.home, place)

    def _policy(self, last: int) -> str:
        rules = [keep_models(last=last), {**keep_model_runs(last=last), "checkpoints": {"last": 1}}]
        return str(self.history.policy_file(rules=rules, grace="8h", name=f"keep-{last}.json"))

    def go_on(self, kills: int, now: World) -> None:
        """Time passes, and now and then a pipeline runs, so that there is something to do."""
        self.now_ms += STEP_MS
        if not now.marked or self.chance.random() < 0.3:
            self.train(self.chance.choice(PIPELINES))
        self.policy = self.policies[kills * len(self.policies) // KILLS]

    def command(self, now: World) -> list[str]:
        """What is called next: mostly `gc`, keeping fewer and fewer, sometimes `purge` or `restore`."""
        what = self.chance.choices(("gc", "purge", "restore"), weights=(8, 1, 1))[0]
        if what == "restore" and now.marked:
            return [what, *map(str, self.chance.sample(sorted(now.marked), min(3, len(now.marked))))]
        return ["gc" if what == "restore" else what, *self.gc()[1:]]

    def gc(self) -> list[str]:
        return ["gc", "--policy", self.policy, "--now", to_iso(self.now_ms)]

    def run(self, arguments: Sequence[str], moment: Moment | None = None) -> Ending:
        """Calls the command line, and kills it if a moment is given and it is not over by then."""
        start, size = time.monotonic(), self._written()
        line, theirs = multiprocessing.Pipe(duplex=False)
        bell = Bell(moment.number, theirs) if moment is not None and moment.of == "change" else None
        process = started(["--metadata", self.history.url, *arguments], self.log, bell)
        acts = rang = None
        while process.is_alive():
            now = time.monotonic()
            if acts is None and self._written() != size:
                acts = now
            if rang is None and line.poll():
                rang = now
            since = {"run": start, "acting": acts, "change": rang}["run" if moment is None else moment.of]
            if since is not None and now > since + (HUNG if moment is None else moment.seconds):
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
                break
            process.join(0.001 if bell is None or rang is not None else 0.0001)
        process.join(HUNG)
        end = time.monotonic()
        return Ending(process.exitcode, end - start, end - (acts or end))

    def _written(self) -> int:
        """Changes when the store is written to."""
        return self.history.database.stat().st_mtime_ns

    def look(self) -> World:
        """The world as somebody sees it who has just come."""
        store, _ = open_url(self.history.url, readonly=False)
        return look(self.home, store, self.now_ms)

    @property
    def dispensable(self) -> set[int]:
        """What the last policy lets go."""
        old = (run for runs in self.runs.values() for run in runs[:-KEPT])
        return {made.id for run in old for made in run if made.type in ("Model", "ModelRun")} - self.held

    @property
    def before(self) -> World:
        """The world as it was made."""
        nothing: frozenset = frozenset()
        return World(Files(self.files), self.rows, {}, self.pinned, nothing, nothing, nothing, (), ())

    def allowed(self, now: World) -> Allowed:
        """What acts have told that it goes, but for what no policy here lets go."""
        newest = {made.id for runs in self.runs.values() for run in runs[-KEPT:] for made in run}
        marked = {t.artifact_id for act in now.acts for t in act.touches if t.what == "mark"}
        going = frozenset(marked - newest - self.held)
        pruned = {
            place: frozenset(names - {f"ckpt-{STEPS[-1]}"}) for place, names in marked_inside(now).items()
        }
        return Allowed(dict.fromkeys(going, frozenset(LIFE)), going, pruned, {})

    def wrong(self, now: World) -> list[str]:
        """All that is not as it must be."""
        problems = violations(self.home, self.before, now, self.allowed(now))
        if now.pinned != self.pinned:
            problems.append(f"pinned: expected {sorted(self.pinned)}, found {sorted(now.pinned)}")
        return problems


def test_nothing_is_lost_and_the_next_run_goes_on(tmp_path: Path) -> None:
    place = Place(tmp_path)
    kills: Counter[str] = Counter()
    codes: Counter[int | None] = Counter()
    spans = Spans()
    now = place.look()
    while kills.total() < KILLS:
        place.go_on(kills.total(), now)
        arguments, known = place.command(now), len(now.acts)
        moment = None if place.chance.random() < MEASURED else spans.moment(arguments[0], place.chance)
        ending = place.run(arguments, moment)
        now = place.look()
        assert place.wrong(now) == [], f"{arguments}, {moment}, {ending}"
        if ending.code == -signal.SIGKILL:
            kills[f"{arguments[0]} {where(now, known)}"] += 1
            continue
        codes[ending.code] += 1
        if moment is None:
            spans.learn(arguments[0], ending)
    settled = settle(place)
    print(
        f"\n{kills.total()} kills: {told(kills)}\nnot killed: {codes.total()}, exit codes {dict(codes)}\n"
        f"{len(settled.acts)} acts; at the end {told(Counter(row.state for row in settled.rows.values()))}; "
        "0 violations"
    )


def settle(place: Place) -> World:
    """Two runs that nothing disturbs, the second after the grace of what the first marks: all is done."""
    age_temporary_files(place.home)
    for _ in range(2):
        place.now_ms += 4 * STEP_MS
        assert place.run(place.gc()).code == 0, place.log.read_text()[-2000:]
    settled = place.look()
    assert place.wrong(settled) == []
    assert {i for i, row in settled.rows.items() if row.state != "LIVE"} == place.dispensable
    for artifact_id in place.dispensable:
        row = settled.rows[artifact_id]
        assert row.state == "DELETED"
        assert settled.files.below(row.place) == {}
    left = [path for path in settled.files if TRASH in path or TEMPORARY in path or "ckpt-1." in path]
    assert left == []
    assert place.run(place.gc()).code == 0
    assert unsettled(settled, place.look()) == []
    return settled


def where(now: World, known: int) -> str:
    """In what act a command was killed, or after which one.

    Args:
      known: number of acts that there were before.
    """
    if len(now.acts) == known:
        return "before its first act"
    last = now.acts[-1]
    return f"{'after' if last.ended else 'in'} {last.kind}"


def told(counts: Counter[str]) -> str:
    """Counts in words, the largest first."""
    return ", ".join(f"{number} {what}" for what, number in counts.most_common())
