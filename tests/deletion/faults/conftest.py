"""Tells at the end what was struck, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.deletion.faults.injection import without_waiting
from tests.deletion.faults.trial import Trial

KINDS = ("mlmd", "create", "write", "mkdir", "rename", "unlink", "rmdir", "fsync")


@dataclass(frozen=True)
class Told:
    """One line of the table: a scenario, its effects by kind, how often it was struck, what was broken."""

    scenario: str
    effects: Counter[str]
    runs: int
    violations: int

    @staticmethod
    def of(trial: Trial, scenario: str) -> Told:
        kinds = Counter(passed.effect.kind for passed in trial.passed)
        return Told(scenario, kinds, trial.runs, len(trial.problems))


_TABLE: list[Told] = []


@pytest.fixture(scope="session")
def table() -> list[Told]:
    """What is told at the end of the session."""
    return _TABLE


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    without_waiting(monkeypatch)
    yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _TABLE:
        return
    total = Told(
        "together",
        sum((told.effects for told in _TABLE), Counter()),
        sum(told.runs for told in _TABLE),
        sum(told.violations for told in _TABLE),
    )
    terminalreporter.section("faults at every effect")
    titles = ("", "effects", *KINDS, "runs", "violations")
    terminalreporter.write_line(_line(titles))
    for told in (*_TABLE, total):
        counts = (told.effects[kind] for kind in KINDS)
        terminalreporter.write_line(
            _line((told.scenario, told.effects.total(), *counts, told.runs, told.violations))
        )


def _line(cells: tuple[object, ...]) -> str:
    first, *others = cells
    return f"{first!s:<22}" + "".join(f"{cell!s:>{max(8, len(str(cell)) + 2)}}" for cell in others)
