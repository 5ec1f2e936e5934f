"""hold.shared-payload: bytes that lie in, at or around what stays, stay."""

from __future__ import annotations

import pytest

from tests.retention.pure_histories import PureHistory, codes, told
from tests.retention.settling import ONE_MODEL, retrained
from tfx_janitor.lineage.snapshot import ArtifactState


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        ("/pipelines/a/b", "/pipelines/a/b"),
        ("/pipelines/a/b", "/"),
        ("/pipelines/a/b", "/pipelines/a/b/c/d"),
        ("/pipelines/a/MAX", "/pipelines/a/MAX/1"),
        ("/pipelines/a/b", "/pipelines/a"),
        ("/pipelines/a/b", "/pipelines"),
    ],
)
def test_bytes_that_something_else_needs_stay(past: PureHistory, mine: str, others: str) -> None:
    first, _ = retrained(past)
    past.change(first.model, uri=mine)
    other = past.artifact("Examples", uri=others)
    assert told(past.decisions(rules=ONE_MODEL)[first.model]) == [
        f"hold.shared-payload: artifact {other}, which stays, lies in, at or around its payload: {others} "
        f"[artifact {first.model} > artifact {other}]",
    ]


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        ("/pipelines/a/b", "/pipelines/a/bc"),
        ("/pipelines/a/b", "/pipelines/a/c/b"),
        ("/pipelines/a/b-1", "/pipelines/a/b"),
        ("/pipelines/a/b", "gs://pipelines/a/b"),
    ],
)
def test_names_that_only_look_alike_share_nothing(past: PureHistory, mine: str, others: str) -> None:
    first, _ = retrained(past)
    past.change(first.model, uri=mine)
    past.artifact("Examples", uri=others)
    assert past.deleted(rules=ONE_MODEL) == [first.model]
    assert past.settlement(rules=ONE_MODEL).clusters == {}


def test_two_that_lie_in_the_same_place_beside_each_other_do_not_hold_each_other(past: PureHistory) -> None:
    first, second, _ = retrained(past, 3)
    past.change(first.model, uri="/pipelines/all/1")
    past.change(second.model, uri="/pipelines/all/2")
    around = past.artifact("Examples", uri="/pipelines/all")
    past.change(around, state=ArtifactState.DELETED)
    past.unplaced.add(around)
    assert past.deleted(rules=ONE_MODEL) == [first.model, second.model]


def test_siblings_below_a_payload_that_goes_as_well_are_compared_with_it_and_not_with_each_other(
    past: PureHistory,
) -> None:
    first, second, third, _ = retrained(past, 4)
    past.change(first.model, uri="/pipelines/all")
    past.change(second.model, uri="/pipelines/all/2")
    past.change(third.model, uri="/pipelines/all/3")
    assert past.deleted(rules=ONE_MODEL) == [first.model, second.model, third.model]
    past.pin(third.model)
    decisions = past.decisions(rules=ONE_MODEL)
    assert codes(decisions[first.model]) == ["hold.shared-payload"]
    # What lies in the first one is held by it in turn, though it does not touch the one that is pinned.
    assert told(decisions[second.model]) == [
        f"hold.shared-payload: artifact {first.model}, which stays, lies in, at or around its payload: "
        f"/pipelines/all [artifact {second.model} > artifact {first.model}]"
    ]


def test_of_several_that_share_with_one_that_stays_each_names_that_one(past: PureHistory) -> None:
    runs = retrained(past, 3)
    for run in runs:
        past.change(run.model, uri="/pipelines/m")
    decisions = past.decisions(rules=ONE_MODEL)
    for run in runs[:2]:
        assert told(decisions[run.model])[0].endswith(f"[artifact {run.model} > artifact {runs[2].model}]")
    past.change(runs[2].model, uri="/pipelines/elsewhere")
    past.change(runs[2].pushed, properties={"pushed_destination": "/pipelines/m/serving"})
    past.served = {runs[2].pushed}
    decisions = past.decisions(rules=ONE_MODEL)
    for run in runs[:2]:
        assert told(decisions[run.model])[0].endswith(f"[artifact {run.model} > artifact {runs[2].pushed}]")


def test_the_last_payloads_of_a_store_are_compared_as_well(past: PureHistory) -> None:
    first, _ = retrained(past)
    past.change(first.model, uri="/pipelines/zz")
    twin = past.artifact("Examples", uri="/pipelines/zz")
    assert told(past.decisions(rules=ONE_MODEL)[first.model])[0].endswith(f"artifact {twin}]")


@pytest.mark.parametrize("served", ["/pipelines/m", "/pipelines/m/serving/1", "/pipelines"])
def test_a_version_that_is_served_holds_the_payload_that_it_touches(past: PureHistory, served: str) -> None:
    first, second = retrained(past)
    past.change(first.model, uri="/pipelines/m")
    past.change(second.pushed, properties={"pushed_destination": served})
    past.served = {second.pushed}
    assert told(past.decisions(rules=ONE_MODEL)[first.model]) == [
        f"hold.shared-payload: the served version {served} lies in, at or around its payload "
        f"[artifact {first.model} > artifact {second.pushed}]"
    ]


def test_a_version_that_is_served_elsewhere_holds_nothing(past: PureHistory) -> None:
    first, second = retrained(past)
    past.change(first.model, uri="/pipelines/m")
    past.change(past.artifact("Examples"), uri="/pipelines/m/x", state=ArtifactState.LIVE)
    past.change(second.pushed, properties={"pushed_destination": "/pipelines/m2"})
    past.served = {second.pushed}
    reasons = told(past.decisions(rules=ONE_MODEL)[first.model])
    assert len(reasons) == 1
    assert "artifact 109, which stays" in reasons[0]
