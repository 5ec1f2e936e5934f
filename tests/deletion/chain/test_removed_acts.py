"""Acts that were taken away, and what only shows to who noted the head of the chain."""

from __future__ import annotations

import pytest

from tests.builders import History, Retraining
from tests.deletion.chain.tampering import found, hash_of, remove_acts, write_sql
from tfx_janitor.deletion import acts, pins
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.history import verify
from tfx_janitor.retention.plan import Plan


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_removed_act_is_found(history: History, plan: Plan, which: int):
    known = acts.read(history.store)
    removed, after = known[which], known[which + 1]
    remove_acts(history, removed)
    finding = verify(history.store).findings[0]
    assert (finding.kind, finding.act_id) == ("removed-act", removed.id)
    assert finding.expected == hash_of(removed)
    assert f"act {after.id} names it" in finding.detail


def test_the_newest_acts_removed_show_only_to_who_noted_the_head(history: History, plan: Plan):
    first, *removed = acts.read(history.store)
    remove_acts(history, *removed)
    write_sql(history, "DELETE FROM Context WHERE name LIKE 'artifact-%-act-%'")
    assert verify(history.store).findings == ()
    assert verify(history.store, noted=[hash_of(first)]).findings == ()
    assert found(verify(history.store, noted=[hash_of(removed[-1])])) == [("missing-head", None)]


def test_a_head_that_was_noted_is_still_there_when_more_was_done(history: History, plan: Plan):
    noted = [hash for _, hash in verify(history.store).heads]
    pins.pin(history.site(), acts.read(history.store)[-1].touches[0].artifact_id, "again")
    assert verify(history.store, noted=noted).findings == ()
    assert noted != [hash for _, hash in verify(history.store).heads]


def test_a_beginning_that_was_noted_stands_when_the_act_has_ended(history: History, runs: list[Retraining]):
    act_id = acts.begin(history.site(), "purge", [Touch(runs[0].model.id, "purge")], {})
    noted = [hash for _, hash in verify(history.store).heads]
    acts.end(history.site(), act_id, [Outcome(runs[0].model.id, "purged", bytes=5)])
    assert verify(history.store, noted=noted).findings == ()
