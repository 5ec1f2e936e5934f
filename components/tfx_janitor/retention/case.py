"""The case that is judged: a snapshot, a policy, a moment, and who asks. Everything else follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfx_janitor.lineage.origin import models_given_to
from tfx_janitor.lineage.paths import Derivations
from tfx_janitor.lineage.snapshot import (
    ACTIVE,
    INPUTS,
    OUTPUTS,
    ArtifactState,
    EventKind,
    Ints,
    Snapshot,
    Value,
)
from tfx_janitor.payload.places import PlaceError, parse
from tfx_janitor.policy.fields import GROUPS
from tfx_janitor.policy.schema import RetentionPolicy, Rule
from tfx_janitor.retention.facts import Evidence, StorageFacts
from tfx_janitor.retention.plan import Step
from tfx_janitor.retention.timestamps import to_ms

MODEL, MODEL_RUN = "Model", "ModelRun"
MODEL_BLESSING, INFRA_BLESSING, PUSHED_MODEL = "ModelBlessing", "InfraBlessing", "PushedModel"

_OTHERS_ROLES = frozenset({"baseline_model", "base_model"})
"""Input keys under which TFX gives a node a model to compare with or to start from: what comes of it says
nothing about that model."""

PRESENT = (ArtifactState.LIVE, ArtifactState.MARKED_FOR_DELETION)
"""States in which an artifact counts: its bytes are there, and it may still be used or restored."""


@dataclass(frozen=True)
class Group:
    """Artifacts that one rule ranks together, newest first (by creation time, then id)."""

    rule: Rule
    key: tuple[object, ...]
    rows: tuple[int, ...]


class _Output(NamedTuple):
    """Where artifacts come from: one output of one node."""

    type: str
    pipeline: str | None
    node: str | None
    output: str | None


@dataclass(frozen=True)
class Case:
    """What liveness and retention judge.

    Attributes:
      own_execution: MLMD id of the execution that runs the janitor, which never counts as use.
      only_pipeline: if given, only artifacts that this pipeline produced are governed.
      evidence: what the policy's words had to ask storage.
    """

    snapshot: Snapshot
    policy: RetentionPolicy
    now_ms: int
    own_execution: int | None = None
    only_pipeline: str | None = None
    evidence: Evidence = field(default=Evidence(), compare=False)

    @cached_property
    def governed(self) -> dict[int, tuple[Rule, ...]]:
        """Rows that some rule matches, ascending, with those rules; DELETED artifacts are left out."""
        found: dict[int, tuple[Rule, ...]] = {}
        snapshot, (outputs, output_of_row) = self.snapshot, self._outputs
        # Given a rule's own properties, `matches` answers for the output alone, which many share.
        candidates = [
            tuple(rule for rule in self.policy.rules if rule.match.matches(*output, rule.match.properties))
            if self.only_pipeline in (None, output.pipeline)
            else ()
            for output in outputs
        ]
        there = np.flatnonzero(snapshot.artifacts.state != ArtifactState.DELETED)
        for row, output in zip(there.tolist(), output_of_row[there].tolist(), strict=True):
            rules = candidates[output]
            if any(rule.match.properties for rule in rules):
                properties = snapshot.properties_of(row)
                rules = tuple(rule for rule in rules if rule.match.matches(*outputs[output], properties))
            if rules:
                found[row] = rules
        return found

    @cached_property
    def unmatched(self) -> tuple[Rule, ...]:
        """The rules that fit no artifact, whatever pipeline it is of; what is DELETED counts as fitting."""
        snapshot, (outputs, output_of_row) = self.snapshot, self._outputs

        def fits(rule: Rule) -> bool:
            wanted = rule.match.properties
            fitting = [at for at, output in enumerate(outputs) if rule.match.matches(*output, wanted)]
            return bool(fitting) and (
                not wanted
                or any(
                    rule.match.matches(*outputs[output_of_row[row]], snapshot.properties_of(row))
                    for row in np.flatnonzero(np.isin(output_of_row, fitting)).tolist()
                )
            )

        return tuple(rule for rule in self.policy.rules if not fits(rule))

    def values(self, part: str) -> frozenset[str]:
        """All values in the store of one part of where artifacts come from, such as its types."""
        outputs, _ = self._outputs
        return frozenset(value for output in outputs if (value := getattr(output, part)) is not None)

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Per artifact: whether its state is one of `PRESENT`."""
        return np.isin(self.snapshot.artifacts.state, PRESENT)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups of all rules that keep artifacts, in the order of their first members."""
        members: dict[tuple[str, tuple[object, ...]], list[int]] = {}
        # Unless a rule groups by properties, all of one output are of one group.
        by_output: dict[tuple[str, int], list[int]] = {}
        rules = {rule.name: rule for rule in self.policy.rules}
        _, output_of_row = self._outputs
        for row, governing in self.governed.items():
            if not self.present[row]:
                continue
            for rule in governing:
                if rule.keep is None:
                    continue
                seat = (rule.name, int(output_of_row[row]))
                rows = by_output.get(seat)
                if rows is None:
                    rows = members.setdefault((rule.name, self._group_key(row, rule)), [])
                    if set(rule.group_by) <= set(GROUPS):
                        by_output[seat] = rows
                rows.append(row)
        return tuple(
            Group(rules[name], key, tuple(self.newest_first(rows))) for (name, key), rows in members.items()
        )

    def newest_first(self, rows: Sequence[int]) -> list[int]:
        """Rows by creation time, then id, newest first."""
        given = np.array(rows, np.int64)
        return given[np.lexsort((given, self.snapshot.artifacts.created_ms[given]))[::-1]].tolist()

    @cached_property
    def active(self) -> npt.NDArray[np.bool_]:
        """Per execution: NEW or RUNNING, somebody else's, and not dead by `stale_after`."""
        executions = self.snapshot.executions
        active = np.isin(executions.state, ACTIVE) & ~self.snapshot.janitor_executions
        if self.own_execution is not None:
            active &= executions.id != self.own_execution
        if self.policy.stale_after is not None:
            active &= executions.updated_ms >= self.now_ms - to_ms(self.policy.stale_after)
        return active

    @cached_property
    def own_run(self) -> int:
        """Index of the pipeline run that the janitor is part of, -1 outside of any."""
        if self.own_execution is None:
            return -1
        row = self.snapshot.execution_row(self.own_execution)
        return -1 if row is None else int(self.snapshot.executions.run[row])

    @cached_property
    def blessings(self) -> dict[int, list[int]]:
        """Rows of blessed Models, each with the rows of the ModelBlessings that say so, ascending."""
        snapshot = self.snapshot
        found: dict[int, list[int]] = {}
        for blessing in snapshot.rows_of_type(MODEL_BLESSING):
            if snapshot.property(blessing, "blessed") != 1:
                continue
            for named in self._named_by(blessing):
                found.setdefault(named, []).append(blessing)
        return found

    @cached_property
    def pushes(self) -> dict[int, list[tuple[int, int]]]:
        """Rows of pushed Models, each with pairs (push execution, PushedModel), in ascending row."""
        snapshot = self.snapshot
        found: dict[int, list[tuple[int, int]]] = {}
        for pushed in snapshot.rows_of_type(PUSHED_MODEL):
            if snapshot.property(pushed, "pushed") != 1:
                continue
            # A Pusher that failed after it had pushed counts as well: what stands there is served.
            makers = {
                model: execution
                for execution in reversed(snapshot.executions_of(pushed, OUTPUTS))
                for model in models_given_to(snapshot, execution)
            }
            for model, execution in makers.items():
                found.setdefault(model, []).append((execution, pushed))
        return found

    def standing(self, facts: StorageFacts) -> frozenset[int]:
        """Rows of the PushedModels that are served, or pushed to where nobody here can look."""
        return self._pushed_out_of_sight.union(facts.destinations)

    def is_blessed(self, row: int) -> bool:
        """Whether the artifact, or the Model that the same execution produced, is blessed."""
        if self.snapshot.type_of(row) == MODEL_BLESSING:
            return self.snapshot.property(row, "blessed") == 1
        return row in self._blessed_with_siblings

    def is_pushed(self, row: int) -> bool:
        """Whether the artifact, or the Model that the same execution produced, was pushed."""
        if self.snapshot.type_of(row) == PUSHED_MODEL:
            return self.snapshot.property(row, "pushed") == 1
        return row in self._pushed_with_siblings

    def artifact_step(self, row: int) -> Step:
        """A lineage path's step on an artifact."""
        return ("artifact", int(self.snapshot.artifacts.id[row]))

    def execution_step(self, row: int) -> Step:
        """A lineage path's step on an execution."""
        return ("execution", int(self.snapshot.executions.id[row]))

    def uses(self, execution: int) -> Iterator[int]:
        """Artifact rows that are input or output of an execution, or were found by it if it is a Resolver."""
        yield from dict.fromkeys(self.snapshot.artifacts_of(execution, tuple(EventKind)))

    def is_taken(self, event: int) -> bool:
        """Whether an event tells that its execution took the artifact as input, and for its own sake."""
        events = self.snapshot.events
        role = events.key_names[events.key[event]] if events.key[event] >= 0 else None
        return events.kind[event] in INPUTS and role not in _OTHERS_ROLES

    @cached_property
    def _outputs(self) -> tuple[list[_Output], Ints]:
        """All that `match` and `GROUPS` ask of artifacts, each once, and per artifact its index there."""
        snapshot = self.snapshot
        code = snapshot.artifacts.type.astype(np.int64)
        for column in (snapshot.pipeline, snapshot.node, snapshot.output_key):
            code = code * (int(column.max(initial=-1)) + 2) + column
        _, first, output_of_row = np.unique(code, return_index=True, return_inverse=True)
        outputs = [
            _Output(
                snapshot.type_of(row),
                snapshot.pipeline_of(row),
                snapshot.node_of(row),
                snapshot.output_of(row),
            )
            for row in first.tolist()
        ]
        return outputs, output_of_row

    @cached_property
    def derivations(self) -> Derivations:
        """What was made from what."""
        return Derivations(self.snapshot)

    @cached_property
    def _pushed_out_of_sight(self) -> frozenset[int]:
        """PushedModels whose destination names no place: a path relative to who knows what, an endpoint."""
        snapshot = self.snapshot
        column = snapshot.artifacts.properties.get("pushed_destination")
        return frozenset(
            row
            for row, destination in (column.items() if column is not None else ())
            if destination
            and snapshot.type_of(row) == PUSHED_MODEL
            and snapshot.property(row, "pushed") == 1
            and not _names_a_place(str(destination))
        )

    def _named_by(self, blessing: int) -> Sequence[int]:
        """Rows of the Models that a ModelBlessing is about.

        The Evaluator writes the id, a ModelValidator of old stores may have left only the URI, and somebody's
        own evaluator, of which the Pusher reads `blessed` alone, perhaps neither: then it is about what that
        execution judged.
        """
        snapshot = self.snapshot
        model_id, uri = (snapshot.property(blessing, name) for name in ("current_model_id", "current_model"))
        model = snapshot.row(model_id) if isinstance(model_id, int) and model_id else None
        if model is not None:
            return [model]
        if model_id is not None or uri is not None:
            return self._models_by_uri.get(uri, [])
        judge = int(snapshot.producer[blessing])
        events = snapshot.events_of_execution(judge).tolist() if judge >= 0 else ()
        taken = (int(snapshot.events.artifact[event]) for event in events if self.is_taken(event))
        return [row for row in dict.fromkeys(taken) if snapshot.type_of(row) == MODEL]

    @cached_property
    def _models_by_uri(self) -> dict[Value | None, list[int]]:
        found: dict[Value | None, list[int]] = {}
        for row in self.snapshot.rows_of_type(MODEL):
            found.setdefault(self.snapshot.artifacts.uri[row], []).append(row)
        return found

    @cached_property
    def _blessed_with_siblings(self) -> frozenset[int]:
        return self._with_siblings(self.blessings)

    @cached_property
    def _pushed_with_siblings(self) -> frozenset[int]:
        return self._with_siblings(self.pushes)

    def _with_siblings(self, rows: Iterable[int]) -> frozenset[int]:
        """Those of the rows that are Models, and all but Models that the same executions produced."""
        snapshot = self.snapshot
        is_model = np.zeros(len(snapshot.artifacts), np.bool_)
        is_model[snapshot.rows_of_type(MODEL)] = True
        models = [row for row in rows if is_model[row]]
        makers = snapshot.producer[models]
        siblings = np.isin(snapshot.producer, makers[makers >= 0]) & ~is_model
        return frozenset(models).union(np.flatnonzero(siblings).tolist())

    def _group_key(self, row: int, rule: Rule) -> tuple[object, ...]:
        snapshot = self.snapshot
        return rule.group_of(
            snapshot.pipeline_of(row),
            snapshot.node_of(row),
            snapshot.output_of(row),
            lambda name: snapshot.property(row, name),
        )


def _names_a_place(uri: str) -> bool:
    try:
        parse(uri)
    except PlaceError:
        return False
    return True
