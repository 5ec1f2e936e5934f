"""A pipeline that crashed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deletion.orphans.crash import Crash


@pytest.fixture
def crash(tmp_path: Path) -> Crash:
    return Crash(tmp_path)
