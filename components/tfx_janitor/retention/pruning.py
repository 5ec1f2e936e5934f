"""Which checkpoints of a directory stay: pure, over names, steps and times.

A directory may hold several series, such as `ckpt-1, ckpt-2, ...` beside `best-1`. Each series is judged
alone: the checkpoints of one prefix that carry a step, and those of one prefix that carry none. Within a
series the newest is the one with the highest step, and of equal steps, or without any, the one written last.

The words of a rule; a checkpoint stays if any of them keeps it:

- `last: N` keeps the newest N that can be restored. `tf.train.CheckpointManager(max_to_keep=N)` counts
  whatever it has written, damaged or not, and can so end up with nothing to restore.
- `every_n_steps: N` walks from the oldest on: it keeps the first, then each that is at least N steps after
  the one that it kept before. Orbax's `EveryNSteps` keeps multiples of N instead, which keeps nothing of a
  training that saves at steps 7, 107, 207.
- `every_n_hours: N` walks in the same way over the times at which the checkpoints were written, as Orbax's
  `EveryNSeconds` does. `tf.train.CheckpointManager(keep_checkpoint_every_n_hours=N)` also measures from the
  last one that it preserved, but starts to count when the manager is made. That moment is not on disk, so
  the walk starts at the first checkpoint, and keeps that one too.

What follows from walking from the oldest on: a checkpoint that comes later never changes what these two words
keep of the earlier ones, and pruning again what was left deletes nothing.

What is damaged, incomplete or not understood is never deleted here and never counts towards any word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

from tfx_janitor.policy.schema import CheckpointRule
from tfx_janitor.retention.plan import Reason, Verdict, verdict_of

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """What pruning needs to know of one checkpoint.

    Attributes:
      name: unique in its directory, such as "ckpt-100".
      prefix: the series it belongs to, such as "ckpt".
      step: None if the name tells none.
      modified_ms: when it was written.
      restorable: False if it is damaged or incomplete; None if nobody looked, which counts as whole.
      problem: what is wrong with it, for the reason.
    """

    name: str
    prefix: str
    step: int | None
    modified_ms: int
    restorable: bool | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Pruning:
    """The verdict on one checkpoint. A keep names what keeps it, a deletion by how much each word missed."""

    name: str
    verdict: Verdict
    reasons: tuple[Reason, ...]


def prune(
    candidates: Sequence[Candidate],
    rule: CheckpointRule,
    *,
    hold_newest: bool = True,
) -> tuple[Pruning, ...]:
    """Judges all checkpoints of one directory by one rule.

    Args:
      candidates: in any order; the order changes nothing.
      rule: what to keep.
      hold_newest: whether the newest restorable checkpoint of each series is held whatever the rule says.

    Returns:
      One verdict per name: series by series, the oldest first. Of each series that has a restorable
      checkpoint, at least one restorable one is not deleted, also without `hold_newest`: `last` keeps the
      newest, the other words keep the oldest.
    """
    ambiguous = {name for name, times in Counter(c.name for c in candidates).items() if times > 1}
    verdicts: dict[str, tuple[Reason, ...]] = {}
    for series in _series(candidates):
        sound = [c for c in series if c.restorable is not False and c.name not in ambiguous]
        judged = dict(zip((c.name for c in sound), _judge(sound, rule), strict=True))
        for candidate in series:
            verdicts[candidate.name] = judged.get(candidate.name) or _doubt(candidate, ambiguous)
        if hold_newest and sound:
            newest = sound[-1].name
            hold = Reason("hold.newest-checkpoint", f"newest of {len(sound)} restorable")
            verdicts[newest] = (hold, *(r for r in judged[newest] if r.code.startswith("keep.")))
    return tuple(Pruning(name, verdict_of(reasons), reasons) for name, reasons in verdicts.items())


def _series(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """Series by prefix, those with steps first; within each the oldest first."""

    def age(candidate: Candidate) -> tuple[int, int, str]:
        return candidate.step or 0, candidate.modified_ms, candidate.name

    series: dict[tuple[str, bool], list[Candidate]] = {}
    for candidate in candidates:
        series.setdefault((candidate.prefix, candidate.step is None), []).append(candidate)
    return [sorted(series[key], key=age) for key in sorted(series)]


def _doubt(candidate: Candidate, ambiguous: Set[str]) -> tuple[Reason, ...]:
    if candidate.name in ambiguous:
        return (Reason("unknown.ambiguous-checkpoint", "several checkpoints here have this name"),)
    return (Reason("unknown.damaged-checkpoint", candidate.problem or "cannot be restored"),)


def _judge(sound: Sequence[Candidate], rule: CheckpointRule) -> list[tuple[Reason, ...]]:
    """Per checkpoint of a series: what keeps it, else by how much each word missed or why it cannot tell."""
    columns: list[list[Reason]] = []
    if rule.last is not None:
        columns.append(_last(sound, rule.last))
    if rule.every_n_steps is not None:
        columns.append(_every_n_steps(sound, rule.every_n_steps))
    if rule.every_n_hours is not None:
        columns.append(_every_n_hours(sound, rule.every_n_hours))
    judged: list[tuple[Reason, ...]] = []
    for reasons in zip(*columns, strict=True):
        keeps = tuple(reason for reason in reasons if reason.code.startswith("keep."))
        judged.append(keeps or reasons)
    return judged


def _last(sound: Sequence[Candidate], number: int) -> list[Reason]:
    return [
        Reason(
            f"{'keep' if rank <= number else 'expire'}.last", f"rank {rank} of {len(sound)}, keeps {number}"
        )
        for rank in range(len(sound), 0, -1)
    ]


def _every_n_steps(sound: Sequence[Candidate], interval: int) -> list[Reason]:
    steps = [candidate.step for candidate in sound if candidate.step is not None]
    if len(steps) < len(sound):
        return [Reason("unknown.no-step", "its name tells no step to count by")] * len(sound)
    return _spaced("every_n_steps", sound, steps, interval, lambda steps: f"{steps} steps")


def _every_n_hours(sound: Sequence[Candidate], interval: float) -> list[Reason]:
    times = [candidate.modified_ms for candidate in sound]
    interval_ms = round(interval * _HOUR_MS)
    return _spaced("every_n_hours", sound, times, interval_ms, lambda ms: f"{ms / _HOUR_MS:.6g} h")


def _spaced(
    word: str,
    sound: Sequence[Candidate],
    positions: Sequence[int],
    interval: int,
    shown: Callable[[int], str],
) -> list[Reason]:
    """Walks from the lowest position on; keeps the first, then what is `interval` beyond the last kept."""
    reasons = [Reason(f"keep.{word}", "the oldest")] * len(sound)
    kept = -1
    for index in sorted(range(len(sound)), key=positions.__getitem__):
        if kept >= 0:
            gap = positions[index] - positions[kept]
            detail = f"{shown(gap)} after {sound[kept].name}, keeps one every {shown(interval)}"
            if gap < interval:
                reasons[index] = Reason(f"expire.{word}", detail)
                continue
            reasons[index] = Reason(f"keep.{word}", detail)
        kept = index
    return reasons
