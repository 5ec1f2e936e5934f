"""URLs, and what is said about those that do not work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History
from tfx_janitor.lineage.connection import StoreError, open_url


def test_a_store_opens_by_its_url_and_keeps_its_name(tmp_path: Path) -> None:
    history = History(tmp_path)
    (tmp_path / "link").symlink_to(history.database)
    _, url = open_url(f"sqlite://{tmp_path}/link", readonly=True)
    assert url == history.url


def test_the_environment_names_the_store(tmp_path: Path, monkeypatch) -> None:
    history = History(tmp_path)
    monkeypatch.setenv("TFX_JANITOR_METADATA", history.url)
    assert open_url(None, readonly=True)[1] == history.url


def test_readonly_cannot_write(tmp_path: Path) -> None:
    history = History(tmp_path)
    model = history.pipeline().retrain().model
    store, _ = open_url(history.url, readonly=True)
    with pytest.raises(Exception, match=r"(?i)readonly|read-only|attempt to write"):
        store.put_artifacts(store.get_artifacts_by_id([model.id]) and [_marked(store, model.id)], ["state"])
    assert history.state(model) == "LIVE"


def _marked(store, artifact_id: int):
    (row,) = store.get_artifacts_by_id([artifact_id])
    row.state = 3
    return row


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///nowhere/metadata.db", "there is no file /nowhere/metadata.db"),
        ("sqlite://relative.db", "three slashes"),
        ("mysql://anna:secret@host/db", r"got mysql://\.\.\."),
        ("/just/a/path", "sqlite:///absolute/path"),
        ("", "--metadata"),
    ],
)
def test_what_is_wrong_with_a_url_is_said(url: str, message: str, monkeypatch) -> None:
    monkeypatch.delenv("TFX_JANITOR_METADATA", raising=False)
    with pytest.raises(StoreError, match=message) as raised:
        open_url(url, readonly=True)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "metadata.db"
    file.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match="does not open as an MLMD store"):
        open_url(f"sqlite://{file}", readonly=False)
    assert file.read_bytes() == b"this is not a database" * 100


def test_a_database_without_mlmd_in_it_is_refused_and_left_empty(tmp_path: Path) -> None:
    file = tmp_path / "metadata.db"
    file.touch()
    with pytest.raises(StoreError):
        open_url(f"sqlite://{file}", readonly=True)
    assert file.read_bytes() == b""
