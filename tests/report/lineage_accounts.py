"""Lineages as `lineage` tells them, made of a history or of bare events."""

from __future__ import annotations

from collections.abc import Mapping

from tests.builders import History, Made
from tfx_janitor.lineage.origin import Origins
from tfx_janitor.lineage.read_api import read_parameters
from tfx_janitor.lineage.snapshot import Snapshot, Value
from tfx_janitor.lineage.walk import Graphs
from tfx_janitor.report.finding import Found
from tfx_janitor.report.lineage_account import LineageAccount
from tfx_janitor.report.lineage_references import all_references


def account_of(
    snapshot: Snapshot,
    artifact_id: int,
    *,
    parameters: Mapping[int, Mapping[str, Value]] | None = None,
    depth: int | None = None,
) -> LineageAccount:
    """The lineage of one artifact, in both directions."""
    row = snapshot.row(artifact_id)
    assert row is not None
    told = parameters or {}
    graph = Graphs(snapshot, all_references(snapshot, told.items())).around(row, depth=depth)
    return LineageAccount(snapshot, Found(row), graph, told, Origins(snapshot).of(row))


def account_in(history: History, artifact: Made) -> LineageAccount:
    """The lineage of an artifact of a store, with the parameters of its executions."""
    snapshot = history.snapshot()
    parameters = dict(read_parameters(history.store, snapshot.executions.id.tolist()))
    return account_of(snapshot, artifact.id, parameters=parameters)
