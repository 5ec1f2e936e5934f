"""The case that is judged: a snapshot, a policy, a moment, and who asks. Everything else follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tfx_janitor.lineage.origin import models_given_to
from tfx_janitor.lineage.paths import Derivations
from tfx_janitor.lineage.snapshot import ACTIVE, OUTPUTS, ArtifactState, EventKind, Snapshot, Value
from tfx_janitor.policy.schema import RetentionPolicy, Rule
from tfx_janitor.retention.facts import Evidence
from tfx_janitor.retention.plan import Step
from tfx_janitor.retention.timestamps import to_ms

MODEL, MODEL_RUN = "Model", "ModelRun"
MODEL_BLESSING, INFRA_BLESSING, PUSHED_MODEL = "ModelBlessing", "InfraBlessing", "PushedModel"

PRESENT = (ArtifactState.LIVE, ArtifactState.MARKED_FOR_DELETION)
"""States in which an artifact counts: its bytes are there, and it may still be used or restored."""


@dataclass(frozen=True)
class Group:
    """Artifacts that one rule ranks together, newest first (by creation time, then id)."""

    rule: Rule
    key: tuple[object, ...]
    rows: tuple[int, ...]


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
        by_place: dict[tuple[str, str | None, str | None, str | None], tuple[Rule, ...]] = {}
        snapshot = self.snapshot
        for row in np.flatnonzero(snapshot.artifacts.state != ArtifactState.DELETED).tolist():
            pipeline = snapshot.pipeline_of(row)
            if self.only_pipeline is not None and pipeline != self.only_pipeline:
                continue
            place = (snapshot.type_of(row), pipeline, snapshot.node_of(row), snapshot.output_of(row))
            candidates = by_place.get(place)
            if candidates is None:
                # Given a rule's own properties, `matches` answers for the place alone, which many share.
                candidates = by_place[place] = tuple(
                    rule for rule in self.policy.rules if rule.match.matches(*place, rule.match.properties)
                )
            rules = tuple(
                rule
                for rule in candidates
                if not rule.match.properties or rule.match.matches(*place, snapshot.properties_of(row))
            )
            if rules:
                found[row] = rules
        return found

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups of all rules that keep artifacts, in the order of their first members."""
        members: dict[tuple[str, tuple[object, ...]], list[int]] = {}
        rules = {rule.name: rule for rule in self.policy.rules}
        for row, governing in self.governed.items():
            if self.snapshot.artifacts.state[row] not in PRESENT:
                continue
            for rule in governing:
                if rule.keep is not None:
                    members.setdefault((rule.name, self._group_key(row, rule)), []).append(row)
        return tuple(
            Group(rules[name], key, tuple(self.newest_first(rows))) for (name, key), rows in members.items()
        )

    def newest_first(self, rows: Sequence[int]) -> list[int]:
        """Rows by creation time, then id, newest first."""
        created = self.snapshot.artifacts.created_ms
        return sorted(rows, key=lambda row: (created[row], row), reverse=True)

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
            # The Evaluator writes the id; a ModelValidator of old stores may have left only the URI.
            model_id = snapshot.property(blessing, "current_model_id")
            model = snapshot.row(model_id) if isinstance(model_id, int) and model_id else None
            uri = snapshot.property(blessing, "current_model")
            for named in self._models_by_uri.get(uri, ()) if model is None else (model,):
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

    def is_blessed(self, row: int) -> bool:
        """Whether the artifact, or the Model that the same execution produced, is blessed."""
        if self.snapshot.type_of(row) == MODEL_BLESSING:
            return self.snapshot.property(row, "blessed") == 1
        return any(model in self.blessings for model in self._model_or_sibling(row))

    def is_pushed(self, row: int) -> bool:
        """Whether the artifact, or the Model that the same execution produced, was pushed."""
        if self.snapshot.type_of(row) == PUSHED_MODEL:
            return self.snapshot.property(row, "pushed") == 1
        return any(model in self.pushes for model in self._model_or_sibling(row))

    def artifact_step(self, row: int) -> Step:
        """A lineage path's step on an artifact."""
        return ("artifact", int(self.snapshot.artifacts.id[row]))

    def execution_step(self, row: int) -> Step:
        """A lineage path's step on an execution."""
        return ("execution", int(self.snapshot.executions.id[row]))

    def uses(self, execution: int) -> Iterator[int]:
        """Artifact rows that are input or output of an execution, or were found by it if it is a Resolver."""
        yield from dict.fromkeys(self.snapshot.artifacts_of(execution, tuple(EventKind)))

    @cached_property
    def derivations(self) -> Derivations:
        """What was made from what."""
        return Derivations(self.snapshot)

    @cached_property
    def _models_by_uri(self) -> dict[Value | None, list[int]]:
        found: dict[Value | None, list[int]] = {}
        for row in self.snapshot.rows_of_type(MODEL):
            found.setdefault(self.snapshot.artifacts.uri[row], []).append(row)
        return found

    def _model_or_sibling(self, row: int) -> list[int]:
        return [row] if self.snapshot.type_of(row) == MODEL else self.snapshot.siblings(row, MODEL)

    def _group_key(self, row: int, rule: Rule) -> tuple[object, ...]:
        snapshot = self.snapshot
        return rule.group_of(
            snapshot.pipeline_of(row),
            snapshot.node_of(row),
            snapshot.output_of(row),
            lambda name: snapshot.property(row, name),
        )
