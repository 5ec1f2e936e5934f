"""A marked directory below one that cannot be looked into: it waits, and the purge says what for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History, keep_models
from tests.deletion.surroundings import closed
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge


@pytest.mark.parametrize("mode", [0o000, 0o300])
def test_it_is_neither_deleted_nor_taken_back(tmp_path: Path, mode: int):
    history = History(tmp_path)
    inception = history.pipeline()
    inception.retrain()
    died = str(inception.run().start_training(steps=(100, 200)))
    trainer = inception.root / "Trainer"
    policy = history.policy(rules=[keep_models(last=9)], orphans={"older_than": "14d"}, grace="7d")
    marked = collect(history.site(now_ms=history.later(days=15)), policy).outcomes
    assert [outcome.done for outcome in marked] == ["marked", "marked"]

    def purged() -> list[Outcome]:
        return purge(history.site(now_ms=history.later(days=23)), policy=policy)

    with closed(trainer, mode=mode):
        outcomes = purged()
    assert {(outcome.done, outcome.detail) for outcome in outcomes} == {
        ("skipped", f"{trainer} cannot be read: permission denied")
    }
    assert (trainer / "model_run" / died).is_dir()
    # It waits as it was marked, so the next purge, which can look, goes on.
    assert [outcome.done for outcome in purged()] == ["purged", "purged"]
