"""A store with everything around it, in which janitors delete."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)
