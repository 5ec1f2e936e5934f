"""Rows of MLMD as TFX writes them: types, events and properties."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders.made import Made

BASE_TYPES = {"Model": mlmd.ArtifactType.MODEL, "Examples": mlmd.ArtifactType.DATASET}
DECLARED = {"Examples": {"span": mlmd.INT, "version": mlmd.INT, "split_names": mlmd.STRING}}
"""Properties that TFX declares with the type of an artifact; all others are custom ones."""


def paired(
    artifacts: Mapping[str, Sequence[Made]], kind: Any, row: Callable[[Made], mlmd.Artifact]
) -> list[tuple[mlmd.Artifact, mlmd.Event]]:
    return [
        (row(made), event_of(kind, key, index))
        for key, listed in artifacts.items()
        for index, made in enumerate(listed)
    ]


def event_of(kind: Any, key: str, index: int) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = index
    return event


def set_values(properties: Any, values: Mapping[str, str | int | float]) -> None:
    for name, value in values.items():
        kind = {str: "string_value", int: "int_value", float: "double_value"}[cast(type, type(value))]
        setattr(properties[name], kind, value)


def await_next_millisecond() -> None:
    """What comes after this is later than all so far: MLMD tells changes apart only by their milliseconds."""
    began = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == began:
        pass
