"""What a policy says that comes to nothing in this store, or on these disks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders import History, Retraining
from tests.deletion.surroundings import closed
from tfx_janitor.survey.cautions import cautions_here


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain() for _ in range(2)]


def said(
    history: History, *matches: dict[str, Any], only_pipeline: str | None = None, **fields: Any
) -> list[str]:
    rules = [{"name": f"rule-{n}", "match": match, "keep": {"last": 1}} for n, match in enumerate(matches)]
    case = history.case(history.policy(rules=rules, **fields), only_pipeline=only_pipeline)
    return [f"{one.field}: {one.message}" for one in cautions_here(case)]


def test_where_all_comes_to_something_there_is_none(history: History, runs: list[Retraining]) -> None:
    assert said(history, {"type": "Model"}, {"type": "*"}, {"pipeline": "incep*", "node": "Trainer"}) == []


@pytest.mark.parametrize(
    ("match", "told"),
    [
        (
            {"type": "Modell"},
            '.type: rule rule-1 {}: no artifact has the type "Modell"; did you mean "Model"?',
        ),
        ({"type": "model"}, '.type: rule rule-1 {}: no artifact has the type "model"; did you mean "Model"?'),
        # What may come later is not taken for a slip of what is there.
        ({"type": "InfraBlessing"}, '.type: rule rule-1 {}: no artifact has the type "InfraBlessing"'),
        (
            {"type": ["Any", "Exampels"]},
            '.type: rule rule-1 {}: no artifact has the type "Any" or "Exampels"; did you mean "Examples"?',
        ),
        (
            {"type": "Model", "pipeline": "incepton-*"},
            '.pipeline: rule rule-1 {}: no artifact has the pipeline "incepton-*"; did you mean "inception"?',
        ),
        ({"type": "Model", "node": "Pusher"}, ": rule rule-1 {}"),
        ({"type": "Examples", "properties": {"span": 99}}, ": rule rule-1 {}"),
    ],
)
def test_a_rule_that_matches_nothing(
    history: History, runs: list[Retraining], match: dict[str, Any], told: str
) -> None:
    assert said(history, {"type": "Model"}, match) == [
        f"rules[1].match{told.format('matches nothing in this store')}"
    ]


def test_a_property_that_some_artifact_has_is_matched(history: History, runs: list[Retraining]) -> None:
    history.set_property(runs[0].examples, "mine", "yes")
    assert said(history, {"type": "Examples", "properties": {"mine": "yes"}}) == []
    assert len(said(history, {"type": "Model", "properties": {"mine": "yes"}})) == 1


def test_what_is_deleted_was_matched(history: History, runs: list[Retraining]) -> None:
    for run in runs:
        history.set_state(run.model, "DELETED")
    assert said(history, {"type": "Model"}) == []


def test_a_root_that_is_not_there(history: History, runs: list[Retraining], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    roots = [str(history.root), f"file://{tmp_path}/nowhere", str(tmp_path / "file"), "gs://bucket/models"]
    assert said(history, {"type": "Model"}, roots=roots) == [
        f"roots[1]: no such directory: {tmp_path}/nowhere; is it misspelled, or a disk not mounted?",
        f"roots[2]: {tmp_path}/file is a file",
    ]


def test_a_root_that_one_may_not_look_at_is_not_called_missing(
    history: History, runs: list[Retraining], tmp_path: Path
) -> None:
    around = tmp_path / "around"
    (around / "root").mkdir(parents=True)
    with closed(around):
        (told,) = said(history, {"type": "Model"}, roots=[str(around / "root")])
    assert told == f"roots[0]: {around}/root cannot be read: permission denied"


def test_a_root_that_is_a_link_to_a_directory_is_there(
    history: History, runs: list[Retraining], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(history.root)
    assert said(history, {"type": "Model"}, roots=[str(tmp_path / "link")]) == []


def test_an_empty_store_has_nothing_to_match_yet(history: History, tmp_path: Path) -> None:
    assert said(history, {"type": "Modell"}, roots=[str(tmp_path / "nowhere")]) == []


def test_of_one_pipeline_not_every_rule_need_be(history: History, runs: list[Retraining]) -> None:
    history.pipeline("other").retrain()
    assert said(history, {"type": "Modell"}, only_pipeline="other") == []
