"""Acts of older versions carry no hash, and those of newer ones must."""

from __future__ import annotations

import pytest

from tests.builders import History
from tests.deletion.chain.tampering import found, hash_of, only, rewrite, without_hashes
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.history import verify
from tfx_janitor.retention.plan import Plan


def test_acts_of_an_older_version_are_no_finding(history: History, plan: Plan):
    without_hashes(history, *acts.read(history.store))
    verified = verify(history.store, plan=plan)
    assert (verified.findings, verified.heads) == ((), ())
    assert (verified.acts, verified.sealed) == (4, 0)

    first = acts.begin(history.site(), "rescue", [], {})
    verified = verify(history.store)
    assert verified.findings == ()
    assert [act_id for act_id, _ in verified.heads] == [first]


def test_an_act_without_a_hash_after_one_that_has_one_is_found(history: History, plan: Plan):
    newest = acts.read(history.store)[-1]
    without_hashes(history, newest)
    finding = only(verify(history.store))
    assert (finding.kind, finding.act_id) == ("unsealed-act", newest.id)


@pytest.mark.parametrize("which", [0, 1])
def test_a_hash_that_was_taken_away_is_found_where_another_act_names_it(
    history: History, plan: Plan, which: int
):
    act = acts.read(history.store)[which]
    without_hashes(history, act)
    finding = only(verify(history.store))
    assert (finding.kind, finding.act_id, finding.expected) == ("altered-act", act.id, hash_of(act))


def test_an_unreadable_act_of_an_older_version_is_found(history: History, plan: Plan):
    known = acts.read(history.store)
    without_hashes(history, *known)
    rewrite(history, known[0], details="no JSON")
    assert found(verify(history.store)) == [("altered-act", known[0].id)]
