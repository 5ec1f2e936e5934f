"""What nodes and runs have made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.builders.runs import Run


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact that was made: its MLMD id, its type's name, and its URI."""

    id: int
    type: str
    uri: str

    @property
    def path(self) -> Path:
        return Path(self.uri)


@dataclass(frozen=True, slots=True)
class Training:
    """A Trainer execution and its outputs."""

    execution: int
    model: Made
    model_run: Made


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An Evaluator execution and its outputs."""

    execution: int
    blessing: Made
    evaluation: Made


@dataclass(frozen=True, slots=True)
class Push:
    """A Pusher execution, its output, and where the model is served."""

    execution: int
    pushed_model: Made
    destination: Path


@dataclass(frozen=True, slots=True)
class Retraining:
    """A whole run: what each node made. `evaluation` and `push` are None where the node did not run."""

    run: Run
    examples: Made
    training: Training
    evaluation: Evaluation | None
    pushing: Push | None

    @property
    def model(self) -> Made:
        return self.training.model

    @property
    def model_run(self) -> Made:
        return self.training.model_run

    @property
    def blessing(self) -> Made:
        assert self.evaluation is not None
        return self.evaluation.blessing

    @property
    def push(self) -> Push:
        assert self.pushing is not None
        return self.pushing
