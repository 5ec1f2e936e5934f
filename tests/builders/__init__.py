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

from tests.builders.history import History, Pipeline
from tests.builders.made import Evaluation, Made, Push, Retraining, Training
from tests.builders.payloads import (
    DATA,
    damage_checkpoint,
    damage_saved_model,
    flip_bit,
    write_checkpoints,
    write_saved_model,
)
from tests.builders.rules import Rules, keep_model_runs, keep_models, prune_checkpoints
from tests.builders.runs import (
    BULK_INFERRER,
    EVALUATOR,
    EXAMPLE_GEN,
    IMPORTER,
    INFRA_VALIDATOR,
    LATEST_BLESSED,
    PUSHER,
    RESOLVER,
    TRAINER,
    Output,
    Run,
)

__all__ = [
    "BULK_INFERRER",
    "DATA",
    "EVALUATOR",
    "EXAMPLE_GEN",
    "IMPORTER",
    "INFRA_VALIDATOR",
    "LATEST_BLESSED",
    "PUSHER",
    "RESOLVER",
    "TRAINER",
    "Evaluation",
    "History",
    "Made",
    "Output",
    "Pipeline",
    "Push",
    "Retraining",
    "Rules",
    "Run",
    "Training",
    "damage_checkpoint",
    "damage_saved_model",
    "flip_bit",
    "keep_model_runs",
    "keep_models",
    "prune_checkpoints",
    "write_checkpoints",
    "write_saved_model",
]
