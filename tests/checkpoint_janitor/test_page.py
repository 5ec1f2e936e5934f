"""The page that a janitor leaves: what it shows, and that nothing else depends on it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.checkpoint_janitor.conftest import Past
from tests.checkpoint_janitor.test_executor import Ran
from tests.full_disk import largest_file
from tests.page.test_report_command import data_of
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.survey.crew import Threads

pytestmark = pytest.mark.tfx


@pytest.fixture
def started(past: Callable[[int], Past]) -> Past:
    made = past(4)
    made.history.pipeline("other").retrain()
    made.start_janitor()
    return made


def page_of(ran: Ran) -> str:
    return ran.file(ran.report, "report.html")


def shown_models(data: Any) -> list[str]:
    """States of the Models on a page, the oldest first."""
    artifacts, texts = data["artifacts"], data["texts"]
    states = zip(artifacts["type"], artifacts["state"], strict=True)
    return [texts[state] for type_, state in states if texts[type_] == "Model"]


def test_it_shows_what_is_there_when_the_janitor_is_done(started: Past):
    ran = Ran(started, crew=Threads(2)).do()
    assert ran.report.page_missing == ""
    data = data_of(page_of(ran))
    assert shown_models(data) == [*started.models, "LIVE"] == ["DELETED"] * 2 + ["LIVE"] * 3
    assert data["growth"]["kept"] is None


def test_it_judges_only_the_own_pipeline(started: Past):
    data = data_of(page_of(Ran(started, crew=Threads(2)).do()))
    # The other pipeline's last Model is on it for its lineage, and nobody judges it.
    rows = [row for row, type_ in enumerate(data["artifacts"]["type"]) if data["texts"][type_] == "Model"]
    assert [row in data["decisions"]["row"] for row in rows] == [False] * 2 + [True] * 2 + [False]
    assert data["timelines"] == []


def test_its_commands_name_the_policy_that_decided(started: Past):
    ran = Ran(started, crew=Threads(2)).do()
    policy = Path(ran.report.uri, "policy.json")
    assert data_of(page_of(ran))["policy"] == str(policy)
    assert RetentionPolicy.from_json(policy).digest == ran.plan.policy_digest


def test_a_janitor_that_refused_leaves_one_too(started: Past):
    started.run.fail_training()
    ran = Ran(started, crew=Threads(2)).do()
    assert (ran.report.status, ran.report.page_missing) == ("refused", "")
    assert shown_models(data_of(page_of(ran))) == ["LIVE"] * 5


def test_it_takes_no_workers_from_the_pipeline(started: Past):
    Ran(started, crew=Threads(2)).do()
    without, with_page = Watched(2), Watched(2)
    Ran(started, crew=without).do(parameters={"html": 0})
    Ran(started, crew=with_page).do()
    assert with_page.tasks == without.tasks != []


def test_nobody_who_does_not_want_it_has_it(started: Past):
    ran = Ran(started, crew=Threads(2)).do(parameters={"html": 0})
    assert (ran.report.status, ran.report.page_missing) == ("done", "html=False")
    assert {path.name for path in Path(ran.report.uri).iterdir()} == {"report.json", "report.txt"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError("too large a store")])
def test_without_it_the_janitor_has_done_its_work_all_the_same(
    started: Past, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: BaseException
):
    from tfx_janitor.checkpoint_janitor import executor

    def broken(*_: object) -> str:
        raise error

    monkeypatch.setattr(executor, "page_of", broken)
    with caplog.at_level(logging.ERROR):
        ran = Ran(started, crew=Threads(2)).do(fail_pipeline=True)
    assert (ran.report.status, ran.report.reason, ran.report.purged) == ("done", "", 2)
    assert str(error) in ran.report.page_missing
    assert "CheckpointJanitor in inception left no page" in caplog.text
    assert json.loads(ran.file(ran.report, "report.json"))["status"] == "done"
    assert not Path(ran.report.uri, "report.html").exists()


def test_one_that_did_not_fit_on_the_disk_is_not_half_there(started: Past):
    with largest_file(1 << 20):
        ran = Ran(started, crew=Threads(2)).do(fail_pipeline=True)
    assert (ran.report.status, ran.report.purged) == ("done", 2)
    assert "File too large" in ran.report.page_missing
    assert {path.name for path in Path(ran.report.uri).iterdir()} == {
        "policy.json",
        "report.json",
        "report.txt",
    }


def test_a_janitor_that_failed_leaves_none(started: Past, tmp_path: Path):
    ran = Ran(started, crew=Threads(2)).do(database=tmp_path / "gone.db")
    assert (ran.report.status, ran.report.page_missing) == ("failed", "the janitor failed")
    assert not Path(ran.report.uri, "report.html").exists()


class Watched(Threads):
    """A crew that keeps in mind what it was asked for."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.tasks: list[str] = []

    def run(self, task: str, work: Callable, items: Sequence) -> list:
        self.tasks.append(task)
        return super().run(task, work, items)
