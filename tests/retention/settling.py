"""Runs to settle, in memory, and rules for what they made."""

from __future__ import annotations

from tests.retention.pure_histories import FIRST_ARTIFACT, PureHistory, Retrained, keep

ONE_MODEL = [keep("Model", last=1)]
MODELS_AND_RUNS = [keep("Model", last=1), keep("ModelRun", last=1)]


def retrained(past: PureHistory, runs: int = 2) -> list[Retrained]:
    return [past.run(day=day).retrain() for day in range(1, runs + 1)]


def ids(rows: list[int] | tuple[int, ...] | frozenset[int]) -> list[int]:
    return [row + FIRST_ARTIFACT for row in rows]
