from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tfx_janitor import effects
from tfx_janitor.verified_pusher import rename


@pytest.fixture(params=["renameat2", "without it"], autouse=True)
def _system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without it":

        def refuse(source: str, target: str) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(effects, "rename_to_free_name", refuse)


def _whole(path: Path) -> Path:
    path.mkdir()
    (path / "saved_model.pb").write_text("graph")
    return path


def test_a_directory_gets_its_new_name(tmp_path: Path) -> None:
    rename.to_free_name(str(_whole(tmp_path / "staged")), str(tmp_path / "7"))
    assert [path.name for path in tmp_path.iterdir()] == ["7"]
    assert (tmp_path / "7" / "saved_model.pb").read_text() == "graph"


@pytest.mark.parametrize("obstacle", ["whole directory", "empty directory", "file", "broken link"])
def test_nothing_is_ever_replaced(tmp_path: Path, obstacle: str) -> None:
    target = tmp_path / "7"
    if obstacle == "whole directory":
        _whole(target)
    elif obstacle == "empty directory":
        target.mkdir()
    elif obstacle == "file":
        target.write_text("mine")
    else:
        target.symlink_to("nowhere")
    before = target.lstat()
    with pytest.raises(FileExistsError):
        rename.to_free_name(str(_whole(tmp_path / "staged")), str(target))
    assert target.lstat() == before
    assert (tmp_path / "staged" / "saved_model.pb").exists()


def test_a_missing_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        rename.to_free_name(str(tmp_path / "staged"), str(tmp_path / "7"))
