"""What a terminal shows: as wide as it is, but for what people copy from it."""

from __future__ import annotations

import sys

import pytest
from rich.text import Text

from tfx_janitor.cli.printing import show
from tfx_janitor.report.text import to_copy

COMMAND = "tfx-janitor withdraw /srv/serving/inception 1700000010 --reason 'found by the nightly audit'"
SENTENCE = "It may go: no hold holds it, and every rule that governs it lets go of it, each by its own word"


def test_commands_and_paths_are_one_line_and_sentences_are_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")  # 80 columns, without colours
    path = f"/srv/{'pipelines' * 9}/with blanks/Trainer/model/7"
    show(COMMAND, to_copy(f"  mend: {COMMAND}"), Text(f"  {SENTENCE}"), Text(path))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == [COMMAND, f"  mend: {COMMAND}"]
    assert lines[-1] == path
    folded = lines[2:-1]
    assert len(folded) == 2 and all(line.startswith("  ") and len(line) <= 80 for line in folded)
    assert " ".join(map(str.strip, folded)) == SENTENCE


def test_a_plain_string_is_obeyed_by_no_terminal(capsys: pytest.CaptureFixture[str]):
    show("written to /tmp/\x1b[2Jreport\n.html", "")
    assert capsys.readouterr().out == "written to /tmp/\\x1b[2Jreport\\n.html\n\n"
