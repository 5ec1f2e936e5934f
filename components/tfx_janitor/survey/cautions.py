"""What a policy says that comes to nothing here: roots without anything, rules that fit no artifact."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from tfx_janitor.payload.places import PlaceError, resolve
from tfx_janitor.payload.presence import is_missing, why_no_directory
from tfx_janitor.policy.file import Problem
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.rehearsal.cautions import idle_rules
from tfx_janitor.retention.case import Case
from tfx_janitor.survey.resolver import Resolver


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
