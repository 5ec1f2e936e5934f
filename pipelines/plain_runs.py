"""Runs of a pipeline as TFX records them in MLMD and leaves them on the disk, made without TFX and at once.

    store = Store(Path("build/store"))
    retrained = store.pipeline("digits").retrain()     # ingest, train, evaluate, push

Contexts, executions, events and properties are those that TFX 1.16 writes, directories lie where it lays them
out: `<pipelines>/<pipeline>/<node>/<output>/<execution id>`, and `<serving>/<pipeline>/<version>`. The
SavedModel and the checkpoints are those of the tests, a few kB each.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ml_metadata
from ml_metadata.proto import metadata_store_pb2 as mlmd

PAYLOADS = Path(__file__).parents[1] / "tests" / "data"
"""A whole SavedModel and a whole checkpoint, written by TensorFlow."""

EXAMPLE_GEN = "tfx.components.example_gen.import_example_gen.component.ImportExampleGen"
TRAINER = "tfx.components.trainer.component.Trainer"
EVALUATOR = "tfx.components.evaluator.component.Evaluator"
PUSHER = "tfx.components.pusher.component.Pusher"
BULK_INFERRER = "tfx.components.bulk_inferrer.component.BulkInferrer"
IMPORTER = "tfx.dsl.components.common.importer.Importer"

STEPS = (100, 200, 300)
"""Of the checkpoints that every training leaves."""

FIRST_VERSION = 1_700_000_001

Properties = Mapping[str, str | int]

_SPLITS = ("train", "eval")
_BASE_TYPES = {"Model": mlmd.ArtifactType.MODEL, "Examples": mlmd.ArtifactType.DATASET}
_DECLARED = {"Examples": {"span": mlmd.INT, "version": mlmd.INT, "split_names": mlmd.STRING}}
"""Properties that TFX declares with a type; all others are custom ones."""


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact: its MLMD id, and where its payload lies."""

    id: int
    path: Path


@dataclass(frozen=True, slots=True)
class Retraining:
    """What a whole run made. `version` is the directory that a model server watches."""

    pipeline: Pipeline
    run: str
    examples: Made
    model: Made
    model_run: Made
    blessing: Made
    pushed_model: Made
    version: Path


class Store:
    """An sqlite store of MLMD, with the directories that belong to it.

    Attributes:
      directory: holds `metadata.db`, `pipelines` and `serving`.
      mlmd: open for reading and writing.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pipelines = directory / "pipelines"
        self.serving = directory / "serving"
        database = directory / "metadata.db"
        self.url = f"sqlite://{database}"
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(database)
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.mlmd = ml_metadata.MetadataStore(config)

    def pipeline(self, name: str) -> Pipeline:
        """A pipeline that has not run yet."""
        return Pipeline(self, name)

    def set_state(self, artifact: Made, state: str) -> None:
        """Gives an artifact a state, such as `DELETED`, and nothing else."""
        (row,) = self.mlmd.get_artifacts_by_id([artifact.id])
        row.state = mlmd.Artifact.State.Value(state)
        self.mlmd.put_artifacts([row], ["state"])

    def set_property(self, artifact: Made, name: str, value: str | int) -> None:
        """Gives an artifact a custom property."""
        (row,) = self.mlmd.get_artifacts_by_id([artifact.id])
        _set(row.custom_properties[name], value)
        self.mlmd.put_artifacts([row])

    def context(self, kind: str, name: str) -> mlmd.Context:
        """A context, as `put_execution` takes it: made there, if it is new."""
        return mlmd.Context(type_id=self.mlmd.put_context_type(mlmd.ContextType(name=kind)), name=name)

    def artifact_type(self, name: str) -> int:
        """Id of an artifact type, with the properties that TFX declares for it."""
        kind = mlmd.ArtifactType(name=name, properties=_DECLARED.get(name, {}))
        if name in _BASE_TYPES:
            kind.base_type = _BASE_TYPES[name]
        return self.mlmd.put_artifact_type(kind)


class Pipeline:
    """A pipeline of a store."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        self.root = store.pipelines / name
        self.serving = store.serving / name
        self._runs = 0

    def start(self) -> str:
        """The name of a new run."""
        self._runs += 1
        return f"{self.name}-run-{self._runs}"

    def retrain(self, *, blessed: bool = True) -> Retraining:
        """A whole run. What its evaluation did not bless is pushed all the same."""
        run = self.start()
        examples = self.ingest(run)
        _, (model, model_run) = self.execute(
            run, TRAINER, inputs={"examples": examples}, outputs={"model": "Model", "model_run": "ModelRun"}
        )
        served = model.path / "Format-Serving"
        write_saved_model(served, of=run)
        write_checkpoints(model_run.path, STEPS)
        judged: Properties = {
            "blessed": int(blessed),
            "current_model": str(model.path),
            "current_model_id": model.id,
        }
        _, (blessing,) = self.execute(
            run,
            EVALUATOR,
            inputs={"examples": examples, "model": model},
            outputs={"blessing": "ModelBlessing"},
            properties=judged,
        )
        _write(blessing.path / ("BLESSED" if blessed else "NOT_BLESSED"), b"")
        version = self.serving / str(FIRST_VERSION + self._runs - 1)
        pushed: Properties = {
            "pushed": 1,
            "pushed_destination": str(version),
            "pushed_version": version.name,
        }
        _, (pushed_model,) = self.execute(
            run,
            PUSHER,
            inputs={"model": model, "model_blessing": blessing},
            outputs={"pushed_model": "PushedModel"},
            properties=pushed,
        )
        for copy in (pushed_model.path, version):
            shutil.copytree(served, copy)
        return Retraining(self, run, examples, model, model_run, blessing, pushed_model, version)

    def ingest(self, run: str) -> Made:
        """ImportExampleGen: Examples with two splits."""
        properties: Properties = {"span": self._runs, "version": 0, "split_names": '["train", "eval"]'}
        _, (examples,) = self.execute(
            run, EXAMPLE_GEN, outputs={"examples": "Examples"}, properties=properties
        )
        for split in _SPLITS:
            _write(examples.path / f"Split-{split}" / "data_tfrecord-00000-of-00001.gz", b"digits")
        return examples

    def directory(self, node: str, output: str, execution: int) -> Path:
        """Where TFX lays out what an execution makes."""
        return self.root / node / output / str(execution)

    def execute(
        self,
        run: str,
        component: str,
        *,
        inputs: Mapping[str, Made] | None = None,
        outputs: Mapping[str, str] | None = None,
        properties: Properties | None = None,
        state: str = "COMPLETE",
        uri: Path | None = None,
    ) -> tuple[int, list[Made]]:
        """Any execution, recorded in two steps as TFX does: with its inputs, then with its outputs.

        Args:
          component: class path; its last part names the node.
          outputs: types of artifacts by output key; all get the properties. No directories are made.
          uri: of the outputs, if they do not lie where TFX puts them.

        Returns:
          The execution's id, and its outputs in the order given.
        """
        node = component.rpartition(".")[2]
        kind = self.store.mlmd.put_execution_type(mlmd.ExecutionType(name=component))
        execution = mlmd.Execution(type_id=kind, last_known_state=mlmd.Execution.State.Value(state))
        rows = self.store.mlmd.get_artifacts_by_id([made.id for made in (inputs or {}).values()])
        known = {row.id: row for row in rows}
        taken = [(known[made.id], _event(mlmd.Event.INPUT, key)) for key, made in (inputs or {}).items()]
        execution.id, _ = self._publish(run, node, execution, taken)
        if not outputs:
            return execution.id, []
        places = [uri or self.directory(node, key, execution.id) for key in outputs]
        made = [
            (
                self._artifact(type_name, path, properties or {}, external=uri is not None),
                _event(mlmd.Event.OUTPUT, key),
            )
            for (key, type_name), path in zip(outputs.items(), places, strict=True)
        ]
        _, ids = self._publish(run, node, execution, made)
        return execution.id, [Made(number, path) for number, path in zip(ids, places, strict=True)]

    def _artifact(
        self, type_name: str, path: Path, properties: Properties, *, external: bool
    ) -> mlmd.Artifact:
        made = mlmd.Artifact(
            type_id=self.store.artifact_type(type_name), uri=str(path), state=mlmd.Artifact.LIVE
        )
        for name, value in properties.items():
            declared = name in _DECLARED.get(type_name, {})
            _set((made.properties if declared else made.custom_properties)[name], value)
        _set(made.custom_properties["tfx_version"], "1.16.0")
        _set(made.custom_properties["is_external"], int(external))
        return made

    def _publish(
        self,
        run: str,
        node: str,
        execution: mlmd.Execution,
        pairs: Sequence[tuple[mlmd.Artifact, mlmd.Event]],
    ) -> tuple[int, Sequence[int]]:
        """Writes all at once, as TFX does, and attributes everything to the contexts of the node."""
        named = {"pipeline": self.name, "pipeline_run": run, "node": f"{self.name}.{node}"}
        contexts = [self.store.context(kind, name) for kind, name in named.items()]
        execution_id, ids, _ = self.store.mlmd.put_execution(
            execution, pairs, contexts, reuse_context_if_already_exist=True
        )
        return execution_id, ids


def write_saved_model(path: Path, *, of: str) -> None:
    """A whole SavedModel, which another run's differs from by a note of the run among its assets."""
    shutil.copytree(PAYLOADS / "saved_model", path, copy_function=shutil.copyfile)
    _write(path / "assets.extra" / "run.txt", f"{of}\n".encode())


def write_checkpoints(directory: Path, steps: Iterable[int]) -> None:
    """Whole checkpoints, and the `checkpoint` file that names the last one as the latest."""
    directory.mkdir(parents=True)
    names = [f"ckpt-{step}" for step in steps]
    for name in names:
        for source in sorted((PAYLOADS / "checkpoint").iterdir()):
            shutil.copyfile(source, directory / source.name.replace("ckpt", name, 1))
    lines = [f'model_checkpoint_path: "{names[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
    (directory / "checkpoint").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _event(kind: mlmd.Event.Type.ValueType, key: str) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = 0
    return event


def _set(property: mlmd.Value, value: str | int) -> None:
    if isinstance(value, str):
        property.string_value = value
    else:
        property.int_value = value
