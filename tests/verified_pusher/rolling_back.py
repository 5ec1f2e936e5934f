"""A base directory that is rolled back, and one of which a store knows."""

from __future__ import annotations

from pathlib import Path

from tests.builders import History, flip_bit, keep_models
from tests.serving import labelled_model
from tfx_janitor.payload.verification import Level
from tfx_janitor.retention.plan import Decision, Reason
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan
from tfx_janitor.verified_pusher import retirement, rollback
from tfx_janitor.verified_pusher.manifest import Execution, Source
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import Push, push
from tfx_janitor.verified_pusher.rollback_act import RecordedRollback, roll_back

from .conftest import version_names


class Base:
    """A base directory, and what is done to it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home / "serving"

    def push(self, label: str, *, source: Source | None = None, now_ms: int = 0) -> int:
        model = self.home / "models" / label
        if not model.exists():
            labelled_model(model, label)
        return self._push(model, source or Source(str(model), 12, "Model"), now_ms).version

    def _push(self, model: Path, source: Source, now_ms: int) -> Push:
        return push(
            str(model),
            str(self.path),
            source=source,
            execution=Execution(),
            now_ms=now_ms,
            options=PushOptions(),
        )

    def back(self, to: int | None = None) -> Push:
        choice = rollback.choose(str(self.path), level=Level.CHECKSUMS, to=to)
        return rollback.put_back(choice, execution=Execution(), now_ms=0, level=Level.CHECKSUMS)

    def label(self, version: int) -> str:
        return (self.path / str(version) / "assets" / "vocabulary.txt").read_text()

    @property
    def served(self) -> str:
        """What a model server serves now."""
        return self.label(max(map(int, version_names(self.path))))

    def damage(self, version: int) -> None:
        flip_bit(self.path / str(version) / "variables" / "variables.data-00000-of-00001", 0)


def three_pushes(home: Path) -> Base:
    """Three versions: cats, dogs, birds."""
    made = Base(home)
    assert [made.push(label) for label in ("cats", "dogs", "birds")] == [1, 2, 3]
    return made


class Recorded:
    """A pipeline's base directory with three pushes that MLMD knows, and rollbacks that it knows, too."""

    def __init__(self, home: Path) -> None:
        self.history = History(home)
        pipeline = self.history.pipeline()
        self.first, self.second, self.third = (pipeline.retrain() for _ in range(3))
        for run in (self.first, self.second, self.third):
            for copy in (run.push.destination, run.push.pushed_model.path):
                (copy / "assets" / "vocabulary.txt").write_text(str(run.model.id))
        self.base = self.third.push.destination.parent

    def back(self, to: Path | None = None) -> RecordedRollback:
        number = None if to is None else int(to.name)
        return roll_back(self.history.site(), str(self.base), level=Level.CHECKSUMS, to=number)

    def retire(self, keep: int) -> tuple[int, ...]:
        newest = max(map(int, version_names(self.base)))
        done = retirement.retire(str(self.base), keep, pushed=newest, in_use=retirement.loaded_by_nobody)
        return done.retired

    def verdicts(self) -> dict[int, Decision]:
        policy = self.history.policy(rules=[keep_models(last=1)])
        plan = make_plan(self.history.case(policy), Threads(2), metadata=self.history.url, created_ms=0)
        return {one.artifact_id: one for one in plan.decisions}

    def held_by_serving(self, model: int) -> list[Reason]:
        return [one for one in self.verdicts()[model].reasons if one.code == "hold.served"]
