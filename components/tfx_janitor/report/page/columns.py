"""The page's data: a store and its verdicts in columns, which compress well and are quick to open.

Whatever repeats is an index into a list of texts, ids and times are differences, and a row of artifacts, of
executions or of decisions is a position in every column of its table. `assets/store.js` reads it.

All texts are made printable here, so that no name can steer what shows it. That a name is no markup is the
business of the scripts, which only ever set the text of an element.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tfx_janitor.lineage.snapshot import INPUTS, OUTPUTS, ExecutionState, Ints, Snapshot, state_name
from tfx_janitor.lineage.walk import FOUND, Edge
from tfx_janitor.report.page.contents import Contents
from tfx_janitor.report.sentences import inside, sentence, why, why_checkpoint
from tfx_janitor.report.served import Timeline
from tfx_janitor.report.text import printable
from tfx_janitor.retention.plan import VERDICTS, CheckpointDecision, Reason, Step

MOST_VERSIONS = 40
"""Versions of a serving directory that are drawn, the newest ones; the table beside has more of them."""

_NODES = ("artifact", "execution", "context")


def page_data(contents: Contents) -> dict[str, Any]:
    """Everything that the scripts draw, JSON-ready."""
    snapshot = contents.snapshot
    texts = _Texts()
    return {
        "policy": printable(contents.policy_file),
        "now": contents.plan.now_ms,
        "artifacts": _artifacts(snapshot, texts),
        "executions": _executions(snapshot, texts),
        "events": _events(snapshot, texts),
        "references": [_reference(edge, texts) for edge in contents.references],
        "pins": {pin.context_id: texts.number(f"pin of {pin.actor}") for pin in snapshot.pins},
        "decisions": _decisions(contents, texts),
        "timelines": [_timeline(timeline) for timeline in contents.timelines],
        "growth": None if contents.growth is None else contents.growth.to_dict(),
        # The last one: by now it has every text.
        "texts": texts.all(),
    }


class _Texts:
    """Texts by number, in the order of their first appearance."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def numbers(self, texts: Iterable[str]) -> list[int]:
        return [self.number(text) for text in texts]

    def all(self) -> list[str]:
        return [printable(text) for text in self._numbers]


def _artifacts(snapshot: Snapshot, texts: _Texts) -> dict[str, Any]:
    artifacts = snapshot.artifacts
    types = texts.numbers(artifacts.type_names)
    outputs = [*texts.numbers(snapshot.events.key_names), -1]
    # Most URIs of one output differ in their last part only.
    split = [uri.rpartition("/") for uri in artifacts.uri]
    return {
        "id": _differences(artifacts.id),
        "type": [types[number] for number in artifacts.type.tolist()],
        "state": [texts.number(state_name(state)) for state in artifacts.state.tolist()],
        "created": _differences(artifacts.created_ms),
        "directory": texts.numbers(directory for directory, _, _ in split),
        "name": [printable(name) for _, _, name in split],
        "producer": snapshot.producer.tolist(),
        "output": [outputs[key] for key in snapshot.output_key.tolist()],
    }


def _executions(snapshot: Snapshot, texts: _Texts) -> dict[str, Any]:
    executions = snapshot.executions

    def named(column: Ints, names: Sequence[str]) -> list[int]:
        numbers = [*texts.numbers(names), -1]
        return [numbers[number] for number in column.tolist()]

    return {
        "id": _differences(executions.id),
        "type": named(executions.type, executions.type_names),
        "state": [
            texts.number(ExecutionState(state).name if state in list(ExecutionState) else str(state))
            for state in executions.state.tolist()
        ],
        "created": _differences(executions.created_ms),
        "pipeline": named(executions.pipeline, executions.pipeline_names),
        "run": named(executions.run, executions.run_names),
        "node": named(executions.node, executions.node_names),
    }


def _events(snapshot: Snapshot, texts: _Texts) -> dict[str, Any]:
    """What leads on, as in `lineage.walk`: acts of the janitor do not, but for those that made something."""
    events = snapshot.events
    silent = snapshot.janitor_executions.copy()
    silent[events.execution[np.isin(events.kind, OUTPUTS)]] = False
    leads = np.isin(events.kind, (*INPUTS, *FOUND, *OUTPUTS)) & ~silent[events.execution]
    keys = [*texts.numbers(events.key_names), -1]
    return {
        "artifact": events.artifact[leads].tolist(),
        "execution": events.execution[leads].tolist(),
        "made": np.isin(events.kind[leads], OUTPUTS).astype(int).tolist(),
        "key": [keys[key] for key in events.key[leads].tolist()],
    }


def _reference(edge: Edge, texts: _Texts) -> list[int]:
    """Both ends, and the name of the property."""
    return [*_step(edge.origin), *_step(edge.target), texts.number(edge.name)]


def _decisions(contents: Contents, texts: _Texts) -> dict[str, Any]:
    reasons = _Reasons(texts)
    decided = contents.decisions
    decisions = list(decided.values())
    return {
        "row": list(decided),
        "verdict": [VERDICTS.index(decision.verdict) for decision in decisions],
        "bytes": [decision.bytes for decision in decisions],
        "prunable": {
            at: sum(checkpoint.bytes for checkpoint in decision.prunes)
            for at, decision in enumerate(decisions)
            if decision.prunes and decision.verdict != "delete"
        },
        "why": [texts.number("; ".join((why(d), *inside(d)))) for d in decisions],
        "reasons": [[reasons.number(reason) for reason in decision.reasons] for decision in decisions],
        "paths": {
            at: [[_step(step) for step in reason.path] for reason in decision.reasons]
            for at, decision in enumerate(decisions)
            if any(reason.path for reason in decision.reasons)
        },
        "checkpoints": {
            at: [_checkpoint(checkpoint, texts) for checkpoint in decision.checkpoints]
            for at, decision in enumerate(decisions)
            if decision.checkpoints
        },
        "reason": reasons.all(),
    }


class _Reasons:
    """Reasons by number: code and sentence. Paths differ where all else is the same, and stand elsewhere."""

    def __init__(self, texts: _Texts) -> None:
        self._texts = texts
        self._numbers: dict[tuple[str, str, str | None], int] = {}
        self._told: list[list[int]] = []

    def number(self, reason: Reason) -> int:
        known = reason.code, reason.detail, reason.rule
        if known not in self._numbers:
            self._numbers[known] = len(self._told)
            self._told.append(self._texts.numbers((reason.code, sentence(reason))))
        return self._numbers[known]

    def all(self) -> list[list[int]]:
        return self._told


def _checkpoint(checkpoint: CheckpointDecision, texts: _Texts) -> list[int]:
    name = f"{checkpoint.directory}/{checkpoint.name}" if checkpoint.directory else checkpoint.name
    told = texts.numbers((name, checkpoint.verdict, why_checkpoint(checkpoint)))
    return [*told, checkpoint.bytes]


def _timeline(timeline: Timeline) -> dict[str, Any]:
    ids = timeline.snapshot.artifacts.id
    return {
        "base": printable(str(timeline.base)),
        "versions": [
            {
                "name": printable(version.name),
                "pushed": version.pushed_ms,
                "retired": version.retired_ms,
                "stands": version.standing is not None,
                "serving": timeline.serves(version),
                "periods": [[period.since_ms, period.until_ms] for period in version.periods],
                "artifact": int(ids[version.pushed[0]]),
            }
            for version in timeline.versions[-MOST_VERSIONS:]
        ],
    }


def _step(step: Step) -> list[int]:
    return [_NODES.index(step[0]), step[1]]


def _differences(column: Ints) -> list[int]:
    values = column.tolist()
    return [value - before for before, value in pairwise([0, *values])]
