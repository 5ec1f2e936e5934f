"""Threads that answer item by item, and scouts that look until somebody wants to stop."""

from __future__ import annotations

import pytest

from tfx_janitor.errors import Stopped
from tfx_janitor.survey.crew import Failed, Scouts, Threads


def test_one_item_that_goes_wrong_hides_no_other() -> None:
    answers = Threads(2).run("divide", lambda number: 12 // number, [1, 0, 3])
    assert answers == [12, Failed("integer division or modulo by zero"), 4]


def test_scouts_begin_nothing_new_and_give_no_answer() -> None:
    seen: list[int] = []
    scouts = Scouts(Threads(1), lambda: len(seen) == 2)
    with pytest.raises(Stopped):
        scouts.run("look", seen.append, [1, 2, 3, 4])
    assert seen == [1, 2]


def test_scouts_that_nobody_stops_are_a_crew() -> None:
    scouts = Scouts(Threads(2), lambda: False)
    assert scouts.run("look", str, [1, 2]) == ["1", "2"]
    assert scouts.run("look", str, []) == []
