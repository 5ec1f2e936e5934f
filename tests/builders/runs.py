"""Runs, in which nodes are executed one after the other and leave their outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders.made import Evaluation, Made, Push, Training
from tests.builders.mlmd_rows import DECLARED, await_next_millisecond, event_of, paired, set_values
from tests.builders.payloads import write_checkpoints, write_saved_model

if TYPE_CHECKING:
    from tests.builders.history import Pipeline

TRAINER = "tfx.components.trainer.component.Trainer"
EVALUATOR = "tfx.components.evaluator.component.Evaluator"
PUSHER = "tfx.components.pusher.component.Pusher"
EXAMPLE_GEN = "tfx.components.example_gen.import_example_gen.component.ImportExampleGen"
INFRA_VALIDATOR = "tfx.components.infra_validator.component.InfraValidator"
BULK_INFERRER = "tfx.components.bulk_inferrer.component.BulkInferrer"
IMPORTER = "tfx.dsl.components.common.importer.Importer"
RESOLVER = "tfx.dsl.components.common.resolver.Resolver"

LATEST_BLESSED = "latest_blessed_model_resolver"


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
        return self._publish(execution, node, paired(inputs, mlmd.Event.INPUT, history.row))[0]

    def _record(self, execution: int, node: str, outputs: Mapping[str, Sequence[Made]], kind: Any) -> None:
        history = self.pipeline.history
        (row,) = history.store.get_executions_by_id([execution])
        self._publish(row, node, paired(outputs, kind, history.row))

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
            declared = DECLARED.get(output.type, {})
            for name, value in output.properties.items():
                values = artifact.properties if name in declared else artifact.custom_properties
                set_values(values, {name: value})
            own = {"tfx_version": "1.16.0", "is_external": int(output.external)}
            set_values(artifact.custom_properties, own)
            artifacts.append(Made(0, output.type, uri))
            pairs.append((artifact, event_of(mlmd.Event.OUTPUT, key, 0)))
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
        await_next_millisecond()
        execution_id, artifact_ids, _ = history.store.put_execution(
            execution, pairs, contexts, reuse_context_if_already_exist=True
        )
        return execution_id, artifact_ids

    def _latest(self, type: str) -> list[Made]:
        return [self._last[type]] if type in self._last else []

    def _the(self, type: str) -> Made:
        assert type in self._last, f"the run has made no {type} yet; give one"
        return self._last[type]


def _node(type: str) -> str:
    return type.rpartition(".")[2]
