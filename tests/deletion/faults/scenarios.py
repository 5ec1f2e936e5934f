"""The acts that are struck: each on a store and directories of its own, as small as its story allows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from tests.builders import (
    History,
    Made,
    Output,
    keep_model_runs,
    keep_models,
    prune_checkpoints,
    write_checkpoints,
    write_saved_model,
)
from tests.deletion.faults.invariants import TEMPORARY, age_temporary_files
from tests.deletion.surroundings import precious
from tfx_janitor.deletion import mending, orphans, pins
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.restore import restore
from tfx_janitor.deletion.site import Site
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.timestamps import to_ms
from tfx_janitor.survey.survey import make_plan


@dataclass(frozen=True)
class Deed:
    """What is done, and done again after it was struck, as a user would.

    Attributes:
      now_ms: the moment that everything is judged at, both times.
      does: the act; the janitor may be given any crew.
    """

    now_ms: int
    does: Callable[[Site], Sequence[Outcome]]


Build = Callable[[History], Deed]


def mark(history: History) -> Deed:
    """Two types of artifacts are marked, and checkpoints inside what stays."""
    runs = [_train(history) for _ in range(3)]
    policy = _keeping(history, models=1, model_runs=2, last=1, grace="1d")
    assert len({run.model_run.id for run in runs}) == 3
    return Deed(history.now_ms, lambda site: _apply(site, policy))


def purge_payloads(history: History) -> Deed:
    """A tree goes, and a link, and one of two in a shared directory; links that it holds are not followed."""
    outside = precious(history.home / "elsewhere" / "model")
    pipeline = history.pipeline()
    tree = pipeline.run().train().model
    (tree.path / "empty").mkdir()
    (tree.path / "to elsewhere").symlink_to(outside)
    link = pipeline.run().train().model
    target = link.path.rename(history.root / "store")
    link.path.symlink_to(target)
    shared = [_beside(history, name) for name in ("first", "second")]
    pipeline.run().train()
    policy = history.policy(rules=[keep_models(last=1, ids=[shared[1].id])], grace="1d")
    _apply(history.site(), policy)
    assert history.states(tree, link, *shared) == ["MARKED_FOR_DELETION"] * 3 + ["LIVE"]
    return Deed(history.later(days=2), lambda site: purge(site, policy=policy))


def rescue(history: History) -> Deed:
    """One that was marked is used again, another is pinned, the third goes."""
    runs = [_train(history) for _ in range(4)]
    policy = _keeping(history, models=1, grace="1d")
    _apply(history.site(), policy)
    history.pipeline("other").run().consume(runs[0].model, state="RUNNING")
    pins.pin(history.site(), runs[1].model.id, "needed for an audit")
    return Deed(history.later(days=2), purge)


def restore_marked(history: History) -> Deed:
    """Two artifacts are restored, the checkpoints marked inside a third, and what a dead training left."""
    runs = [_train(history) for _ in range(3)]
    run = history.pipeline().run()
    left = run.pipeline.root / "Trainer" / "model_run" / str(run.start_training(steps=(1,)))
    rules = [keep_models(last=1), prune_checkpoints(last=1)]
    policy = history.policy(rules=rules, orphans={"older_than": "14d"}, grace="1d")
    now_ms = history.later(days=15)
    _apply(history.site(now_ms=now_ms), policy)
    wanted = [runs[0].model.id, runs[1].model.id, runs[0].model_run.id]
    return Deed(now_ms, lambda site: [*restore(site, wanted), *orphans.restore(site, [str(left)])])


def prune(history: History) -> Deed:
    """TF checkpoints go from a ModelRun, Orbax steps from another one; a third loses nothing.

    In one directory lies what a writer of its state file left when it died.
    """
    first, second = (_train(history, steps=steps) for steps in ((1, 10, 100), ()))
    _train(history, steps=(1,))
    for step in (100, 200, 300):
        _write_orbax(second.model_run.path / str(step))
    abandoned = write_checkpoints(first.model_run.path / "eval", (5, 6)) / f"{TEMPORARY}1-1"
    abandoned.touch()
    age_temporary_files(history.home)
    policy = history.policy(rules=[prune_checkpoints(last=1)], grace="1d")
    _apply(history.site(), policy)
    return Deed(history.later(days=2), lambda site: purge(site, policy=policy))


def abandon(history: History) -> Deed:
    """A training died, and nothing claims its two directories: marked, and purged after the grace.

    Both in one go, for what was marked is told by its inode.
    """
    _train(history)
    history.pipeline().run().start_training(steps=(1,))
    policy = history.policy(rules=[keep_models(last=9)], orphans={"older_than": "14d"}, grace="1d")
    now_ms = history.later(days=15)

    def does(site: Site) -> list[Outcome]:
        return [*_apply(site, policy), *purge(replace(site, now_ms=now_ms + to_ms(timedelta(days=2))))]

    return Deed(now_ms, does)


def mend(history: History) -> Deed:
    """What an audit finds: a lost payload is forgotten, a model discarded, a dead execution closed."""
    lost, damaged = (_train(history).model for _ in range(2))
    history.pipeline().run().train()
    dead = history.pipeline().run().start_training()
    shutil.rmtree(lost.path)
    policy = _keeping(history, models=9, grace="1d")

    def does(site: Site) -> list[Outcome]:
        return [
            *mending.forget(site, [lost.id], "its disk is gone"),
            *mending.discard(site, policy, [damaged.id], "damaged"),
            *mending.close(site, [dead], "its machine is gone"),
        ]

    return Deed(history.now_ms, does)


def pin_one(history: History) -> Deed:
    """An artifact is pinned."""
    model = _train(history).model
    return Deed(history.now_ms, lambda site: _pin(site, model))


def unpin_one(history: History) -> Deed:
    """Two pins are released at once."""
    model = _train(history).model
    for reason in ("for an audit", "for a paper"):
        pins.pin(history.site(), model.id, reason)
    return Deed(history.now_ms, lambda site: _unpin(site, model))


def gc(history: History) -> Deed:
    """In one go one is marked, one that was marked is purged, one is rescued, and checkpoints go."""
    runs = [_train(history, steps=steps) for steps in ((1, 2), (1,), (1,))]
    _apply(history.site(), _keeping(history, models=1, last=1, grace="1d"))
    pins.pin(history.site(), runs[0].model.id, "needed for an audit")
    _train(history, steps=(1, 2))
    policy = _keeping(history, models=1, last=1, grace="1d")
    return Deed(history.later(days=2), lambda site: collect(site, policy).outcomes)


SCENARIOS: dict[str, Build] = {
    "mark": mark,
    "purge": purge_payloads,
    "rescue": rescue,
    "restore": restore_marked,
    "prune": prune,
    "orphans": abandon,
    "mend": mend,
    "pin": pin_one,
    "unpin": unpin_one,
    "gc": gc,
}


def _train(history: History, *, steps: Sequence[int] = (1, 2, 3)):
    return history.pipeline().run().train(steps=steps)


def _keeping(
    history: History, *, models: int, grace: str, model_runs: int | None = None, last: int | None = None
) -> RetentionPolicy:
    rules = [keep_models(last=models)]
    rules += [] if model_runs is None else [keep_model_runs(last=model_runs)]
    rules += [] if last is None else [prune_checkpoints(last=last)]
    return history.policy(rules=rules, grace=grace)


def _beside(history: History, name: str) -> Made:
    """A Model in a directory that holds others as well."""
    uri = str(history.root / "shared" / name)
    _, made = history.pipeline().run().execute("own.Copier", outputs={"model": Output("Model", uri=uri)})
    write_saved_model(Path(uri))
    return made["model"]


def _write_orbax(step: Path) -> None:
    (step / "d").mkdir(parents=True)
    (step / "_CHECKPOINT_METADATA").write_text("{}")
    (step / "manifest.ocdbt").write_bytes(b"manifest")
    (step / "d" / "chunk").write_bytes(b"tensors")


def _apply(site: Site, policy: RetentionPolicy) -> list[Outcome]:
    plan = make_plan(
        site.case(site.read(), policy), site.crew, metadata=site.metadata, created_ms=site.now_ms
    )
    return apply(site, plan)


def _pin(site: Site, made: Made) -> list[Outcome]:
    pins.pin(site, made.id, "needed for an audit")
    return [Outcome(made.id, "pinned")]


def _unpin(site: Site, made: Made) -> list[Outcome]:
    pins.unpin(site, made.id)
    return [Outcome(made.id, "unpinned")]
