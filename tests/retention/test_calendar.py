"""Calendar periods, in UTC, on Models that are told by the day they were made on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.retention.pure_histories import HOUR, PureHistory, keep, on_day, told
from tfx_janitor.retention.calendar import PERIODS
from tfx_janitor.retention.timestamps import moment


def made_on(*days: float) -> tuple[PureHistory, dict[float, int]]:
    """Models by day; a last run on day 99 takes the holds upon itself, and is its own pipeline."""
    past = PureHistory()
    models = {day: past.run(day=day).train()[0] for day in days}
    newest = past.run(day=99).train()[0]
    past.change(newest, properties={"kind": "newest"})
    for model in models.values():
        past.change(model, properties={"kind": "old"})
    return past, models


def rule(**words: Any) -> dict[str, Any]:
    return {**keep("Model", **words), "group_by": ["properties.kind"]}


def kept(days: Sequence[float], **words: Any) -> list[float]:
    """The days whose Model stays."""
    past, models = made_on(*days)
    gone = past.deleted(rules=[rule(**words)])
    return [day for day, model in models.items() if model not in gone]


@pytest.mark.parametrize(
    ("word", "days", "stay"),
    [
        ("hourly", [0, 0.01, 0.02, 0.1, 0.11], [0.02, 0.11]),
        ("daily", [0, 0.5, 1, 1.5, 2], [1.5, 2]),
        ("weekly", [0, 1, 6.9, 7, 8], [6.9, 8]),  # day 0 is a Monday
        ("monthly", [0, 20, 27, 50, 60], [50, 60]),  # 5, 25 January; 1, 24 February; 6 March
        ("quarterly", [0, 80, 86, 90], [80, 90]),  # 5, 26 January... 1 April is day 86
        ("yearly", [-10, -6, 0, 90], [-6, 90]),
    ],
)
def test_each_period_keeps_its_newest(word: str, days: Sequence[float], stay: Sequence[float]) -> None:
    assert kept(days, **{word: 2}) == stay


def test_the_names_of_periods() -> None:
    new_year = moment(on_day(-4))  # Thursday, 1 January 2026
    assert {word: period(new_year) for word, period in PERIODS.items()} == {
        "hourly": "2026-01-01 00h",
        "daily": "2026-01-01",
        "weekly": "2026-W01",
        "monthly": "2026-01",
        "quarterly": "2026-Q1",
        "yearly": "2026",
    }
    assert PERIODS["weekly"](moment(on_day(-5))) == "2026-W01"  # 31 December 2025 is of the same ISO week
    assert PERIODS["yearly"](moment(on_day(-4) - 1)) == "2025"
    assert PERIODS["quarterly"](moment(on_day(-4) - HOUR)) == "2025-Q4"


def test_where_too_few_periods_are_there_the_oldest_stays_too() -> None:
    assert kept([0, 0.1, 0.2], daily=2) == [0, 0.2]
    assert kept([0, 0.1, 0.2, 1], daily=2) == [0.2, 1]
    assert kept([0, 0.1, 0.2, 1], daily=3) == [0, 0.2, 1]


def test_a_coarse_word_does_not_count_what_a_finer_one_keeps() -> None:
    days = [0, 7, 14, 15, 16, 17]
    assert kept(days, daily=3) == [15, 16, 17]
    assert kept(days, weekly=2) == [7, 17]
    assert kept(days, daily=3, weekly=1) == [7, 15, 16, 17]  # the third week is there already
    assert kept(days, any_of=[{"daily": 3}, {"weekly": 1}]) == [15, 16, 17]  # not beside each other


def test_each_says_what_it_counted() -> None:
    past, models = made_on(0, 0.5, 7, 7.5, 8)
    decisions = past.decisions(rules=[rule(daily=2, weekly=2, last=1)])
    assert told(decisions[models[8]])[:2] == [
        "keep.last (model): rank 1 of 5, the newest is kept",
        "keep.daily (model): the newest of 2026-01-13, number 1 of the 2 that are kept",
    ]
    assert told(decisions[models[7.5]]) == [
        "keep.daily (model): the newest of 2026-01-12, number 2 of the 2 that are kept"
    ]
    assert told(decisions[models[0.5]]) == [
        "keep.weekly (model): the newest of 2026-W02, number 1 of the 2 that are kept"
    ]
    assert told(decisions[models[0]]) == [
        "keep.weekly (model): the oldest, of 2026-W02, number 2 of the 2 that are kept"
    ]
    assert told(decisions[models[7]]) == [
        "expire.last (model): rank 3 of 5, keeps 1",
        "expire.daily (model): not the newest of 2026-01-12",
        "expire.weekly (model): not the newest of 2026-W03",
    ]


def test_what_was_counted_elsewhere_says_so() -> None:
    past, models = made_on(0, 1)
    settled = past.settlement(rules=[rule(daily=1, weekly=1)])
    reasons = {r.code: r.detail for r in settled.reasons_of(models[1] - 101)}
    assert reasons["expire.weekly"] == "the newest of 2026-W02; daily keeps it already"
    beyond = past.decisions(rules=[rule(daily=1)])[models[0]]
    assert told(beyond) == ["expire.daily (model): the newest of 2026-01-05, beyond the one that is kept"]


def test_a_damaged_row_has_some_period() -> None:
    assert PERIODS["daily"](moment(10**18)) == "9999-12-31"
    assert PERIODS["daily"](moment(-(10**18))) in ("1-01-01", "0001-01-01")


def test_one_of_one_is_told_without_a_number() -> None:
    past, models = made_on(0, 1)
    assert told(past.decisions(rules=[rule(daily=1)])[models[1]]) == [
        "keep.daily (model): the newest of 2026-01-06, the one that is kept"
    ]
