"""Threads that answer item by item, and scouts that look until somebody wants to stop."""

from __future__ import annotations

import threading

import pytest

from tfx_janitor.errors import Stopped
from tfx_janitor.survey.crew import Failed, Scouts, Threads


def test_one_item_that_goes_wrong_hides_no_other() -> None:
    answers = Threads(2).run("divide", lambda number: 12 // number, [1, 0, 3])
    assert answers == [12, Failed("integer division or modulo by zero"), 4]


def test_few_items_are_worked_on_side_by_side() -> None:
    both = threading.Barrier(2)
    assert Threads(2).run("meet", lambda _: both.wait(timeout=20) >= 0, [1, 2]) == [True, True]


def test_many_items_are_handed_over_by_the_dozen_and_answered_in_their_order() -> None:
    told: list[tuple[str, int, int]] = []
    threads = Threads(2, lambda *progress: told.append(progress))

    answers = threads.run("divide", lambda number: 12 // number, range(1000))

    assert answers[:4] == [Failed("integer division or modulo by zero"), 12, 6, 4]
    assert len(answers) == 1000
    assert told == sorted(told)
    assert told[-1] == ("divide", 1000, 1000)
    assert len(told) < 100


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
