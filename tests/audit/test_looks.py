"""A look at a payload."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.deletion.surroundings import unreadable
from tfx_janitor.audit.looks import see


def test_what_goes_while_it_is_looked_at_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ckpt-1_temp", "fold"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("_temp"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert see(str(tmp_path)).filled == (("ckpt-1_temp", False), ("fold", True))


def test_what_cannot_be_looked_at_is_not_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "7").mkdir()
    unreadable(monkeypatch, tmp_path / "7", errno.EACCES)
    with pytest.raises(PermissionError):
        see(str(tmp_path / "7"))
    assert not see(str(tmp_path / "8")).there
