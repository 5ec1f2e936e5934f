"""Acts on a person's word, for what an audit finds: each says why, and none can lose what is needed."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.site import Site
from tfx_janitor.deletion.states import transition
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.snapshot import ACTIVE, ArtifactState, ExecutionState, Snapshot, state_name
from tfx_janitor.payload.places import Place, PlaceError, unfollowed
from tfx_janitor.payload.presence import has_vanished, is_missing
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.case import PRESENT
from tfx_janitor.retention.timestamps import to_ms


def forget(site: Site, artifact_ids: Sequence[int], reason: str) -> list[Outcome]:
    """Calls artifacts DELETED that have no payload of their own any more; no byte is touched.

    Either nothing lies at the URI, while the directory that it lay in is there; or another artifact that is
    LIVE has the very same payload, and keeps it.

    Returns:
      One outcome per artifact: forgotten; skipped, if it has a payload, or changed meanwhile.

    Raises:
      JanitorError: an id is not in the store; nothing was done.
    """
    snapshot = site.read()
    rows = _rows(site, snapshot, artifact_ids)
    outcomes: list[Outcome] = []
    going: list[int] = []
    keepers = _keepers(snapshot)
    for artifact_id, row in rows.items():
        problem = _payload_of_its_own(snapshot, row, keepers)
        if problem is None:
            going.append(artifact_id)
            # Of two that share a payload, one must stay.
            keepers[unfollowed(snapshot.artifacts.uri[row])].discard(row)
        else:
            outcomes.append(Outcome(artifact_id, "skipped", problem))
    if going:
        touches = [Touch(artifact_id, "forget") for artifact_id in going]
        act = acts.begin(site, "mend", touches, {"reason": reason})
        done: list[Outcome] = []
        for state in PRESENT:
            judged = {
                artifact_id: int(snapshot.artifacts.updated_ms[rows[artifact_id]])
                for artifact_id in going
                if snapshot.artifacts.state[rows[artifact_id]] == state
            }
            answers = transition(site.store, judged, source=state, target=ArtifactState.DELETED)
            done += [_outcome(artifact_id, "forgotten", why, reason) for artifact_id, why in answers.items()]
        acts.end(site, act, done)
        outcomes += done
    return sorted(outcomes, key=lambda outcome: outcome.artifact_id)


def discard(site: Site, policy: RetentionPolicy, artifact_ids: Sequence[int], reason: str) -> list[Outcome]:
    """Marks artifacts, whatever the policy keeps: from now on TFX neither resolves nor caches them.

    The grace runs as for every mark, and `restore` takes it back. No rule rescues them. When the grace is
    over they are purged as soon as no hold holds them. What is DELETED and still lies there, for whatever
    reason, can be marked as well, so that its bytes go in good order.

    Args:
      policy: must govern them; its grace, roots and holds apply.

    Returns:
      One outcome per artifact: marked; skipped, if it is marked already, gone, not governed, or changed
      meanwhile.

    Raises:
      JanitorError: an id is not in the store; nothing was done.
    """
    snapshot = site.read()
    rows = _rows(site, snapshot, artifact_ids)
    governed = site.case(_all_live(snapshot, rows.values()), policy).governed
    outcomes: list[Outcome] = []
    going: dict[ArtifactState, dict[int, int]] = {ArtifactState.LIVE: {}, ArtifactState.DELETED: {}}
    for artifact_id, row in rows.items():
        state = int(snapshot.artifacts.state[row])
        if state not in going or (state == ArtifactState.DELETED and not _lies_there(snapshot, row)):
            outcomes.append(Outcome(artifact_id, "skipped", f"it is {state_name(state)}"))
        elif row not in governed:
            detail = "no rule of the policy governs it, so that nobody would ever purge it"
            outcomes.append(Outcome(artifact_id, "skipped", detail))
        else:
            going[ArtifactState(state)][artifact_id] = int(snapshot.artifacts.updated_ms[row])
    if any(going.values()):
        details = {
            "reason": reason,
            "discarded": True,
            "policy_digest": policy.digest,
            "policy": policy.to_dict(),
            "grace_ms": to_ms(policy.grace),
        }
        touches = [Touch(artifact_id, "mark") for judged in going.values() for artifact_id in judged]
        act = acts.begin(site, "mend", touches, details)
        done: list[Outcome] = []
        for state, judged in going.items():
            answers = transition(site.store, judged, source=state, target=ArtifactState.MARKED_FOR_DELETION)
            done += [_outcome(artifact_id, "marked", why, reason) for artifact_id, why in answers.items()]
        acts.end(site, act, done)
        outcomes += done
    return sorted(outcomes, key=lambda outcome: outcome.artifact_id)


def close(site: Site, execution_ids: Sequence[int], reason: str) -> list[Outcome]:
    """Calls executions FAILED that never ended, so that they hold nothing any more.

    MLMD has no compare-and-set for executions: whether it has ended by itself is looked at right before.

    Returns:
      One outcome per execution: closed; skipped, if it has ended, before or meanwhile.

    Raises:
      JanitorError: an id is not in the store; nothing was done.
    """
    wanted = list(dict.fromkeys(execution_ids))
    found = {row.id: row for row in site.store.get_executions_by_id(wanted)}
    _refuse_unknown(site, "executions", [number for number in wanted if number not in found])
    active = [number for number in wanted if found[number].last_known_state in ACTIVE]
    outcomes = [
        Outcome(0, "skipped", "it has ended", path=f"execution {number}")
        for number in wanted
        if number not in active
    ]
    if active:
        act = acts.begin(site, "mend", [], {"reason": reason, "closes_executions": active})
        closed = _set_failed(site, active)
        done = [
            Outcome(0, "closed", reason, path=f"execution {number}")
            if number in closed
            else Outcome(0, "skipped", "it ended meanwhile", path=f"execution {number}")
            for number in active
        ]
        acts.end(site, act, done)
        outcomes += done
    return outcomes


def _set_failed(site: Site, execution_ids: Sequence[int]) -> set[int]:
    """Sets those FAILED that have not ended, and returns their ids."""
    from ml_metadata.proto import metadata_store_service_pb2 as service

    request = service.PutExecutionsRequest()
    for row in site.store.get_executions_by_id(execution_ids):
        if row.last_known_state in ACTIVE:
            request.executions.add(
                id=row.id, type_id=row.type_id, last_known_state=int(ExecutionState.FAILED)
            )
    # Masked: a whole-row put would lose what its launcher writes meanwhile.
    request.update_mask.paths.append("last_known_state")
    site.store._call("PutExecutions", request, service.PutExecutionsResponse())
    return {execution.id for execution in request.executions}


def _all_live(snapshot: Snapshot, rows: Iterable[int]) -> Snapshot:
    """The snapshot with some artifacts LIVE: rules govern nothing that is DELETED."""
    state = snapshot.artifacts.state.copy()
    state[list(rows)] = ArtifactState.LIVE
    artifacts = dataclasses.replace(snapshot.artifacts, state=state)
    return dataclasses.replace(snapshot, artifacts=artifacts)


def _lies_there(snapshot: Snapshot, row: int) -> bool:
    try:
        return not is_missing(unfollowed(snapshot.artifacts.uri[row]).path)
    except PlaceError:
        return False


def _rows(site: Site, snapshot: Snapshot, artifact_ids: Sequence[int]) -> dict[int, int]:
    rows = {artifact_id: snapshot.row(artifact_id) for artifact_id in artifact_ids}
    _refuse_unknown(site, "artifacts", [artifact_id for artifact_id, row in rows.items() if row is None])
    return {artifact_id: row for artifact_id, row in rows.items() if row is not None}


def _refuse_unknown(site: Site, what: str, unknown: Sequence[int]) -> None:
    if unknown:
        listed = ", ".join(map(str, unknown))
        raise JanitorError(f"expected ids of {what} in {site.metadata}, which has no {listed}")


def _keepers(snapshot: Snapshot) -> defaultdict[Place, set[int]]:
    """By place, the artifacts that keep a payload there: LIVE ones, for one that is marked may lose it."""
    found: defaultdict[Place, set[int]] = defaultdict(set)
    for row, uri in enumerate(snapshot.artifacts.uri):
        if snapshot.artifacts.state[row] == ArtifactState.LIVE:
            try:
                found[unfollowed(uri)].add(row)
            except PlaceError:
                continue
    return found


def _payload_of_its_own(snapshot: Snapshot, row: int, keepers: defaultdict[Place, set[int]]) -> str | None:
    """Why an artifact cannot be forgotten; None if it can."""
    state = int(snapshot.artifacts.state[row])
    if state not in PRESENT:
        return f"it is {state_name(state)} already"
    try:
        place = unfollowed(snapshot.artifacts.uri[row])
    except PlaceError as error:
        return f"nobody can tell what lies at its URI: {error}"
    if not place.local:
        return f"nobody can tell from here what lies at {place}"
    if keepers[place] - {row}:
        return None
    if has_vanished(place.path):
        return None
    if is_missing(place.path):
        directory = os.path.dirname(place.path)
        return (
            f"nor is the directory there that {place} lay in; mount its disk first, or if it was deleted as "
            f"well, make it again: mkdir -p {shlex.quote(directory)}"
        )
    if not os.path.lexists(place.path):
        return f"{place} cannot be looked at: one may not, or its disk is broken"
    return f"its payload lies at {place}; discard it instead, so that it is deleted in good order"


def _outcome(artifact_id: int, done: str, problem: str | None, reason: str) -> Outcome:
    return Outcome(artifact_id, done if problem is None else "skipped", problem or reason)
