"""The curves of growth: what was stored, and what a policy would have left, at every moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History, keep_models
from tests.page.large_store import large_contents
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.gc import collect
from tfx_janitor.rehearsal.replay import replay
from tfx_janitor.report.page.growth import Growth, growth
from tfx_janitor.report.page.overview import replayed_ends
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.past import look_back


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path)
    for _ in range(4):
        history.pipeline().run().train()
    return history


def curves(history: History, *, replayed: bool = False) -> Growth:
    case = history.case(history.policy(rules=[keep_models(last=1)]))
    sizes = dict.fromkeys(case.governed, 1000)
    past = None
    if replayed:
        past = replay(case.snapshot, case.policy, look_back(case, Threads(2)), now_ms=case.now_ms)
    drawn = growth(case, sizes, acts.read(history.store), past)
    assert drawn is not None
    return drawn


def test_what_is_stored_grows_with_each_artifact_that_is_governed(history: History) -> None:
    drawn = curves(history)
    assert drawn.stored.artifacts[-1] == 4
    assert drawn.stored.bytes[-1] == 4000
    assert (drawn.stored.artifacts[1:] >= drawn.stored.artifacts[:-1]).all()
    assert drawn.kept is None


def test_what_the_policy_would_have_left(history: History) -> None:
    drawn = curves(history, replayed=True)
    assert drawn.kept is not None
    assert drawn.kept.artifacts[-1] == 1
    assert drawn.stored.artifacts[-1] == 4


def test_what_was_purged_is_stored_no_longer_and_its_size_is_known_from_the_act(history: History) -> None:
    collect(history.site(), history.policy(rules=[keep_models(last=1)]))
    drawn = curves(history)
    assert drawn.stored.artifacts[-1] == 1
    assert drawn.stored.bytes[-1] == 1000
    assert drawn.stored.bytes.max() > 4000, "those that are gone count by what they freed"
    assert drawn.unmeasured == 0


def test_a_large_store_ends_at_its_totals() -> None:
    contents = large_contents(1000)
    assert contents.growth is not None
    assert contents.growth.stored.artifacts[-1] == 1000
    assert contents.growth.stored.bytes[-1] == contents.plan.summary.bytes_total


@pytest.mark.parametrize(
    ("artifacts", "ends"), [(0, 60), (10_000, 60), (20_000, 60), (40_000, 30), (100_000, 12), (10**7, 12)]
)
def test_a_large_store_is_replayed_at_fewer_moments(artifacts: int, ends: int) -> None:
    assert replayed_ends(artifacts) == ends
