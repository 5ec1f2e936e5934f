"""Names that somebody chose to steer terminals and shells: every command shows them, and obeys none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.builders import (
    TRAINER,
    History,
    Made,
    Output,
    keep_models,
    prune_checkpoints,
    write_checkpoints,
    write_saved_model,
)
from tests.cli.conftest import Answer, Call

CLEAR = "\x1b[2J\x1b]0;title\x07"
HOSTILE = f"{CLEAR}two\nlines\r\u202e[bold]'\"$(id)"
RULES = [keep_models(last=1), prune_checkpoints(last=1)]


@pytest.fixture
def models(history: History) -> list[Made]:
    """One that goes, one outside the roots, one that cannot be read; and a run with hostile checkpoints."""
    pipeline = history.pipeline(f"pipeline {HOSTILE}")
    uris = [f"{history.root}/{HOSTILE}", f"/nowhere/{HOSTILE}", HOSTILE]
    made = []
    for uri in uris:
        outputs = {"model": Output("Model", uri=uri)}
        made.append(pipeline.run().execute(TRAINER, outputs=outputs)[1]["model"])
    write_saved_model(Path(uris[0]))
    run = pipeline.retrain(steps=(1, 2), blessed=None, pushed=False).model_run.path
    for directory in (HOSTILE, os.fsdecode(b"\xff\xfe")):
        hostile = write_checkpoints(run / directory, (1, 2))
        (hostile / "checkpoint").unlink()
        for file in list(hostile.iterdir()):
            file.rename(hostile / file.name.replace("ckpt", directory.replace("/", "")))
    return made


def shown(answer: Answer) -> str:
    """Standard output for people, of which, as of standard error, every line prints."""
    for text in (answer.out, answer.err):
        assert all(line.isprintable() for line in text.split("\n")), ascii(text)
    return answer.out


@pytest.mark.parametrize("command", ["plan", "gc", "history"])
def test_no_table_obeys_a_name(command: str, on: Call, history: History, models: list[Made]) -> None:
    policy = history.policy_file(rules=RULES)
    if command == "history":
        on("gc", "--policy", policy)
    answer = on(command, *([] if command == "history" else ["--policy", policy]))
    assert answer.code == 0
    assert "two\\nlines" in shown(answer)


@pytest.mark.parametrize("format", ["table", "tree"])
def test_no_explanation_obeys_a_name(format: str, on: Call, history: History, models: list[Made]) -> None:
    for made in models:
        answer = on("explain", made.id, "--policy", history.policy_file(rules=RULES), "--format", format)
        assert answer.code == 0
        assert "two\\nlines" in shown(answer)


def test_json_holds_every_name_and_no_control_character(
    on: Call, history: History, models: list[Made]
) -> None:
    policy = history.policy_file(rules=RULES)
    for arguments in (
        ["plan", "--policy", policy],
        *(["explain", made.id, "--policy", policy] for made in models),
        ["gc", "--policy", policy],
        ["history"],
    ):
        answer = on(*arguments, "--format", "json")
        assert answer.code == 0
        assert HOSTILE in str_values(answer.json)
        assert answer.out.isascii() and answer.out.replace("\n", "").isprintable()


def str_values(document: Any) -> str:
    """All strings of a document as they were before they were written as JSON."""
    if isinstance(document, dict):
        document = [*document.keys(), *document.values()]
    if isinstance(document, list):
        return "|".join(map(str_values, document))
    return str(document)


def test_explain_finds_what_a_hostile_uri_names(on: Call, history: History, models: list[Made]) -> None:
    policy = history.policy_file(rules=RULES)
    for made in models[:2]:
        assert on("explain", made.uri, "--policy", policy, "--format", "json").json["artifact_id"] == made.id
    answer = on("explain", f"{CLEAR}/nothing", "--policy", policy)
    assert answer.code == 2
    shown(answer)


def test_a_plan_with_hostile_names_can_be_written_and_applied(
    on: Call, history: History, models: list[Made], tmp_path: Path
) -> None:
    out = tmp_path / "plan.json"
    shown(on("plan", "--policy", history.policy_file(rules=RULES), "--out", out))
    shown(on("apply", out))
    answer = on("purge")
    shown(answer)
    assert answer.code == 0
    assert history.states(*models) == ["DELETED", "LIVE", "LIVE"]
    assert not os.path.lexists(models[0].uri)
