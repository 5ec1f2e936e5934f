"""Decisions without a store, and what a terminal of some width shows of a renderable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console, RenderableType

from tfx_janitor.retention.plan import CheckpointDecision, Decision, Reason

KEPT = Decision(
    artifact_id=12,
    type="Model",
    uri="/srv/pipelines/inception/Trainer/model/7",
    state="LIVE",
    pipeline="inception",
    run="run-1",
    node="Trainer",
    output="model",
    created_ms=0,
    updated_ms=0,
    bytes=None,
    verdict="keep",
    reasons=(Reason("keep.last", "rank 1 of 3, the newest 2 are kept", "models"),),
)

Decide = Callable[..., Decision]
Show = Callable[..., list[str]]


@pytest.fixture
def decide() -> Decide:
    """`decide(id=3, verdict="delete", reasons=...)`: one decision, otherwise as `KEPT`."""

    def made(*reasons: Reason, **changes: Any) -> Decision:
        return replace(KEPT, reasons=reasons or KEPT.reasons, **changes)

    return made


@pytest.fixture
def show() -> Show:
    """`show(renderable, width=80)`: its lines, without the blanks at their ends."""

    def shown(*renderables: RenderableType, width: int = 200) -> list[str]:
        console = Console(width=width, force_terminal=False, color_system=None, markup=True)
        with console.capture() as captured:
            console.print(*renderables, sep="\n")
        return [line.rstrip() for line in captured.get().splitlines()]

    return shown


def checkpoint(step: int, verdict: str = "keep", *reasons: Reason, directory: str = "") -> CheckpointDecision:
    """One checkpoint of 1,000 bytes."""
    return CheckpointDecision(directory, f"ckpt-{step}", step, 1000, verdict, reasons)  # type: ignore[arg-type]
