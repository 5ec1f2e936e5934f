"""A store with everything around it, and its pipelines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import ml_metadata
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders.made import Made, Retraining
from tests.builders.mlmd_rows import BASE_TYPES, DECLARED, await_next_millisecond, set_values
from tests.builders.rules import Rules, keep_models
from tests.builders.runs import Run
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage import read_api
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.timestamps import to_iso, to_ms
from tfx_janitor.survey.crew import Threads


class History:
    """One MLMD store with everything around it.

    Attributes:
      home: holds `metadata.db`, `pipelines/` and `serving/`.
      url: of the store, as the command line takes it.
      store: open for reading and writing.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.home.mkdir(parents=True, exist_ok=True)
        self.database = self.home / "metadata.db"
        self.url = f"sqlite://{self.database}"
        self.root = self.home / "pipelines"
        self.serving = self.home / "serving"
        self.store = self._open()
        self._types: dict[tuple[str, str], int] = {}
        self._contexts: dict[tuple[str, str], mlmd.Context] = {}
        self._versions = 1_700_000_000

    def _open(self) -> ml_metadata.MetadataStore:
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(self.database)
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        config.retry_options.max_num_retries = 100
        return ml_metadata.MetadataStore(config)

    def pipeline(self, name: str = "inception") -> Pipeline:
        """A pipeline with its context."""
        return Pipeline(self, name, self.context("pipeline", name))

    # What the tests ask.

    @property
    def now_ms(self) -> int:
        """A second after everything that the store knows."""
        rows = [*self.store.get_artifacts(), *self.store.get_executions(), *self.store.get_contexts()]
        return max((row.last_update_time_since_epoch for row in rows), default=0) + 1000

    @property
    def now(self) -> str:
        """`now_ms` as the command line takes it."""
        return to_iso(self.now_ms)

    def later(self, **span: float) -> int:
        """Some time after `now_ms` in milliseconds: `later(days=8)`."""
        return self.now_ms + to_ms(timedelta(**span))

    def row(self, artifact: Made | int) -> mlmd.Artifact:
        """The artifact as the store has it now."""
        return self.store.get_artifacts_by_id([_id(artifact)])[0]

    def state(self, artifact: Made | int) -> str:
        """Name of the artifact's state now."""
        return mlmd.Artifact.State.Name(self.row(artifact).state)

    def states(self, *artifacts: Made) -> list[str]:
        """Names of the states of several artifacts now."""
        return [self.state(artifact) for artifact in artifacts]

    def snapshot(self) -> Snapshot:
        """All of the store, read once."""
        return read_api.read(self.store)

    def policy(self, *, rules: Rules = (), **fields: Any) -> RetentionPolicy:
        """A policy over this history's pipelines: no min_age, no grace, no limits unless they are given."""
        return RetentionPolicy.from_dict(self._policy_fields(rules, fields), source="test policy")

    def policy_file(self, *, rules: Rules = (), name: str = "janitor.json", **fields: Any) -> Path:
        """The same as a file. JSON is YAML as well."""
        path = self.home / name
        path.write_text(json.dumps(self._policy_fields(rules, fields)))
        return path

    def _policy_fields(self, rules: Rules, fields: Mapping[str, Any]) -> dict[str, Any]:
        defaults = {
            "version": 1,
            "roots": [str(self.root)],
            "min_age": "0s",
            "grace": "0s",
            "limits": {"max_fraction": None},
            "rules": list(rules or [keep_models(last=2)]),
        }
        return {**defaults, **fields}

    def case(self, policy: RetentionPolicy, *, now_ms: int | None = None, **case: Any) -> Case:
        """What is to be judged."""
        return Case(self.snapshot(), policy, self.now_ms if now_ms is None else now_ms, **case)

    def site(self, *, now_ms: int | None = None, actor: str = "tester@here", **site: Any) -> Site:
        """Where acts happen."""
        moment = self.now_ms if now_ms is None else now_ms
        return Site(self.store, self.url, actor, moment, site.pop("crew", Threads(2)), **site)

    # What the tests do to it.

    def set_state(self, artifact: Made | int, state: str) -> None:
        """Gives an artifact a state, such as "MARKED_FOR_DELETION", without anything else."""
        row = self.row(artifact)
        row.state = mlmd.Artifact.State.Value(state)
        await_next_millisecond()
        self.store.put_artifacts([row], ["state"])

    def set_property(self, artifact: Made | int, name: str, value: str | int | float) -> None:
        """Gives an artifact a custom property, such as the tags that `tagged` looks at."""
        row = self.row(artifact)
        set_values(row.custom_properties, {name: value})
        await_next_millisecond()
        self.store.put_artifacts([row])

    def end(self, execution: int, state: str = "COMPLETE") -> None:
        """Ends an execution that was left in flight."""
        row = self.store.get_executions_by_id([execution])[0]
        row.last_known_state = mlmd.Execution.State.Value(state)
        await_next_millisecond()
        self.store.put_executions([row])

    def backdate(self, *artifacts: Made | int, **span: float) -> None:
        """Moves artifacts' creation back: `backdate(model, days=30)`."""
        statement = "UPDATE Artifact SET create_time_since_epoch = create_time_since_epoch - ? WHERE id = ?"
        self._write(statement, [(to_ms(timedelta(**span)), _id(artifact)) for artifact in artifacts])

    def backdate_runs(self, **span: float) -> None:
        """Moves all that has run so far back, as if nothing had run since: `backdate_runs(days=30)`."""
        moved = to_ms(timedelta(**span))
        statement = (
            "UPDATE Execution SET create_time_since_epoch = create_time_since_epoch - ?, "
            "last_update_time_since_epoch = last_update_time_since_epoch - ?"
        )
        self._write(statement, [(moved, moved)])

    def _write(self, statement: str, rows: Sequence[tuple[int, ...]]) -> None:
        """Writes what MLMD has no call for.

        Another process does it, for two SQLite libraries in one process do not see each other's locks.
        """
        script = (
            "import json, sqlite3, sys; database = sqlite3.connect(sys.argv[1], timeout=60);"
            " database.executemany(sys.argv[2], json.loads(sys.argv[3])); database.commit()"
        )
        command = [sys.executable, "-S", "-c", script, str(self.database), statement, json.dumps(rows)]
        subprocess.run(command, check=True)

    # What the pipelines below are made of.

    def next_version(self) -> int:
        """A version to serve, as the Pusher numbers them: seconds since the epoch."""
        self._versions += 1
        return self._versions

    def context(self, kind: str, name: str) -> mlmd.Context:
        """A context, made when it is first asked for."""
        known = self._contexts.get((kind, name))
        if known is None:
            known = mlmd.Context(type_id=self.type_id("context", kind), name=name)
            known.id = self.store.put_contexts([known])[0]
            self._contexts[kind, name] = known
        return known

    def type_id(self, node: str, name: str) -> int:
        """Id of an "artifact", "execution" or "context" type, made when it is first asked for."""
        known = self._types.get((node, name))
        if known is None:
            known = self._types[node, name] = self._put_type(node, name)
        return known

    def _put_type(self, node: str, name: str) -> int:
        if node == "context":
            return self.store.put_context_type(mlmd.ContextType(name=name))
        if node == "execution":
            return self.store.put_execution_type(mlmd.ExecutionType(name=name))
        kind = mlmd.ArtifactType(name=name)
        if name in BASE_TYPES:
            kind.base_type = BASE_TYPES[name]
        for key, value in DECLARED.get(name, {}).items():
            kind.properties[key] = value
        return self.store.put_artifact_type(kind)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline of a history."""

    history: History
    name: str
    context: mlmd.Context = field(repr=False)

    @property
    def root(self) -> Path:
        return self.history.root / self.name

    def run(self, name: str | None = None) -> Run:
        """Starts a run."""
        history = self.history
        if name is None:
            runs = history.store.get_children_contexts_by_context(self.context.id)
            name = f"{self.name}-run-{len(runs) + 1}"
        context = history.context("pipeline_run", name)
        parent = mlmd.ParentContext(parent_id=self.context.id, child_id=context.id)
        history.store.put_parent_contexts([parent])
        return Run(self, name, context)

    def retrain(
        self, *, steps: Iterable[int] = (100, 200), blessed: bool | None = True, pushed: bool = True
    ) -> Retraining:
        """A whole run: ingest, train, evaluate (unless `blessed` is None), and push if it was blessed."""
        run = self.run()
        examples = run.ingest()
        training = run.train(steps=steps)
        evaluation = None if blessed is None else run.evaluate(blessed=blessed)
        pushing = run.push() if pushed and blessed is not False else None
        return Retraining(run, examples, training, evaluation, pushing)


def _id(artifact: Made | int) -> int:
    return artifact if isinstance(artifact, int) else artifact.id
