"""Histories as TFX pipelines leave them: plain values that Hypothesis makes up, and makes smaller again.

A history is drawn as a story: runs, each a list of steps (one node with its outcome), then touches (what
people, other tools and accidents did to single artifacts). Any part of a story may be dropped: that is what
makes a failing history shrink to a few rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import strategies as st

from tests.proof.rows import Value
from tests.proof.story import DAY, HOUR, MINUTE, NODES, ROOT, Run, Step, Touch, tell

_OUTCOMES = ["COMPLETE"] * 20 + [
    "CACHED",
    "CACHED",
    "CACHED",
    "PARTIAL",
    "RUNNING",
    "FAILED",
    "NEW",
    "CANCELED",
]
_USUAL = ["ExampleGen", "Trainer", "Evaluator", "Pusher"]
_PAUSES = [DAY, 0, 1, HOUR, 7 * DAY, 31 * DAY, 100 * DAY]
_CHOICES = st.integers(0, 31)


def _steps(nodes: Sequence[str]) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.sampled_from(nodes), st.sampled_from(_OUTCOMES), st.integers(0, 3), _CHOICES)


def _usual() -> st.SearchStrategy[list[Step]]:
    """The main job, mostly whole or without pushing: a mask that shrinks to nothing chooses its steps."""
    mask = st.one_of(st.integers(0, 15), st.just(15), st.just(15), st.just(7), st.just(3))
    steps = st.tuples(*(st.builds(Step, st.just(node), choice=_CHOICES) for node in _USUAL))
    return st.tuples(mask, steps).map(lambda t: [step for at, step in enumerate(t[1]) if t[0] >> at & 1])


RUNS = st.builds(
    Run,
    pipeline=st.sampled_from([0, 0, 0, 0, 0, 1, 2]),
    pause=st.sampled_from(_PAUSES),
    takes=st.sampled_from([MINUTE, 0, 1]),
    contexts=st.sampled_from(["all"] * 16 + ["run", "none"]),
    steps=st.one_of(
        st.lists(_steps(list(NODES)), max_size=6),
        _usual(),
        _usual(),
        st.tuples(_usual(), st.lists(_steps(list(NODES)), max_size=3)).map(lambda both: both[0] + both[1]),
    ),
)

_SPELLINGS = ["{own}/", "file://{own}", "{own}/../{at}", "/{own}", "{own}/.", "file://localhost{own}"]
_PLACES = [
    "{other}",
    "{other}/",
    "file://{other}",
    "{other}/inner",
    "{around}",
    "{other}0",
    ROOT,
    "/history/serving/taxi/inner",
]
_FOREIGN = [
    "/elsewhere/{at}",
    "/history/root2/{at}",
    "gs://bucket/{at}",
    "gs://bucket/all",
    "s3://bucket/a/../{at}/",
    "",
    "relative/{at}",
    "file://host/{at}",
    ROOT + "/../{at}",
]
_PROPERTIES: list[tuple[str, Value]] = [
    ("tags", "golden"),
    ("tags", "golden,audit-2026"),
    ("tags", "gold"),
    ("tags", "audit-2026 golden"),
    ("accuracy", 0.25),
    ("accuracy", 0.75),
    ("accuracy", math.nan),
    ("accuracy", "high"),
    ("accuracy", 1),
    ("span", 1),
    ("span", 3),
    ("span", "1"),
    ("span", 1.0),
    ("span", math.nan),
    ("version", 2),
    ("version", "2"),
    ("is_external", 1),
    ("is_external", 0),
]
_DAYS = st.sampled_from([None, None, None, None, 0, 5, 40, 4000])
_STATES = ["MARKED_FOR_DELETION"] * 3 + ["DELETED"] * 3 + ["PENDING", "ABANDONED", "UNKNOWN", "REFERENCE"]

TOUCHES = st.builds(
    lambda at, change: Touch(at, *change),
    st.integers(0, 40),
    st.one_of(
        st.tuples(st.just("state"), st.sampled_from(_STATES)),
        st.tuples(st.just("property"), st.sampled_from(_PROPERTIES)),
        st.tuples(st.just("property"), st.sampled_from(_PROPERTIES)),
        st.tuples(st.just("pin"), st.tuples(_DAYS, _DAYS)),
        st.tuples(st.just("place"), st.sampled_from(_SPELLINGS + _PLACES + _FOREIGN)),
        st.tuples(st.just("created"), st.sampled_from([None, -1, 1, -DAY, -9 * DAY])),
        st.tuples(st.sampled_from(["damaged", "gone"])),
        st.tuples(st.just("bytes"), st.sampled_from([0, 1, 25, 1000])),
    ),
)

HISTORIES = st.builds(
    tell,
    st.lists(RUNS, min_size=2, max_size=8),
    st.lists(TOUCHES, max_size=10),
    st.sampled_from([3 * DAY, 9 * DAY, 50 * DAY, 0, HOUR, -HOUR]),
)
"""Histories, mostly of 5 to 40 artifacts."""
