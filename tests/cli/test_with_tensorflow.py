"""`checkpoints` on a directory that TensorFlow wrote: TensorFlow agrees about what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import damage_checkpoint
from tests.cli.conftest import Call

tf = pytest.importorskip("tensorflow")

pytestmark = pytest.mark.tfx

STEPS = (1, 2, 3, 10, 11, 12, 100)


def write(directory: Path) -> Path:
    checkpoint = tf.train.Checkpoint(step=tf.Variable(0), weights=tf.Variable([1.0, 2.0]))
    manager = tf.train.CheckpointManager(checkpoint, str(directory), max_to_keep=None)
    for step in STEPS:
        checkpoint.step.assign(step)
        manager.save(checkpoint_number=step)
    return directory


def steps_left(directory: Path) -> list[int]:
    return sorted(int(path.stem.rpartition("-")[2]) for path in directory.glob("*.index"))


def steps_listed(directory: Path) -> list[int]:
    paths = tf.train.get_checkpoint_state(str(directory)).all_model_checkpoint_paths
    return sorted(int(path.rpartition("-")[2]) for path in paths)


def restored_step(directory: Path) -> int:
    latest = tf.train.latest_checkpoint(str(directory))
    checkpoint = tf.train.Checkpoint(step=tf.Variable(0))
    checkpoint.restore(latest).expect_partial()
    assert latest.endswith(f"-{int(checkpoint.step)}")
    return int(checkpoint.step)


def test_the_last_six_stay_and_tensorflow_restores_the_newest(call: Call, tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    assert call("checkpoints", run, "--last", "6", "--delete").code == 0
    assert steps_left(run) == steps_listed(run) == [2, 3, 10, 11, 12, 100]
    assert restored_step(run) == 100


def test_only_the_named_directory_is_touched(call: Call, tmp_path: Path) -> None:
    # TensorFlow takes `run[1]` for a pattern and cannot write there itself.
    write(tmp_path / "run").rename(tmp_path / "run[1]")
    beside = write(tmp_path / "run1")
    assert call("checkpoints", tmp_path / "run[1]", "--last", "1", "--delete").code == 0
    assert steps_left(tmp_path / "run[1]") == [100]
    assert steps_left(beside) == steps_listed(beside) == list(STEPS)


def test_with_the_newest_damaged_the_newest_whole_one_is_restored(call: Call, tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    damage_checkpoint(run, "ckpt-100")
    assert call("checkpoints", run, "--last", "1", "--delete").code == 1
    assert steps_left(run) == steps_listed(run) == [12, 100]
    assert restored_step(run) == 12
