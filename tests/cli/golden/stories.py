"""Histories in which every reason that there is comes up, and what to ask about them.

A story builds a history and yields questions; what it does between two questions happens between them. All
times are set by hand, so that the answers are the same every time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile, rmtree
from typing import Any

from tests.builders import (
    TRAINER,
    History,
    Made,
    Output,
    keep_model_runs,
    keep_models,
    prune_checkpoints,
    write_checkpoints,
    write_saved_model,
)
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.pins import pin
from tfx_janitor.retention.timestamps import from_iso

BEGIN = "2026-03-01T06:00:00Z"
NOW = "2026-06-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the golden file that holds the answer: its ending says in which format."""

    golden: str
    about: Made | Path
    policy: Path
    at: str | None = None


Story = Callable[[History], Iterator[Question]]


def set_times(history: History, created: Mapping[Made, str] | None = None) -> None:
    """Moves everything to the hour of `BEGIN`, a minute for each id; some artifacts to a moment of their own.

    MLMD has no call for it. Another process writes it, as in `History.backdate`.
    """
    begin = from_iso(BEGIN)
    statements = [
        "UPDATE Artifact SET create_time_since_epoch = :begin + 60000 * id",
        "UPDATE Execution SET create_time_since_epoch = :begin + 60000 * id",
        "UPDATE Event SET milliseconds_since_epoch = :begin + 60000 * execution_id",
        *(
            f"UPDATE Artifact SET create_time_since_epoch = {from_iso(moment)} WHERE id = {made.id}"
            for made, moment in (created or {}).items()
        ),
        "UPDATE Artifact SET last_update_time_since_epoch = create_time_since_epoch",
        "UPDATE Execution SET last_update_time_since_epoch = create_time_since_epoch",
    ]
    script = (
        "import json, sqlite3, sys; database = sqlite3.connect(sys.argv[1], timeout=60)\n"
        "for line in json.loads(sys.argv[2]): database.execute(line, {'begin': int(sys.argv[3])})\n"
        "database.commit()"
    )
    command = [sys.executable, "-S", "-c", script, str(history.database), json.dumps(statements), str(begin)]
    subprocess.run(command, check=True)


def rule(name: str, type: str | list[str], **fields: Any) -> dict[str, Any]:
    """Any rule."""
    return {"name": name, "match": {"type": type}, **fields}


def retrained(history: History) -> Iterator[Question]:
    """Four runs: the second is served, the third was replaced, the fourth was not blessed."""
    pipeline = history.pipeline()
    first, second, third = pipeline.retrain(pushed=False), pipeline.retrain(), pipeline.retrain()
    fourth = pipeline.retrain(blessed=False)
    rmtree(third.push.destination)
    set_times(history)
    policy = history.policy_file(
        rules=[keep_models(last=1), keep_model_runs(first=1), rule("pushed", "PushedModel", keep={"last": 1})]
    )
    yield Question("a-model-that-may-go.txt", first.model, policy)
    yield Question("a-model-that-may-go.tree.txt", first.model, policy)
    yield Question("a-served-model.txt", second.model, policy)
    yield Question("a-served-model.tree.txt", second.model, policy)
    yield Question("a-served-model.json", second.model, policy)
    yield Question("a-served-version-by-its-path.txt", second.push.destination / "saved_model.pb", policy)
    yield Question("the-latest-blessed-model.txt", third.model, policy)
    yield Question("the-newest-model-run.txt", fourth.model_run, policy)
    yield Question("an-ungoverned-blessing.txt", third.blessing, policy)
    run = history.pipeline("nightly").run("night-7")
    run.consume(first.model, state="RUNNING")
    run.consume(second.model, node="Other")
    set_times(history)
    yield Question("a-model-in-use.txt", first.model, policy)
    yield Question("a-model-in-a-run-that-is-not-over.tree.txt", second.model, policy)
    pin(history.site(now_ms=from_iso("2026-05-01"), actor="anna@desk"), first.model_run.id, "audit 2026")
    yield Question("a-pinned-model-run.txt", first.model_run, policy)


def validated(history: History) -> Iterator[Question]:
    """A Pusher that was given an InfraBlessing alone, and an old blessing that names its model by URI."""
    run = history.pipeline().run()
    run.ingest()
    model = run.train().model
    pushed = run.push(infra_blessing=run.infra_validate())
    old = history.pipeline("old").run()
    imported = old.execute(TRAINER, outputs={"model": Output("Model")})[1]["model"]
    write_saved_model(imported.path / "Format-Serving")
    blessing = Output("ModelBlessing", {"blessed": 1, "current_model": imported.uri})
    old.execute("tfx.components.model_validator.component.ModelValidator", outputs={"blessing": blessing})
    set_times(history)
    policy = history.policy_file(rules=[keep_models(ids=[4711])])
    yield Question("a-model-served-after-infra-validation.tree.txt", model, policy)
    yield Question("a-model-that-a-blessing-names.tree.txt", imported, policy)
    yield Question("a-pushed-model-after-infra-validation.txt", pushed.pushed_model, policy)


def foreign(history: History) -> Iterator[Question]:
    """Payloads that are not the pipeline's own, or not its alone."""
    pipeline = history.pipeline()
    outside = history.home / "elsewhere" / "model"
    runs = [pipeline.run() for _ in range(4)]
    imported = runs[0].import_model(write_saved_model(history.root / "imported"))
    away = runs[0].execute(TRAINER, outputs={"model": Output("Model", uri=str(outside))})[1]["model"]
    write_saved_model(outside)
    first = runs[1].train().model
    runs[2].train()
    twin = runs[3].execute("x.Copier", outputs={"copy": Output("Model", uri=first.uri)})[1]["copy"]
    set_times(history)
    policy = history.policy_file(rules=[keep_models(last=1)])
    yield Question("an-imported-model.txt", imported, policy)
    yield Question("a-model-outside-the-roots.txt", away, policy)
    yield Question("a-payload-of-two-artifacts.txt", first, policy)
    yield Question("a-payload-of-two-artifacts.tree.txt", first, policy)
    yield Question("the-other-of-two-artifacts.txt", twin, policy)


def damaged(history: History) -> Iterator[Question]:
    """The newest model is damaged, so the old one, and the checkpoints, are all that is left."""
    pipeline = history.pipeline()
    old, new = pipeline.run().train(), pipeline.run().train(steps=(100, 200, 300))
    (new.model.path / "Format-Serving" / "saved_model.pb").write_bytes(b"")
    set_times(history)
    rules = [keep_models(last=1), prune_checkpoints(every_n_steps=1000)]
    policy = history.policy_file(rules=rules)
    yield Question("the-last-whole-model.txt", old.model, policy)
    yield Question("checkpoints-beside-a-damaged-model.txt", new.model_run, policy)
    rmtree(old.model.path)
    policy = history.policy_file(rules=[keep_model_runs(last=1)])
    yield Question("a-model-run-whose-model-is-not-whole.txt", old.model_run, policy)


def checkpoints(history: History) -> Iterator[Question]:
    """Checkpoints of every kind in one ModelRun."""
    run = history.pipeline().run().train(steps=(100, 1100, 1200, 2100)).model_run
    for step, hours in ((100, 0), (1100, 5), (1200, 6), (2100, 13)):
        for file in run.path.glob(f"ckpt-{step}.*"):
            os.utime(file, (3600 * hours, 3600 * hours))
    set_times(history)
    policy = history.policy_file(rules=[prune_checkpoints(every_n_hours=6)])
    yield Question("checkpoints-by-the-hour.txt", run, policy)
    (run.path / "ckpt-1200.index").write_bytes(b"")
    write_checkpoints(run.path / "eval", (7,), prefix="best")
    (run.path / "100").mkdir()
    (run.path / "100" / "_CHECKPOINT_METADATA").write_text("{}")
    for name in ("100", "eval/final"):
        for suffix in ("index", "data-00000-of-00001"):
            copyfile(run.path / f"ckpt-100.{suffix}", run.path / f"{name}.{suffix}")
    policy = history.policy_file(rules=[prune_checkpoints(last=1, every_n_steps=1000)])
    yield Question("checkpoints-of-every-kind.txt", run, policy)
    yield Question("checkpoints-of-every-kind.tree.txt", run, policy)
    policy = history.policy_file(rules=[prune_checkpoints(every_n_steps=1000)])
    yield Question("checkpoints-without-a-step.txt", run, policy)


def unknown(history: History) -> Iterator[Question]:
    """What is not understood."""
    pipeline = history.pipeline()
    gone, whole, pending = (pipeline.run().train().model for _ in range(3))
    rmtree(gone.path)
    history.set_state(pending, "PENDING")
    failed = pipeline.run().execute(TRAINER, outputs={"model": Output("Model")}, state="FAILED")[1]["model"]
    bucket = Output("Model", uri="gs://models/inception/7")
    remote = pipeline.run().execute(TRAINER, outputs={"model": bucket})[1]["model"]
    judged = pipeline.run()
    unread = judged.train().model
    evaluation = judged.evaluate(blessed=False).evaluation
    pipeline.retrain(blessed=False)
    for made, span in ((whole, 1), (gone, "two")):
        history.set_property(made, "span", span)
    set_times(history)
    policy = history.policy_file(rules=[keep_models(last=1)])
    yield Question("a-payload-that-is-missing.txt", gone, policy)
    yield Question("a-model-whose-state-says-nothing.txt", pending, policy)
    yield Question("a-model-of-a-failed-execution.txt", failed, policy)
    yield Question("a-model-in-a-bucket.txt", remote, policy)
    policy = history.policy_file(rules=[keep_models(groups=[{"property": "span", "keep": 1}])])
    yield Question("values-of-different-types.txt", whole, policy)
    best = keep_models(best={"metric": "auc", "count": 1, "mode": "max"})
    policy = history.policy_file(rules=[best, rule("evaluations", "ModelEvaluation", keep={"last": 1})])
    yield Question("a-metric-that-cannot-be-read.txt", unread, policy)
    yield Question("the-evaluation-that-may-tell-it.txt", evaluation, policy)


def ranks(history: History) -> Iterator[Question]:
    """Seven models, one a week, and the words that count and date."""
    run = history.pipeline().run()
    models = [run.train().model for _ in range(7)]
    history.set_property(models[2], "tags", "golden, released")
    days = ("2026-04-05", "2026-04-12", "2026-04-19", "2026-04-26", "2026-05-03", "2026-05-10", "2026-05-17")
    set_times(history, dict(zip(models, days, strict=True)))
    rules = [
        keep_models("counted", last=2, first=1, ids=[models[2].id], tagged=["golden"]),
        keep_models("dated", within="14d", newer_than="30d"),
    ]
    policy = history.policy_file(rules=rules, min_age="20d")
    yield Question("counted-and-dated-the-oldest.txt", models[0], policy)
    yield Question("counted-and-dated-by-tag-and-id.txt", models[2], policy)
    yield Question("counted-and-dated-missed-by-all.txt", models[3], policy)
    yield Question("counted-and-dated-a-young-one.txt", models[6], policy)


def calendar(history: History) -> Iterator[Question]:
    """Models over three years, and the calendar's words."""
    run = history.pipeline().run()
    days = (
        "2024-11-30T10:00Z",
        "2025-12-30T10:00Z",
        "2026-02-10T10:00Z",
        "2026-04-10T10:00Z",
        "2026-05-11T10:00Z",
        "2026-05-21T10:00Z",
        "2026-05-30T10:10Z",
        "2026-05-30T10:50Z",
        "2026-05-31T10:00Z",
    )
    models = [run.train().model for _ in days]
    set_times(history, dict(zip(models, days, strict=True)))
    periods = ("hourly", "daily", "weekly", "monthly", "quarterly", "yearly")
    policy = history.policy_file(rules=[keep_models(**dict.fromkeys(periods, 1))])
    yield Question("a-model-that-no-period-keeps.txt", models[0], policy)
    yield Question("the-newest-model-of-a-year.txt", models[1], policy)
    yield Question("the-newest-model-of-a-quarter.txt", models[2], policy)
    yield Question("the-newest-model-of-a-month.txt", models[3], policy)
    yield Question("the-newest-model-of-a-week.txt", models[5], policy)
    yield Question("a-model-that-is-not-the-newest-of-its-hour.txt", models[6], policy)
    yield Question("the-newest-model-of-a-day.txt", models[7], policy)
    yield Question("the-newest-model-of-an-hour.txt", models[8], policy)


def standing(history: History) -> Iterator[Question]:
    """Models that were judged, pushed and used."""
    pipeline = history.pipeline()
    runs = [pipeline.run() for _ in range(4)]
    models = []
    for number, run in enumerate(runs):
        run.ingest(span=number)
        models.append(run.train().model)
        judged = run.evaluate(blessed=number < 2)
        history.set_property(judged.evaluation, "accuracy", (0.91, 0.97, "failed", 0.88)[number])
        history.set_property(models[-1], "span", number // 2)
        history.set_property(models[-1], "version", number % 2)
    rmtree(runs[0].push().destination)
    rmtree(runs[1].push().destination)
    history.pipeline("serving-eu").run().consume(models[1], node="BulkInferrer")
    set_times(history)
    best = {"metric": "accuracy", "count": 1, "mode": "max"}
    groups = [{"property": "span", "keep": 2}, {"property": "version", "keep": 1, "order": "largest"}]
    words = {"best": best, "blessed": 1, "pushed": 1, "groups": groups, "used_by": ["serving-*"]}
    policy = history.policy_file(rules=[keep_models(**words)])
    yield Question("the-best-the-blessed-the-pushed-and-the-used.tree.txt", models[1], policy)
    yield Question("neither-best-nor-blessed-nor-pushed-nor-used.txt", models[2], policy)
    yield Question("a-blessed-one-that-is-beyond-the-count.txt", models[0], policy)


def lineage(history: History) -> Iterator[Question]:
    """Data whose model stays, data whose model went, and evaluations of either."""
    pipeline = history.pipeline()
    old, new = pipeline.retrain(), pipeline.retrain()
    pipeline.run().ingest()
    rmtree(old.push.destination)
    set_times(history)
    rules = [
        keep_models(last=1),
        rule("data", "Examples", keep={"ancestors_of": ["served", "blessed"]}),
        rule("judgements", ["ModelBlessing", "ModelEvaluation"], keep={"descendants_of": ["model"]}),
    ]
    policy = history.policy_file(rules=rules)
    assert old.evaluation is not None and new.evaluation is not None
    yield Question("data-of-a-model-that-stays.tree.txt", new.examples, policy)
    yield Question("data-of-a-model-that-stays.json", new.examples, policy)
    yield Question("data-of-a-model-that-goes.txt", old.examples, policy)
    yield Question("an-evaluation-of-a-model-that-stays.txt", new.evaluation.evaluation, policy)
    yield Question("an-evaluation-of-a-model-that-goes.txt", old.evaluation.evaluation, policy)


def combined(history: History) -> Iterator[Question]:
    """Words put together, a budget, and a rule that keeps nothing."""
    pipeline = history.pipeline()
    models = [pipeline.run().train().model for _ in range(5)]
    history.set_property(models[0], "tags", "golden")
    history.set_property(models[1], "tags", "golden, revoked")
    set_times(history)
    rules = [
        keep_models("any", any_of=[{"last": 2, "tagged": ["golden"]}, {"first": 1}]),
        keep_models("all", all_of=[{"tagged": ["golden"]}, {"first": 2}]),
        keep_models("but", tagged=["golden"], unless={"tagged": ["revoked"], "ids": [models[1].id]}),
    ]
    policy = history.policy_file(rules=rules)
    yield Question("kept-by-any-and-by-all.txt", models[0], policy)
    yield Question("taken-away-by-unless.txt", models[1], policy)
    yield Question("kept-by-neither.txt", models[2], policy)
    rules = [
        {**keep_models("budget", last=1, max_bytes="30KB"), "match": {"type": "Model", "node": "Trainer"}},
        rule("all", "Model", keep={}, unsafe_delete_all=True),
    ]
    policy = history.policy_file(rules=rules)
    yield Question("within-the-budget.txt", models[3], policy)
    yield Question("beyond-the-budget.txt", models[2], policy)


def deleted(history: History) -> Iterator[Question]:
    """What was deleted, and what it was before."""
    pipeline = history.pipeline()
    models = [pipeline.run().train().model for _ in range(3)]
    policy = history.policy_file(rules=[keep_models(last=1)], grace="7d")
    rules = history.policy(rules=[keep_models(last=1)], grace="7d")
    pushed = pipeline.run().push(model=models[0])
    rmtree(pushed.destination)
    set_times(history)
    for day in ("2026-04-01", "2026-04-08"):
        collect(history.site(now_ms=from_iso(day), actor="cron@batch"), rules)
    yield Question("a-deleted-model.txt", models[0], policy)
    yield Question("a-deleted-model.json", models[0], policy)
    yield Question("a-deleted-model-before-it-was-marked.txt", models[0], policy, at="2026-03-20")
    yield Question("a-deleted-model-while-it-was-marked.txt", models[0], policy, at="2026-04-05")
    yield Question("a-model-in-days-to-come.txt", models[2], policy, at="2027-01-01")


STORIES: tuple[Story, ...] = (
    retrained,
    validated,
    foreign,
    damaged,
    checkpoints,
    unknown,
    ranks,
    calendar,
    standing,
    lineage,
    combined,
    deleted,
)
