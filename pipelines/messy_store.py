"""A store in which all has gone wrong that a command mends: `python -m pipelines.messy_store DIR`.

A pipeline has run for a while, and each of its runs met with a mishap of its own; docs/tour.md audits and
mends them. It takes some seconds, and neither TFX nor TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from pipelines.plain_runs import (
    BULK_INFERRER,
    FIRST_VERSION,
    IMPORTER,
    STEPS,
    TRAINER,
    Pipeline,
    Retraining,
    Store,
    write_checkpoints,
)
from tfx_janitor import RetentionPolicy
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.site import Site
from tfx_janitor.retention.timestamps import to_iso, to_ms
from tfx_janitor.survey.crew import Threads

LATER = timedelta(days=9)
"""When all of it is old enough for an audit: no disk can be told that a file has been there for a week."""

POLICY = """\
version: 1
roots: [{pipelines}]
serving: [{serving}]
grace: 14d
orphans: {{older_than: 7d}}
rules:
  - name: models
    match: {{type: Model}}
    keep: {{last: 20}}
  - name: what-comes-with-models
    match: {{type: [Examples, ModelRun, ModelBlessing, PushedModel]}}
    keep: {{last: 20}}
"""

Mishap = Callable[[Store, Retraining], None]


def missing_payload(store: Store, run: Retraining) -> None:
    """Somebody was out of disk space, and deleted its Model by hand."""
    shutil.rmtree(run.model.path)


def partial_payload(store: Store, run: Retraining) -> None:
    """One split of its Examples was deleted."""
    shutil.rmtree(run.examples.path / "Split-eval")


def damaged_model(store: Store, run: Retraining) -> None:
    """A bit flipped in the tensors of its Model."""
    flip_bit(run.model.path / "Format-Serving" / "variables" / "variables.data-00000-of-00001")


def emptied_variables(store: Store, run: Retraining) -> None:
    """A clean-up script emptied `variables/` of its Model."""
    for path in (run.model.path / "Format-Serving" / "variables").iterdir():
        path.unlink()


def broken_checkpoint(store: Store, run: Retraining) -> None:
    """A bit flipped in a checkpoint of its ModelRun."""
    flip_bit(run.model_run.path / f"ckpt-{STEPS[0]}.data-00000-of-00001")
    yesterday = time.time() - 86_400
    for path in run.model_run.path.iterdir():
        os.utime(path, (yesterday, yesterday))


def stale_checkpoint_state(store: Store, run: Retraining) -> None:
    """Its newest checkpoint was deleted, and the `checkpoint` file still names it."""
    for path in run.model_run.path.glob(f"ckpt-{STEPS[-1]}.*"):
        path.unlink()


def undeleted_payload(store: Store, run: Retraining) -> None:
    """A script called its Model DELETED, and left the bytes."""
    store.set_state(run.model, "DELETED")


def shared_payload(store: Store, run: Retraining) -> None:
    """Another pipeline imported its Model: two records of one payload."""
    other = store.pipeline("compare")
    other.execute(other.start(), IMPORTER, outputs={"result": "Model"}, uri=run.model.path)


def dangling_reference(store: Store, run: Retraining) -> None:
    """Its blessing came from another store, and names a Model that this one never had."""
    store.set_property(run.blessing, "current_model_id", 4711)


def diverged_version(store: Store, run: Retraining) -> None:
    """Somebody edited its served version in place."""
    (run.version / "assets" / "vocabulary.txt").write_text("zero\nnone\n", encoding="utf-8")


def stuck_mark(store: Store, run: Retraining) -> None:
    """Another tool marked its Model for deletion, and never came back."""
    store.set_state(run.model, "MARKED_FOR_DELETION")


def stale_execution(store: Store, run: Retraining) -> None:
    """A batch inference on its Model died with its machine: RUNNING for ever."""
    run.pipeline.execute(run.run, BULK_INFERRER, inputs={"model": run.model}, state="RUNNING")


def unaccounted_version(store: Store, run: Retraining) -> None:
    """Somebody copied its version by hand, under another number."""
    shutil.copytree(run.version, run.pipeline.serving / str(FIRST_VERSION - 100))


def empty_version(store: Store, run: Retraining) -> None:
    """A stock Pusher died after it, when it had made the directory of a version, and nothing in it."""
    (run.pipeline.serving / str(FIRST_VERSION - 200)).mkdir()


MISHAPS: tuple[Mishap, ...] = (
    missing_payload,
    partial_payload,
    damaged_model,
    emptied_variables,
    broken_checkpoint,
    stale_checkpoint_state,
    undeleted_payload,
    shared_payload,
    dangling_reference,
    diverged_version,
    stuck_mark,
    stale_execution,
    unaccounted_version,
    empty_version,
)
"""What befell one run each, in their order."""


def orphan_directory(store: Store, digits: Pipeline) -> str:
    """Its trainer was killed: RUNNING for ever, with directories that no artifact claims."""
    run = digits.start()
    examples = digits.ingest(run)
    execution, _ = digits.execute(run, TRAINER, inputs={"examples": examples}, state="RUNNING")
    write_checkpoints(digits.directory("Trainer", "model_run", execution), STEPS[:2])
    digits.directory("Trainer", "model", execution).mkdir(parents=True)
    return run


def unblessed_push(store: Store, digits: Pipeline) -> str:
    """Somebody pushed its Model, the newest of all, which its evaluation had not blessed."""
    return digits.retrain(blessed=False).run


def resurrected_state(store: Store, digits: Pipeline) -> str:
    """A janitor purged its Model, and a launcher put the copy that it held, LIVE, over DELETED."""
    old = store.pipeline("old-digits")
    first, second = old.retrain(), old.retrain()
    for run in (first, second):
        shutil.rmtree(run.version)
    policy = {
        "version": 1,
        "roots": [str(old.root)],
        "min_age": "0s",
        "grace": "0s",
        "rules": [{"name": "old", "match": {"type": "Model", "pipeline": old.name}, "keep": {"last": 1}}],
    }
    after = time.time_ns() // 1_000_000 + 1000
    site = Site(store.mlmd, store.url, "cron@batch", after, Threads(1), only_pipeline=old.name)
    collect(site, RetentionPolicy.from_dict(policy, source="the policy of then"))
    store.set_state(first.model, "LIVE")
    return first.run


def make(store: Store) -> Iterator[tuple[str, str]]:
    """Makes all of it, run by run.

    Yields:
      The name of a run, and what befell it.
    """
    digits = store.pipeline("digits")
    yield resurrected_state(store, digits), _told(resurrected_state)
    for befall in MISHAPS:
        retraining = digits.retrain()
        befall(store, retraining)
        yield retraining.run, _told(befall)
    for befall in (orphan_directory, unblessed_push):
        yield befall(store, digits), _told(befall)


def write_policy(store: Store) -> Path:
    """Writes the policy that the store is audited by."""
    path = store.directory / "janitor.yaml"
    # JSON strings are YAML strings, whatever the path holds.
    roots, serving = json.dumps(str(store.pipelines)), json.dumps(str(store.serving / "digits"))
    path.write_text(POLICY.format(pipelines=roots, serving=serving), encoding="utf-8")
    return path


def flip_bit(path: Path) -> None:
    """Damages one bit of a file."""
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)


def main(arguments: list[str] | None = None) -> None:
    """Makes the store, tells what befell it, and how to look at it."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.messy_store", description=__doc__)
    parser.add_argument("directory", metavar="DIR", type=Path, help="where to; empty, or not there yet")
    given: Path = parser.parse_args(arguments).directory
    directory = given.resolve()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        parser.error(f"expected an empty directory, or none yet, but {directory} holds something; remove it")
    directory.mkdir(parents=True, exist_ok=True)
    store = Store(directory)
    for run, mishap in make(store):
        print(f"{run:<16}  {mishap}")
    write_policy(store)
    later = to_iso(time.time_ns() // 1_000_000 + to_ms(LATER))[:10]
    print(f"\nexport TFX_JANITOR_METADATA={shlex.quote(store.url)}")
    policy = shlex.quote(str(given / "janitor.yaml"))
    print(f"tfx-janitor audit --policy {policy} --verify checksums --now {later}")


def _told(mishap: Callable[..., object]) -> str:
    return (mishap.__doc__ or "").rstrip(".")


if __name__ == "__main__":
    main()
