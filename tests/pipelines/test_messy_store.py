"""The tour of docs/tour.md, taken: each of its commands is run, and prints what the page says it prints.

What differs from one tour to the next is where it takes place and when; both are put into the page's words.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from pipelines import messy_store
from tests.cli.conftest import Answer, Call, call
from tfx_janitor.audit.finding import CODES

__all__ = ["call"]

TOUR = Path(__file__).parents[2] / "docs" / "tour.md"
MAKE = ".venv/bin/python -m pipelines.messy_store "
REPORT = "tfx-janitor report "
HOME = "/home/anna/tfx-janitor"
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
PADDING = re.compile(r"(?<=\S) {2,}")
SIZE_OF_PAGE = re.compile(r"(?<=\.html: )\S+ [kM]B")


@dataclass(frozen=True)
class Step:
    """A command of the page, and what it says that it prints."""

    command: str
    shown: str


def steps() -> Iterator[Step]:
    for block in re.findall(r"```\n(\$ (?:.*\n)*?)```", TOUR.read_text(encoding="utf-8")):
        for part in block.split("\n$ "):
            command, _, shown = part.removeprefix("$ ").partition("\n")
            yield Step(command, shown)


@dataclass
class Here:
    """Where and when this tour takes place, instead of where and when the page's did."""

    directory: Path
    days: dict[str, str]

    def arguments(self, command: str) -> list[str]:
        words = shlex.split(command.replace(HOME, str(self.directory)))
        return [self.days.get(word, word) for word in words]

    def in_words_of_the_page(self, printed: str) -> str:
        return comparable(printed.replace(str(self.directory), HOME))


def comparable(text: str) -> str:
    """Without times, the blanks that fill up a column to its longest path, and the report's size."""
    for pattern, words in (
        (MOMENT, "(moment)"),
        (DAY, "(day)"),
        (PADDING, "  "),
        (SIZE_OF_PAGE, "(size)"),
    ):
        text = pattern.sub(words, text)
    return text.strip()


@pytest.fixture
def tour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], call: Call
) -> list[tuple[Step, Answer]]:
    """All steps, taken one after the other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "anna")
    monkeypatch.setattr("socket.gethostname", lambda: "mill")
    make, *others = steps()
    messy_store.main(shlex.split(make.command.removeprefix(MAKE)))
    made = Answer(0, capsys.readouterr().out, "")
    here = Here(tmp_path, days_of(make.shown, made.out, others))
    (line,) = (line for line in made.out.splitlines() if line.startswith("export "))
    name, _, value = line.removeprefix("export ").partition("=")
    monkeypatch.setenv(name, value)
    taken = [(make, made)]
    for step in others:
        program, *arguments = here.arguments(step.command)
        assert program == "tfx-janitor", step.command
        taken.append((step, call(*arguments)))
    return [
        (step, Answer(answer.code, here.in_words_of_the_page(answer.out), answer.err))
        for step, answer in taken
    ]


def days_of(shown: str, printed: str, others: list[Step]) -> dict[str, str]:
    """By day of the page, the day of this tour: as far from each other as there."""
    (first,), (now,) = (map(date.fromisoformat, DAY.findall(text)) for text in (shown, printed))
    named = {day for step in others for day in DAY.findall(step.command)}
    return {day: (now + (date.fromisoformat(day) - first)).isoformat() for day in named}


def test_the_page_shows_what_really_comes_out_and_all_is_mended(tour: list[tuple[Step, Answer]]):
    for step, answer in tour:
        assert answer.out == comparable(step.shown), step.command

    audits = [number for number, (step, _) in enumerate(tour) if step.command.startswith("tfx-janitor audit")]
    first, second, *later = audits
    found = tour[first][1]
    assert found.code == 1
    told = re.findall(r"^(?:error|warning|note) ([a-z-]+)", found.out, re.MULTILINE)
    # No command mends these two; and who takes the tour may read all of the store that it has just made.
    assert sorted(told) == sorted(CODES.keys() - {"unreadable-payload", "unaccounted-directory"})

    # What is run in between is what was printed, all of it, in its order; but for the day of the collection.
    printed = re.findall(r"^ *mend: (.*)", found.out, re.MULTILINE)
    between = tour[first + 1 : second]
    assert [answer.code for _, answer in between] == [0] * len(between)
    run = [comparable(step.command) for step, _ in between if REPORT not in step.command]
    assert [command.removesuffix(" --now (day)") for command in run] == printed

    assert later
    for number in (second, *later):
        assert tour[number][1].code == 0
        assert tour[number][1].out.endswith(": nothing found")


def test_it_is_made_in_an_empty_directory_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SystemExit) as ended:
        messy_store.main([str(tmp_path)])
    assert ended.value.code == 2
    assert f"expected an empty directory, or none yet, but {tmp_path} holds" in capsys.readouterr().err
