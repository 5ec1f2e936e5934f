"""The `checkpoint` state file, which says what is the latest."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfx_janitor.payload import checkpoints
from tfx_janitor.payload.checkpoints import CheckpointState, read_directory, write_state

from .checkpoint_files import tensorflow, touch
from .conftest import STEPS

Copy = Callable[[str], Path]


class TestState:
    def test_what_is_written_is_read_back(self, tmp_path: Path) -> None:
        state = CheckpointState("ckpt-2", ("/abs/ckpt-1", "ckpt-2"), (1.5, 1700000000.1234567), 0.25)
        write_state(str(tmp_path), state)
        assert read_directory(str(tmp_path)).state == state
        write_state(str(tmp_path), CheckpointState(None, (), (), None))
        assert read_directory(str(tmp_path)).state == CheckpointState(None, (), (), None)
        assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]

    @pytest.mark.tfx
    def test_tensorflow_reads_it_and_it_reads_tensorflow(self, copy: Copy, tf: Any) -> None:
        directory = copy("managed")
        state = read_directory(str(directory)).state
        assert state is not None
        assert state.all == tuple(f"ckpt-{step}" for step in STEPS)
        assert len(state.timestamps) == len(STEPS)
        write_state(
            str(directory),
            CheckpointState("ckpt-12", state.all[2:6], state.timestamps[2:6], state.last_preserved),
        )
        theirs = tf.train.get_checkpoint_state(str(directory))
        kept = [str(directory / f"ckpt-{step}") for step in (3, 10, 11, 12)]
        assert list(theirs.all_model_checkpoint_paths) == kept
        assert tuple(theirs.all_model_checkpoint_timestamps) == state.timestamps[2:6]
        assert theirs.last_preserved_timestamp == state.last_preserved
        assert tf.train.latest_checkpoint(str(directory)) == kept[-1]
        checkpoint = tf.train.Checkpoint(weights=tf.Variable([0.0, 0.0, 0.0]))
        manager = tf.train.CheckpointManager(checkpoint, str(directory), max_to_keep=4)
        assert manager.checkpoints == kept
        checkpoint.restore(manager.latest_checkpoint).expect_partial()
        assert checkpoint.weights.numpy().tolist() == [1.0, 2.0, 3.0]

    def test_permissions_stay_and_a_link_is_replaced(self, tmp_path: Path) -> None:
        touch(tmp_path, "checkpoint", data=b"").joinpath("checkpoint").chmod(0o640)
        write_state(str(tmp_path), CheckpointState("a", ("a",), (), None))
        assert (tmp_path / "checkpoint").stat().st_mode & 0o777 == 0o640
        touch(tmp_path, "elsewhere")
        (tmp_path / "checkpoint").unlink()
        (tmp_path / "checkpoint").symlink_to("elsewhere")
        write_state(str(tmp_path), CheckpointState("b", ("b",), (), None))
        assert (tmp_path / "elsewhere").read_bytes() == b"x"
        assert not (tmp_path / "checkpoint").is_symlink()

    @pytest.mark.parametrize("content", [b"\xff\xfe", b"model_checkpoint_path:", b"\0\0\0", b"<html>"])
    def test_an_unreadable_state_is_an_error_that_changes_nothing(
        self, tmp_path: Path, content: bytes
    ) -> None:
        touch(tmp_path, *tensorflow("ckpt-1"))
        (tmp_path / "checkpoint").write_bytes(content)
        with pytest.raises(checkpoints.StateError, match="not a checkpoint state as TensorFlow writes it"):
            read_directory(str(tmp_path))
        assert (tmp_path / "checkpoint").read_bytes() == content
        assert len(checkpoints.list_checkpoints(str(tmp_path))) == 1

    def test_a_state_that_is_no_file_is_an_error_but_a_directory_is_no_state(self, tmp_path: Path) -> None:
        (tmp_path / "a" / "checkpoint").mkdir(parents=True)
        assert read_directory(str(tmp_path / "a")).state is None
        (tmp_path / "b").mkdir()
        os.mkfifo(tmp_path / "b" / "checkpoint")
        with pytest.raises(checkpoints.StateError, match="is a FIFO, not a file"):
            read_directory(str(tmp_path / "b"))

    def test_writing_elsewhere_than_to_a_directory_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(checkpoints.StateError, match="expected a directory"):
            write_state(str(tmp_path / "checkpoint"), CheckpointState(None, (), (), None))
        with pytest.raises(checkpoints.StateError, match="not valid text"):
            write_state(str(tmp_path), CheckpointState("\udcff", (), (), None))

    def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(self, tmp_path: Path) -> None:
        touch(tmp_path, "elsewhere")
        name = f".checkpoint.tfx-janitor-{os.getpid()}-{threading.get_ident()}"
        (tmp_path / name).symlink_to("elsewhere")
        with pytest.raises(OSError, match="symbolic links"):
            write_state(str(tmp_path), CheckpointState("a", ("a",), (), None))
        assert (tmp_path / "elsewhere").read_bytes() == b"x"

    def test_a_failed_write_leaves_the_old_state(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_state(str(tmp_path), CheckpointState("old", ("old",), (), None))

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_state(str(tmp_path), CheckpointState("new", ("new",), (), None))
        state = read_directory(str(tmp_path)).state
        assert state is not None
        assert state.latest == "old"
