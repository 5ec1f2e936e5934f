"""A look at a payload."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.deletion.surroundings import unreadable
from tfx_janitor.audit.looks import see


def test_what_cannot_be_looked_at_is_not_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "7").mkdir()
    unreadable(monkeypatch, tmp_path / "7", errno.EACCES)
    with pytest.raises(PermissionError):
        see(str(tmp_path / "7"))
    assert not see(str(tmp_path / "8")).there
