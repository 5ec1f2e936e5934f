"""Storage is asked for what the answer depends on, with what was found out before."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from tests.builders import History, keep_model_runs, keep_models
from tfx_janitor.payload.verification import Level
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import judge


def test_a_model_that_stays_because_it_cannot_be_measured_is_verified_for_its_checkpoints(
    tmp_path: Path,
) -> None:
    history = History(tmp_path)
    pipeline = history.pipeline()
    old, _ = pipeline.run().train(), pipeline.run().train()
    shutil.rmtree(old.model.path)
    policy = history.policy(rules=[keep_models(last=1), keep_model_runs(last=1)])

    settlement = judge(history.case(policy), Threads(2), Level.STRUCTURE)

    snapshot = settlement.nomination.case.snapshot
    model, model_run = snapshot.row(old.model.id), snapshot.row(old.model_run.id)
    assert model is not None and model_run is not None
    assert [reason.code for reason in settlement.holds_on(model)] == ["unknown.payload"]
    (hold,) = settlement.holds_on(model_run)
    assert hold.code == "hold.newest-checkpoint"
    assert "no model lies at" in hold.detail


def _archive(path: Path) -> None:
    """A `.keras` archive that is whole."""
    end = 48
    superblock = (
        b"\x89HDF\r\n\x1a\n" + bytes((2, 8, 8, 0)) + bytes(16) + end.to_bytes(8, "little") + bytes(12)
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (
            ("metadata.json", b"{}"),
            ("config.json", b"{}"),
            ("model.weights.h5", superblock),
        ):
            archive.writestr(name, content)


def test_a_model_that_is_a_keras_archive_lets_those_before_it_go(tmp_path: Path) -> None:
    history = History(tmp_path)
    pipeline = history.pipeline()
    runs = [pipeline.run().train() for _ in range(2)]
    for run in runs:
        serving = Path(run.model.path) / "Format-Serving"
        shutil.rmtree(serving)
        serving.mkdir()
        _archive(serving / "model.keras")
    policy = history.policy(rules=[keep_models(last=1), keep_model_runs(last=1)])

    def goes(level: Level) -> list[bool]:
        settlement = judge(history.case(policy), Threads(2), level)
        rows = [settlement.nomination.case.snapshot.row(run.model.id) for run in runs]
        return [row in settlement.deletions for row in rows]

    assert goes(Level.CHECKSUMS) == [True, False]
    (Path(runs[1].model.path) / "Format-Serving" / "model.keras").write_bytes(b"PK")
    assert goes(Level.CHECKSUMS) == [False, False]
