"""CPU time of deciding against that of reading what is decided, over stores of growing size.

Run it with `python benchmarks/deciding.py`. It writes MLMD stores shaped as TFX leaves them (5 artifacts, 4
executions, 11 events a run), reads each as the janitor does, and decides it in memory by three policies: a
plain one, one that follows lineage, and one with every word of the vocabulary. CPU seconds are user and
system together, of all threads and child processes; `x reading` is what a reader can carry to another
machine.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any, TypeVar

import ml_metadata
from ml_metadata.proto import metadata_store_pb2 as mlmd
from rich.console import Console
from rich.table import Table

from tfx_janitor.lineage import read_api
from tfx_janitor.lineage.connection import open_url
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.payload.places import parse
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.decide import decide
from tfx_janitor.retention.facts import Evidence, StorageFacts, Verified
from tfx_janitor.retention.settle import nominate, settle

RUNS = (500, 2_000, 8_000)
PIPELINES = 20

MODELS = {"type": ["Model", "ModelRun", "PushedModel"]}
POLICIES = {
    "plain: last, blessed, pushed": [
        {"name": "models", "match": MODELS, "keep": {"last": 3, "blessed": 2, "pushed": 2}}
    ],
    "lineage: data of the models that stay": [
        {"name": "models", "match": MODELS, "keep": {"last": 3}},
        {"name": "data", "match": {"type": "Examples"}, "keep": {"last": 1, "ancestors_of": "model"}},
    ],
    "every word": [
        {
            "name": "all",
            "match": {"type": "*"},
            "keep": {
                "last": 3,
                "first": 1,
                "within": "1d",
                "newer_than": "1d",
                "blessed": 2,
                "pushed": 2,
                "hourly": 2,
                "daily": 2,
                "weekly": 2,
                "monthly": 2,
                "quarterly": 2,
                "yearly": 2,
                "best": {"metric": "accuracy", "count": 2, "mode": "max"},
                "groups": [{"property": "span", "keep": 2}],
                "used_by": "serving-*",
                "ancestors_of": ["served", "pinned"],
                "descendants_of": "pinned",
                "tagged": "golden",
                "ids": [1],
                "all_of": [{"last": 9}, {"blessed": 9}],
                "unless": {"tagged": "junk"},
                "max_bytes": "10GB",
            },
        }
    ],
}

T = TypeVar("T")


def main() -> None:
    """Measures and prints."""
    table = Table("artifacts", "what", "CPU s", "x reading", "deleted")
    for runs in RUNS:
        with tempfile.TemporaryDirectory(prefix="deciding-") as directory:
            database = os.path.join(directory, "metadata.db")
            write_store(database, runs)
            store, _ = open_url(f"sqlite://{database}", readonly=True)
            snapshot, reading = timed(lambda store=store: read_api.read(store))
        count = len(snapshot.artifacts)
        table.add_row(f"{count:,}", "reading the store", f"{reading:.2f}", "1.0", "")
        for name, rules in POLICIES.items():
            deleted, seconds = timed(lambda rules=rules, snapshot=snapshot: judge(snapshot, rules))
            table.add_row("", name, f"{seconds:.2f}", f"{seconds / reading:.1f}", f"{deleted:,}")
        table.add_section()
    Console().print(table)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The answer, and the CPU seconds that it took."""
    began = sum(os.times()[:4])
    answer = work()
    return answer, sum(os.times()[:4]) - began


def judge(snapshot: Snapshot, rules: list[dict[str, Any]]) -> int:
    """Decides and writes the plan down; returns how many artifacts it deletes."""
    said = {"version": 1, "roots": ["/pipelines"], "min_age": "0s", "rules": rules}
    now_ms = int(max(snapshot.artifacts.updated_ms.max(), snapshot.executions.updated_ms.max())) + 1000
    evidence = Evidence(bytes=dict.fromkeys(range(len(snapshot.artifacts)), 1_000_000_000))
    case = Case(snapshot, RetentionPolicy.from_dict(said), now_ms, evidence=evidence)
    whole = Verified(True, "whole")
    facts = StorageFacts(
        roots=(parse("/pipelines"),),
        places={row: parse(uri) for row, uri in enumerate(snapshot.artifacts.uri)},
        verified=dict.fromkeys(snapshot.rows_of_type("Model"), whole),
    )
    plan = decide(settle(nominate(case), facts), metadata="sqlite:///metadata.db", created_ms=0)
    return plan.summary.delete


def write_store(path: str, runs: int, *, root: str = "/pipelines") -> ml_metadata.MetadataStore:
    """A store of so many runs, written in bulk; URIs are below a root where nothing needs to be."""
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = path
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    store = ml_metadata.MetadataStore(config)
    nodes = {
        "ImportExampleGen": ("Examples",),
        "Trainer": ("Model", "ModelRun"),
        "Evaluator": ("ModelBlessing",),
        "Pusher": ("PushedModel",),
    }
    types = {
        name: store.put_artifact_type(mlmd.ArtifactType(name=name))
        for outputs in nodes.values()
        for name in outputs
    }
    kinds = {node: store.put_execution_type(mlmd.ExecutionType(name=f"tfx.{node}")) for node in nodes}
    contexts = {
        kind: store.put_context_type(mlmd.ContextType(name=kind))
        for kind in ("pipeline", "pipeline_run", "node")
    }
    named = [("pipeline", f"p{number}") for number in range(PIPELINES)]
    named += [("node", f"p{number}.{node}") for number in range(PIPELINES) for node in nodes]
    named += [("pipeline_run", f"run-{run}") for run in range(runs)]
    rows = [mlmd.Context(type_id=contexts[kind], name=name) for kind, name in named]
    context_of = dict(zip(named, store.put_contexts(rows), strict=True))
    artifacts: list[mlmd.Artifact] = []
    executions: list[mlmd.Execution] = []
    for run in range(runs):
        for node, outputs in nodes.items():
            executions.append(mlmd.Execution(type_id=kinds[node], last_known_state=mlmd.Execution.COMPLETE))
            for name in outputs:
                uri = f"{root}/p{run % PIPELINES}/{node}/{name}/{run}"
                artifact = mlmd.Artifact(type_id=types[name], uri=uri, state=mlmd.Artifact.LIVE)
                _describe(artifact, name, run)
                artifacts.append(artifact)
    artifact_ids, execution_ids = store.put_artifacts(artifacts), store.put_executions(executions)
    events, associations = [], []
    for run in range(runs):
        data, model, model_run, blessing, pushed = artifact_ids[5 * run : 5 * run + 5]
        steps = ((), (data,), (data, model), (model, blessing))
        made = ((data,), (model, model_run), (blessing,), (pushed,))
        for offset, node in enumerate(nodes):
            execution = execution_ids[4 * run + offset]
            for ids, kind in ((steps[offset], mlmd.Event.INPUT), (made[offset], mlmd.Event.OUTPUT)):
                events += [mlmd.Event(artifact_id=i, execution_id=execution, type=kind) for i in ids]
            pipeline = f"p{run % PIPELINES}"
            where = (("pipeline", pipeline), ("node", f"{pipeline}.{node}"), ("pipeline_run", f"run-{run}"))
            associations += [
                mlmd.Association(execution_id=execution, context_id=context_of[context]) for context in where
            ]
    store.put_events(events)
    store.put_attributions_and_associations([], associations)
    return store


def _describe(artifact: mlmd.Artifact, name: str, run: int) -> None:
    said = artifact.custom_properties
    if name == "Examples":
        said["span"].int_value = run
    elif name == "Model":
        said["accuracy"].double_value = (run * 7919 % 1000) / 1000
    elif name == "ModelBlessing":
        said["blessed"].int_value = 1
        said["current_model_id"].int_value = 5 * run + 2
    elif name == "PushedModel":
        said["pushed"].int_value = 1


if __name__ == "__main__":
    main()
