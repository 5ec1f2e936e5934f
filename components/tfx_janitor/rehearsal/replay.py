"""A policy replayed over a store's own history: what it would have deleted, and what of it was used later.

An imaginary janitor marks what the policy lets go whenever a pipeline run has ended, and at the end of the
history. When the grace of its marks is over it judges again: what is kept by then is rescued, the rest is
deleted, and from then on counts as DELETED. Each time it judges the store as it was. What the real janitor
did is left out: whatever is marked or deleted today was LIVE.

Of the storage of the past nobody knows. So every payload was there and whole, and lay where its URI leads
today; a served destination that stands today has stood since its push, and one that is gone stood until the
same pipeline's next push into the same directory. Checkpoints inside artifacts are not replayed: when they
were written and pruned is not recorded.

History itself is not replayed: where TFX would have found nothing, or something else, the real runs still go
on as they did. So a regret says that something was needed, not what would have come of it. Nor do limits of
the policy stop anything: the imaginary janitor has every plan approved.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np

from tfx_janitor.lineage.snapshot import ACTIVE, ArtifactState, Ints, Snapshot
from tfx_janitor.lineage.timeline import as_of
from tfx_janitor.payload.places import Place
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.rehearsal.replayed import Fate, Replay, ReplayedMark
from tfx_janitor.rehearsal.uses import FOUND_BY_STATE, Uses
from tfx_janitor.retention.case import MODEL, PUSHED_MODEL, Case
from tfx_janitor.retention.facts import Evidence, StorageFacts, Verified
from tfx_janitor.retention.plan import Reason
from tfx_janitor.retention.settle import nominate, settle
from tfx_janitor.retention.settlement import Settlement
from tfx_janitor.retention.timestamps import to_ms

MOST_ENDS = 300
"""Ends of runs that are judged; of more, so many are chosen evenly."""

_TRUSTED = Verified(True, "taken for whole")
_REPLAYED_STATES = (ArtifactState.LIVE, ArtifactState.MARKED_FOR_DELETION, ArtifactState.DELETED)

_Fact = TypeVar("_Fact")


@dataclass(frozen=True)
class PastStorage:
    """What storage can still say of the past, by the rows of the history.

    Attributes:
      facts: of today, with a place for every artifact and a size where something can be measured.
      evidence: of today.
      gone: destinations that were pushed to and no longer stand.
    """

    facts: StorageFacts
    evidence: Evidence = field(default=Evidence())
    gone: Mapping[int, Place] = field(default_factory=dict)


def replay(
    history: Snapshot,
    policy: RetentionPolicy,
    storage: PastStorage,
    *,
    now_ms: int,
    only_pipeline: str | None = None,
    most: int = MOST_ENDS,
    progress: Callable[[str, int, int], None] | None = None,
) -> Replay:
    """Replays a policy.

    Args:
      history: the store at the end of the history, with nothing in it that is later.
      now_ms: the end of the history.
      only_pipeline: if given, only artifacts that this pipeline produced are governed.
      most: ends of runs that are judged.
      progress: called with what is done, how much of it, and of how much.

    Returns:
      Marks with their fates. Cost: one judgement of the store for each end of a run and each grace that is
      over, so at most `2 * most + 1`, each linear in the store of its moment.
    """
    ends = _run_ends(history)
    chosen = ends if len(ends) <= most else ends[np.linspace(0, len(ends) - 1, most).round().astype(int)]
    janitor = _ImaginaryJanitor(history, policy, storage, now_ms, only_pipeline)
    occasions = {*chosen.tolist(), now_ms}
    # A heap, for what is marked adds the moment at which its grace is over.
    agenda = sorted(occasions)
    judged: list[int] = []
    while agenda:
        moment = heapq.heappop(agenda)
        if judged and judged[-1] == moment:
            continue
        due = janitor.act(moment, marking=moment in occasions)
        judged.append(moment)
        if due is not None and due < now_ms:
            heapq.heappush(agenda, due)
        if progress is not None:
            progress("replay", len(judged), len(judged) + len(agenda))
    return Replay(
        policy=policy.to_dict(),
        since_ms=judged[0],
        until_ms=now_ms,
        ends=len(ends),
        judged=len(judged),
        thinned=len(chosen) < len(ends),
        marks=janitor.finish(),
    )


def _run_ends(history: Snapshot) -> Ints:
    """Moments at which runs ended, ascending: the last word of the last execution of each.

    An execution without a run stands for itself. Active ones have not ended, and acts are no runs.
    """
    executions, events = history.executions, history.events
    last_word = executions.updated_ms.copy()
    # The rows of one publication are written one after another, and its last event may be some milliseconds
    # later than its execution.
    np.maximum.at(last_word, events.execution, events.time_ms)
    runs = len(executions.run_names)
    alone = executions.run < 0
    run = np.where(alone, runs + np.cumsum(alone), executions.run)
    ended = ~np.isin(executions.state, ACTIVE) & ~history.janitor_executions
    ends = np.full(runs + len(executions) + 1, -1, np.int64)
    np.maximum.at(ends, run[ended], last_word[ended])
    return np.unique(ends[ends >= 0])


@dataclass
class _OpenMark:
    """A mark that the imaginary janitor has made and not dealt with yet."""

    row: int
    marked_ms: int
    why: tuple[Reason, ...]


class _ImaginaryJanitor:
    """Holds the states that artifacts would have, by the rows of the history."""

    def __init__(
        self,
        history: Snapshot,
        policy: RetentionPolicy,
        storage: PastStorage,
        now_ms: int,
        only_pipeline: str | None,
    ) -> None:
        self._history, self._policy, self._storage = history, policy, storage
        self._now_ms, self._only_pipeline = now_ms, only_pipeline
        self._grace_ms = to_ms(policy.grace)
        self._state = np.full(len(history.artifacts), int(ArtifactState.LIVE), np.int8)
        self._open: dict[int, _OpenMark] = {}
        self._closed: list[ReplayedMark] = []
        self._models = frozenset(history.rows_of_type(MODEL))
        self._stood_until = _stood_until(history, storage.gone, now_ms)
        self._uses = Uses(Case(history, policy, now_ms))

    def act(self, moment: int, *, marking: bool) -> int | None:
        """Judges, rescues, marks and deletes. Returns when the grace of what was marked will be over.

        Args:
          marking: False only deals with what was marked before.
        """
        rows = np.flatnonzero(self._history.artifacts.created_ms <= moment)
        settlement = self._judge(moment, rows)
        going = {int(rows[at]): at for at in settlement.deletions}
        for row in [row for row in self._open if row not in going]:
            self._state[row] = ArtifactState.LIVE
            at = int(np.searchsorted(rows, row))
            kept = [reason for reason in _reasons(settlement, at) if reason.holds]
            self._close(row, "rescued", moment, tuple(kept))
        marked = sorted(going.keys() - self._open.keys()) if marking else []
        for row in marked:
            self._state[row] = ArtifactState.MARKED_FOR_DELETION
            self._open[row] = _OpenMark(row, moment, _reasons(settlement, going[row]))
        due = [mark.row for mark in self._open.values() if mark.marked_ms + self._grace_ms <= moment]
        for row in due:
            self._state[row] = ArtifactState.DELETED
            self._close(row, "deleted", moment)
        return moment + self._grace_ms if marked else None

    def finish(self) -> tuple[ReplayedMark, ...]:
        """All marks, with what is still open."""
        for row in list(self._open):
            self._close(row, "marked", self._now_ms)
        return tuple(sorted(self._closed, key=lambda mark: (mark.marked_ms, mark.artifact_id)))

    def _judge(self, moment: int, rows: Ints) -> Settlement:
        then = as_of(self._history, moment)
        replayed = np.isin(then.artifacts.state, _REPLAYED_STATES)
        state = np.where(replayed, self._state[rows], then.artifacts.state)
        then = dataclasses.replace(then, artifacts=dataclasses.replace(then.artifacts, state=state))
        number = {row: at for at, row in enumerate(rows.tolist())}
        case = Case(
            then,
            self._policy,
            moment,
            only_pipeline=self._only_pipeline,
            evidence=_evidence(self._storage.evidence, number),
        )
        return settle(nominate(case), self._facts(moment, number))

    def _facts(self, moment: int, number: Mapping[int, int]) -> StorageFacts:
        today = self._storage.facts
        there = (self._state != ArtifactState.DELETED).tolist()
        present = {row: at for row, at in number.items() if there[row]}
        stood = {row: p for row, p in self._storage.gone.items() if moment < self._stood_until[row]}
        return StorageFacts(
            roots=today.roots,
            places=_renumbered(today.places, present),
            not_understood=_renumbered(today.not_understood, number),
            destinations=_renumbered({**today.destinations, **stood}, number),
            verified={at: _TRUSTED for row, at in present.items() if row in self._models},
        )

    def _close(self, row: int, fate: Fate, moment: int, fate_why: Iterable[Reason] = ()) -> None:
        mark, history = self._open.pop(row), self._history
        uses = self._uses.of(row)
        self._closed.append(
            ReplayedMark(
                artifact_id=int(history.artifacts.id[row]),
                type=history.type_of(row),
                uri=history.artifacts.uri[row],
                pipeline=history.pipeline_of(row),
                run=history.run_of(row),
                node=history.node_of(row),
                output=history.output_of(row),
                created_ms=int(history.artifacts.created_ms[row]),
                bytes=self._storage.facts.bytes.get(row),
                marked_ms=mark.marked_ms,
                why=mark.why,
                fate=fate,
                fate_ms=moment,
                fate_why=tuple(fate_why),
                missed=tuple(
                    u for u in uses if u.how in FOUND_BY_STATE and mark.marked_ms < u.at_ms <= moment
                ),
                regrets=tuple(u for u in uses if u.at_ms > moment) if fate == "deleted" else (),
            )
        )


def _reasons(settlement: Settlement, row: int) -> tuple[Reason, ...]:
    """Reasons of a row, if it is still governed."""
    return settlement.reasons_of(row) if row in settlement.nomination.case.governed else ()


def _stood_until(history: Snapshot, gone: Mapping[int, Place], now_ms: int) -> dict[int, int]:
    """Per destination that is gone: the moment of the same pipeline's next push into the same directory."""
    pushes: dict[tuple[str | None, str], list[tuple[int, int]]] = {}
    for row in history.rows_of_type(PUSHED_MODEL):
        destination = history.property(row, "pushed_destination")
        if history.property(row, "pushed") == 1 and destination:
            directory = str(destination).rstrip("/").rpartition("/")[0]
            created = int(history.artifacts.created_ms[row])
            pushes.setdefault((history.pipeline_of(row), directory), []).append((created, row))
    until = dict.fromkeys(gone, now_ms)
    for series in pushes.values():
        series.sort()
        for (_, row), (replaced_ms, _) in pairwise(series):
            if row in gone:
                until[row] = replaced_ms
    return until


def _evidence(today: Evidence, number: Mapping[int, int]) -> Evidence:
    fields = (field.name for field in dataclasses.fields(today))
    return Evidence(**{name: _renumbered(getattr(today, name), number) for name in fields})


def _renumbered(facts: Mapping[int, _Fact], number: Mapping[int, int]) -> dict[int, _Fact]:
    return {number[row]: fact for row, fact in facts.items() if row in number}
