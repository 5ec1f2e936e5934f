"""Histories that are adverse to a policy: families of them, each with its ways to beat the policy's words.

Runs so close together that they share their calendar periods, or so far apart that no span reaches them; a
pause before the newest; blessings and metrics that are missing; later runs with better metrics and larger
property values; payloads of which one fills a budget. No run carries a tag that the policy keeps.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import product
from typing import Literal

from tfx_janitor.lineage.snapshot import Value
from tfx_janitor.policy.keep import LINEAGE_WORDS, Keep
from tfx_janitor.rehearsal.imagined import Run
from tfx_janitor.retention.calendar import PERIODS
from tfx_janitor.retention.timestamps import from_iso, to_ms

MOST_RUNS = 200
"""Histories have at most so many runs."""

LONGEST = timedelta(days=3650)
"""Histories span at most this, from the oldest run to the moment that is judged."""

NEWEST_MS = from_iso("2026-08-19T12:59:00")
"""When the newest run was: late in its hour, amid its day, week, month and quarter, so that runs which are
meant to share a period do."""

_DAY = timedelta(days=1)
_SPACINGS: Mapping[str, timedelta] = {
    "a day": _DAY,
    "a week": timedelta(weeks=1),
    "30 days": timedelta(days=30),
    "a year": timedelta(days=365),
    "an hour": timedelta(hours=1),
    "a minute": timedelta(minutes=1),
    "10 seconds": timedelta(seconds=10),
}
"""Times from run to run, the most ordinary first."""

Blessings = Literal["pushed", "all", "none"]
"""Which runs are blessed: those that are pushed, as most pipelines have it; all; or none."""


@dataclass(frozen=True, slots=True)
class Family:
    """One way in which a history grows, run by run.

    Attributes:
      spacing: time from run to run, as people say it.
      pause: additional time before the newest run.
      wait: time from the newest run to the moment that is judged.
      measured: whether every run has the metrics that the policy asks for, worse the older it is.
      varied: properties whose values differ from run to run, those of older runs ranking lower.
      tags: tags that every run carries.
    """

    spacing: str
    pause: timedelta
    wait: timedelta
    blessed: Blessings
    measured: bool
    varied: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def longest(self) -> int:
        """How many runs there may be."""
        room = LONGEST - self.pause - self.wait
        return 0 if room < timedelta(0) else min(MOST_RUNS, 1 + room // _SPACINGS[self.spacing])

    @property
    def now_ms(self) -> int:
        """The moment that is judged."""
        return NEWEST_MS + to_ms(self.wait)

    def created_ms(self, length: int) -> list[int]:
        """When the runs of a history were, the oldest first."""
        step, pause = to_ms(_SPACINGS[self.spacing]), to_ms(self.pause)
        return [NEWEST_MS - age * step - (pause if age else 0) for age in range(length - 1, -1, -1)]


@dataclass(frozen=True)
class Adversary:
    """Who imagines the histories.

    Attributes:
      keeps: every `keep` that has a say, those within others as well.
      min_age: of the policy.
      properties: what every Model, ModelRun and PushedModel has.
    """

    keeps: tuple[Keep, ...]
    min_age: timedelta
    properties: Mapping[str, Value]

    def families(self) -> Iterator[Family]:
        """The most ordinary first."""
        spans = [keep.within for keep in self.keeps if keep.within is not None]
        ages = [keep.newer_than for keep in self.keeps if keep.newer_than is not None]
        waits = [max([self.min_age, *ages]) + _DAY]
        if any(keep.newer_than is not None for keep in self.taking_away):
            waits.append(self.min_age)
        # Whole days, so that runs which share a period before the pause still do.
        pauses = [timedelta(0), *([timedelta(days=math.ceil(max(spans) / _DAY) + 1)] if spans else [])]
        tags = tuple(tag for keep in self.taking_away for tag in keep.tagged or ())
        for wait, carried, measured, varied, pause, blessed, spacing in product(
            waits,
            ((), tags) if tags else ((),),
            (True, False) if "best" in self._said else (True,),
            self._variations(),
            pauses,
            self._blessings,
            _SPACINGS if self._said & {*PERIODS, "within"} else ("a day",),
        ):
            yield Family(spacing, pause, wait, blessed, measured, varied, carried)

    def is_hard(self, family: Family) -> bool:
        """Whether no other family loses sooner; only worth asking where having something never loses it."""
        missing = family.blessed == self._blessings[-1] and family.measured == ("best" not in self._said)
        return bool(self.taking_away) or missing

    def runs(self, family: Family, length: int, pushed: Collection[int]) -> tuple[Run, ...]:
        """The runs of a history, the oldest first; `pushed` numbers them from 0."""
        blessed = {"pushed": pushed, "all": range(length), "none": ()}[family.blessed]
        return tuple(
            Run(
                created_ms,
                pushed=number in pushed,
                blessed=number in blessed,
                metrics=self._metrics(number) if family.measured else {},
                properties=self._properties(family, number, length),
            )
            for number, created_ms in enumerate(family.created_ms(length))
        )

    @cached_property
    def enough(self) -> int:
        """A length that no count reaches: all of them together, the newest run, and two more."""
        return sum(map(_counts, self.keeps)) + 3

    @cached_property
    def taking_away(self) -> tuple[Keep, ...]:
        """What stands in an `unless`: there, having something is what loses it."""
        below = (keep.unless for keep in self.keeps if keep.unless is not None)
        return tuple(keep for unless in below for _, keep in unless.walk())

    @cached_property
    def payload_bytes(self) -> int | None:
        """A size of which one payload fills every budget; None where there is no budget."""
        return max((keep.max_bytes for keep in self.keeps if keep.max_bytes is not None), default=None)

    @cached_property
    def _said(self) -> frozenset[str]:
        return frozenset(word for keep in self.keeps for word in keep.said)

    @cached_property
    def _blessings(self) -> tuple[Blessings, ...]:
        return ("pushed", "all", "none") if self._said & {"blessed", *LINEAGE_WORDS} else ("pushed", "all")

    @cached_property
    def _order_of(self) -> Mapping[str, str]:
        """Properties that groups are made by, with the order in which their values stay."""
        groupings = (grouping for keep in self.keeps for grouping in keep.groups or ())
        return {grouping.property: grouping.order for grouping in groupings if grouping.keep is not None}

    def _variations(self) -> list[tuple[str, ...]]:
        """Properties that differ from run to run: one of those that groups are made by, or all of them."""
        free = tuple(name for name in self._order_of if name not in self.properties)
        alone = [(name,) for name in free]
        return [*alone, free] if len(free) > 1 else alone or [()]

    def _metrics(self, number: int) -> dict[str, float]:
        modes = {keep.best.metric: keep.best.mode for keep in self.keeps if keep.best is not None}
        better = {"max": 0.001, "min": -0.001}
        return {metric: round(0.5 + better[mode] * number, 3) for metric, mode in modes.items()}

    def _properties(self, family: Family, number: int, length: int) -> dict[str, Value]:
        values: dict[str, Value] = dict.fromkeys(self._order_of, 1)
        for name in family.varied:
            values[name] = number + 1 if self._order_of[name] == "largest" else length - number
        if family.tags:
            values["tags"] = " ".join(family.tags)
        return {**values, **self.properties}


def _counts(keep: Keep) -> int:
    """All that this keep counts, without those within it."""
    plain = sum(getattr(keep, word) or 0 for word in ("last", "first", *PERIODS, "blessed", "pushed"))
    groups = sum(grouping.keep or 0 for grouping in keep.groups or ())
    return plain + groups + (keep.best.count if keep.best is not None else 0)
