"""Pins come with a reason, and go."""

from __future__ import annotations

import pytest

from tests.builders import History
from tests.deletion.three_runs import three_runs
from tfx_janitor.deletion import acts, pins
from tfx_janitor.errors import JanitorError


def test_pins_need_a_reason_an_artifact_and_a_future(history: History) -> None:
    runs = three_runs(history)
    with pytest.raises(JanitorError, match="expected a reason"):
        pins.pin(history.site(), runs[0].model.id, " ")
    with pytest.raises(JanitorError, match="has no 4711"):
        pins.pin(history.site(), 4711, "because")
    with pytest.raises(JanitorError, match="future"):
        pins.pin(history.site(), runs[0].model.id, "because", until_ms=1)
    with pytest.raises(JanitorError, match="no pin stands"):
        pins.unpin(history.site(), runs[0].model.id)
    assert acts.read(history.store) == []


def test_pins_come_and_go_and_touch_no_artifact(history: History) -> None:
    runs = three_runs(history)
    before = history.row(runs[0].model)
    pins.pin(history.site(), runs[0].model.id, "one")
    pins.pin(history.site(), runs[0].model.id, "two")
    assert [pin.reason for pin in pins.standing(history.site())] == ["one", "two"]
    assert len(pins.unpin(history.site(), runs[0].model.id)) == 2
    assert pins.standing(history.site()) == []
    assert history.row(runs[0].model) == before
