"""Holds that depend on what else is deleted; `settle` asks them round by round, until none holds more.

Each yields pairs of a row that would be deleted and a reason. All but `unverified_survivors` only hold more
the more stays; that one holds less, and is therefore asked last.
"""

from __future__ import annotations

from collections.abc import Iterator

from tfx_janitor.payload.places import Place
from tfx_janitor.retention import holds
from tfx_janitor.retention.case import MODEL, MODEL_RUN
from tfx_janitor.retention.facts import StorageFacts
from tfx_janitor.retention.plan import Reason
from tfx_janitor.retention.settlement import Settlement

Held = Iterator[tuple[int, Reason]]


def shared_payloads(settlement: Settlement) -> Held:
    """Another artifact that stays, or a served version, lies at, in or around the same payload."""
    case, places = settlement.nomination.case, settlement.facts.places
    for row in settlement.deletions:
        for other in settlement.clusters.get(row, ()):
            if other < 0:
                served = -other - 1
                destination = settlement.facts.destinations[served]
                if _touches(places[row], destination):
                    detail = f"the served version {destination} lies in, at or around its payload"
                    path = (case.artifact_step(row), case.artifact_step(served))
                    yield row, Reason("hold.shared-payload", detail, path=path)
                    break
            elif other not in settlement.deletions and _touches(places[row], places[other]):
                step = case.artifact_step(other)
                detail = (
                    f"artifact {step[1]}, which stays, lies in, at or around its payload: {places[other]}"
                )
                yield row, Reason("hold.shared-payload", detail, path=(case.artifact_step(row), step))
                break


def evidence(settlement: Settlement) -> Held:
    """A payload that alone tells a metric by which a rule ranks something that stays."""
    case = settlement.nomination.case
    for carrier, spoken_for in settlement.nomination.decisive_payloads.items():
        if carrier in settlement.deletions:
            for row, metric, rule in spoken_for:
                if row not in settlement.deletions:
                    step = case.artifact_step(row)
                    named = f"{case.snapshot.type_of(row)} {step[1]}"
                    detail = f"it alone tells the {metric} of {named}, which stays and rule {rule.name} ranks"
                    path = case.derivations.path(row, carrier) or (step, case.artifact_step(carrier))
                    yield carrier, Reason("hold.evidence", detail, path=tuple(reversed(path)))
                    break


def needed_checkpoints(settlement: Settlement) -> Held:
    """A ModelRun whose newest checkpoint may be all that is left of a training."""
    case = settlement.nomination.case
    for row in settlement.deletions:
        if case.snapshot.type_of(row) == MODEL_RUN:
            problem = holds.unverified_sibling(case, settlement.facts, row, settlement.deletions)
            if problem is not None:
                detail = f"its newest checkpoint may be all that is left; {problem}"
                yield row, Reason("hold.newest-checkpoint", detail, path=(case.artifact_step(row),))


def unverified_survivors(settlement: Settlement) -> Held:
    """The Models of a group of which none that stays is whole."""
    case, verified = settlement.nomination.case, settlement.facts.verified
    for group, survivors in settlement.losing_groups():
        if any(row in verified and verified[row].whole for row in survivors):
            continue
        told = [
            f"model {case.snapshot.artifacts.id[row]}: {verified[row].detail}"
            for row in survivors
            if row in verified
        ]
        detail = "no surviving model of its group is whole" + (f" ({'; '.join(told[:3])})" if told else "")
        for row in group.rows:
            if row in settlement.deletions and case.snapshot.type_of(row) == MODEL:
                yield row, Reason("hold.no-verified-survivor", detail, path=(case.artifact_step(row),))


def clusters(facts: StorageFacts) -> dict[int, tuple[int, ...]]:
    """Rows by row whose payloads may touch; a served destination takes part as -1 - row of its PushedModel.

    Sorted by path components, everything inside a payload follows it directly, so one pass finds the chains.
    """
    members = [(_sortable(place), row) for row, place in facts.places.items()]
    members += [(_sortable(place), -1 - row) for row, place in facts.destinations.items()]
    members.sort()
    found: dict[int, tuple[int, ...]] = {}
    chain: list[int] = []
    top: str | None = None
    for place, row in members:
        if top is not None and place.startswith(top):
            chain.append(row)
            continue
        if len(chain) > 1:
            found.update(dict.fromkeys(chain, tuple(chain)))
        chain, top = [row], place
    if len(chain) > 1:
        found.update(dict.fromkeys(chain, tuple(chain)))
    return {row: rows for row, rows in found.items() if row >= 0}


def _touches(one: Place, other: Place) -> bool:
    return one == other or one.contains(other) or other.contains(one)


def _sortable(place: Place) -> str:
    """Scheme and path components, each ended by NUL, which no place has in it and which sorts first.

    A place's begins those of all that lies in it; the root has a scheme alone.
    """
    inside = place.path.strip("/")
    return f"{place.scheme}\0{inside.replace('/', chr(0))}\0" if inside else f"{place.scheme}\0"
