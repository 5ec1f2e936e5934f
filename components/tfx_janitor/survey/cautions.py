"""What a policy says that comes to nothing here: roots without anything, or read-only; rules without any."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import islice

from tfx_janitor.payload.places import LOCAL, Place, PlaceError, resolve
from tfx_janitor.payload.presence import is_missing, why_no_directory
from tfx_janitor.policy.file import Problem
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.rehearsal.cautions import idle_rules
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.plan import Orphan
from tfx_janitor.retention.settlement import Settlement
from tfx_janitor.survey.resolver import Resolver

_MOST = 500
"""Directories that are looked at, to see whether one may write in them."""


def cautions_here(case: Case) -> tuple[Problem, ...]:
    """Each with the field that it is about.

    None where that is as it should be: in a store that has nothing yet, or if only one pipeline is in
    question, for which not every rule need be.
    """
    if case.only_pipeline is not None or not len(case.snapshot.artifacts):
        return ()
    missing = tuple(_missing_roots(case.policy))
    idle = _empty_roots(case, {problem.field for problem in missing})
    return (*missing, *idle, *idle_rules(case))


def denied_here(settlement: Settlement, orphans: Collection[Orphan] = ()) -> Iterator[Problem]:
    """Roots in which this user may not remove what would go: it would be marked, and never purged.

    Costs a look at each directory that would lose something, at so many at most.
    """
    losing = defaultdict[str, list[Place]](list)
    for place in _going(settlement, orphans):
        losing[os.path.dirname(place.path)].append(place)
    denied = defaultdict[int, dict[str, int]](dict)
    for directory, places in islice(sorted(losing.items()), _MOST):
        if os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
            continue
        there = [place for place in places if not is_missing(place.path)]
        root = next((n for n, root in enumerate(settlement.facts.roots) if root.contains(places[0])), None)
        if there and root is not None:
            denied[root][directory] = len(there)
    for root, directories in denied.items():
        first, *others = directories
        named = f"{first}, and {len(others)} more of its directories" if others else first
        number = sum(directories.values())
        yield Problem(
            f"{named}: read-only, or not this user's to write; {number:,} of what would go can be marked "
            "there, and not purged",
            ("roots", root),
        )


def _going(settlement: Settlement, orphans: Collection[Orphan]) -> Iterator[Place]:
    """Where that lies which would be deleted as a whole."""
    places = settlement.facts.places
    yield from (places[row] for row in settlement.deletions if row in places and places[row].local)
    yield from (Place(LOCAL, orphan.path) for orphan in orphans if orphan.verdict == "delete")


def _missing_roots(policy: RetentionPolicy) -> Iterator[Problem]:
    for number, root in enumerate(policy.roots):
        place = resolve(root)
        if place.local and not os.path.isdir(place.path):
            missing = f"no such directory: {place.path}; is it misspelled, or a disk not mounted?"
            why = missing if is_missing(place.path) else why_no_directory(place.path)
            yield Problem(why, ("roots", number))


def _empty_roots(case: Case, told: Collection[str]) -> Iterator[Problem]:
    """Local roots in which nothing of this store lies: of a pipeline that was moved, or to come."""
    artifacts, resolver = case.snapshot.artifacts, Resolver()
    left = {number: resolve(root) for number, root in enumerate(case.policy.roots)}
    left = {number: root for number, root in left.items() if root.local and f"roots[{number}]" not in told}
    newest = ""
    for uri in reversed(artifacts.uri):
        if not left:
            return
        try:
            place = resolver(str(uri))
        except PlaceError:
            continue
        newest = newest or str(uri)
        left = {number: root for number, root in left.items() if not root.contains(place)}
    for number, root in left.items():
        lies = f"; its newest lies at {newest}" if newest else ""
        yield Problem(f"no artifact of this store lies in {root}{lies}", ("roots", number))
