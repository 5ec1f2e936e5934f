"""Three runs of which two are served no more, a plan over them, and what became of each artifact."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from tests.builders import History, Retraining
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan


def three_runs(history: History, name: str = "inception") -> list[Retraining]:
    """Three runs of which only the newest is still served."""
    pipeline = history.pipeline(name)
    runs = [pipeline.retrain(steps=(1, 2, 3)) for _ in range(3)]
    for run in runs[:2]:
        shutil.rmtree(run.push.destination)
    return runs


def planned(history: History, policy: RetentionPolicy, now_ms: int | None = None) -> Plan:
    return make_plan(history.case(policy, now_ms=now_ms), Threads(2), metadata=history.url, created_ms=0)


def done(outcomes: Sequence[Outcome]) -> dict[int, str]:
    return {outcome.artifact_id: outcome.done for outcome in outcomes}
