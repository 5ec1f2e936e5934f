"""A replay in words: by days or months, by first use, and in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from tests.report.conftest import Show
from tfx_janitor.rehearsal.replayed import Replay, ReplayedMark
from tfx_janitor.rehearsal.uses import Use
from tfx_janitor.report.replay_text import replay_lines
from tfx_janitor.retention.timestamps import from_iso

START = from_iso("2026-01-01T10:00:00Z")
HOUR = 3_600_000
DAY = 24 * HOUR


def mark(number: int, *, deleted_ms: int = START + DAY, **changes: Any) -> ReplayedMark:
    fields: dict[str, Any] = {
        "artifact_id": number,
        "type": "Model",
        "uri": f"/srv/pipelines/{number}",
        "pipeline": "inception",
        "run": "run-1",
        "node": "Trainer",
        "output": "model",
        "created_ms": 0,
        "bytes": 1000,
        "marked_ms": START,
        "why": (),
        "fate": "deleted",
        "fate_ms": deleted_ms,
    }
    return ReplayedMark(**{**fields, **changes})


def replay_of(*marks: ReplayedMark, thinned: bool = False) -> Replay:
    return Replay({}, START, START + 60 * DAY, ends=90, judged=120, thinned=thinned, marks=marks)


def lines(show: Show, replay: Replay, **told: Any) -> list[str]:
    return show(*replay_lines(replay, name="new.yaml", **told))


def test_the_first_line_tells_what_was_replayed(show: Show) -> None:
    told = "Replayed 60d of history, 2026-01-01 10:00 to 2026-03-02 10:00 UTC: 90 ends of runs, judged at 120"

    assert lines(show, replay_of())[0] == f"{told} moments."
    assert "Not every end was judged" in lines(show, replay_of(thinned=True))[0]


def test_deletions_are_told_by_day_while_the_days_are_few(show: Show) -> None:
    few = replay_of(*(mark(day, deleted_ms=START + day % 2 * DAY) for day in range(3)))
    many = replay_of(*(mark(day, deleted_ms=START + day * DAY) for day in range(40)))

    assert [line.split() for line in lines(show, few) if line.startswith("2026-")] == [
        ["2026-01-01", "2", "2.0", "kB"],
        ["2026-01-02", "1", "1.0", "kB"],
    ]
    assert [line.split()[:2] for line in lines(show, many) if line.startswith("2026-")] == [
        ["2026-01", "31"],
        ["2026-02", "9"],
    ]


def test_one_payload_of_two_artifacts_is_counted_once_and_what_is_gone_not_at_all(show: Show) -> None:
    told = lines(show, replay_of(mark(1), mark(2, uri="/srv/pipelines/1"), mark(3, bytes=None)))

    assert "2026-01-02             3  1.0 kB" in told
    assert "The sizes leave out 1 payload that is gone already." in told
    assert "new.yaml would have deleted 3 artifacts (1.0 kB), none of which was used later." in told


def test_a_regret_is_told_by_its_first_use(show: Show) -> None:
    uses = (
        Use("cache", START + DAY + 26 * HOUR, 40, "inception", "run-9", "Trainer"),
        Use("input", START + 9 * DAY, 50),
    )

    told = lines(show, replay_of(mark(7, regrets=uses), mark(8)))

    assert (
        " 7  Model  2026-01-01 10:00  2026-01-02 10:00  1d2h later  "
        "cache hit: Trainer of run-9 (execution 40) in inception; 1 more use"
    ) in told
    assert told[-1] == "new.yaml would have deleted 2 artifacts (2.0 kB), 1 of which was used later."


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (Use("pin", START + 2 * DAY), "1d later  pinned by a person"),
        (Use("input", START + DAY + 90_000, 5), "1m30s later  input: an execution (execution 5)"),
        (
            Use("resolve", START + DAY + 3 * HOUR, 5, "p", None, "R"),
            "3h later  resolved: R (execution 5) in p",
        ),
    ],
)
def test_who_used_it_is_told_as_far_as_it_is_known(show: Show, use: Use, told: str) -> None:
    assert any(line.endswith(told) for line in lines(show, replay_of(mark(7, regrets=(use,)))))


def test_what_was_missed_in_the_grace_is_told_apart(show: Show) -> None:
    missed = (Use("resolve", START + HOUR, 5, "p", "r", "Resolver"),)

    told = lines(show, replay_of(mark(7, fate="rescued", missed=missed)))

    assert "Looked for in vain while it would have been marked:" in told
    (line,) = [line for line in told if line.strip().startswith("7 ")]
    assert line.endswith("rescued        1h later  resolved: Resolver of r (execution 5) in p")
    assert told[-1] == "new.yaml would have deleted nothing."


def test_of_many_regrets_some_are_listed(show: Show) -> None:
    regrets = (Use("input", START + 3 * DAY, 5),)
    many = replay_of(*(mark(number, regrets=regrets) for number in range(5)))

    assert "3 more not listed here; --all lists everything" in lines(show, many, most=2)
    assert not [line for line in lines(show, many, most=None) if "not listed" in line]


def test_two_policies_stand_side_by_side(show: Show) -> None:
    old = replay_of(mark(1, regrets=(Use("input", START + 3 * DAY, 5),)))
    new = replay_of(mark(1, fate="rescued"), mark(2, fate="marked"))

    told = lines(show, new, other=("old.yaml", old))

    assert "Used after it would have been deleted by old.yaml:" in told
    rows = [line.rsplit(None, 2) for line in told]
    assert ["of it used later", "1", "0"] in rows
    assert ["kept again in time", "0", "1"] in rows
    assert ["marked at the end", "0", "1"] in rows
    assert told[-1] == (
        "new.yaml would have deleted nothing; old.yaml 1 artifact (1.0 kB), 1 of which was used later."
    )
