"""tfx-janitor: finds, explains and safely deletes dead SavedModels and checkpoints of TFX pipelines.

The four public names are loaded when they are first used: the two components need TFX, which takes seconds to
import, the two values need none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfx_janitor.checkpoint_janitor.component import CheckpointJanitor
    from tfx_janitor.policy.schema import RetentionPolicy
    from tfx_janitor.retention.plan import Plan
    from tfx_janitor.verified_pusher.component import VerifiedPusher

__all__ = ["CheckpointJanitor", "Plan", "RetentionPolicy", "VerifiedPusher"]

_HOME = {
    "CheckpointJanitor": "tfx_janitor.checkpoint_janitor.component",
    "Plan": "tfx_janitor.retention.plan",
    "RetentionPolicy": "tfx_janitor.policy.schema",
    "VerifiedPusher": "tfx_janitor.verified_pusher.component",
}

_COME_WITH_TFX = ("tfx", "apache_beam", "tensorflow")


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    try:
        return getattr(import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in _COME_WITH_TFX:
            raise
        raise ModuleNotFoundError(
            f"{name} takes {error.name}, which is not installed here; "
            'pip install "tfx-janitor[tfx]" brings it',
            name=error.name,
        ) from None


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
