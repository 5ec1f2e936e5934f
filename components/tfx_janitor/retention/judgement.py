"""One word's answer for a whole group: what it keeps, and the words for why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tfx_janitor.retention.plan import Step


def _no_path(_: int) -> tuple[Step, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one word says of a group's members, in the group's order.

    Sentences and paths are only made for members that somebody looks at.

    Attributes:
      kept: per member whether the word keeps it.
      explain: the detail for the member at an index, kept or missed.
      path: the lineage path for the member at an index, where there is one to tell.
      unknown: by index, the code of what the word does not understand about a member, which then is not
        deleted; `explain` says what it is.
    """

    kept: Sequence[bool]
    explain: Callable[[int], str]
    path: Callable[[int], tuple[Step, ...]] = _no_path
    unknown: Mapping[int, str] = field(default_factory=dict)


def first_kept(superlative: str, count: int) -> str:
    """`the newest is kept`, `the newest 3 are kept`."""
    return f"the {superlative} is kept" if count == 1 else f"the {superlative} {count} are kept"


def ranked(chosen: Sequence[int], size: int, count: int, superlative: str, noun: str) -> Judgement:
    """Ranks the chosen members in their order and keeps the first `count`.

    Args:
      chosen: indexes of members, the best first.
      size: number of members in all.
      superlative: what the first of them are, for what is kept: "newest blessed".
      noun: what the chosen are, for what is not among them: "blessed".
    """
    rank = {at: place for place, at in enumerate(chosen, start=1)}
    kept = [rank.get(at, count + 1) <= count for at in range(size)]

    def explain(at: int) -> str:
        if at not in rank:
            return f"not {noun}"
        if kept[at]:
            return f"rank {rank[at]} of {len(chosen)}, {first_kept(superlative, count)}"
        return f"rank {rank[at]} of {len(chosen)}, keeps {count}"

    return Judgement(kept, explain)
