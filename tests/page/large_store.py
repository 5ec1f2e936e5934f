"""A large store as values, without MLMD and without a disk: what its page holds, in a second or two."""

from __future__ import annotations

import numpy as np

from tests.retention.pure_histories import DAY, HOUR, MONDAY
from tfx_janitor.lineage.snapshot import (
    Artifacts,
    ArtifactState,
    EventKind,
    Events,
    Executions,
    ExecutionState,
    Snapshot,
)
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.report.page.contents import Contents
from tfx_janitor.report.page.growth import growth
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.plan import Decision, Plan, Reason, Summary

PACE = HOUR // 3
"""Between a run and the next."""

TYPES = ("Examples", "Model", "ModelRun", "ModelBlessing", "PushedModel")
OUTPUTS = ("examples", "model", "model_run", "blessing", "pushed_model")
NODES = ("ImportExampleGen", "Trainer", "Evaluator", "Pusher")
PRODUCER = (0, 1, 1, 2, 3)
"""Per output, the node that makes it."""
TAKES = ((1, 0), (2, 0), (2, 1), (3, 1), (3, 3))
"""Pairs of a node, and the output that it takes."""

BYTES = (2_000_000_000, 90_000_000, 400_000_000, 1_000, 90_000_000)


def large_contents(artifacts: int, pipelines: int = 40) -> Contents:
    """As many artifacts as asked for, in runs of five, each with the verdict of a rule that keeps 200."""
    runs = artifacts // len(TYPES)
    snapshot = _snapshot(runs, pipelines)
    policy = RetentionPolicy.from_dict(
        {
            "version": 1,
            "roots": ["/srv/tfx"],
            "rules": [{"name": "everything", "match": {"type": list(TYPES)}, "keep": {"last": 200}}],
        },
        source="test policy",
    )
    decisions = [_decision(snapshot, row, runs, pipelines) for row in range(len(snapshot.artifacts))]
    now_ms = MONDAY + runs * PACE + DAY
    gone = [decision for decision in decisions if decision.verdict == "delete"]
    plan = Plan(
        created_ms=now_ms,
        now_ms=now_ms,
        metadata="mysql://janitor@metadata.example/mlmd",
        policy=policy.to_dict(),
        summary=Summary(
            artifacts=len(decisions),
            keep=len(decisions) - len(gone),
            delete=len(gone),
            bytes_total=sum(decision.bytes or 0 for decision in decisions),
            bytes_reclaimable=sum(decision.bytes or 0 for decision in gone),
        ),
        source=lambda: iter(decisions),
        id="sha256:0",  # hashing it is not what is looked at
    )
    sizes = {row: decision.bytes or 0 for row, decision in enumerate(decisions)}
    curves = growth(Case(snapshot, policy, now_ms), sizes, (), None)
    return Contents(snapshot, plan, policy, "janitor.yaml", growth=curves)


def _snapshot(runs: int, pipelines: int) -> Snapshot:
    per_run, nodes = len(TYPES), len(NODES)
    n, m = runs * per_run, runs * nodes
    run_of_execution = np.arange(m) // nodes
    node = np.arange(m) % nodes
    kind = np.arange(n) % per_run
    run_of_artifact = np.arange(n) // per_run
    produced_by = run_of_artifact * nodes + np.array(PRODUCER)[kind]
    created = MONDAY + run_of_artifact * PACE + kind * 60_000
    uris = tuple(
        f"/srv/tfx/pipeline-{run % pipelines:02}/{NODES[PRODUCER[output]]}/{OUTPUTS[output]}/{execution}"
        for run, output, execution in zip(
            run_of_artifact.tolist(), kind.tolist(), produced_by.tolist(), strict=True
        )
    )
    taker, taken = (np.array(column) for column in zip(*TAKES, strict=True))
    run = np.repeat(np.arange(runs), len(TAKES))
    outputs = np.full(n, int(EventKind.OUTPUT)), np.arange(n), produced_by, kind
    inputs = (
        np.full(len(run), int(EventKind.INPUT)),
        run * per_run + np.tile(taken, runs),
        run * nodes + np.tile(taker, runs),
        np.tile(taken, runs),
    )
    kinds, artifact, execution, key = (np.concatenate(pair) for pair in zip(outputs, inputs, strict=True))
    return Snapshot(
        Artifacts(
            id=np.arange(1, n + 1),
            type=kind,
            state=np.full(n, int(ArtifactState.LIVE)),
            created_ms=created,
            updated_ms=created,
            uri=uris,
            type_names=TYPES,
            properties={},
        ),
        Executions(
            id=np.arange(1, m + 1),
            type=node,
            state=np.full(m, int(ExecutionState.COMPLETE)),
            created_ms=MONDAY + run_of_execution * PACE,
            updated_ms=MONDAY + run_of_execution * PACE,
            pipeline=run_of_execution % pipelines,
            run=run_of_execution,
            node=node,
            type_names=NODES,
            pipeline_names=tuple(f"pipeline-{number:02}" for number in range(pipelines)),
            run_names=tuple(f"2026-{number:06}" for number in range(runs)),
            node_names=NODES,
        ),
        Events(artifact, execution, kinds, key, MONDAY + execution, OUTPUTS),
    )


def _decision(snapshot: Snapshot, row: int, runs: int, pipelines: int) -> Decision:
    run, output = divmod(row, len(TYPES))
    of = len(range(run % pipelines, runs, pipelines))
    rank = of - run // pipelines
    reason = (
        Reason("keep.last", f"rank {rank} of {of}, the newest 200 are kept", "everything")
        if rank <= 200
        else Reason("expire.last", f"rank {rank} of {of}, keeps 200", "everything")
    )
    return Decision(
        artifact_id=row + 1,
        type=TYPES[output],
        uri=snapshot.artifacts.uri[row],
        state="LIVE",
        pipeline=snapshot.pipeline_of(row),
        run=snapshot.run_of(row),
        node=snapshot.node_of(row),
        output=OUTPUTS[output],
        created_ms=int(snapshot.artifacts.created_ms[row]),
        updated_ms=int(snapshot.artifacts.updated_ms[row]),
        bytes=BYTES[output] + row,
        verdict="keep" if rank <= 200 else "delete",
        reasons=(reason,),
    )
