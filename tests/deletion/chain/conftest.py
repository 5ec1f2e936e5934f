"""A plan that was applied and purged, and a pin that came and went: four acts to tamper with."""

from __future__ import annotations

import pytest

from tests.builders import History, Retraining, keep_models
from tfx_janitor.deletion import pins
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.purge import purge
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.survey import make_plan


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(pushed=False, blessed=None) for _ in range(4)]


@pytest.fixture
def plan(history: History, runs: list[Retraining]) -> Plan:
    """A plan that was applied and purged; then somebody pinned an artifact, and released it."""
    site = history.site()
    policy = history.policy(rules=[keep_models(last=2)])
    made = make_plan(site.case(site.read(), policy), site.crew, metadata=site.metadata, created_ms=0)
    assert [outcome.done for outcome in apply(site, made)] == ["marked", "marked"]
    assert [outcome.done for outcome in purge(site)] == ["purged", "purged"]
    pins.pin(site, runs[2].model.id, "demo")
    pins.unpin(history.site(), runs[2].model.id)
    return made
