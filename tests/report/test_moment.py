"""The moment that an explanation is for, and what must be said of it."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

import pytest

from tests.builders import History, Made, keep_models
from tfx_janitor.payload.verification import Level
from tfx_janitor.report.finding import NotFound
from tfx_janitor.report.moment import Moment
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import judge


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def notes(history: History, moment: Moment, about: Made) -> list[str]:
    policy = history.policy(rules=[keep_models(last=1)])
    case = history.site(now_ms=moment.at_ms).case(moment.snapshot, policy)
    settlement = judge(case, Threads(2), Level.STRUCTURE)
    row = moment.find(str(about.id)).row
    return list(moment.notes(row, settlement, settlement.reasons_of(row)))


def test_now_nothing_need_be_said(history: History):
    model = history.pipeline().run().train().model
    now = Moment(history.snapshot(), history.now_ms, history.now_ms)
    assert (now.tense, now.precedes(history.later(days=1))) == ("present", False)
    assert now.snapshot is now.today
    assert notes(history, now, model) == []


def test_the_future_is_the_store_as_it_is(history: History):
    model = history.pipeline().run().train().model
    future = Moment(history.snapshot(), history.later(days=1), history.now_ms)
    assert future.tense == "future"
    assert future.snapshot is future.today
    assert notes(history, future, model) == [
        "judged as if nothing happened until then: no run, no use, no push, no pin"
    ]


def test_what_is_gone_today_is_told_of_the_past(history: History):
    pipeline = history.pipeline()
    runs = [pipeline.run() for _ in range(3)]
    models = [run.train().model for run in runs]
    push = runs[0].push()
    rmtree(push.destination)
    last_ms = history.now_ms - 1000
    for model in models[:2]:
        history.set_state(model, "DELETED")
        rmtree(model.path)
    past = Moment(history.snapshot(), last_ms, history.now_ms)
    assert [past.gone_since(past.find(str(model.id)).row) for model in models] == [True, True, False]
    told = notes(history, past, models[0])
    assert told[2:] == [
        f"nothing stands at {push.destination} today; whether it was served there then, nobody can tell",
        "it is DELETED today, so nobody can look at the payload that it had; had it been whole, the verdict "
        "would be delete",
        "1 other artifact of that moment is DELETED today; holds that look at payloads see only those that "
        "are left",
    ]


def test_what_did_not_exist_yet_says_since_when_it_does(history: History):
    model = history.pipeline().run().train().model
    long_ago = Moment(history.snapshot(), 0, history.now_ms)
    with pytest.raises(
        NotFound, match=f"Model {model.id} did not exist yet at 1970-01-01 00:00:00 UTC: it was"
    ):
        long_ago.find(model.uri)
    with pytest.raises(NotFound, match="the store has no artifact 4711"):
        long_ago.find("4711")


def test_a_path_names_what_lay_there_then(history: History):
    run = history.pipeline().run()
    place = history.root / "place"
    first = run.import_model(place)
    history.backdate(first, days=2)
    second = run.import_model(place)
    past = Moment(history.snapshot(), history.later(days=-1), history.now_ms)
    assert past.snapshot.artifacts.id[past.find(str(place)).row] == first.id
    now = Moment(history.snapshot(), history.now_ms, history.now_ms)
    assert now.snapshot.artifacts.id[now.find(str(place)).row] == second.id
