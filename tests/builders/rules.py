"""Rules of a policy, in one call each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rules = Sequence[Mapping[str, Any]]


def keep_models(name: str = "models", **keep: Any) -> dict[str, Any]:
    """A rule for Models, such as `keep_models(last=2)`."""
    return {"name": name, "match": {"type": "Model"}, "keep": keep}


def keep_model_runs(name: str = "model-runs", **keep: Any) -> dict[str, Any]:
    """A rule for ModelRuns."""
    return {"name": name, "match": {"type": "ModelRun"}, "keep": keep}


def prune_checkpoints(name: str = "checkpoints", **checkpoints: Any) -> dict[str, Any]:
    """A rule that prunes inside ModelRuns and deletes none of them."""
    return {"name": name, "match": {"type": "ModelRun"}, "checkpoints": checkpoints}
