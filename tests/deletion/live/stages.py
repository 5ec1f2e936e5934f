"""Nodes that read all of what they are given, and fail if any of it is missing or short.

What a node makes carries a list of its files with their digests (`seal`); whoever consumes it opens and reads
them all (`read_all`).
"""

# No `from __future__ import annotations`: TFX reads the annotations of a function component as they stand.
# What they stand for, an int or an artifact, no type checker can tell.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOperatorIssue=false
# pyright: reportInvalidTypeArguments=false

import hashlib
import json
from pathlib import Path

from tfx.v1.dsl.components import InputArtifact, OutputArtifact, Parameter, component
from tfx.v1.types.standard_artifacts import Examples, Model, ModelBlessing, ModelRun, PushedModel

from tests.builders import DATA, write_checkpoints, write_saved_model

CONTENTS = "contents.json"
SAVED_MODEL = "Format-Serving"


def seal(directory: Path) -> None:
    """Writes down all files of a payload."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    contents = {str(path.relative_to(directory)): _digest(path) for path in files}
    (directory / CONTENTS).write_text(json.dumps(contents))


def read_all(directory: Path) -> None:
    """Reads all files of a payload.

    Raises:
      OSError: one is missing.
      ValueError: one is not what it was.
    """
    for name, digest in json.loads((directory / CONTENTS).read_text()).items():
        if _digest(directory / name) != digest:
            raise ValueError(f"{directory / name} is not what it was")


def read_newest_checkpoint(directory: Path) -> None:
    """Reads what training would go on from.

    Raises:
      OSError: a file is missing.
      ValueError: a file is not what it was, or no checkpoint is left.
    """
    latest = (directory / "checkpoint").read_text().splitlines()[0].split('"')[1]
    for source in sorted((DATA / "checkpoint").iterdir()):
        if _digest(directory / source.name.replace("ckpt", latest, 1)) != _digest(source):
            raise ValueError(f"{latest} in {directory} is not what it was")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@component
def Generate(span: Parameter[int], examples: OutputArtifact[Examples]):
    """Writes two splits."""
    examples.split_names = '["train", "eval"]'
    for split in ("train", "eval"):
        directory = Path(examples.uri) / f"Split-{split}"
        directory.mkdir(parents=True)
        for shard in range(4):
            (directory / f"data_tfrecord-{shard:05}-of-00004.gz").write_bytes(b"%d" % span * 10_000)
    seal(Path(examples.uri))


@component
def Train(
    examples: InputArtifact[Examples],
    model: OutputArtifact[Model],
    model_run: OutputArtifact[ModelRun],
    base_model: InputArtifact[Model] = None,
    base_run: InputArtifact[ModelRun] = None,
):
    """Reads its data and what it starts from, and writes a SavedModel and three checkpoints."""
    read_all(Path(examples.uri))
    if base_model is not None:
        read_all(Path(base_model.uri))
    if base_run is not None:
        read_newest_checkpoint(Path(base_run.uri))
    saved = write_saved_model(Path(model.uri) / SAVED_MODEL)
    # No two models alike: VerifiedPusher serves the same one only once.
    (saved / "assets" / "trained_as.txt").write_text(model.uri)
    seal(Path(model.uri))
    write_checkpoints(Path(model_run.uri), (100, 200, 300))


@component
def Evaluate(
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    good: Parameter[int],
    blessing: OutputArtifact[ModelBlessing],
    baseline: InputArtifact[Model] = None,
):
    """Reads the model and the baseline, and blesses the model if it is told that it is good."""
    for given in (examples, model, baseline):
        if given is not None:
            read_all(Path(given.uri))
    blessing.set_int_custom_property("blessed", good)
    blessing.set_int_custom_property("baseline_model_id", 0 if baseline is None else baseline.id)
    blessing.set_string_custom_property("current_model", model.uri)
    blessing.set_int_custom_property("current_model_id", model.id)
    (Path(blessing.uri) / ("BLESSED" if good else "NOT_BLESSED")).touch()
    seal(Path(blessing.uri))


@component
def Compare(
    model: InputArtifact[Model],
    blessing: InputArtifact[ModelBlessing],
    pushed: InputArtifact[PushedModel],
    goes_on: Parameter[int],
    base_model: InputArtifact[Model] = None,
    baseline: InputArtifact[Model] = None,
):
    """At the end of a run reads all that the run made, served and started from once more.

    What a Resolver found at the beginning of the run must be there still: TFX itself passes over an optional
    input that has gone.
    """
    if bool(goes_on) != (base_model is not None):
        raise ValueError("the model that training went on from is not among the inputs any more")
    if blessing.get_int_custom_property("baseline_model_id") != (0 if baseline is None else baseline.id):
        raise ValueError("the baseline of the evaluation is not among the inputs any more")
    for given in (model, blessing, base_model, baseline):
        if given is not None:
            read_all(Path(given.uri))
    if pushed.get_int_custom_property("pushed"):
        served = Path(pushed.get_string_custom_property("pushed_destination"))
        pushed_from = Path(model.uri) / SAVED_MODEL
        for source in (path for path in pushed_from.rglob("*") if path.is_file()):
            if _digest(served / source.relative_to(pushed_from)) != _digest(source):
                raise ValueError(f"{served} is not what was pushed")
