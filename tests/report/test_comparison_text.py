"""What of a comparison is listed where there is too much of it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.report.conftest import Decide, Show, checkpoint
from tfx_janitor.rehearsal.comparison import Comparison
from tfx_janitor.report.comparison_text import comparison_lines
from tfx_janitor.retention.plan import Decision, Plan, Reason, Summary

EXPIRED = Reason("expire.last", "rank 5 of 5, keeps 3", "models")


def plan_of(*decisions: Decision, reclaimable: int = 0) -> Plan:
    return Plan(0, 0, "sqlite:///m.db", {}, Summary(bytes_reclaimable=reclaimable), lambda: iter(decisions))


def lines(show: Show, old: Sequence[Decision], new: Sequence[Decision], most: int | None) -> list[str]:
    comparison = Comparison(plan_of(*old), plan_of(*new))
    return show(*comparison_lines(comparison, old="old.yaml", new="new.yaml", most=most))


def test_of_many_changes_those_that_delete_are_listed(decide: Decide, show: Show) -> None:
    kept = [decide(artifact_id=number) for number in (1, 2)]
    going = decide(EXPIRED, artifact_id=3, verdict="delete", bytes=1000)

    told = lines(show, [decide(artifact_id=3)], [*kept, going], most=1)

    assert " 3  1970-01-01 00:00  1.0 kB  keep -> delete  old: rule models: last" in told
    assert not [line for line in told if "ungoverned -> keep" in line]
    assert "2 more changes not listed here; --all lists everything" in told
    assert [line for line in lines(show, [], kept, most=None) if "ungoverned -> keep" in line]


def test_what_differs_inside_is_told_as_each_plan_tells_it(decide: Decide, show: Show) -> None:
    old = decide(checkpoints=(checkpoint(100), checkpoint(200)))
    new = decide(checkpoints=(checkpoint(100, "delete"), checkpoint(200)))

    told = "\n".join(lines(show, [old], [new], most=100))

    assert "keep; inside differs" in told
    assert "old: keeps ckpt-100, ckpt-200 (2.0 kB)" in told
    assert "new: deletes ckpt-100 (1.0 kB)" in told
    assert "1 checkpoint would be deleted inside what stays (1.0 kB)" in told
    assert "0 bytes would be freed, as before" in told


def test_names_from_the_store_cannot_steer_the_terminal(decide: Decide, show: Show) -> None:
    told = lines(show, [], [decide(pipeline="[red]\x1b[31m")], most=None)

    assert "[red]\\x1b[31m / Trainer / model (Model)" in told
