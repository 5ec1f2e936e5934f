"""The plan that an act tells of, altered since it was applied."""

from __future__ import annotations

import dataclasses
import json

from tests.builders import History
from tests.deletion.chain.tampering import found, only, rewrite
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.history import verify
from tfx_janitor.retention.plan import Plan


def test_an_altered_policy_is_found_and_named(history: History, plan: Plan):
    act = acts.read(history.store)[0]
    details = {**act.details, "policy": {**act.details["policy"], "grace": "1d"}}
    rewrite(history, act, details=json.dumps(details))
    assert found(verify(history.store)) == [("altered-act", act.id), ("altered-plan", act.id)]


def test_another_plan_id_is_found(history: History, plan: Plan):
    act = acts.read(history.store)[0]
    rewrite(history, act, details=json.dumps({**act.details, "plan_id": "sha256:" + "0" * 64}))
    assert found(verify(history.store)) == [("altered-act", act.id)]


def test_a_plan_that_was_altered_and_hashed_anew_is_not_the_one_that_was_applied(
    history: History, plan: Plan
):
    decisions = [dataclasses.replace(decision, reasons=decision.reasons[:0]) for decision in plan.decisions]
    altered = dataclasses.replace(plan, source=lambda: iter(decisions), id="")
    finding = only(verify(history.store, plan=altered))
    assert (finding.kind, finding.act_id, finding.found) == ("altered-plan", None, altered.id)


def test_what_was_decided_is_recorded_beside_the_plans_id(history: History, plan: Plan):
    reworded = [
        dataclasses.replace(d, reasons=tuple(dataclasses.replace(r, detail="so") for r in d.reasons))
        for d in plan.decisions
    ]
    # An id that is claimed: `Plan.from_json` would not let this pass.
    altered = dataclasses.replace(plan, source=lambda: iter(reworded))
    assert altered.id == plan.id
    finding = only(verify(history.store, plan=altered))
    assert (finding.kind, finding.act_id) == ("altered-plan", acts.read(history.store)[0].id)
