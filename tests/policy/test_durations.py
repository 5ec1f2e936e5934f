"""Lengths of time as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_janitor.policy.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30m", timedelta(minutes=30)),
        ("36h", timedelta(hours=36)),
        ("2w", timedelta(days=14)),
        ("1d12h", timedelta(hours=36)),
        (" 1w 2d 3h 4m 5s 6ms ", timedelta(days=9, hours=3, minutes=4, seconds=5, milliseconds=6)),
        ("0s", timedelta()),
    ],
)
def test_durations(text: str, duration: timedelta):
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "7", "-7d", "1.5h", "7 days", "d", "12h1d", "1d1d", "9" * 30 + "d", "٣d", "1 2d"]
)
def test_texts_that_are_no_duration(text: str):
    with pytest.raises(ValueError, match=r"^expected "):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=40_000)))
def test_durations_have_one_canonical_text(duration: timedelta):
    rounded = duration - timedelta(microseconds=duration.microseconds % 1000)
    assert parse_duration(format_duration(rounded)) == rounded


def test_canonical_durations():
    texts = ["2w", "24h", "90m", "1d12h", "0d", "60s", "1500ms"]
    assert [format_duration(parse_duration(text)) for text in texts] == [
        "14d",
        "1d",
        "1h30m",
        "1d12h",
        "0s",
        "1m",
        "1s500ms",
    ]


@pytest.mark.parametrize("duration", [timedelta(days=-1), timedelta(microseconds=1)])
def test_durations_without_a_text(duration: timedelta):
    with pytest.raises(ValueError, match="expected a duration of zero or more whole milliseconds"):
        format_duration(duration)
