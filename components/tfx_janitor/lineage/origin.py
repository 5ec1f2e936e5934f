"""What led to a model that was pushed: which Model, trained on which data, blessed by whom.

The nearest answers are wanted here, and not all ancestors: a baseline that it was compared with, or the model
that its training started from, has data and blessings of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tfx_janitor.lineage.snapshot import INPUTS, OUTPUTS, Snapshot

_MODEL, _INFRA_BLESSING, _MODEL_BLESSING = "Model", "InfraBlessing", "ModelBlessing"
_PUSHED_MODEL, _EXAMPLES = "PushedModel", "Examples"


@dataclass(frozen=True, slots=True)
class Origin:
    """Rows of the artifacts that led to a PushedModel or Model.

    Attributes:
      models: what was pushed; nearly always one.
      blessings: the ModelBlessings that the push was given; without any, those that name the model.
      examples: what the model was trained on, as it came into the pipeline: not what a Transform made of it.
    """

    models: tuple[int, ...]
    blessings: tuple[int, ...]
    examples: tuple[int, ...]


def models_given_to(snapshot: Snapshot, execution: int) -> list[int]:
    """Rows of the Models that a Pusher's execution was given.

    It may be given a Model, or an InfraBlessing that carries a copy of one: then the Model is what the
    InfraValidator was given.
    """
    models = []
    for row in snapshot.artifacts_of(execution, INPUTS):
        if snapshot.type_of(row) == _MODEL:
            models.append(row)
        elif snapshot.type_of(row) == _INFRA_BLESSING and snapshot.producer[row] >= 0:
            given = snapshot.artifacts_of(int(snapshot.producer[row]), INPUTS)
            models.extend(model for model in given if snapshot.type_of(model) == _MODEL)
    return list(dict.fromkeys(models))


class Origins:
    """Looks up what led to the artifacts of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Takes the snapshot; an index of its blessings is made when it is first needed."""
        self._snapshot = snapshot

    def of(self, row: int) -> Origin | None:
        """What led to a PushedModel or a Model; None for an artifact of any other type."""
        type_name = self._snapshot.type_of(row)
        if type_name == _MODEL:
            models, given = [row], []
        elif type_name == _PUSHED_MODEL:
            models, given = self._pushed(row)
        else:
            return None
        naming = [blessing for model in models for blessing in self._naming.get(model, ())]
        examples = [found for model in models for found in self._examples(model)]
        return Origin(
            tuple(models),
            tuple(dict.fromkeys(given or naming)),
            tuple(dict.fromkeys(examples)),
        )

    def _pushed(self, row: int) -> tuple[list[int], list[int]]:
        """Models and ModelBlessings of a push; of one that put an earlier version back, those of that one."""
        snapshot, seen = self._snapshot, {row}
        waiting = [row]
        while waiting:
            pushed = waiting.pop()
            makers = snapshot.executions_of(pushed, OUTPUTS)
            given = [artifact for maker in makers for artifact in snapshot.artifacts_of(maker, INPUTS)]
            models = [model for maker in makers for model in models_given_to(snapshot, maker)]
            model_id = snapshot.property(pushed, "source_model_id")
            source = snapshot.row(model_id) if isinstance(model_id, int) else None
            if source is not None or models:
                blessings = [one for one in given if snapshot.type_of(one) == _MODEL_BLESSING]
                return list(dict.fromkeys(models if source is None else [source])), blessings
            before = [one for one in given if snapshot.type_of(one) == _PUSHED_MODEL and one not in seen]
            seen.update(before)
            waiting += before
        return [], []

    def _examples(self, model: int) -> list[int]:
        """Examples that no other Examples were made into, going up and never through another Model."""
        snapshot = self._snapshot
        found, seen, waiting = [], {model}, [model]
        while waiting:
            row = waiting.pop()
            producer = int(snapshot.producer[row])
            inputs = snapshot.artifacts_of(producer, INPUTS) if producer >= 0 else []
            is_examples = snapshot.type_of(row) == _EXAMPLES
            if is_examples and all(snapshot.type_of(one) != _EXAMPLES for one in inputs):
                found.append(row)
                continue
            onwards = [one for one in inputs if one not in seen and snapshot.type_of(one) != _MODEL]
            seen.update(onwards)
            waiting += onwards
        return sorted(found)

    @cached_property
    def _naming(self) -> dict[int, list[int]]:
        """Rows of Models, each with the ModelBlessings whose `current_model_id` it is."""
        found: dict[int, list[int]] = {}
        for blessing in self._snapshot.rows_of_type(_MODEL_BLESSING):
            model_id = self._snapshot.property(blessing, "current_model_id")
            model = self._snapshot.row(model_id) if isinstance(model_id, int) else None
            if model is not None:
                found.setdefault(model, []).append(blessing)
        return found
