"""What happens in a history, as a story: runs, each a list of steps, and what was done to artifacts since.

`tell` turns a story into the rows that MLMD would hold. Steps that find no input are left out, so that every
part of a story may be dropped and the rest still makes sense.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.proof.rows import Artifact, Event, Execution, History, Pin, Value

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BEGIN = 1_704_000_000_000
"""31 December 2023, 05:20 UTC: the first week, month, quarter and year end soon."""

ROOT = "/history/root"
PIPELINES = ("taxi1", "taxi10", "renamed")


@dataclass(frozen=True)
class Node:
    """What a component takes and makes: artifact types by key."""

    type: str
    takes: dict[str, str] = field(default_factory=dict)
    makes: dict[str, str] = field(default_factory=dict)


_TFX = "tfx.components."
_DATA = {"examples": "Examples"}
NODES = {
    "ExampleGen": Node(f"{_TFX}example_gen.component.CsvExampleGen", {}, _DATA),
    "Transform": Node(f"{_TFX}transform.component.Transform", _DATA, {"transform_graph": "TransformGraph"}),
    "Tuner": Node(f"{_TFX}tuner.component.Tuner", _DATA, {"best_hyperparameters": "HyperParameters"}),
    "Trainer": Node(
        f"{_TFX}trainer.component.Trainer",
        {**_DATA, "transform_graph": "TransformGraph", "hyperparameters": "HyperParameters"},
        {"model": "Model", "model_run": "ModelRun"},
    ),
    "Resolver": Node("tfx.dsl.components.common.resolver.Resolver"),
    "Evaluator": Node(
        f"{_TFX}evaluator.component.Evaluator",
        {**_DATA, "model": "Model"},
        {"blessing": "ModelBlessing", "evaluation": "ModelEvaluation"},
    ),
    "ModelValidator": Node(
        f"{_TFX}model_validator.component.ModelValidator",
        {**_DATA, "model": "Model"},
        {"blessing": "ModelBlessing"},
    ),
    "InfraValidator": Node(
        f"{_TFX}infra_validator.component.InfraValidator", {"model": "Model"}, {"blessing": "InfraBlessing"}
    ),
    "Pusher": Node(f"{_TFX}pusher.component.Pusher", {"model": "Model"}, {"pushed_model": "PushedModel"}),
    "BulkInferrer": Node(
        f"{_TFX}bulk_inferrer.component.BulkInferrer",
        {**_DATA, "model": "Model"},
        {"inference_result": "InferenceResult"},
    ),
    "Importer": Node("tfx.dsl.components.common.importer.Importer", {}, {"result": "Model"}),
    "CheckpointJanitor": Node(
        "tfx_janitor.checkpoint_janitor.component.CheckpointJanitor",
        {"model": "Model", "model_run": "ModelRun", "pushed_model": "PushedModel"},
        {"plan": "JanitorPlan"},
    ),
    "Act": Node("tfx_janitor.act.mark"),
}


@dataclass(frozen=True)
class Step:
    """One node of a run.

    Attributes:
      outcome: state of its execution; CACHED re-uses what the node made, "PARTIAL" is CACHED as a partial
        run publishes it, without INPUT events.
      pick: which of the artifacts of a type it takes, counted from the newest.
      choice: whatever else the node has a choice of; each reads bits of it.
    """

    node: str
    outcome: str = "COMPLETE"
    pick: int = 0
    choice: int = 0


@dataclass(frozen=True)
class Run:
    """A run: its pipeline, the pause before it, the time that each node takes, its contexts, its steps."""

    pipeline: int
    pause: int
    takes: int
    contexts: str
    steps: Sequence[Step]


@dataclass(frozen=True)
class Touch:
    """Something done to the artifact that is n-th from the newest."""

    artifact: int
    change: str
    value: Any = None


_NOTHING: Any = {"bytes": None, "whole": False, "metrics": {}}


class Tale:
    """A story as it is being told."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.artifacts: dict[int, Artifact] = {}
        self.executions: dict[int, Execution] = {}
        self.events: list[Event] = []
        self.pins: list[Pin] = []
        self.standing: list[int] = []
        self.own: int | None = None

    def run(self, run: Run, number: int) -> None:
        """A run, step by step."""
        self.now += run.pause
        pipeline = PIPELINES[run.pipeline]
        for step in run.steps:
            with_node = run.contexts != "none" and run.contexts != "run"
            self._step(
                step,
                Execution(
                    type=NODES[step.node].type,
                    state="CACHED" if step.outcome == "PARTIAL" else step.outcome,
                    created=self.now,
                    updated=self.now + run.takes,
                    pipeline=None if run.contexts == "none" else pipeline,
                    run=None if run.contexts == "none" else f"{pipeline}-{number}",
                    node=step.node if with_node else None,
                ),
            )
            self.now += run.takes

    def _step(self, step: Step, execution: Execution) -> None:
        node, act = NODES[step.node], step.node == "Act"
        inputs = self._inputs(step, execution["pipeline"])
        needed = [key for key in node.takes if key in ("examples", "model")]
        if not act and any(key not in inputs for key in needed) and "infra_blessing" not in inputs:
            return
        again = self._made_before(step) if execution["state"] == "CACHED" or self._reuses(step) else {}
        if execution["state"] == "CACHED" and not again:
            return
        if act:
            execution["pipeline"] = execution["run"] = execution["node"] = None
        number = len(self.executions) + 1
        self.executions[number] = execution
        if step.node == "CheckpointJanitor" and execution["state"] == "RUNNING":
            self.own = number
        if step.outcome != "PARTIAL":
            for key, artifacts in inputs.items():
                for artifact in artifacts:
                    self._event(artifact, number, "INPUT", key, execution["created"])
        ended = execution["updated"]
        if step.node == "Resolver":
            for model in self._picked(step, "Model", execution["pipeline"]):
                self._event(model, number, "INTERNAL_OUTPUT", "model", ended)
        elif again:
            for key, artifact in again.items():
                self._event(artifact, number, "OUTPUT", key, ended)
        else:
            self._make(step, number, inputs, execution)

    def _event(self, artifact: int, execution: int, kind: str, key: str, time: int) -> None:
        """Records an event, unless there is one of this kind already: MLMD takes no second one."""
        if (artifact, execution, kind) not in {event[:3] for event in self.events}:
            self.events.append((artifact, execution, kind, key, time))

    def _inputs(self, step: Step, pipeline: str | None) -> dict[str, list[int]]:
        inputs = {}
        for key, type in NODES[step.node].takes.items():
            inputs[key] = self._picked(step, type, pipeline)
        if step.node == "Trainer" and step.choice & 1:
            inputs["base_model"] = self._picked(step, "Model", pipeline)
        if step.node == "Evaluator" and step.choice & 8:
            inputs["baseline_model"] = self._picked(Step("", pick=step.pick + 1), "Model", pipeline)
        if (
            step.node == "Pusher"
            and step.choice & 1
            and (infra := self._picked(step, "InfraBlessing", pipeline))
        ):
            inputs = {"infra_blessing": infra}
        if step.node == "Act":
            inputs["mark"] = sorted(self.artifacts)[-1 - step.choice :]
        return {key: found for key, found in inputs.items() if found}

    def _picked(self, step: Step, type: str, pipeline: str | None) -> list[int]:
        """One artifact of a type: of the same pipeline, unless the step looks further back."""
        found = [a for a, x in self.artifacts.items() if x["type"] == type]
        own = [a for a in found if f"/{pipeline}/" in self.artifacts[a]["uri"]]
        listed = own if step.pick < len(own) else found
        return [listed[-1 - step.pick % len(listed)]] if listed else []

    def _reuses(self, step: Step) -> bool:
        return step.node == "Importer" and bool(step.choice & 1)

    def _made_before(self, step: Step) -> dict[str, int]:
        if self._reuses(step):
            return dict(zip(("result",), self._picked(step, "Model", None), strict=False))
        type = NODES[step.node].type
        made: dict[int, dict[str, int]] = {}
        for artifact, execution, kind, key, _ in self.events:
            if kind == "OUTPUT" and self.executions[execution]["type"] == type and key is not None:
                made.setdefault(execution, {})[key] = artifact
        return list(made.values())[-1 - step.pick % len(made)] if made else {}

    def _make(self, step: Step, number: int, inputs: dict[str, list[int]], execution: Execution) -> None:
        outcome = execution["state"]
        makes = list(NODES[step.node].makes.items())
        # An orchestrator may register what is to be made before it is there; others do not.
        early = outcome in ("RUNNING", "FAILED") and step.choice & 4
        if outcome != "COMPLETE" and not early:
            return
        for key, type in reversed(makes) if step.choice & 16 else makes:
            artifact = len(self.artifacts) + 1
            where = f"{ROOT}/{execution['pipeline'] or 'taxi1'}/{step.node}/{key}/{number}"
            state = "LIVE"
            if early and not step.choice & 8:
                state = "PENDING" if outcome == "RUNNING" else "ABANDONED"
            self.artifacts[artifact] = Artifact(
                type=type,
                state=state,
                created=execution["updated"],
                updated=execution["updated"],
                uri=where,
                properties=self._properties(step, type, inputs),
                bytes=None
                if type == "ModelEvaluation" and step.choice % 8 == 5
                else 10 * (1 + step.choice % 4),
                whole=type == "Model" and step.choice % 4 != 3,
                metrics={"accuracy": 0.25 * (step.choice % 3)}
                if type == "ModelEvaluation" and step.choice & 4
                else {},
            )
            kind = "OUTPUT" if state == "LIVE" else "PENDING_OUTPUT"
            self._event(artifact, number, kind, key, execution["updated"])
            # A bucket cannot be looked into from here: what was pushed there stands until proven gone.
            if type == "PushedModel" and step.choice & 6 and step.choice != 18:
                self.standing.append(artifact)

    def _properties(self, step: Step, type: str, inputs: dict[str, list[int]]) -> dict[str, Value]:
        (model,) = inputs.get("model", [0])
        number = len(self.executions)
        if type == "Examples":
            # Of pipelines before and after somebody changed their mind about the type.
            span = f"{step.choice % 4}" if step.choice >= 30 else step.choice % 4
            return {"span": span, "version": step.choice // 4 % 3} if step.choice != 24 else {}
        if type == "ModelBlessing" and step.choice % 16 == 9:  # of somebody's own evaluator
            return {"blessed": 1}
        if type == "ModelBlessing":
            found: dict[str, Value] = {
                "blessed": step.choice & 1,
                "current_model": self.artifacts[model]["uri"],
            }
            return found if step.node == "ModelValidator" else {**found, "current_model_id": model}
        if type == "InfraBlessing":
            return {"blessed": 1, "has_model": 1}
        if type == "PushedModel":
            if step.choice & 12 == 12:
                return {"pushed": 0}
            base = "gs://serving/taxi" if step.choice & 4 else "/history/serving/taxi"
            base = "serving/taxi" if step.choice == 18 else base  # relative to who knows what
            return {"pushed": 1, "pushed_destination": f"{base}/{number}", "pushed_version": str(number)}
        if type == "ModelEvaluation" and step.choice & 2:
            return {"auc": 0.5 + 0.125 * (step.choice % 3)}
        if type == "Model" and step.choice % 8 == 4:
            return {"tags": "golden, audit-2026"}
        return {"is_external": 1} if step.node == "Importer" and step.choice & 2 else {}

    def touch(self, touch: Touch) -> None:
        """Does something to one artifact."""
        if not self.artifacts:
            return
        at = sorted(self.artifacts)[-1 - touch.artifact % len(self.artifacts)]
        artifact, value = self.artifacts[at], touch.value
        other = self.artifacts[max(1, at - 1)]
        if touch.change == "property":
            artifact["properties"][value[0]] = value[1]
        elif touch.change == "pin":
            until, released = (None if days is None else BEGIN + days * DAY for days in value)
            self.pins.append(Pin(artifact=at, since=artifact["created"], until=until, released=released))
        elif touch.change == "state":
            artifact["state"] = value
            artifact["updated"] += HOUR
        elif touch.change == "place":
            artifact["uri"] = value.format(
                own=artifact["uri"], other=other["uri"], around=other["uri"].rpartition("/")[0], at=at
            )
        elif touch.change == "created":
            artifact["created"] = other["created"] if value is None else artifact["created"] + value
        elif touch.change == "gone":
            artifact |= _NOTHING
        elif touch.change == "damaged":
            artifact["whole"] = False
        elif touch.change == "bytes" and artifact["bytes"] is not None:
            artifact["bytes"] = value

    def end(self, later: int) -> History:
        """The history, looked at some time after its last row."""
        lying: dict[str, Artifact] = {}
        for artifact in self.artifacts.values():
            local = artifact["uri"].startswith(("/", "file:///", "file://localhost/"))
            if artifact["state"] == "DELETED" or not local:
                artifact |= _NOTHING
            else:
                # One URI, one payload, whoever made it.
                told = lying.setdefault(artifact["uri"], artifact)
                artifact |= {key: told[key] for key in _NOTHING}
        standing = [p for p in self.standing if self.artifacts[p]["properties"].get("pushed") == 1]
        return History(
            now=self.now + later,
            own=self.own,
            artifacts=self.artifacts,
            executions=self.executions,
            events=self.events,
            pins=self.pins,
            standing=standing,
        )


def tell(runs: Sequence[Run], touches: Sequence[Touch], later: int) -> History:
    """The rows that a story leaves behind."""
    tale = Tale()
    for number, run in enumerate(runs, 1):
        tale.run(run, number)
    for touch in touches:
        tale.touch(touch)
    return tale.end(later)
