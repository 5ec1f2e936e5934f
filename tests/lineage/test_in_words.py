"""SQLite's messages, as MLMD passes them on, say which file they are about."""

from __future__ import annotations

import pytest

from tfx_janitor.lineage.in_words import in_words


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Concurrent writes aborted after max number of retries.", "/a b/m.db is locked by another process"),
        (
            "There are a subset of tables in MLMD instance. Errors: ABORTED: Concurrent writes aborted",
            "/a b/m.db is locked by another process",
        ),
        (
            "There are a subset of tables in MLMD instance. missing tables: artifact_table",
            "/a b/m.db has only some of MLMD's tables: run it again if a pipeline is just making it",
        ),
        (
            "Cannot connect sqlite3 database: unable to open database file",
            "/a b/m.db cannot be opened: look at its permissions and its directory's",
        ),
        ("Error when executing query: database disk image is malformed query: ", "/a b/m.db is damaged"),
    ],
)
def test_what_sqlite_says_is_told_with_its_file(message: str, words: str) -> None:
    assert (in_words(message, "/a b/m.db") or "").startswith(words)


def test_what_mlmd_itself_says_speaks_for_itself() -> None:
    assert in_words("MLMD database version 7 is older than library version 10.", "/m.db") is None
