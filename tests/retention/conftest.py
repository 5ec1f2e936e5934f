"""A history in memory, in which nothing has happened yet."""

from __future__ import annotations

import pytest

from tests.retention.pure_histories import PureHistory


@pytest.fixture
def past() -> PureHistory:
    return PureHistory()
