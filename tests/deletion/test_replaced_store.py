"""Another store, or none, comes to lie at the same path in the middle of a purge: a backup is put back, say.

A payload goes only if the store that is there was told before.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ml_metadata import errors

from tests.builders import History, Made, keep_models
from tests.deletion.surroundings import before
from tfx_janitor.deletion import claim
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.errors import JanitorError

Act = Callable[[], object]


@pytest.fixture
def models(history: History) -> list[Made]:
    pipeline = history.pipeline()
    return [pipeline.run().train().model for _ in range(3)]


@pytest.fixture
def put_back(history: History, models: list[Made], tmp_path: Path) -> dict[str, Act]:
    """Ways to put the store back as it was before anything was marked; then two of three are marked."""
    backup = tmp_path / "backup.db"
    shutil.copy(history.database, backup)
    collect(history.site(), history.policy(rules=[keep_models(last=1)], grace="1d"))

    def copy_over() -> None:
        with history.database.open("r+b") as file:
            file.write(backup.read_bytes())
            file.truncate()

    return {
        "moved in its place": lambda: backup.rename(history.database),
        "copied over it": copy_over,
        "removed": history.database.unlink,
    }


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("moved in its place", errors.InternalError),
        ("copied over it", JanitorError),
        ("removed", errors.InternalError),
    ],
)
def test_nothing_goes_that_the_new_store_does_not_know_of(
    history: History,
    models: list[Made],
    put_back: dict[str, Act],
    how: str,
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before(monkeypatch, claim, "check_removable", put_back[how])
    with pytest.raises(error, match=r"readonly database|put another store at sqlite:.*: it has no act \d+"):
        purge(history.site(now_ms=history.later(days=2)))
    assert all(model.path.exists() for model in models)
