"""Codes become words in one place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tfx_janitor.retention as retention
from tests.report.conftest import Decide, checkpoint
from tfx_janitor.report.sentences import _BRIEF, brief, inside, sentence, totals, why, why_checkpoint
from tfx_janitor.retention.plan import Reason

LAST = Reason("keep.last", "rank 1 of 3, the newest 2 are kept", "models")
PUSHED = Reason("keep.pushed", "rank 1 of 1, the newest pushed 2 are kept", "models")
MISSED = Reason("expire.last", "rank 5 of 7, keeps 3", "models")
TOO_OLD = Reason("expire.newer-than", "older than the limit since 2026-01-01", "models")
SERVED = Reason("hold.served", "served at /srv/serving/1")


@pytest.mark.parametrize(
    ("reason", "in_full", "in_brief"),
    [
        (LAST, "last: rank 1 of 3, the newest 2 are kept (rule models)", "rule models: last"),
        (
            TOO_OLD,
            "newer_than: older than the limit since 2026-01-01 (rule models)",
            "rule models: newer_than",
        ),
        (Reason("expire.last", "rank 2 of 2, keeps 1"), "last: rank 2 of 2, keeps 1", "last"),
        (SERVED, "served at /srv/serving/1", "served"),
        (
            Reason("hold.external", "is_external is set"),
            "not made by a pipeline: is_external is set",
            "external",
        ),
        (Reason("hold.of-tomorrow"), "of tomorrow", "of tomorrow"),
        (
            Reason("keep.prunes-inside", "this rule never deletes", "checkpoints"),
            "this rule never deletes (rule checkpoints)",
            "rule checkpoints: prunes_inside",
        ),
        (
            Reason("unknown.mixed-types", "values have different types", "models"),
            "values have different types (rule models)",
            "mixed types",
        ),
    ],
)
def test_a_reason_in_full_and_in_brief(reason: Reason, in_full: str, in_brief: str):
    assert (sentence(reason), brief(reason)) == (in_full, in_brief)


def hold_codes() -> Iterator[str]:
    for module in Path(retention.__path__[0]).glob("*.py"):
        for line in module.read_text().split('"')[1::2]:
            if line.startswith("hold.") and line.isprintable() and " " not in line:
                yield line


def test_every_hold_has_words():
    assert set(hold_codes()) <= set(_BRIEF)
    assert "hold.served" in set(hold_codes())


def test_what_stays_is_told_in_brief(decide: Decide):
    assert why(decide(SERVED, LAST, PUSHED)) == "served; rule models: last, pushed"


def test_what_goes_is_told_in_full(decide: Decide):
    told = "rule models: last: rank 5 of 7, keeps 3; newer_than: older than the limit since 2026-01-01"
    assert why(decide(MISSED, TOO_OLD, verdict="delete")) == told


def test_what_is_not_understood_is_told_alone(decide: Decide):
    unknown = Reason("unknown.uri", "no handler for gs:// yet")
    assert why(decide(unknown, LAST, verdict="unknown")) == "no handler for gs:// yet"


def test_a_mark_is_told_first(decide: Decide):
    marked = {"state": "MARKED_FOR_DELETION"}
    assert why(decide(MISSED, verdict="delete", **marked)).startswith("already marked; rule models")
    assert why(decide(LAST, **marked)).startswith("marked, will be rescued unless discarded; rule models")


def test_checkpoints_inside_are_summed_up(decide: Decide):
    found = tuple(checkpoint(step, "delete") for step in range(1, 7))
    made = decide(checkpoints=(*found, checkpoint(7), checkpoint(8, "unknown")))
    assert inside(made) == [
        "deletes ckpt-1, ckpt-2, ... ckpt-6: 6 checkpoints (6.0 kB)",
        "keeps ckpt-7 (1.0 kB)",
        "cannot judge ckpt-8 (1.0 kB)",
    ]


def test_checkpoints_that_are_marked_are_told(decide: Decide):
    made = decide(
        artifact_id=7, checkpoints=(*(checkpoint(step, "delete") for step in (1, 2)), checkpoint(3))
    )
    elsewhere = [(8, "", "ckpt-2"), (7, "eval", "ckpt-2")]
    keeps = "keeps ckpt-3 (1.0 kB)"
    assert inside(made, elsewhere) == ["deletes ckpt-1, ckpt-2 (2.0 kB)", keeps]
    one = [(7, "", "ckpt-2"), (7, "", "ckpt-3"), *elsewhere]
    assert inside(made, one) == ["deletes ckpt-1, ckpt-2 (2.0 kB), 1 of them already marked", keeps]
    assert inside(made, [*one, (7, "", "ckpt-1")]) == [
        "deletes ckpt-1, ckpt-2 (2.0 kB), already marked",
        keeps,
    ]


def test_the_reason_of_a_checkpoint():
    damaged = checkpoint(1, "unknown", Reason("unknown.damaged-checkpoint", "ckpt-1.index is empty"))
    assert why_checkpoint(damaged) == "ckpt-1.index is empty"
    assert why_checkpoint(checkpoint(1, "delete", MISSED)) == "rule models: last: rank 5 of 7, keeps 3"


def test_totals_leave_out_what_there_is_none_of():
    assert totals(marked=3, skipped=0, failed=1) == "3 marked, 1 failed"
    assert totals() == "nothing"
