"""URLs, and what is said about those that do not work."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import History
from tfx_janitor.lineage.connection import StoreError, open_url


def test_a_store_opens_by_its_url_and_keeps_its_name(tmp_path: Path) -> None:
    history = History(tmp_path)
    (tmp_path / "link").symlink_to(history.database)
    _, url = open_url(f"sqlite://{tmp_path}/link", readonly=True)
    assert url == history.url


def test_a_path_with_letters_that_mean_something_in_a_url_comes_back_by_its_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "100% #1? %20"
    home.mkdir()
    shutil.move(History(tmp_path).database, home / "metadata.db")
    monkeypatch.chdir(home)
    with pytest.raises(StoreError) as raised:
        open_url("metadata.db", readonly=True)
    _, _, url = str(raised.value).partition("that file is ")
    assert url == f"sqlite://{tmp_path}/100%25 %231%3F %2520/metadata.db"
    assert open_url(url, readonly=True)[1] == url


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
        ("sqlite:///usr/lib", "but /usr/lib is a directory"),
        ("sqlite://relative.db", "three slashes"),
        ("mysql://anna:secret@host/db", r"got mysql://\.\.\.; an sqlite file is the only store"),
        ("sqlite://anna:secret@host/db", r"got sqlite://\.\.\.$"),
        ("/just/a/path", "sqlite:///absolute/path"),
        ("", "--metadata"),
        ("http://[bad", r"such as sqlite:///absolute/path/metadata.db, got http://\.\.\."),
    ],
)
def test_what_is_wrong_with_a_url_is_said(url: str, message: str, monkeypatch) -> None:
    monkeypatch.delenv("TFX_JANITOR_METADATA", raising=False)
    with pytest.raises(StoreError, match=message) as raised:
        open_url(url, readonly=True)
    assert "secret" not in str(raised.value)


def test_the_path_of_a_file_in_place_of_its_url_is_answered_with_the_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path)
    monkeypatch.chdir(tmp_path)
    for path in (history.database, history.database.name):
        with pytest.raises(StoreError) as raised:
            open_url(str(path), readonly=True)
        assert str(raised.value).endswith(f"got {str(path)!r}; that file is {history.url}")


@pytest.mark.parametrize("readonly", [True, False])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, readonly: bool) -> None:
    file = tmp_path / "metadata.db"
    file.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError) as raised:
        open_url(f"sqlite://{file}", readonly=readonly)
    assert str(raised.value) == f"expected an MLMD store, but {file} is no SQLite database"
    assert file.read_bytes() == b"this is not a database" * 100


@pytest.mark.parametrize("readonly", [True, False])
@pytest.mark.parametrize("tables", ["", "CREATE TABLE customers (name)"])
def test_a_database_without_mlmd_in_it_is_refused_and_left_as_it_was(
    tmp_path: Path, readonly: bool, tables: str
) -> None:
    file = tmp_path / "metadata.db"
    file.touch()
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.executescript(tables)
    before = file.read_bytes()
    with pytest.raises(StoreError, match=f"but {file} has none of MLMD's tables: name the file"):
        open_url(f"sqlite://{file}", readonly=readonly)
    assert file.read_bytes() == before


def test_what_a_killed_writer_left_is_put_right_by_whoever_may_write(tmp_path: Path) -> None:
    history = History(tmp_path)
    model = history.pipeline().retrain().model
    crashed = tmp_path / "crashed.db"
    shutil.copy(history.database, crashed)
    subprocess.run([sys.executable, "-S", "-c", _DIES_AS_IT_WRITES, crashed], check=True)

    with pytest.raises(StoreError, match=f"a process died while it wrote to {crashed}: whatever opens it"):
        open_url(f"sqlite://{crashed}", readonly=True)
    store, _ = open_url(f"sqlite://{crashed}", readonly=False)
    assert [row.id for row in store.get_artifacts_by_id([model.id])] == [model.id]
    open_url(f"sqlite://{crashed}", readonly=True)


_DIES_AS_IT_WRITES = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in ("PRAGMA cache_size = 1", "BEGIN IMMEDIATE", "CREATE TABLE cut_off (text)"):
    database.execute(statement)
for _ in range(1000):  # more than the cache holds: some of it is written before the end
    database.execute("INSERT INTO cut_off VALUES (?)", ("x" * 500,))
os._exit(0)
"""


@pytest.mark.parametrize("name", ["metadata.db", "."])
def test_a_store_that_may_not_be_written_is_refused_to_who_would_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    history = History(tmp_path)
    place = history.database if name == "metadata.db" else history.database.parent
    # Nobody is kept from writing in a test that runs as root.
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(place) or mode != os.W_OK)
    with pytest.raises(StoreError, match=f"but {place} is read-only, or not this user's to write"):
        open_url(history.url, readonly=False)
    open_url(history.url, readonly=True)
