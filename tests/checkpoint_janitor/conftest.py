"""A pipeline with a past, in whose newest run a janitor is at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.builders import History, Pipeline, Retraining, Run

# Without an image or packages for remote workers, TFX builds a source distribution of itself for them, which
# takes seconds for each executor; a local runner has no remote workers.
BEAM_ARGS: list[Any] = ["--runner=FnApiRunner", "--sdk_container_image=local"]

JANITOR = "tfx_janitor.checkpoint_janitor.component.CheckpointJanitor"


@dataclass
class Past:
    """Retrainings, and the run that the janitor is part of.

    Attributes:
      execution: MLMD id of the janitor's own execution, which is RUNNING.
    """

    history: History
    pipeline: Pipeline
    retrainings: list[Retraining]
    run: Run = field(init=False)
    execution: int = field(init=False)

    def start_janitor(self) -> int:
        self.run = self.retrainings[-1].run
        self.execution, _ = self.run.execute(JANITOR, state="RUNNING")
        return self.execution

    @property
    def models(self) -> list[str]:
        """States of the models, the oldest first."""
        return self.history.states(*(made.model for made in self.retrainings))


@pytest.fixture
def past(tmp_path: Path) -> Callable[[int], Past]:
    """Gives a pipeline with a number of retrainings, none of them pushed."""

    def make(number: int = 4) -> Past:
        history = History(tmp_path)
        pipeline = history.pipeline("inception")
        return Past(history, pipeline, [pipeline.retrain(pushed=False) for _ in range(number)])

    return make
