"""A mark that a purge could not carry out is not one to which no purge came."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.builders import History, keep_models
from tests.deletion.surroundings import closed
from tfx_janitor.audit.audit import audit
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.payload.verification import Level


@pytest.mark.parametrize("tried", [False, True])
def test_whether_a_purge_came_is_told(tmp_path: Path, tried: bool) -> None:
    history = History(tmp_path)
    pipeline = history.pipeline()
    old, _ = (pipeline.retrain(blessed=None, pushed=False) for _ in range(2))
    policy = history.policy(rules=[keep_models(last=1)], grace=timedelta(days=1))
    collect(history.site(), policy)
    if tried:
        with closed(old.model.path.parent, mode=0o555):
            (outcome,) = purge(history.site(now_ms=history.later(days=2)))
        assert (outcome.done, "Permission denied" in outcome.detail) == ("failed", True)
    (finding,) = audit(history.site(now_ms=history.later(days=9)), policy, Level.STRUCTURE).findings
    ending = "and a purge failed at it: its history tells why" if tried else "and no purge came"
    assert (finding.code, finding.mend) == ("stuck-mark", ("purge",))
    assert finding.detail.endswith(ending)
