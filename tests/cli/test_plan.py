"""`plan` decides and tells, and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.builders import History, Retraining, keep_model_runs, keep_models, prune_checkpoints
from tests.cli.conftest import Answer, Call
from tests.full_disk import largest_file
from tfx_janitor.retention.plan import Plan


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def retrained(history: History) -> list[Retraining]:
    pipeline = history.pipeline("inception")
    return [pipeline.retrain(pushed=False) for _ in range(3)]


@pytest.fixture
def policy(history: History, retrained: list[Retraining]) -> Path:
    return history.policy_file(rules=[keep_models(last=1), prune_checkpoints(last=1)])


def test_the_table_names_what_goes_what_stays_and_why(on: Call, policy: Path, retrained: list[Retraining]):
    answer = on("plan", "--policy", policy)
    assert answer.code == 0
    first, _, third = (made.model for made in retrained)
    assert "inception / Trainer / model (Model)" in answer.out
    (going,) = [
        line for line in answer.out.splitlines() if line.split()[:1] == [str(first.id)] and "rank" in line
    ]
    assert going.endswith("delete   rule models: last: rank 3 of 3, keeps 1")
    assert "newest of its node; latest blessed; rule models: last" in answer.out
    assert "deletes ckpt-100 (626 bytes)" in answer.out
    assert f"  {first.id}  {first.uri}\n" in answer.out
    assert f"  {third.id}  {third.uri}\n" not in answer.out
    assert "6 artifacts governed: 4 keep, 2 delete, 0 unknown; 9 that no rule governs" in answer.out
    assert "next: write it down with --out PLAN" in answer.out


def test_json_is_the_plan_and_nothing_else(on: Call, policy: Path, history: History):
    answer = on("plan", "--policy", policy, "--format", "json")
    plan = Plan.from_json(answer.out)
    assert (plan.metadata, plan.summary.delete) == (history.url, 2)
    assert answer.err == ""


def test_what_comes_to_nothing_is_told_and_changes_nothing(
    on: Call, history: History, retrained: list[Retraining], tmp_path: Path
):
    rules = [keep_models(last=1), {"name": "slip", "match": {"type": "Modell"}, "keep": {"last": 1}}]
    roots = [str(history.root), str(tmp_path / "nowhere")]
    policy = history.policy_file(rules=rules, roots=roots)
    told = on("plan", "--policy", policy)
    assert (told.code, told.err) == (0, "")
    _, _, after = told.out.partition("\n\nWorth a second look:\n")
    first, second, *_ = after.splitlines()
    assert first.startswith(f"  roots[1]: no such directory: {tmp_path}/nowhere; ")
    assert second == (
        "  rules[1].match.type: rule slip matches nothing in this store: no artifact has the type "
        '"Modell"; did you mean "Model"?'
    )
    assert "\n\nnext: write it down" in after

    out = tmp_path / "plan.json"
    document = on("plan", "--policy", policy, "--format", "json", "--out", out).json
    assert [one["field"] for one in document["cautions"]] == ["roots[1]", "rules[1].match.type"]
    assert Plan.from_json(out.read_text()).id == document["id"]
    assert (
        on("plan", "--policy", policy, "--pipeline", "inception", "--format", "json").json["cautions"] == []
    )


def test_the_same_moment_gives_the_same_bytes(on: Call, policy: Path, history: History):
    one, other = (on("plan", "--policy", policy, "--now", history.now, "--format", "json") for _ in range(2))
    assert one.out == other.out
    assert one.json["created_at"] == one.json["now"] == history.now


def test_a_later_moment_changes_neither_verdicts_nor_id(on: Call, policy: Path):
    moments = ("2030-01-01", "2030-01-01T00:00:00.001Z")
    one, other = (on("plan", "--policy", policy, "--now", now, "--format", "json").json for now in moments)
    assert one["now"] == "2030-01-01T00:00:00.000Z" != other["now"]
    assert one["id"] == other["id"]


def test_the_database_stays_as_it_is(on: Call, policy: Path, history: History):
    def looks() -> tuple[bytes, int, list[str]]:
        beside = sorted(path.name for path in history.home.iterdir())
        return history.database.read_bytes(), history.database.stat().st_mtime_ns, beside

    before = looks()
    assert on("plan", "--policy", policy).code == 0
    assert looks() == before


def test_out_writes_the_plan_that_was_shown(on: Call, history: History, policy: Path, tmp_path: Path):
    out = tmp_path / "a plan.json"
    answer = on("plan", "--policy", policy, "--out", out)
    assert Plan.from_json(out.read_text()).id in answer.out
    assert f"next: tfx-janitor --metadata {history.url} apply '{out}'" in answer.out
    assert on("plan", "--policy", policy, "--out", out).code == 0


def test_out_never_overwrites_anything_but_a_plan(on: Call, policy: Path, history: History):
    before = history.database.read_bytes()
    answer = on("plan", "--policy", policy, "--out", history.database)
    assert answer.code == 2
    assert "exists and is no plan" in answer.err
    assert history.database.read_bytes() == before


@pytest.mark.parametrize("command", ["plan", "report"])
def test_on_a_full_disk_the_document_of_before_stays(on: Call, policy: Path, tmp_path: Path, command: str):
    out = tmp_path / "document"
    on(command, "--policy", policy, "--out", out)
    before = out.read_text()
    with largest_file(100):
        answer = on(command, "--policy", policy, "--out", out)
    assert (answer.code, out.read_text()) == (2, before)
    assert f"cannot be written to {out}: File too large" in answer.err


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("", "is a directory"),
        ("nowhere/plan.json", "there is no directory"),
        ("forbidden.json", "may not be written"),
    ],
)
def test_out_is_looked_at_before_the_work_begins(
    call: Call, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, told: str
):
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(tmp_path) and allowed(path, mode))
    plan = ("plan", "--policy", policy, "--out", tmp_path / out)
    answer = call("--metadata", "sqlite:///nowhere.db", *plan)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err and "sqlite" not in answer.err


def test_sizes_of_everything(on: Call, policy: Path):
    some, everything = (
        on("plan", "--policy", policy, "--sizes", sizes, "--format", "json").json
        for sizes in ("deletions", "all")
    )
    measured = [decision["bytes"] is not None for decision in some["decisions"]]
    assert measured.count(True) == some["summary"]["delete"]
    assert all(decision["bytes"] for decision in everything["decisions"])
    assert everything["summary"]["bytes_total"] > everything["summary"]["bytes_reclaimable"]


def test_only_one_pipeline(on: Call, policy: Path):
    assert on("plan", "--policy", policy, "--pipeline", "inception").code == 0
    answer = on("plan", "--policy", policy, "--pipeline", "inceptoin")
    assert (answer.code, answer.out) == (2, "")
    assert "expected a pipeline of the store, got 'inceptoin'; it has inception" in answer.err


@pytest.mark.parametrize("arguments", [["plan"], ["audit"], ["report", "--out", "page.html"]])
def test_of_many_pipelines_the_nearest_names_are_told(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
):
    monkeypatch.chdir(tmp_path)
    many = History(tmp_path)
    for number in range(12):
        many.pipeline(f"pipeline-{number}").run()
    policy = many.policy_file(rules=[keep_models(last=1)])
    answer = call("--metadata", many.url, *arguments, "--policy", policy, "--pipeline", "pipeline_7")
    assert (answer.code, answer.out) == (2, "")
    assert "it has 12, the nearest are pipeline-7, " in answer.err and "pipeline-11" not in answer.err


def test_a_plan_beyond_a_limit_says_what_apply_will_want(on: Call, history: History, retrained: object):
    strict = history.policy_file(
        name="strict.json", rules=[keep_model_runs(last=1)], limits={"max_fraction": None, "max_items": 1}
    )
    answer = on("plan", "--policy", strict)
    assert answer.code == 0
    assert "apply will refuse it: 2 artifacts and checkpoints are more than max_items 1" in answer.out


def test_a_long_listing_leaves_out_what_stays(
    on: Call, policy: Path, monkeypatch: pytest.MonkeyPatch, retrained: list[Retraining]
):
    monkeypatch.setattr("tfx_janitor.report.plan_view.MOST", 5)
    short, long = on("plan", "--policy", policy), on("plan", "--policy", policy, "--all")
    assert "1 more artifact not listed here; --all lists everything" in short.out
    assert f" {retrained[0].model.id}  2" in short.out
    assert "not listed" not in long.out


@pytest.mark.parametrize("told", ["yesterday", "2026-13-01", "12", ""])
def test_a_moment_that_is_none(on: Call, policy: Path, told: str):
    answer = on("plan", "--policy", policy, "--now", told)
    assert (answer.code, answer.out) == (2, "")
    assert f"expected a date or time such as 2026-01-31 or 2026-01-31T10:00:00Z, got '{told}'" in answer.err


def test_a_bad_policy_is_told_by_its_line(on: Call, tmp_path: Path):
    bad = tmp_path / "janitor.yaml"
    bad.write_text("version: 1\nroots: [/srv/x]\nrules:\n  - name: models\n    mach: {type: Model}\n")
    answer = on("plan", "--policy", bad)
    assert (answer.code, answer.out) == (2, "")
    assert f"{bad}:5: rules[0].mach: unknown key" in answer.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["plan"], "--policy"),
        (["plan", "--policy", "x", "--format", "xml"], "xml"),
        (["plam"], "plam"),
        ([], "Usage"),
    ],
)
def test_bad_usage_is_2(call: Call, arguments: list[str], told: str):
    answer = call(*arguments)
    assert answer.code == 2
    assert told in answer.err + answer.out


def test_no_store(call: Call, policy: Path, tmp_path: Path):
    def refused(*arguments: object) -> str:
        answer: Answer = call(*arguments, "plan", "--policy", policy)
        assert (answer.code, answer.out) == (2, "")
        return answer.err

    assert "got neither" in refused()
    assert "there is no file" in refused("--metadata", f"sqlite://{tmp_path}/none.db")
    (tmp_path / "text.db").write_text("not a database " * 100)
    assert "is no SQLite database" in refused("--metadata", f"sqlite://{tmp_path}/text.db")


def test_the_store_may_come_from_the_environment(
    call: Call, policy: Path, history: History, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TFX_JANITOR_METADATA", history.url)
    assert call("plan", "--policy", policy, "--format", "json").json["metadata"] == history.url


def test_names_from_the_store_can_neither_style_nor_steer(on: Call, history: History, tmp_path: Path):
    pipeline = history.pipeline("[red]sly[/red]\x1b[2J")
    pipeline.run().train()
    policy = history.policy_file(name="sly.json", rules=[keep_models(last=1)])
    answer = on("plan", "--policy", policy)
    assert "[red]sly[/red]\\x1b[2J / Trainer" in answer.out
    assert "\x1b" not in answer.out
