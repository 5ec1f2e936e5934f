"""Stores and payloads as TFX leaves them behind, built in sentences.

    history = History(tmp_path)
    pipeline = history.pipeline("inception")

    run = pipeline.run()
    trained = run.train(steps=(100, 200, 300))     # .model, .model_run, .execution
    judged = run.evaluate(blessed=True)            # .blessing, .evaluation
    pushed = run.push()                            # .pushed_model, .destination

    first, second, third = (pipeline.retrain() for _ in range(3))     # ingest, train, evaluate, push

    policy = history.policy(rules=[keep_models(last=2)])     # roots, min_age 0s, grace 0s filled in
    plan = make_plan(history.case(policy), Threads(), metadata=history.url, created_ms=0)
    history.site(now_ms=history.later(days=8))
    history.state(first.model)                     # "LIVE"

Everything is real: an sqlite MLMD store with the contexts, executions, events and properties that TFX writes,
SavedModels and checkpoints that TensorFlow wrote, and directories where TFX would have put them:
`<home>/pipelines/<pipeline>/<node>/<output>/<execution id>`, `<home>/serving/<pipeline>/<version>`.

Times come from MLMD itself; `history.now_ms` is a second after all of them, `history.later(days=8)` is later
than that, and `history.backdate(artifact, days=30)` makes an artifact older.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import ml_metadata
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage import read_api
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.timestamps import to_iso, to_ms
from tfx_janitor.survey.crew import Threads

DATA = Path(__file__).parent / "data"

TRAINER = "tfx.components.trainer.component.Trainer"
EVALUATOR = "tfx.components.evaluator.component.Evaluator"
PUSHER = "tfx.components.pusher.component.Pusher"
EXAMPLE_GEN = "tfx.components.example_gen.import_example_gen.component.ImportExampleGen"
INFRA_VALIDATOR = "tfx.components.infra_validator.component.InfraValidator"
BULK_INFERRER = "tfx.components.bulk_inferrer.component.BulkInferrer"
IMPORTER = "tfx.dsl.components.common.importer.Importer"
RESOLVER = "tfx.dsl.components.common.resolver.Resolver"

LATEST_BLESSED = "latest_blessed_model_resolver"

_BASE_TYPES = {"Model": mlmd.ArtifactType.MODEL, "Examples": mlmd.ArtifactType.DATASET}
_DECLARED = {"Examples": {"span": mlmd.INT, "version": mlmd.INT, "split_names": mlmd.STRING}}

Rules = Sequence[Mapping[str, Any]]


def keep_models(name: str = "models", **keep: Any) -> dict[str, Any]:
    """A rule for Models, such as `keep_models(last=2)`."""
    return {"name": name, "match": {"type": "Model"}, "keep": keep}


def keep_model_runs(name: str = "model-runs", **keep: Any) -> dict[str, Any]:
    """A rule for ModelRuns."""
    return {"name": name, "match": {"type": "ModelRun"}, "keep": keep}


def prune_checkpoints(name: str = "checkpoints", **checkpoints: Any) -> dict[str, Any]:
    """A rule that prunes inside ModelRuns and deletes none of them."""
    return {"name": name, "match": {"type": "ModelRun"}, "checkpoints": checkpoints}


def write_saved_model(path: Path) -> Path:
    """A small, whole SavedModel at a path that does not exist yet."""
    shutil.copytree(DATA / "saved_model", path, copy_function=shutil.copyfile)
    return path


def write_checkpoints(directory: Path, steps: Iterable[int], *, prefix: str = "ckpt") -> Path:
    """Whole checkpoints with a state file that lists them, the last one as the latest."""
    directory.mkdir(parents=True, exist_ok=True)
    names = [f"{prefix}-{step}" for step in steps]
    for name in names:
        for source in (DATA / "checkpoint").iterdir():
            shutil.copyfile(source, directory / source.name.replace("ckpt", name, 1))
    if names:
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
        (directory / "checkpoint").write_text("\n".join(lines) + "\n")
    return directory


def flip_bit(path: Path, at: int = -1) -> None:
    """Damages one bit of a file, by default of its last byte."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def damage_saved_model(payload: Path) -> Path:
    """Flips a bit in the tensors of a Model's SavedModel; the structure stays whole. Returns the file."""
    (shard,) = payload.rglob("variables.data-00000-of-00001")
    flip_bit(shard, 0)
    return shard


def damage_checkpoint(directory: Path, name: str) -> Path:
    """Flips a bit in the tensors of a checkpoint; the structure stays whole. Returns the file."""
    shard = directory / f"{name}.data-00000-of-00001"
    flip_bit(shard, 0)
    return shard


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact that was made: its MLMD id, its type's name, and its URI."""

    id: int
    type: str
    uri: str

    @property
    def path(self) -> Path:
        return Path(self.uri)


@dataclass(frozen=True, slots=True)
class Training:
    """A Trainer execution and its outputs."""

    execution: int
    model: Made
    model_run: Made


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An Evaluator execution and its outputs."""

    execution: int
    blessing: Made
    evaluation: Made


@dataclass(frozen=True, slots=True)
class Push:
    """A Pusher execution, its output, and where the model is served."""

    execution: int
    pushed_model: Made
    destination: Path


@dataclass(frozen=True, slots=True)
class Retraining:
    """A whole run: what each node made. `evaluation` and `push` are None where the node did not run."""

    run: Run
    examples: Made
    training: Training
    evaluation: Evaluation | None
    pushing: Push | None

    @property
    def model(self) -> Made:
        return self.training.model

    @property
    def model_run(self) -> Made:
        return self.training.model_run

    @property
    def blessing(self) -> Made:
        assert self.evaluation is not None
        return self.evaluation.blessing

    @property
    def push(self) -> Push:
        assert self.pushing is not None
        return self.pushing


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
        self.store.put_artifacts([row], ["state"])

    def set_property(self, artifact: Made | int, name: str, value: str | int | float) -> None:
        """Gives an artifact a custom property, such as the tags that `tagged` looks at."""
        row = self.row(artifact)
        _set(row.custom_properties, {name: value})
        self.store.put_artifacts([row])

    def end(self, execution: int, state: str = "COMPLETE") -> None:
        """Ends an execution that was left in flight."""
        row = self.store.get_executions_by_id([execution])[0]
        row.last_known_state = mlmd.Execution.State.Value(state)
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
        if name in _BASE_TYPES:
            kind.base_type = _BASE_TYPES[name]
        for key, value in _DECLARED.get(name, {}).items():
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


@dataclass(frozen=True, slots=True)
class Output:
    """What a node makes: the artifact's type and properties, and the URI if it is not where TFX puts it."""

    type: str
    properties: Mapping[str, str | int] = field(default_factory=dict)
    uri: str | None = None
    external: bool = False


@dataclass
class Run:
    """A run of a pipeline. Nodes take their inputs from the nodes before them, unless told otherwise."""

    pipeline: Pipeline
    name: str
    context: mlmd.Context = field(repr=False)
    _last: dict[str, Made] = field(default_factory=dict, repr=False)

    def ingest(self, *, span: int = 0) -> Made:
        """ImportExampleGen: Examples."""
        properties: dict[str, str | int] = {"span": span, "version": 0, "split_names": '["train", "eval"]'}
        _, made = self.execute(EXAMPLE_GEN, outputs={"examples": Output("Examples", properties)})
        for split in ("Split-train", "Split-eval"):
            (made["examples"].path / split).mkdir(parents=True)
            (made["examples"].path / split / "data_tfrecord-00000-of-00001.gz").write_bytes(b"digits")
        return made["examples"]

    def train(self, *, steps: Iterable[int] = (100, 200), warm_start: Made | None = None) -> Training:
        """Trainer: a Model, and a ModelRun with checkpoints directly in it."""
        outputs = {"model": Output("Model"), "model_run": Output("ModelRun")}
        inputs = {"examples": self._latest("Examples"), "base_model": [warm_start] if warm_start else []}
        execution, made = self.execute(TRAINER, inputs=inputs, outputs=outputs)
        write_saved_model(made["model"].path / "Format-Serving")
        write_checkpoints(made["model_run"].path, steps)
        return Training(execution, made["model"], made["model_run"])

    def train_from_cache(self, training: Training) -> int:
        """Trainer, CACHED: OUTPUT events to what an earlier execution made. Returns the execution."""
        return self.reuse(TRAINER, {"model": training.model, "model_run": training.model_run})

    def start_training(self, *, steps: Iterable[int] = ()) -> int:
        """Trainer in flight, or dead without a word: RUNNING, directories on disk, no artifact for them."""
        execution, _ = self.execute(TRAINER, inputs={"examples": self._latest("Examples")}, state="RUNNING")
        root = self.pipeline.root / "Trainer"
        write_checkpoints(root / "model_run" / str(execution), steps)
        (root / "model" / str(execution)).mkdir(parents=True)
        return execution

    def fail_training(self) -> int:
        """Trainer that raised: FAILED, its directories removed, no output events."""
        execution, _ = self.execute(TRAINER, inputs={"examples": self._latest("Examples")}, state="FAILED")
        return execution

    def evaluate(
        self, *, blessed: bool = True, model: Made | None = None, baseline: Made | None = None
    ) -> Evaluation:
        """Evaluator: a ModelBlessing that names the model by id, and a ModelEvaluation."""
        judged = model or self._the("Model")
        properties: dict[str, str | int] = {
            "blessed": int(blessed),
            "current_model": judged.uri,
            "current_model_id": judged.id,
        }
        if baseline is not None:
            properties |= {"baseline_model": baseline.uri, "baseline_model_id": baseline.id}
        outputs = {
            "blessing": Output("ModelBlessing", properties),
            "evaluation": Output("ModelEvaluation"),
        }
        inputs = {
            "examples": self._latest("Examples"),
            "model": [judged],
            "baseline_model": [baseline] if baseline else [],
        }
        execution, made = self.execute(EVALUATOR, inputs=inputs, outputs=outputs)
        for artifact, name in (
            ("blessing", "BLESSED" if blessed else "NOT_BLESSED"),
            ("evaluation", "metrics"),
        ):
            made[artifact].path.mkdir(parents=True)
            (made[artifact].path / name).touch()
        return Evaluation(execution, made["blessing"], made["evaluation"])

    def infra_validate(self, *, model: Made | None = None, with_model: bool = True) -> Made:
        """InfraValidator: an InfraBlessing, which may carry a copy of the model for the Pusher."""
        judged = model or self._the("Model")
        properties: dict[str, str | int] = {"blessed": 1, "has_model": int(with_model)}
        _, made = self.execute(
            INFRA_VALIDATOR,
            inputs={"model": [judged], "examples": self._latest("Examples")},
            outputs={"blessing": Output("InfraBlessing", properties)},
        )
        path = made["blessing"].path
        path.mkdir(parents=True)
        (path / "INFRA_BLESSED").touch()
        if with_model:
            write_saved_model(path / "stamped_model")
        return made["blessing"]

    def push(
        self,
        *,
        model: Made | None = None,
        infra_blessing: Made | None = None,
        served: bool = True,
        base: Path | None = None,
    ) -> Push:
        """Pusher: a PushedModel with a copy at its URI, and a version directory that a model server watches.

        Args:
          infra_blessing: given instead of a Model, as a Pusher may be.
          served: False leaves the destination out, as if somebody had removed it.
          base: the directory that is watched.
        """
        source = model or self._the("Model")
        version = self.pipeline.history.next_version()
        destination = (base or self.pipeline.history.serving / self.pipeline.name) / str(version)
        properties: dict[str, str | int] = {
            "pushed": 1,
            "pushed_destination": str(destination),
            "pushed_version": str(version),
        }
        inputs: dict[str, Sequence[Made]]
        if infra_blessing is not None:
            inputs = {"infra_blessing": [infra_blessing]}
        else:
            inputs = {"model": [source], "model_blessing": self._latest("ModelBlessing")}
        execution, made = self.execute(
            PUSHER, inputs=inputs, outputs={"pushed_model": Output("PushedModel", properties)}
        )
        write_saved_model(made["pushed_model"].path)
        if served:
            write_saved_model(destination)
        return Push(execution, made["pushed_model"], destination)

    def import_model(self, uri: str | Path, *, reuse: Made | None = None) -> Made:
        """Importer: an external Model; with `reuse` the artifact that a pipeline made at that URI."""
        if reuse is not None:
            self.reuse(IMPORTER, {"result": reuse}, node="Importer", state="COMPLETE")
            return reuse
        outputs = {"result": Output("Model", uri=str(uri), external=True)}
        return self.execute(IMPORTER, node="Importer", outputs=outputs)[1]["result"]

    def resolve(self, *artifacts: Made, node: str = LATEST_BLESSED) -> int:
        """Resolver: COMPLETE, with INTERNAL_OUTPUT events to what it found. Returns the execution."""
        execution = self._begin(RESOLVER, node, {}, "COMPLETE")
        self._record(execution, node, {"model": artifacts}, mlmd.Event.INTERNAL_OUTPUT)
        return execution

    def consume(
        self, *artifacts: Made, type: str = BULK_INFERRER, node: str | None = None, state: str = "COMPLETE"
    ) -> int:
        """Some node that takes artifacts, such as a RUNNING BulkInferrer. Returns the execution."""
        return self.execute(type, node=node, inputs={"model": list(artifacts)}, state=state)[0]

    def reuse(
        self, type: str, outputs: Mapping[str, Made], *, node: str | None = None, state: str = "CACHED"
    ) -> int:
        """A cache hit: a new execution with OUTPUT events to existing artifacts. Returns the execution."""
        node = node or _node(type)
        execution = self._begin(type, node, {}, state)
        self._record(execution, node, {key: [made] for key, made in outputs.items()}, mlmd.Event.OUTPUT)
        self._last.update((made.type, made) for made in outputs.values())
        return execution

    def execute(
        self,
        type: str,
        *,
        node: str | None = None,
        inputs: Mapping[str, Sequence[Made]] | None = None,
        outputs: Mapping[str, Output] | None = None,
        state: str = "COMPLETE",
    ) -> tuple[int, dict[str, Made]]:
        """Any execution: what all of the above is made of. Makes no directories.

        Args:
          type: class path of the component; its last part is the node unless one is given.
          outputs: only recorded when the execution has come to an end.

        Returns:
          The execution's id, and its artifacts by output key.
        """
        node = node or _node(type)
        execution = self._begin(type, node, inputs or {}, state)
        made = self._make(execution, node, outputs or {})
        self._last.update((artifact.type, artifact) for artifact in made.values())
        return execution, made

    def _begin(self, type: str, node: str, inputs: Mapping[str, Sequence[Made]], state: str) -> int:
        history = self.pipeline.history
        execution = mlmd.Execution(
            type_id=history.type_id("execution", type),
            last_known_state=mlmd.Execution.State.Value(state),
        )
        return self._publish(execution, node, _paired(inputs, mlmd.Event.INPUT, history.row))[0]

    def _record(self, execution: int, node: str, outputs: Mapping[str, Sequence[Made]], kind: Any) -> None:
        history = self.pipeline.history
        (row,) = history.store.get_executions_by_id([execution])
        self._publish(row, node, _paired(outputs, kind, history.row))

    def _make(self, execution: int, node: str, outputs: Mapping[str, Output]) -> dict[str, Made]:
        if not outputs:
            return {}
        history = self.pipeline.history
        artifacts: list[Made] = []
        pairs: list[tuple[mlmd.Artifact, mlmd.Event]] = []
        for key, output in outputs.items():
            uri = output.uri or str(self.pipeline.root / node / key / str(execution))
            artifact = mlmd.Artifact(
                type_id=history.type_id("artifact", output.type), uri=uri, state=mlmd.Artifact.LIVE
            )
            declared = _DECLARED.get(output.type, {})
            for name, value in output.properties.items():
                values = artifact.properties if name in declared else artifact.custom_properties
                _set(values, {name: value})
            own = {"tfx_version": "1.16.0", "is_external": int(output.external)}
            _set(artifact.custom_properties, own)
            artifacts.append(Made(0, output.type, uri))
            pairs.append((artifact, _event(mlmd.Event.OUTPUT, key, 0)))
        (row,) = history.store.get_executions_by_id([execution])
        _, ids = self._publish(row, node, pairs)
        return {
            key: replace(made, id=artifact_id)
            for key, made, artifact_id in zip(outputs, artifacts, ids, strict=True)
        }

    def _publish(
        self, execution: mlmd.Execution, node: str, pairs: Sequence[tuple[mlmd.Artifact, mlmd.Event]]
    ) -> tuple[int, Sequence[int]]:
        """Writes as TFX does: all at once, with everything attributed to the contexts of the node.

        So what is consumed belongs to its consumer's contexts as well.
        """
        history, pipeline = self.pipeline.history, self.pipeline
        contexts = [pipeline.context, self.context]
        named = {"node": f"{pipeline.name}.{node}", "execution_cache": f"{self.name}.{node}"}
        for kind, name in named.items():
            contexts.append(mlmd.Context(type_id=history.type_id("context", kind), name=name))
        execution_id, artifact_ids, _ = history.store.put_execution(
            execution, pairs, contexts, reuse_context_if_already_exist=True
        )
        return execution_id, artifact_ids

    def _latest(self, type: str) -> list[Made]:
        return [self._last[type]] if type in self._last else []

    def _the(self, type: str) -> Made:
        assert type in self._last, f"the run has made no {type} yet; give one"
        return self._last[type]


def _paired(
    artifacts: Mapping[str, Sequence[Made]], kind: Any, row: Callable[[Made], mlmd.Artifact]
) -> list[tuple[mlmd.Artifact, mlmd.Event]]:
    return [
        (row(made), _event(kind, key, index))
        for key, listed in artifacts.items()
        for index, made in enumerate(listed)
    ]


def _event(kind: Any, key: str, index: int) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = index
    return event


def _node(type: str) -> str:
    return type.rpartition(".")[2]


def _id(artifact: Made | int) -> int:
    return artifact if isinstance(artifact, int) else artifact.id


def _set(properties: Any, values: Mapping[str, str | int | float]) -> None:
    for name, value in values.items():
        kind = {str: "string_value", int: "int_value", float: "double_value"}[cast(type, type(value))]
        setattr(properties[name], kind, value)
