"""From opinions to what is deleted: the policy's word, lineage's, storage's, and what depends on all three.

`nominate` asks policy and lineage. `settle` adds what storage says and the holds that depend on what else is
deleted; it is asked twice, first trusting every payload, to learn which ones need to be verified, and then
with the facts.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict

from tfx_janitor.retention import holds
from tfx_janitor.retention.answers import answer
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.dependent_holds import (
    clusters,
    evidence,
    needed_checkpoints,
    shared_payloads,
    unverified_survivors,
)
from tfx_janitor.retention.facts import StorageFacts
from tfx_janitor.retention.plan import Reason
from tfx_janitor.retention.settlement import Nomination, Settlement


def nominate(case: Case) -> Nomination:
    """Asks policy and lineage, and nobody else."""
    answers = tuple(answer(case, group) for group in case.groups)
    seats: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, answered in enumerate(answers):
        for at, row in enumerate(answered.group.rows):
            seats[row].append((number, at))
    held = holds.held_by_lineage(case)
    rows = frozenset(
        row
        for row, rules in case.governed.items()
        if row not in held
        and all(rule.keep is not None for rule in rules)
        and not any(answers[number].keeps(at) for number, at in seats[row])
    )
    return Nomination(case, answers, seats, held, rows)


def settle(nomination: Nomination, facts: StorageFacts, *, trusting: bool = False) -> Settlement:
    """Adds what storage says, and the holds that depend on what else is deleted.

    Args:
      trusting: takes every payload for whole, to learn what would have to be verified.
    """
    case = nomination.case
    held: dict[int, list[Reason]] = holds.held_by_storage(case, facts)
    touching = clusters(facts)
    # What storage was not asked about is never deleted.
    deletions = {row for row in nomination.rows if row not in held and row in facts.places}
    while True:
        settlement = Settlement(nomination, facts, frozenset(deletions), held, touching)
        needed = {
            row for row in nomination.asking_lineage & deletions if nomination.keeps(row, settlement.reach)
        }
        found = {
            **dict(evidence(settlement)),
            **dict(shared_payloads(settlement)),
        }
        if not trusting:
            found = {**dict(needed_checkpoints(settlement)), **found}
            if not found and not needed:
                # Asked last: the more stays, the likelier that one of those that stay is whole.
                found = dict(unverified_survivors(settlement))
        if not found and not needed:
            return settlement
        # Each round keeps more and deletes less, so this ends.
        for row, reason in found.items():
            held.setdefault(row, []).append(reason)
        deletions -= found.keys() | needed


def trust_again(tentative: Settlement, facts: StorageFacts) -> Settlement:
    """What `settle` says, trusting, with facts that were added to those of an earlier answer of it.

    Sizes and checkpoints play no part while everything is trusted; a payload that cannot be read does.

    Args:
      facts: as those of the earlier answer, but for `bytes`, `checkpoints` and `unreadable`.
    """
    if facts.unreadable == tentative.facts.unreadable:
        return dataclasses.replace(tentative, facts=facts)
    return settle(tentative.nomination, facts, trusting=True)
