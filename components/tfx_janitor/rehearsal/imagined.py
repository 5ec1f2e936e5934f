"""A history that never happened: the lineage that runs of one TFX pipeline would leave, as a Snapshot.

Each run is ExampleGen, Trainer, Evaluator and Pusher, as TFX records them: what the Evaluator does not bless
has a ModelBlessing that says so, and what is not pushed has a PushedModel that says so. Every payload is
whole and lies inside a root, and no version is served any more: whatever stays does so by its lineage or by
the policy.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from tfx_janitor.lineage.snapshot import (
    Artifacts,
    ArtifactState,
    EventKind,
    Events,
    Executions,
    ExecutionState,
    Snapshot,
    SparseColumn,
    Value,
)
from tfx_janitor.payload.places import Place
from tfx_janitor.retention.case import MODEL, MODEL_BLESSING, MODEL_RUN, PUSHED_MODEL
from tfx_janitor.retention.facts import StorageFacts, Verified

PUSHABLE = (MODEL, MODEL_RUN, PUSHED_MODEL)
"""The types of what a push needs or leaves: the Model, the ModelRun that it came of, the PushedModel."""

_EVALUATION = "ModelEvaluation"
_TYPES = ("Examples", MODEL, MODEL_RUN, MODEL_BLESSING, _EVALUATION, PUSHED_MODEL)
"""What each run makes, in this order."""

_NODES = ("ExampleGen", "Trainer", "Evaluator", "Pusher")
_MAKER = (0, 1, 1, 2, 2, 3)
"""Per type: the node that makes it."""

_INPUTS = (
    (1, 0, "examples"),
    (2, 0, "examples"),
    (2, 1, "model"),
    (3, 1, "model"),
    (3, 3, "model_blessing"),
)
"""Node, type of what it takes, and under which key."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the pipeline.

    Attributes:
      created_ms: when all that it made was created.
      pushed: whether its Model was ever pushed.
      blessed: whether its Evaluator blessed the Model.
      metrics: metrics by name, as properties of its ModelEvaluation.
      properties: custom properties of its Model, ModelRun and PushedModel.
    """

    created_ms: int
    pushed: bool
    blessed: bool
    metrics: Mapping[str, float] = field(default_factory=dict)
    properties: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Names:
    """What the pipeline calls itself, its nodes and their outputs."""

    pipeline: str = "pipeline"
    trainer: str = "Trainer"
    pusher: str = "Pusher"
    model: str = "model"
    model_run: str = "model_run"
    pushed_model: str = "pushed_model"

    @property
    def nodes(self) -> tuple[str, ...]:
        """Node ids, in the order in which they run."""
        return ("ExampleGen", self.trainer, "Evaluator", self.pusher)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Output keys of what a run makes."""
        return ("examples", self.model, self.model_run, "blessing", "evaluation", self.pushed_model)


def row_of(run: int, type_name: str) -> int:
    """Row of what a run made, in the snapshot of `imagine`."""
    return run * len(_TYPES) + _TYPES.index(type_name)


def imagine(runs: Sequence[Run], names: Names, root: Place, first_id: int = 1) -> Snapshot:
    """The lineage that these runs would leave.

    Args:
      runs: the oldest first.
      root: every payload lies inside it.
      first_id: MLMD id of the first artifact.
    """
    size = len(runs) * len(_TYPES)
    created = np.repeat(np.array([run.created_ms for run in runs], np.int64), len(_TYPES))
    ids = np.arange(first_id, first_id + size, dtype=np.int64)
    artifacts = Artifacts(
        id=ids,
        type=np.tile(np.arange(len(_TYPES)), len(runs)),
        state=np.full(size, int(ArtifactState.LIVE)),
        created_ms=created,
        updated_ms=created,
        uri=tuple(str(place) for place in _places(len(runs), names, root)),
        type_names=_TYPES,
        properties=_properties(runs, ids, root),
    )
    return Snapshot(artifacts, _executions(runs, names), _events(len(runs), names))


def storage(runs: Sequence[Run], names: Names, root: Place, roots: Iterable[Place]) -> StorageFacts:
    """What storage would say of these runs: everything is there and whole, and no destination stands."""
    models = (row_of(run, MODEL) for run in range(len(runs)))
    return StorageFacts(
        roots=tuple(roots),
        places=dict(enumerate(_places(len(runs), names, root))),
        verified=dict.fromkeys(models, Verified(True, "whole")),
    )


def fitting(patterns: Iterable[str], *usual: str) -> str | None:
    """A name that fits one of these shell-like patterns, a usual one if it does; None if none is found."""
    listed = tuple(patterns)
    made = (_made_for(pattern) for pattern in listed)
    for name in (*usual, *(name for name in made if name)):
        if any(fnmatchcase(name, pattern) for pattern in listed):
            return name
    return None


_PATTERN_PARTS = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_CHARACTERS = "x" + string.ascii_letters + string.digits + string.punctuation


def _made_for(pattern: str) -> str:
    def one(part: str) -> str:
        if part[0] in "*?" or len(part) > 1:
            return next((c for c in _CHARACTERS + part if fnmatchcase(c, part)), "")
        return part

    return "".join(map(one, _PATTERN_PARTS.findall(pattern)))


def _places(runs: int, names: Names, root: Place) -> list[Place]:
    # TFX's own layout: pipeline root, node, output key, id of the execution.
    made = [(names.nodes[node], key, node) for node, key in zip(_MAKER, names.outputs, strict=True)]
    return [
        Place(root.scheme, f"{root.path}/{names.pipeline}/{node}/{key}/{run * len(_NODES) + maker + 1}")
        for run in range(runs)
        for node, key, maker in made
    ]


def _properties(runs: Sequence[Run], ids: np.ndarray, root: Place) -> dict[str, SparseColumn]:
    values: dict[str, dict[int, Value]] = {}
    for number, run in enumerate(runs):
        for type_name in PUSHABLE:
            for name, value in run.properties.items():
                values.setdefault(name, {})[row_of(number, type_name)] = value
        for name, metric in run.metrics.items():
            values.setdefault(name, {})[row_of(number, _EVALUATION)] = metric
        # Last, for what TFX itself writes is what it is, whatever a policy wants to match.
        blessing, pushed = row_of(number, MODEL_BLESSING), row_of(number, PUSHED_MODEL)
        values.setdefault("blessed", {})[blessing] = int(run.blessed)
        values.setdefault("current_model_id", {})[blessing] = int(ids[row_of(number, MODEL)])
        values.setdefault("pushed", {})[pushed] = int(run.pushed)
        if run.pushed:
            values.setdefault("pushed_destination", {})[pushed] = f"{root}-served/{number + 1}"
    return {
        name: SparseColumn(np.array(sorted(at)), tuple(at[row] for row in sorted(at)))
        for name, at in values.items()
    }


def _executions(runs: Sequence[Run], names: Names) -> Executions:
    size = len(runs) * len(_NODES)
    created = np.repeat(np.array([run.created_ms for run in runs], np.int64), len(_NODES))
    node = np.tile(np.arange(len(_NODES)), len(runs))
    return Executions(
        id=np.arange(1, size + 1, dtype=np.int64),
        type=node,
        state=np.full(size, int(ExecutionState.COMPLETE)),
        created_ms=created,
        updated_ms=created,
        pipeline=np.zeros(size, np.int64),
        run=np.repeat(np.arange(len(runs)), len(_NODES)),
        node=node,
        type_names=_NODES,
        pipeline_names=(names.pipeline,),
        run_names=tuple(f"run-{number}" for number in range(1, len(runs) + 1)),
        node_names=names.nodes,
    )


def _events(runs: int, names: Names) -> Events:
    keys = tuple(dict.fromkeys((*names.outputs, *(key for _, _, key in _INPUTS))))
    taken = [(node, made, EventKind.INPUT, keys.index(key)) for node, made, key in _INPUTS]
    given = [
        (node, made, EventKind.OUTPUT, keys.index(names.outputs[made])) for made, node in enumerate(_MAKER)
    ]
    # Ascending by execution, what it takes before what it makes.
    one = np.array(sorted([*taken, *given], key=lambda event: event[0]), np.int64)
    number = np.repeat(np.arange(runs), len(one))
    every = np.tile(one, (runs, 1))
    return Events(
        artifact=every[:, 1] + number * len(_TYPES),
        execution=every[:, 0] + number * len(_NODES),
        kind=every[:, 2],
        key=every[:, 3],
        time_ms=np.zeros(len(every), np.int64),
        key_names=keys,
    )
