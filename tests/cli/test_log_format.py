"""`--log-format json`: one object a line on standard error, whoever writes there."""

from __future__ import annotations

import json
import logging
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.builders import History, keep_models
from tests.cli.conftest import Answer, Call
from tests.cli.interrupted import interrupted
from tfx_janitor.cli import main
from tfx_janitor.cli.progress import progress_bar
from tfx_janitor.cli.saying import in_json, say
from tfx_janitor.retention.timestamps import from_iso


def lines(written: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.splitlines()]


def only(answer: Answer) -> dict[str, Any]:
    (line,) = lines(answer.err)
    return line


def test_an_error(call: Call):
    answer = call("--log-format", "json", "purge")
    line = only(answer)
    assert from_iso(line.pop("time")) > 0
    message = line.pop("message")
    assert message.startswith("expected --metadata sqlite:///absolute/path, or TFX_JANITOR_METADATA")
    assert line == {"level": "error", "logger": "tfx-janitor", "command": "purge", "exit_code": 2}
    assert (answer.code, answer.out) == (2, "")


def test_the_environment_asks_for_it_too(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TFX_JANITOR_LOG", "json")
    assert only(call("purge"))["exit_code"] == 2
    assert call("--log-format", "text", "purge").err.startswith("tfx-janitor: expected --metadata")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["gc"], "Missing option '--policy'"), (["frobnicate"], "No such command"), (["pins", "-x"], "-x")],
)
def test_bad_usage_is_one_line_as_well(call: Call, arguments: list[str], told: str):
    answer = call("--log-format", "json", *arguments)
    line = only(answer)
    assert (answer.code, line["exit_code"], line["level"]) == (2, 2, "error")
    assert told in line["message"]


def test_a_refusal(call: Call, history: History):
    pipeline = history.pipeline()
    for _ in range(3):
        pipeline.retrain(blessed=None, pushed=False)
    policy = history.policy_file(rules=[keep_models(last=1)], limits={"max_fraction": 0.5})
    answer = call("--metadata", history.url, "--log-format", "json", "gc", "--policy", policy)
    line = only(answer)
    assert (answer.code, line["command"], line["exit_code"]) == (3, "gc", 3)
    assert "2 of 3 artifacts is more than max_fraction 0.5" in line["message"]


def test_a_warning(call: Call, history: History, tmp_path: Path):
    policy = history.policy_file()
    arguments = ("gc", "--policy", policy, "--metrics", tmp_path / "none" / "janitor.prom")
    line = only(call("--metadata", history.url, "--log-format", "json", *arguments))
    assert line["level"] == "warning"
    assert line["message"].startswith("the metrics were not written to")


def test_the_answer_to_a_signal(history: History, monkeypatch: pytest.MonkeyPatch):
    pipeline = history.pipeline()
    for _ in range(3):
        pipeline.retrain(blessed=None, pushed=False)
    policy = history.policy_file(rules=[keep_models(last=1)])
    monkeypatch.setenv("TFX_JANITOR_LOG", "json")
    done = interrupted(history, "gc", "--policy", policy, at="PutLineageSubgraph", by=signal.SIGTERM)
    first, second = lines(done.stderr)
    assert (first["level"], first["message"].split(";")[0]) == ("warning", "stopping after what is under way")
    assert (second["level"], second["exit_code"]) == ("error", 1)


def test_a_traceback_is_a_field(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TFX_JANITOR_METADATA", raising=False)
    monkeypatch.setenv("TFX_JANITOR_DEBUG", "1")
    with pytest.raises(SystemExit):
        main(["--log-format", "json", "purge"])
    (line,) = lines(capsys.readouterr().err)
    assert line["traceback"].startswith("Traceback")


def test_what_libraries_log_and_warn_of(capsys: pytest.CaptureFixture[str]):
    with in_json():
        logging.getLogger("tfx_janitor.somewhere").warning("%s is slow", "/mnt")
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger("library").exception("it failed")
        warnings.warn("old", stacklevel=1)
    logged, failed, warned = lines(capsys.readouterr().err)
    assert (logged["level"], logged["logger"], logged["message"]) == (
        "warning",
        "tfx_janitor.somewhere",
        "/mnt is slow",
    )
    assert "ValueError: broken" in failed["traceback"]
    assert (warned["logger"], "old" in warned["message"]) == ("py.warnings", True)


def test_no_message_can_break_a_line_or_steer_a_terminal(capsys: pytest.CaptureFixture[str]):
    with in_json():
        say("a\nb\x1b[31m\udce9", where=Path("/x"))
    written = capsys.readouterr().err
    assert written.isascii() and "\x1b" not in written
    (line,) = lines(written)
    assert (line["message"], line["where"]) == ("a\nb\x1b[31m\udce9", "/x")


def test_no_progress_bar_stands_between_the_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with in_json(), progress_bar() as bar:
        bar("measuring", 1, 2)
    assert capsys.readouterr().err == ""


def test_afterwards_all_is_as_it_was(capsys: pytest.CaptureFixture[str]):
    before = list(logging.getLogger().handlers)
    with in_json():
        pass
    say("plain again")
    assert capsys.readouterr().err == "tfx-janitor: plain again\n"
    assert logging.getLogger().handlers == before
