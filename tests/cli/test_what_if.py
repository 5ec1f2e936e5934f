"""`plan --compare` and `plan --replay`: what another policy would change, and what one would have done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History, Retraining, keep_model_runs, keep_models
from tests.cli.conftest import Call
from tests.elapsing import elapse
from tfx_janitor.retention.plan import Plan
from tfx_janitor.retention.timestamps import to_iso


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("what-if"))


@pytest.fixture(scope="module")
def retrained(history: History) -> list[Retraining]:
    """Five trainings a day apart, and on the last day somebody scores with the first model."""
    made = []
    for _ in range(5):
        made.append(history.pipeline("inception").retrain(pushed=False))
        elapse(history, days=1)
    history.pipeline("scoring").run("nightly").consume(made[0].model)
    elapse(history, days=1)
    return made


@pytest.fixture
def lax(history: History, retrained: list[Retraining]) -> Path:
    return history.policy_file(rules=[keep_models(last=4)], name="lax.json", grace="36h")


@pytest.fixture
def strict(history: History, retrained: list[Retraining]) -> Path:
    rules = [keep_models(last=2), keep_model_runs(last=9)]
    return history.policy_file(rules=rules, name="strict.json", grace="36h")


def line_of(out: str, artifact_id: int) -> str:
    (line,) = [line for line in out.splitlines() if line.split()[:1] == [str(artifact_id)]]
    return line


def test_a_comparison_shows_what_changes_with_the_reasons_of_both(
    on: Call, lax: Path, strict: Path, retrained: list[Retraining]
) -> None:
    answer = on("plan", "--policy", strict, "--compare", lax)

    assert answer.code == 0
    assert "inception / Trainer / model (Model)" in answer.out
    assert line_of(answer.out, retrained[1].model.id).endswith("keep -> delete      old: rule models: last")
    assert "new: rule models: last: rank 4 of 5, keeps 2" in answer.out
    assert f"With {strict} instead of {lax}:" in answer.out
    assert "2 artifacts would be deleted that stayed (29.0 kB)" in answer.out
    assert "5 artifacts would be governed that no rule governed" in answer.out
    assert "29.0 kB more would be freed: 43.4 kB instead of 14.5 kB" in answer.out
    assert "would stay" not in answer.out


def test_a_comparison_the_other_way_round(on: Call, lax: Path, strict: Path) -> None:
    answer = on("plan", "--policy", lax, "--compare", strict)

    assert "2 artifacts would stay that would have gone (29.0 kB)" in answer.out
    assert "5 artifacts would no longer be governed by any rule" in answer.out
    assert "29.0 kB less would be freed: 14.5 kB instead of 43.4 kB" in answer.out


def test_where_nothing_differs_that_is_said(on: Call, lax: Path, history: History) -> None:
    same = history.policy_file(rules=[keep_models("mine", last=4)], name="same.json")

    answer = on("plan", "--policy", same, "--compare", lax)

    assert answer.code == 0
    told = f"Nothing differs: {same} decides as {lax} does, on 5 artifacts that a rule governs."
    assert answer.out.splitlines() == [told]


def test_a_comparison_as_json_is_one_document(on: Call, lax: Path, strict: Path) -> None:
    answer = on("plan", "--policy", strict, "--compare", lax, "--format", "json")

    assert answer.json["schema"] == "tfx-janitor/comparison/v1"
    assert answer.json["difference"]["deletes"] == 2
    assert answer.err == ""


def test_out_writes_the_plan_of_the_policy_in_question(
    on: Call, lax: Path, strict: Path, tmp_path: Path
) -> None:
    out = tmp_path / "plan.json"

    assert on("plan", "--policy", strict, "--compare", lax, "--out", out).code == 0

    assert Plan.from_json(out.read_text()).summary.delete == 3


def test_a_policy_is_not_compared_with_itself(on: Call, lax: Path) -> None:
    answer = on("plan", "--policy", lax, "--compare", lax)

    assert answer.code == 2
    assert f"expected another policy to compare {lax} with, got the same" in answer.err


def test_a_replay_shows_when_things_go_and_what_was_used_later(
    on: Call, strict: Path, history: History, retrained: list[Retraining]
) -> None:
    answer = on("plan", "--policy", strict, "--replay", "--now", history.now)

    assert answer.code == 1
    assert "6 ends of runs, judged at" in answer.out
    regretted = line_of(answer.out, retrained[0].model.id)
    assert "1d12h later  input: BulkInferrer of nightly (execution " in regretted
    assert regretted.endswith(") in scoring")
    assert f"{strict} would have deleted 2 artifacts (29.0 kB), 1 of which was used later." in answer.out


def test_a_replay_without_regrets_ends_well(on: Call, history: History, retrained: list[Retraining]) -> None:
    patient = history.policy_file(rules=[keep_models(last=2)], name="patient.json", grace="30d")

    answer = on("plan", "--policy", patient, "--replay")

    assert answer.code == 0
    assert answer.out.splitlines()[-1] == f"{patient} would have deleted nothing."


def test_two_policies_replayed_side_by_side(on: Call, lax: Path, strict: Path, history: History) -> None:
    answer = on("plan", "--policy", lax, "--replay", "--compare", strict, "--now", history.now)

    assert answer.code == 0  # the policy in question regrets nothing, whatever the other one does
    rows = {line.rsplit(None, 2)[0]: line.split()[-2:] for line in answer.out.splitlines() if line.strip()}
    assert rows["of it used later"] == ["1", "0"]
    assert f"Used after it would have been deleted by {strict}:" in answer.out


def test_a_replay_as_json_is_one_document(on: Call, lax: Path, strict: Path, history: History) -> None:
    answer = on("plan", "--policy", strict, "--replay", "--compare", lax, "--format", "json")

    assert answer.code == 1
    assert answer.json["schema"] == "tfx-janitor/replay/v1"
    assert answer.json["metadata"] == history.url
    assert answer.json["replay"]["summary"]["regretted"] == 1
    assert answer.json["compared"]["summary"]["regretted"] == 0
    assert answer.err == ""


def test_a_replay_ends_at_the_moment_that_is_given(
    on: Call, strict: Path, history: History, retrained: list[Retraining]
) -> None:
    eve = history.row(retrained[4].model).create_time_since_epoch + 12 * 3600 * 1000
    answer = on("plan", "--policy", strict, "--replay", "--now", to_iso(eve))

    assert answer.code == 0  # nobody had used the first model yet
    assert "none of which was used later" in answer.out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--out", "plan.json"), "--replay makes no plan that --out could write"),
        (("--now", "2001-01-01"), "there is no history to replay"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    on: Call, strict: Path, options: tuple[str, ...], told: str
) -> None:
    answer = on("plan", "--policy", strict, "--replay", *options)

    assert answer.code == 2
    assert told in answer.err


def test_neither_changes_anything(on: Call, lax: Path, strict: Path, history: History) -> None:
    def looks() -> tuple[bytes, list[str]]:
        return history.database.read_bytes(), sorted(str(path) for path in history.home.rglob("*"))

    before = looks()
    on("plan", "--policy", strict, "--compare", lax)
    on("plan", "--policy", strict, "--replay")
    assert looks() == before
