"""Judges again what was marked: under the policy that marked it, and under the one in force, if any.

Several policies may be at work on one store, each on a part of its own. So a policy in force has a say only
on what it governs and what lies inside its roots: it must neither take back what another one marked for good
reason, nor let that go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

from tfx_janitor.deletion.act import Act
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.payload.places import Place, resolve
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.decide import decision_of
from tfx_janitor.retention.facts import StorageFacts
from tfx_janitor.retention.plan import Decision
from tfx_janitor.survey.survey import judge

_OUTSIDE_ROOTS = "hold.outside-roots"


class SecondJudgement:
    """Of one snapshot; each policy that marked something is asked once, when it first matters."""

    def __init__(self, site: Site, snapshot: Snapshot, policy: RetentionPolicy | None) -> None:
        """Takes the policy in force; None asks the policies that marked alone."""
        self._site, self._snapshot, self._policy = site, snapshot, policy
        self._by_digest: dict[str, Mapping[int, Decision]] = {}
        self._facts: dict[str, StorageFacts] = {}

    def of(self, act: Act, artifact_id: int) -> Decision | None:
        """The stricter of the judgements on what an act marked.

        Returns:
          None if the policy that marked it does not govern it any more. One that has no say is not heard.
        """
        marking, *in_force = self.policies(act)
        decision = self._judged(marking).get(artifact_id)
        if decision is None or decision.verdict != "delete":
            return decision
        for policy in in_force:
            judged = self._judged(policy).get(artifact_id)
            if _has_a_say(judged) and judged.verdict != "delete":
                return judged
        return decision

    def all_have_a_say(self, act: Act, artifact_id: int) -> bool:
        """Whether each policy in question has a say on what an act marked."""
        return all(_has_a_say(self._judged(policy).get(artifact_id)) for policy in self.policies(act))

    def all_of(self, act: Act, artifact_id: int) -> list[Decision]:
        """The judgements under each policy in question; none at all if one of them does not govern it."""
        judgements = [self._judged(policy).get(artifact_id) for policy in self.policies(act)]
        return [] if None in judgements else [j for j in judgements if j is not None]

    def has_a_say_on(self, policy: RetentionPolicy, path: str) -> bool:
        """Whether a policy has a say on a directory that no artifact claims."""
        place = resolve(path)
        inside = any(root == place or root.contains(place) for root in map(resolve, policy.roots))
        return policy.orphans is not None and inside

    def place(self, act: Act, row: int) -> Place | None:
        """Where a payload lay when it was judged, links followed; None if it never was."""
        facts = self._facts.get(self.policies(act)[0].digest)
        return None if facts is None else facts.places.get(row)

    def occupant(self, act: Act, row: int, place: Place) -> str | None:
        """Who else lies at, in or around the place of a payload that is DELETED, in words."""
        marking = self.policies(act)[0]
        self._judged(marking)
        facts = self._facts[marking.digest]
        others = [
            *((other, found, "artifact {}") for other, found in facts.places.items()),
            *((other, found, "what artifact {} pushed") for other, found in facts.destinations.items()),
        ]
        for other, found, words in others:
            if other != row and (found == place or found.contains(place) or place.contains(found)):
                return f"{words.format(self._snapshot.artifacts.id[other])} lies there: {found}"
        return None

    def roots(self, act: Act) -> tuple[Place, ...]:
        """What may be removed at all, by the policy of an act."""
        return tuple(resolve(root) for root in self.policies(act)[0].roots)

    def policies(self, act: Act) -> list[RetentionPolicy]:
        """Those in question for what an act marked, the one that marked it first."""
        marking = RetentionPolicy.from_record(
            act.details["policy"], source=f"the policy recorded in act {act.id}"
        )
        return [marking] if self._policy is None or self._policy == marking else [marking, self._policy]

    def _judged(self, policy: RetentionPolicy) -> Mapping[int, Decision]:
        found = self._by_digest.get(policy.digest)
        if found is None:
            settlement = judge(self._site.case(self._snapshot, policy), self._site.scouts, policy.verify)
            self._facts[policy.digest] = settlement.facts
            governed = settlement.nomination.case.governed
            decisions = (decision_of(settlement, row) for row in governed)
            found = self._by_digest[policy.digest] = {d.artifact_id: d for d in decisions}
        return found


def _has_a_say(decision: Decision | None) -> TypeGuard[Decision]:
    return decision is not None and all(reason.code != _OUTSIDE_ROOTS for reason in decision.reasons)
