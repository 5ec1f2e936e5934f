"""What the parser says: what was expected, what came, what to do, and nothing of the libraries under it."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.conftest import Call
from tests.cli.test_process import COMMANDS

AN_ID = (
    "expected an id, a whole number such as 12, got {}; "
    "`tfx-janitor lineage PATH` tells the ids behind a path"
)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("plan --format xml", "for '--format': expected table or json, got 'xml'"),
        ("pins --format=", "for '--format': expected table or json, got ''"),
        ("verify . --level x", "for '--level': expected structure, checksums, load or smoke, got 'x'"),
        ("pin x --reason y", f"for 'ID': {AN_ID.format(repr('x'))}"),
        ("discard 1 1.5 --reason y --policy z", f"for 'ID': {AN_ID.format(repr('1.5'))}"),
        ("close /srv/x --reason y", f"for 'EXECUTION': {AN_ID.format(repr('/srv/x'))}"),
        ("withdraw /srv/x v2 --reason y", "for 'VERSION': expected a whole number, got 'v2'"),
        ("history --limit x", "for '--limit': expected a whole number, got 'x'"),
        ("history --limit 0", "for '--limit': expected at least 1, got '0'"),
        ("checkpoints . --every-n-hours x", "for '--every-n-hours': expected a number, got 'x'"),
        ("pin \x1b[2J --reason y", f"for 'ID': {AN_ID.format(repr(chr(27) + '[2J'))}"),
    ],
)
def test_a_value_that_cannot_be_read(call: Call, arguments: str, told: str):
    answer = call(*arguments.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.endswith(f"\nError: Invalid value {told}\n")

    logged = call("--log-format", "json", *arguments.split())
    assert (logged.code, json.loads(logged.err)["message"]) == (2, f"Invalid value {told}")


@pytest.mark.parametrize(
    "arguments", ["pin {} --reason y", "unpin {}", "forget 1 {} --reason y", "close {} --reason y"]
)
def test_an_id_that_no_store_has(call: Call, arguments: str):
    answer = call(*arguments.format(1 << 63).split())
    assert answer.code == 2
    assert answer.err.endswith(": expected the id of something in the store, got 9223372036854775808\n")


def test_an_option_before_the_command(call: Call):
    answer = call("--log-format", "xml", "pins")
    assert answer.code == 2
    assert answer.err.endswith(
        "Invalid value for '--log-format' (env var: 'TFX_JANITOR_LOG'): expected text or json, got 'xml'\n"
    )


def test_a_reason_of_our_own_is_told_as_it_is(call: Call):
    answer = call("forget", "1", "--reason", " ")
    assert answer.err.endswith(
        "Invalid value for '--reason': expected a reason, got an empty one; "
        "who reads it later will want to know\n"
    )


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("discard", "ID...  Artifacts, by their ids.  [required]"),
        ("close", "EXECUTION...  Executions, by their ids.  [required]"),
        ("pin", "ID  The artifact's id.  [required]"),
        ("pins", "--format <table|json>  Tables for people, or JSON alone.  [default: table]"),
    ],
)
def test_help_names_arguments_as_the_usage_does(call: Call, command: str, line: str):
    assert line in [shown.strip() for shown in call(command, "--help").out.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_no_types_of_python(call: Call, command: str):
    shown = call(command, "--help").out
    assert not re.search(r"<(list|str|int|float|bool)\b", shown)
    assert "[OPTIONS]" in shown and "\nOptions:\n" in shown
