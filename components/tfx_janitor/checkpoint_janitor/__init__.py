"""The component that cleans up after the pipeline that it is part of.

Everything here but `options`, `unrooted` and `own_run` needs TFX, and is imported only when asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfx_janitor.checkpoint_janitor.artifacts import JanitorPlan, JanitorReport
    from tfx_janitor.checkpoint_janitor.component import CheckpointJanitor

__all__ = ["CheckpointJanitor", "JanitorPlan", "JanitorReport"]

_HOME = {"CheckpointJanitor": "component", "JanitorPlan": "artifacts", "JanitorReport": "artifacts"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
