"""A store with everything around it, whose past is rehearsed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)
