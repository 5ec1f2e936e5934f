"""Roots that are there, and in which nothing lies of the store that is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History, Retraining, keep_models
from tfx_janitor.survey.cautions import cautions_here


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def run(history: History) -> Retraining:
    return history.pipeline().retrain(pushed=False)


def said(history: History, *roots: Path) -> list[str]:
    policy = history.policy(rules=[keep_models(last=1)], roots=[str(root) for root in roots])
    return [f"{one.field}: {one.message}" for one in cautions_here(history.case(policy))]


def test_a_pipeline_that_was_moved_is_told_where_the_store_has_it(history: History, run: Retraining) -> None:
    elsewhere = history.home / "elsewhere"
    newest = history.snapshot().artifacts.uri[-1]
    history.root.rename(elsewhere)
    assert said(history, elsewhere) == [
        f"roots[0]: no artifact of this store lies in {elsewhere}; its newest lies at {newest}"
    ]


def test_a_root_of_links_and_what_is_deleted_count(history: History, run: Retraining) -> None:
    link = history.home / "link"
    link.symlink_to(history.root)
    assert said(history, link) == []
    for artifact in (run.model, run.model_run):
        history.set_state(artifact, "DELETED")
    assert said(history, history.root) == []


def test_each_root_is_told_once(history: History, run: Retraining, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    told = said(history, history.root, tmp_path / "new", tmp_path / "nowhere")
    assert [one.split(": ")[:2] for one in told] == [
        ["roots[2]", "no such directory"],
        ["roots[1]", told[1].split(": ")[1]],
    ]
    assert told[1].startswith(f"roots[1]: no artifact of this store lies in {tmp_path}/new; ")
