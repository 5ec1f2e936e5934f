"""Batch by batch until somebody wants to stop; what is left says so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.builders import History
from tfx_janitor.deletion.act import NOT_BEGUN, Outcome
from tfx_janitor.deletion.batches import in_batches, not_begun
from tfx_janitor.errors import Stopped


def test_a_batch_that_was_begun_comes_to_its_end(history: History) -> None:
    done: list[int] = []

    def carry_out(batch: Sequence[int]) -> list[Outcome]:
        done.extend(batch)
        return [Outcome(artifact_id, "purged") for artifact_id in batch]

    site = history.site(stopping=lambda: len(done) > 2)
    outcomes = in_batches(site, [1, 2, 3, 4, 5], carry_out, left=not_begun, size=2)
    assert [(outcome.artifact_id, outcome.done) for outcome in outcomes] == [
        (1, "purged"),
        (2, "purged"),
        (3, "purged"),
        (4, "purged"),
        (5, "skipped"),
    ]
    assert outcomes[-1].detail == NOT_BEGUN


def test_a_site_reads_no_further(history: History) -> None:
    history.pipeline().retrain()
    heard: list[str] = []
    site = history.site(stopping=lambda: bool(heard), progress=lambda task, *_: heard.append(task))
    with pytest.raises(Stopped):
        site.read()
    assert heard == ["artifacts"]
