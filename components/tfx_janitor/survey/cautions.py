"""What a policy says that comes to nothing here: roots that are not there, rules that fit no artifact."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tfx_janitor.payload.places import resolve
from tfx_janitor.payload.presence import is_missing, why_no_directory
from tfx_janitor.policy.file import Problem
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.rehearsal.cautions import idle_rules
from tfx_janitor.retention.case import Case


def cautions_here(case: Case) -> tuple[Problem, ...]:
    """Each with the field that it is about.

    None where that is as it should be: in a store that has nothing yet, or if only one pipeline is in
    question, for which not every rule need be.
    """
    if case.only_pipeline is not None or not len(case.snapshot.artifacts):
        return ()
    return (*_missing_roots(case.policy), *idle_rules(case))


def _missing_roots(policy: RetentionPolicy) -> Iterator[Problem]:
    for number, root in enumerate(policy.roots):
        place = resolve(root)
        if place.local and not os.path.isdir(place.path):
            missing = f"no such directory: {place.path}; is it misspelled, or a disk not mounted?"
            why = missing if is_missing(place.path) else why_no_directory(place.path)
            yield Problem(why, ("roots", number))
