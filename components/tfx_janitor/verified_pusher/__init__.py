"""A Pusher that never shows a model server anything but a whole, verified model.

`component` and `executor` are the TFX side and are imported only when asked for; `push` and what it stands on
(`content`, `copying`, `staging`, `versions`, `manifest`, `retirement`) need neither TFX nor TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfx_janitor.verified_pusher import component, executor
    from tfx_janitor.verified_pusher.component import VerifiedPusher

__all__ = ["VerifiedPusher", "component", "executor"]


def __getattr__(name: str) -> Any:
    if name == "VerifiedPusher":
        return importlib.import_module(f"{__name__}.component").VerifiedPusher
    if name in ("component", "executor"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
