"""Messages that name a further command name it for the same store, so that it can be pasted."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.builders import History
from tests.cli.conftest import Call


def pointed_to(message: str) -> list[str]:
    """The command that a message names."""
    (command,) = re.findall(r"`(tfx-janitor [^`]*)`", message)
    return shlex.split(command)


@pytest.fixture
def history(tmp_path: Path) -> History:
    (tmp_path / "it's here").mkdir()
    made = History(tmp_path / "it's here")
    made.pipeline().retrain()
    return made


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["unpin", "1"], ["pins"]),
        (["restore", "--plan", "sha256:1"], ["history"]),
        (["apply", "POLICY"], ["plan", "--out"]),
        (["pin", "x", "--reason", "mine"], ["lineage", "PATH"]),
    ],
)
def test_a_store_that_an_option_named_is_named_again(
    on: Call,
    call: Call,
    history: History,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    command: list[str],
):
    policy = str(history.policy_file())
    given = [policy if one == "POLICY" else one for one in arguments]
    told = on(*given)
    assert told.code == 2
    assert pointed_to(told.err) == ["tfx-janitor", "--metadata", history.url, *command]
    # What the environment names needs no option.
    monkeypatch.setenv("TFX_JANITOR_METADATA", history.url)
    assert pointed_to(call(*given).err) == ["tfx-janitor", *command]


def test_what_is_not_understood_may_hold_a_password(call: Call, history: History):
    plan = history.policy_file()
    told = call("--metadata", "mysql://user:secret@host/db", "apply", plan)
    assert pointed_to(told.err)[:2] == ["tfx-janitor", "plan"] and "secret" not in told.err
