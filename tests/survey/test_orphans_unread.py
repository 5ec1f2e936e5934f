"""Directories of nodes that cannot be looked into: what may lie there is not judged, and that is told."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tests.builders import History
from tests.deletion.surroundings import closed, unreadable
from tfx_janitor.payload.presence import Unread
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.orphans import Search, find_orphans

DENIED = "cannot be read: permission denied"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def trainer(history: History) -> Path:
    """The directory of a Trainer of which one execution died."""
    inception = history.pipeline()
    inception.retrain()
    inception.run().start_training(steps=(100, 200))
    return inception.root / "Trainer"


def search(history: History, **case: Any) -> Search:
    policy = history.policy(orphans={"older_than": "14d"})
    found = find_orphans(history.case(policy, now_ms=history.later(days=15), **case), Threads(2))
    assert found is not None
    return found


def test_where_all_can_be_read_there_is_nothing_to_tell(history: History, trainer: Path):
    assert len(search(history).orphans) == 2 and search(history).cautions == ()


@pytest.mark.parametrize(
    ("part", "mode"),
    [(".", 0o000), (".", 0o300), (".", 0o600), ("model", 0o000), ("model", 0o300), ("model_run", 0o000)],
)
def test_a_directory_that_one_may_not_list_or_search(history: History, trainer: Path, part: str, mode: int):
    with closed(trainer / part, mode=mode):
        found = search(history)
    # The directories of an execution go together, so what is beside it is not judged either.
    assert found == Search((), ((str(trainer), Unread(os.path.normpath(trainer / part), DENIED)),))


def test_the_directory_around_many_nodes_is_told_once(history: History, trainer: Path):
    history.pipeline("other").retrain()
    history.pipeline("other").run().start_training(steps=(1,))
    with closed(history.root):
        found = search(history)
    assert (found.orphans, found.unread) == ((), (Unread(str(history.root), DENIED),))
    assert len(found.passed_over) == 2


def test_a_broken_disk(history: History, trainer: Path, monkeypatch: pytest.MonkeyPatch):
    unreadable(monkeypatch, trainer, errno.EIO)
    assert search(history).unread == (Unread(str(trainer), f"cannot be read: {os.strerror(errno.EIO)}"),)


def test_other_nodes_are_judged_all_the_same(history: History, trainer: Path):
    other = history.pipeline("other")
    other.retrain()
    other.run().start_training(steps=(1,))
    with closed(trainer):
        found = search(history)
    assert {orphan.pipeline for orphan in found.orphans} == {"other"} and len(found.unread) == 1
    with closed(trainer):
        assert search(history, only_pipeline="other").unread == ()


def test_what_is_gone_is_no_obstacle(history: History, trainer: Path):
    trainer.rename(history.home / "elsewhere")
    assert search(history) == Search((), ())
