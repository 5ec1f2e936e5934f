"""A training that crashed and left directories, and a janitor who comes some days after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.builders import History, keep_models
from tfx_janitor.deletion import acts, orphan_marks, orphans
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.remove import TRASH
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

DAY_MS = 86_400_000


class Crash:
    """A pipeline that trained well once, and whose second training died and left two directories."""

    def __init__(self, home: Path, name: str = "inception", history: History | None = None) -> None:
        self.history = history or History(home)
        self.pipeline = self.history.pipeline(name)
        self.well = self.pipeline.retrain()
        run = self.pipeline.run()
        run.ingest()
        self.execution = run.start_training(steps=(100, 200))
        self.trainer = self.pipeline.root / "Trainer"
        self.model = self.trainer / "model" / str(self.execution)
        self.model_run = self.trainer / "model_run" / str(self.execution)
        self.found_ms = self.history.later(days=15)

    def policy(self, **fields: Any) -> RetentionPolicy:
        """Nothing but orphans goes."""
        said = {"rules": [keep_models(last=9)], "orphans": {"older_than": "14d"}, **fields}
        return self.history.policy(**said)

    def plan(self, *, days: float = 0, **fields: Any) -> Plan:
        now_ms = self.found_ms + round(days * DAY_MS)
        case = self.history.case(self.policy(**fields), now_ms=now_ms)
        return make_plan(case, Threads(2), metadata=self.history.url, created_ms=0)

    def gc(self, *, days: float = 0, crew: Any = None, **fields: Any) -> list[Outcome]:
        """What a collection does some days after it was found."""
        site = {"now_ms": self.found_ms + round(days * DAY_MS), "crew": crew or Threads(2)}
        return list(collect(self.history.site(**site), self.policy(**fields)).outcomes)

    def purge(self, *, days: float = 0, policy: RetentionPolicy | None = None, **site: Any) -> list[Outcome]:
        now_ms = self.found_ms + round(days * DAY_MS)
        return purge(self.history.site(now_ms=now_ms, **site), policy=policy)

    def restore(self, *paths: Path, days: float = 0) -> list[Outcome]:
        now_ms = self.found_ms + round(days * DAY_MS)
        return orphans.restore(self.history.site(now_ms=now_ms), [str(path) for path in paths])

    @property
    def there(self) -> list[bool]:
        return [self.model.exists(), self.model_run.exists()]

    @property
    def marked(self) -> int:
        return len(orphan_marks.orphan_marks(acts.read(self.history.store)))

    def in_trash(self) -> list[str]:
        """What lies in the trash beside the two directories."""
        return [
            path.name
            for directory in (self.model.parent, self.model_run.parent)
            if (directory / TRASH).exists()
            for path in (directory / TRASH).iterdir()
        ]


def done(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.done for outcome in outcomes]
