"""The last word on every model and checkpoint that was ever made, and the bytes of it all.

What is there is judged anew; why something is gone is told by the plans that the janitor left in ML Metadata.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ml_metadata import MetadataStore

from tfx_janitor.deletion import acts
from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot
from tfx_janitor.payload.filesystem import measure
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.report.sentences import why, why_checkpoint
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.plan import CheckpointDecision, Decision, Plan
from tfx_janitor.survey import look
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

KEPT, DUE, GONE = "keep", "due", "deleted"
"""It stays; the next clean-up deletes it; it is gone."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model, or checkpoints of one training that share their fate.

    Attributes:
      what: such as "Model 11" or "ckpt-20 ... ckpt-80".
      bytes: apparent size, also of what is gone; None if nobody measured it.
      fate: `KEPT`, `DUE` or `GONE`.
      reasons: in words.
    """

    what: str
    bytes: int | None
    fate: str
    reasons: str


@dataclass(frozen=True, slots=True)
class Bytes:
    """Apparent sizes: what lies there now, what the janitor deleted, what the pusher took out of service."""

    now: int
    deleted: int
    retired: int


class Ledger:
    """Looks everything up once.

    Args:
      store: opened for reading; `metadata` is its URL.
      snapshot: of the store.
      policy: what is there is judged by it, as of `now_ms`.
      pipeline: whose models and checkpoints are told of.
    """

    def __init__(
        self,
        store: MetadataStore,
        metadata: str,
        snapshot: Snapshot,
        policy: RetentionPolicy,
        pipeline: str,
        now_ms: int,
    ):
        self._snapshot = snapshot
        self._acts = acts.read(store)
        case = Case(snapshot, policy, now_ms, only_pipeline=pipeline)
        present = make_plan(case, Threads(), metadata=metadata, created_ms=now_ms, measure_all=True)
        self._last: dict[int, Decision] = {}
        self._last_inside: dict[int, dict[str, CheckpointDecision]] = {}
        for plan in (*_plans(snapshot), present):
            for decision in plan.decisions:
                inside = {checkpoint.name: checkpoint for checkpoint in decision.checkpoints}
                self._last[decision.artifact_id] = decision
                self._last_inside.setdefault(decision.artifact_id, {}).update(inside)

    def entries(self, model: int) -> Iterator[Entry]:
        """What became of a Model and of the checkpoints beside it; takes the Model's MLMD id."""
        row = self._snapshot.row(model)
        assert row is not None, model
        yield self._artifact(model, f"Model {model}")
        for sibling in self._snapshot.siblings(row, "ModelRun"):
            artifacts = self._snapshot.artifacts
            yield from self._checkpoints(int(artifacts.id[sibling]), artifacts.uri[sibling])

    def bytes(self, *directories: Path) -> Bytes:
        """What lies in the directories, and what would lie there had nothing ever been deleted."""
        outcomes = [outcome for act in self._acts for outcome in act.outcomes]
        return Bytes(
            now=sum(measure(str(directory)).bytes for directory in directories),
            deleted=sum(o.bytes for o in outcomes if o.done in ("purged", "pruned")),
            retired=sum(self._retired()),
        )

    def _artifact(self, artifact_id: int, what: str) -> Entry:
        last = self._last.get(artifact_id)
        if self._is_gone(artifact_id):
            if last is None or last.verdict != "delete":
                return Entry(what, None, GONE, self._deleter(artifact_id))
            return Entry(what, last.bytes, GONE, why(last))
        if last is None:
            return Entry(what, None, KEPT, "no rule governs it")
        return Entry(what, last.bytes, DUE if last.verdict == "delete" else KEPT, why(last))

    def _checkpoints(self, model_run: int, uri: str) -> Iterator[Entry]:
        whole = self._artifact(model_run, "")
        there = {fact.candidate.name for fact in look.list_checkpoints(uri)} if os.path.isdir(uri) else set()

        def fate(checkpoint: CheckpointDecision) -> tuple[str, bool]:
            pruned = checkpoint.verdict == "delete"
            if checkpoint.name not in there:
                return GONE, pruned
            return DUE if pruned else whole.fate, pruned

        found = sorted(self._last_inside.get(model_run, {}).values(), key=lambda c: (c.step or 0, c.name))
        for (became, pruned), group in groupby(found, key=fate):
            alike = list(group)
            # Of those that are pruned the newest missed it by the least; the others share the fate of all.
            reasons = why_checkpoint(alike[-1]) if pruned or became == KEPT else whole.reasons
            yield Entry(f"  {_span([c.name for c in alike])}", sum(c.bytes for c in alike), became, reasons)
        yield from self._pruned_by_others(model_run, there)

    def _pruned_by_others(self, model_run: int, there: Collection[str]) -> Iterator[Entry]:
        """What was pruned without a plan of the pipeline's janitor, such as by `tfx-janitor gc`."""
        told = {*there, *self._last_inside.get(model_run, {})}
        for act in self._acts:
            marked = [name for _, name in act.details.get("checkpoints", {}).get(str(model_run), ())]
            if marked and told.isdisjoint(marked):
                size = sum(o.bytes for o in act.outcomes if o.artifact_id == model_run)
                yield Entry(f"  {_span(marked)}", size, GONE, f"by {act.actor}")

    def _retired(self) -> Iterator[int]:
        """Sizes of the versions that are served no longer: those of the pushed copies."""
        for row in self._snapshot.rows_of_type("PushedModel"):
            destination = self._snapshot.property(row, "pushed_destination")
            if destination and not os.path.lexists(str(destination)):
                last = self._last.get(int(self._snapshot.artifacts.id[row]))
                yield (last.bytes if last else None) or 0

    def _is_gone(self, artifact_id: int) -> bool:
        row = self._snapshot.row(artifact_id)
        return row is None or self._snapshot.artifacts.state[row] == ArtifactState.DELETED

    def _deleter(self, artifact_id: int) -> str:
        """The words of the last who marked it: other janitors than the pipeline's leave no plan there."""
        said = "by somebody who left no trace"
        for act in self._acts:
            for outcome in act.outcomes:
                if outcome.artifact_id == artifact_id and outcome.done == "marked":
                    said = f"by {act.actor}: {outcome.detail}"
        return said


def _span(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"


def _plans(snapshot: Snapshot) -> Iterator[Plan]:
    """The plans that the janitor left, oldest first."""
    for row in snapshot.rows_of_type("JanitorPlan"):
        path = Path(snapshot.artifacts.uri[row], "plan.json")
        if path.exists():
            yield Plan.from_json(path.read_text(encoding="utf-8"))
