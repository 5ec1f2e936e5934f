"""What LocalDagRunner leaves behind when its process dies while it trains, and what becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import History, keep_models
from tests.deletion.surroundings import picture
from tfx_janitor.deletion.gc import collect

pytestmark = [pytest.mark.tfx, pytest.mark.e2e]

WAITING = "training\n"


def training(home: Path, *modes: str) -> subprocess.Popen[str]:
    """A process that runs the pipeline of `trainer_that_dies` in these modes."""
    command = [sys.executable, "-m", "tests.deletion.trainer_that_dies", str(home), *modes]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)


def executions(history: History) -> list[tuple[int, str]]:
    """Ids and states of all trainings."""
    rows = history.store.get_executions_by_type("tests.deletion.trainer_that_dies.Train")
    return [(row.id, mlmd.Execution.State.Name(row.last_known_state)) for row in rows]


def test_a_killed_trainers_directories_go_and_those_of_one_at_work_stay(tmp_path: Path):
    home = tmp_path.resolve()
    with training(home, "ends", "dies") as killed:
        killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    with training(home, "waits") as at_work:
        assert at_work.stdin is not None and at_work.stdout is not None
        assert at_work.stdout.readline() == WAITING
        history = History(home)
        (well, ended), (died, left), (works, running) = executions(history)
        assert (ended, left, running) == ("COMPLETE", "RUNNING", "RUNNING")
        train = history.root / "inception" / "Train"
        outputs = [train / output for output in ("model", "model_run")]
        working = train / ".system" / "executor_execution"
        assert all((place / str(died)).is_dir() for place in (*outputs, working))
        assert (train / "model_run" / str(died) / "ckpt-200.index").exists()

        # Nothing tells them apart: the clock is moved, and the one at work has written a moment ago.
        later = history.later(days=15)
        os.utime(train / "model_run" / str(works) / "checkpoint", (later / 1000, later / 1000))
        policy = history.policy(rules=[keep_models(last=9)], orphans={"older_than": "14d"})
        before = picture(train / "model" / str(works)) | picture(train / "model_run" / str(works))
        outcomes = collect(history.site(now_ms=later), policy).outcomes

        gone = [str(place / str(died)) for place in (working, *outputs)]
        assert [(outcome.done, outcome.path) for outcome in outcomes] == [
            *(("marked", path) for path in gone),
            *(("purged", path) for path in gone),
        ]
        assert not any(os.path.lexists(path) for path in gone)
        assert picture(train / "model" / str(works)) | picture(train / "model_run" / str(works)) == before
        at_work.stdin.close()
        assert at_work.wait() == 0
    assert executions(history) == [(well, "COMPLETE"), (died, "RUNNING"), (works, "COMPLETE")]
    models = history.store.get_artifacts_by_type("Model")
    assert [mlmd.Artifact.State.Name(model.state) for model in models] == ["LIVE", "LIVE"]
    assert all(Path(model.uri, "Format-Serving", "saved_model.pb").exists() for model in models)
