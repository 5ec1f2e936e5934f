"""What storage can still say of the past, for a replay."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator

import numpy as np

from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot
from tfx_janitor.payload.places import Place, PlaceError, resolve
from tfx_janitor.rehearsal.replay import PastStorage
from tfx_janitor.retention.case import PUSHED_MODEL, Case
from tfx_janitor.survey.crew import Crew
from tfx_janitor.survey.survey import look_at_everything


def look_back(case: Case, crew: Crew) -> PastStorage:
    """Looks at storage as if nothing in the store had ever been deleted.

    Every governed payload that is still there is measured.
    """
    undeleted = dataclasses.replace(case, snapshot=_undeleted(case.snapshot))
    undeleted, facts = look_at_everything(undeleted, crew)
    return PastStorage(
        # Nothing left, or nothing in it: neither says what was there.
        facts=dataclasses.replace(facts, bytes={row: size for row, size in facts.bytes.items() if size}),
        evidence=undeleted.evidence,
        gone=dict(_gone(case.snapshot, facts.destinations.keys())),
    )


def _undeleted(snapshot: Snapshot) -> Snapshot:
    artifacts = snapshot.artifacts
    deleted = artifacts.state == ArtifactState.DELETED
    state = np.where(deleted, np.int8(ArtifactState.LIVE), artifacts.state)
    return dataclasses.replace(snapshot, artifacts=dataclasses.replace(artifacts, state=state))


def _gone(snapshot: Snapshot, standing: Collection[int]) -> Iterator[tuple[int, Place]]:
    for row in snapshot.rows_of_type(PUSHED_MODEL):
        destination = snapshot.property(row, "pushed_destination")
        if row not in standing and snapshot.property(row, "pushed") == 1 and destination:
            try:
                yield row, resolve(str(destination))
            except PlaceError:
                continue
