from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deletion.surroundings import unreadable
from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.recognise import verify_payload
from tfx_janitor.payload.verification import Damage, Level

from .damaging import flip

Copy = Callable[[str], Path]

pytestmark = pytest.mark.tfx


def test_a_model_an_artifact_and_a_model_run_are_told_apart(copy: Copy, tmp_path: Path) -> None:
    artifact = tmp_path / "model" / "7"
    artifact.mkdir(parents=True)
    copy("classifier").rename(artifact / "Format-Serving")
    copy("managed").rename(artifact / "checkpoints")
    found = verify_payload(str(artifact), Level.CHECKSUMS)
    assert [verification.kind for verification in found] == ["SavedModel"] + ["TF checkpoint"] * 7
    assert all(verification.whole for verification in found)
    (model,) = verify_payload(str(artifact / "Format-Serving"), Level.CHECKSUMS)
    assert model.path == str(artifact / "Format-Serving")


def test_one_checkpoint_by_its_prefix_or_by_one_of_its_files(copy: Copy) -> None:
    directory = copy("managed")
    flip(directory / "ckpt-1.data-00000-of-00001", 7)
    for name in ("ckpt-1", "ckpt-1.index", "ckpt-1.data-00000-of-00001"):
        (one,) = verify_payload(str(directory / name), Level.CHECKSUMS)
        assert one.path == str(directory / "ckpt-1")
        assert not one.whole
    (other,) = verify_payload(str(directory / "ckpt-10"), Level.CHECKSUMS)
    assert other.whole


def test_a_broken_state_file_does_not_hide_the_checkpoints(copy: Copy) -> None:
    directory = copy("managed")
    (directory / "checkpoint").write_bytes(b"\xff")
    found = verify_payload(str(directory), Level.STRUCTURE)
    assert [verification.whole for verification in found] == [True] * 7 + [False]
    (damage,) = found[-1].damages
    assert damage.file == "checkpoint"
    assert damage.problem.startswith("is not a checkpoint state")


def test_an_emptied_artifact_is_damaged_not_unknown(tmp_path: Path) -> None:
    (tmp_path / "Format-Serving").mkdir()
    (found,) = verify_payload(str(tmp_path), Level.STRUCTURE)
    assert found.damages == (Damage("saved_model.pb", "is missing"),)


def test_what_is_nothing_of_ours_is_an_error(copy: Copy, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(JanitorError, match="holds neither a SavedModel"):
        verify_payload(str(tmp_path / "empty"), Level.STRUCTURE)
    with pytest.raises(JanitorError, match="there is nothing at"):
        verify_payload(str(tmp_path / "missing"), Level.STRUCTURE)
    (tmp_path / "notes.txt").write_bytes(b"x")
    with pytest.raises(JanitorError, match=r"notes\.txt is neither"):
        verify_payload(str(tmp_path / "notes.txt"), Level.STRUCTURE)
    model = copy("classifier")
    shutil.copy(model / "saved_model.pb", tmp_path / "alone.pb")
    with pytest.raises(JanitorError):
        verify_payload(str(tmp_path / "alone.pb"), Level.STRUCTURE)


def test_what_cannot_be_looked_at_is_not_called_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable(monkeypatch, tmp_path / "model", errno.EACCES)
    with pytest.raises(JanitorError, match=r"but .*/model cannot be read: permission denied"):
        verify_payload(str(tmp_path / "model"), Level.STRUCTURE)
