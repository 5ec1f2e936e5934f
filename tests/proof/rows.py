"""The rows that MLMD would hold of a history, as plain values, and what really lies at their URIs."""

from __future__ import annotations

from typing import TypedDict

Value = str | int | float
Event = tuple[int, int, str, str | None, int]
"""Artifact id, execution id, kind, key, time in milliseconds."""


class Artifact(TypedDict):
    """A row, and what really lies at its URI.

    bytes is None where nothing lies; whole tells whether a Model loads, checkpoints whether a ModelRun has a
    restorable one, metrics what an evaluation's payload says.
    """

    type: str
    state: str
    created: int
    updated: int
    uri: str
    properties: dict[str, Value]
    bytes: int | None
    whole: bool
    metrics: dict[str, float]


class Execution(TypedDict):
    """A row with the names of its contexts."""

    type: str
    state: str
    created: int
    updated: int
    pipeline: str | None
    run: str | None
    node: str | None


class Pin(TypedDict):
    """A pin with the milliseconds of its ends, None where it has none."""

    artifact: int
    since: int
    until: int | None
    released: int | None


class History(TypedDict):
    """Everything. `own` is the janitor's own execution, `standing` the PushedModels still served."""

    now: int
    own: int | None
    artifacts: dict[int, Artifact]
    executions: dict[int, Execution]
    events: list[Event]
    pins: list[Pin]
    standing: list[int]
