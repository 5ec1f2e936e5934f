"""What a person reads of a policy's worst case, and what a program gets."""

from __future__ import annotations

from typing import Any

from tests.report.conftest import Show
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.report.policy_explanation import PolicyExplanation, explain_policy, policy_lines


def explained(*keeps: dict[str, Any], **changes: Any) -> PolicyExplanation:
    rules = [
        {"name": f"rule-{number}", "match": {"type": "Model"}, "keep": keep}
        for number, keep in enumerate(keeps, 1)
    ]
    return explain_policy(
        RetentionPolicy.from_dict({"version": 1, "roots": ["/srv"], "rules": rules, **changes})
    )


def shown(show: Show, explanation: PolicyExplanation) -> list[str]:
    return show(*policy_lines(explanation), width=1000)


def test_a_history_is_a_table_with_one_sentence_behind_it(show: Show):
    lines = shown(show, explained({"last": 1, "pushed": 1}))
    at = lines.index("The smallest history in which it lets something go that was ever pushed:")
    assert lines[at + 1 : at + 5] == [
        "run    created (UTC)     pushed  blessed  served  verdict  why (Model)",
        "run-1  2026-08-18 12:59  yes     yes      no      delete   rule rule-1: last: rank 2 of 2, keeps 1; "
        "pushed: rank 2 of 2, keeps 1",
        "run-2  2026-08-19 12:59  yes     yes      no      keep     newest of its node; latest blessed; rule "
        "rule-1: last, pushed",
        "It takes 2 runs, a day apart; all of them pushed. Then, on 2026-08-21, the Model of run-1 may go, "
        "though run-1 was pushed.",
    ]
    assert lines[-1] == (
        "After 2 runs something that was pushed may be gone: the Model of run-1, under rule rule-1."
    )


def test_runs_that_nothing_tells_apart_share_a_line(show: Show):
    lines = shown(show, explained({"last": 30, "best": {"metric": "auc", "count": 1, "mode": "max"}}))
    at = lines.index("The smallest history in which it lets something go that was ever pushed:")
    assert [line.split("  ")[0] for line in lines[at + 2 : at + 5]] == ["run-1", "run-2 to run-30", "run-31"]
    assert "2026-07-21 12:59 to 2026-08-18 12:59" in lines[at + 3]
    assert "0.501 to 0.529" in lines[at + 3]


def test_what_is_out_of_the_ordinary_is_told():
    (case,) = explained({"best": {"metric": "auc", "count": 2, "mode": "max"}}).to_dict()["rules"]
    assert "; one of them pushed; no metric recorded for any. Then, on " in case["conclusion"]
    (case,) = explained({"blessed": 2}).to_dict()["rules"]
    assert "; none of them blessed. " in case["conclusion"]
    (case,) = explained({"max_bytes": "1GB"}).to_dict()["rules"]
    assert "; each payload 1.0 GB. " in case["conclusion"]
    (case,) = explained({"last": 5, "unless": {"tagged": "x"}}).to_dict()["rules"]
    assert "; each tagged x. " in case["conclusion"]
    (case,) = explained({"within": "30d", "daily": 9}).to_dict()["rules"]
    assert case["conclusion"].startswith("It takes 4 runs, an hour apart, the newest 31 days later; one of")


def test_the_conclusion_is_about_the_rule_that_loses_first():
    explanation = explained({"last": 3}, {"last": 7})
    assert [len(case.loss.runs) for case in explanation.worst if case.loss] == [8, 8]
    policy = {
        "rules": [
            {"name": "models", "match": {"type": "Model"}, "keep": {"last": 9}},
            {"name": "runs", "match": {"type": "ModelRun"}, "keep": {"last": 2}},
        ]
    }
    assert explained(**policy).conclusion == (
        "After 3 runs something that was pushed may be gone: the ModelRun of run-1, under rule runs."
    )


def test_nothing_found_says_how_far_it_looked(show: Show):
    lines = shown(show, explained({"used_by": "*"}))
    bound = "up to 200 runs, over up to 10 years."
    assert f"No history was found in which any pushed Models would go: {bound}" in lines
    assert lines[-1] == f"Nothing that was ever pushed would go in any history that was tried: {bound}"


def test_cautions_stand_before_the_conclusion(show: Show):
    lines = shown(show, explained({"last": 3}, grace="0s"))
    assert lines[-4:-1] == [
        "Worth a second look:",
        "  grace: is zero: what is marked may be purged at once, and never restored",
        "",
    ]


def test_json_holds_every_run_with_its_reasons():
    document = explained({"last": 20}).to_dict()
    assert document["schema"] == "tfx-janitor/policy-explanation/v1"
    assert document["bound"] == {"runs": 200, "span": "3650d"}
    (rule,) = document["rules"]
    assert rule["types"] == ["Model"]
    history = rule["smallest_history"]
    assert len(history["runs"]) == 21
    assert history["lost"] == [{"run": "run-1", "type": "Model"}]
    assert history["runs"][0] | {"reasons": []} == {
        "run": "run-1",
        "created_at": "2026-07-30T12:59:00.000Z",
        "pushed": True,
        "blessed": True,
        "served": False,
        "metrics": {},
        "properties": {},
        "verdict": "delete",
        "reasons": [],
    }
    assert history["runs"][0]["reasons"][0]["code"] == "expire.last"
