"""What counts as gone: only what the system says is not there."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.deletion.surroundings import unreadable
from tfx_janitor.payload.presence import has_vanished, is_missing, why_no_directory


def test_what_is_not_there_has_vanished_if_its_directory_is_there(tmp_path: Path) -> None:
    assert is_missing(str(tmp_path / "7")) and has_vanished(str(tmp_path / "7"))
    assert is_missing(str(tmp_path / "nowhere" / "7")) and not has_vanished(str(tmp_path / "nowhere" / "7"))


def test_below_a_file_nothing_lies(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert is_missing(str(tmp_path / "file" / "7")) and not has_vanished(str(tmp_path / "file" / "7"))


def test_a_link_lies_there_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "7").symlink_to("nowhere")
    assert not is_missing(str(tmp_path / "7"))


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENAMETOOLONG])
def test_what_cannot_be_looked_at_is_not_gone(tmp_path: Path, monkeypatch, code: int) -> None:
    unreadable(monkeypatch, tmp_path / "7", code)
    assert not is_missing(str(tmp_path / "7")) and not has_vanished(str(tmp_path / "7"))


def test_what_is_no_directory_is_told_apart_from_what_cannot_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, gone, closed = (str(tmp_path / name) for name in ("file", "gone", "closed"))
    (tmp_path / "file").touch()
    assert why_no_directory(file) == f"{file} is a file"
    assert why_no_directory(gone) == f"there is no {gone}"
    unreadable(monkeypatch, tmp_path / "closed", errno.EACCES)
    assert why_no_directory(closed) == f"{closed} cannot be read: permission denied"
