"""Measuring, verifying and purging payloads as Beam transforms, and the crew that runs them.

Each transform is a noun with one job. It takes pairs (key, order), spreads them over the workers, and has two
outputs: `done`, pairs (key, answer), and `failed`, pairs (key, `Failed`); a payload that goes wrong never
raises, so it hides no other. The functions are those that the threads of the command line call.

    answered = orders | MeasurePayloads()
    answered.done, answered.failed

Beam may run a bundle twice, at once or one after the other. That does no harm: measuring, listing, verifying
and reading only look; a purge renames the payload away first, which only one attempt can do, and finishes
whatever an earlier one left in the trash; pruning unlinks literal names and passes over those already gone.
Only the bytes that one of the attempts freed may go uncounted.
"""

from __future__ import annotations

import glob
import logging
import pickle
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from apache_beam.pvalue import DoOutputsTuple, PCollection, TaggedOutput
from apache_beam.runners.runner import PipelineState

from tfx_janitor.deletion import checkpoints, claim
from tfx_janitor.deletion.checkpoints import PruneOrder
from tfx_janitor.deletion.claim import RemovalOrder
from tfx_janitor.deletion.remove import Removed
from tfx_janitor.errors import JanitorError
from tfx_janitor.retention.facts import CheckpointFact, Verified
from tfx_janitor.survey import look
from tfx_janitor.survey.crew import Done, Failed, Item, attempt
from tfx_janitor.survey.look import CheckpointOrder, ModelOrder

DONE, FAILED = "done", "failed"
NAMESPACE = "tfx_janitor"
"""Namespace of the metrics counters."""

MOST_ITEMS = 10_000
"""Items of one pipeline: they travel inside its description, which services limit to some megabytes."""

_log = logging.getLogger(__name__)

Counts = Mapping[str, int]


class RunnerError(JanitorError):
    """A Beam runner that cannot be trusted with deletions, or that lost something."""


class PayloadWork(beam.PTransform):
    """Does one kind of work on payloads; the base of the transforms below.

    Input: pairs (key, order). Outputs, in no order: `done`, pairs (key, answer), and `failed`, pairs
    (key, `Failed`).
    """

    def __init__(
        self, work: Callable[[Any], Any], counts: Callable[[Any], Counts], failures: str = "items_failed"
    ) -> None:
        """Takes what is done and what is counted.

        Args:
          work: a function at the top level of a module, so that it can travel; safe to be called twice.
          counts: names and amounts of the counters that one answer moves; at the top level of a module, too.
          failures: name of the counter of failed items.
        """
        super().__init__()
        self._work, self._counts, self._failures = work, counts, failures

    def expand(self, input_or_inputs: PCollection) -> DoOutputsTuple:
        """Spreads the orders over the workers, for fusion would leave them all to the one that made them."""
        attempts = beam.ParDo(_Attempt(self._work, self._counts, self._failures))
        spread = input_or_inputs | "Spread" >> beam.Reshuffle()
        return cast(DoOutputsTuple, spread | "Attempt" >> attempts.with_outputs(FAILED, main=DONE))


class _Attempt(beam.DoFn):
    def __init__(self, work: Callable[[Any], Any], counts: Callable[[Any], Counts], failures: str) -> None:
        self._work, self._counts, self._failures = work, counts, failures

    def process(self, element: tuple[Any, Any]) -> Iterator[Any]:
        key, order = element
        answer = attempt(self._work, order)
        if isinstance(answer, Failed):
            Metrics.counter(NAMESPACE, self._failures).inc()
            yield TaggedOutput(FAILED, (key, answer))
            return
        for name, amount in self._counts(answer).items():
            Metrics.counter(NAMESPACE, name).inc(amount)
        yield key, answer


@beam.typehints.with_input_types(tuple[Any, str])
class MeasurePayloads(PayloadWork):
    """URIs -> apparent sizes in bytes.

    Counters: payloads_measured, bytes_measured, payloads_not_measured.
    """

    def __init__(self) -> None:
        super().__init__(look.measure, _measured, "payloads_not_measured")


@beam.typehints.with_input_types(tuple[Any, str])
class ListCheckpoints(PayloadWork):
    """URIs of ModelRuns -> tuples of `CheckpointFact`.

    Counters: payloads_listed, checkpoints_found, payloads_not_listed.
    """

    def __init__(self) -> None:
        super().__init__(look.list_checkpoints, _listed, "payloads_not_listed")


@beam.typehints.with_input_types(tuple[Any, ModelOrder])
class VerifyModels(PayloadWork):
    """`ModelOrder`s -> `Verified`.

    Counters: models_whole, models_damaged, models_not_verified.
    """

    def __init__(self) -> None:
        super().__init__(look.verify_model, _verified_model, "models_not_verified")


@beam.typehints.with_input_types(tuple[Any, CheckpointOrder])
class VerifyCheckpoints(PayloadWork):
    """`CheckpointOrder`s -> `Verified`.

    Counters: checkpoints_whole, checkpoints_damaged, checkpoints_not_verified.
    """

    def __init__(self) -> None:
        super().__init__(look.verify_checkpoint, _verified_checkpoint, "checkpoints_not_verified")


@beam.typehints.with_input_types(tuple[Any, str])
class ReadEvaluations(PayloadWork):
    """URIs of ModelEvaluations -> dicts of metrics by name.

    Counters: evaluations_read, metrics_found, evaluations_not_read.
    """

    def __init__(self) -> None:
        super().__init__(look.read_evaluation, _read, "evaluations_not_read")


@beam.typehints.with_input_types(tuple[Any, RemovalOrder])
class PurgePayloads(PayloadWork):
    """`RemovalOrder`s -> `Removed`. Takes payloads away for good; who asks must have recorded that first.

    Counters: payloads_purged, files_removed, bytes_freed, payloads_not_purged.
    """

    def __init__(self) -> None:
        super().__init__(claim.remove_payload, _purged, "payloads_not_purged")


@beam.typehints.with_input_types(tuple[Any, PruneOrder])
class PruneCheckpoints(PayloadWork):
    """`PruneOrder`s -> `Removed`. Takes checkpoints away for good; who asks must have recorded that first.

    Counters: directories_pruned, files_removed, bytes_freed, directories_not_pruned.
    """

    def __init__(self) -> None:
        super().__init__(checkpoints.prune, _pruned, "directories_not_pruned")


def _measured(size: int) -> Counts:
    return {"payloads_measured": 1, "bytes_measured": size}


def _listed(found: tuple[CheckpointFact, ...]) -> Counts:
    return {"payloads_listed": 1, "checkpoints_found": len(found)}


def _verified_model(answer: Verified) -> Counts:
    return {"models_whole" if answer.whole else "models_damaged": 1}


def _verified_checkpoint(answer: Verified) -> Counts:
    return {"checkpoints_whole" if answer.whole else "checkpoints_damaged": 1}


def _read(metrics: Mapping[str, float]) -> Counts:
    return {"evaluations_read": 1, "metrics_found": len(metrics)}


def _purged(removed: Removed) -> Counts:
    return {"payloads_purged": 1, "files_removed": removed.files, "bytes_freed": removed.bytes}


def _pruned(removed: Removed) -> Counts:
    return {"directories_pruned": 1, "files_removed": removed.files, "bytes_freed": removed.bytes}


def _done(_: object) -> Counts:
    return {"items_done": 1}


TRANSFORMS: Mapping[Callable[[Any], Any], Callable[[], PayloadWork]] = {
    look.measure: MeasurePayloads,
    look.list_checkpoints: ListCheckpoints,
    look.verify_model: VerifyModels,
    look.verify_checkpoint: VerifyCheckpoints,
    look.read_evaluation: ReadEvaluations,
    claim.remove_payload: PurgePayloads,
    checkpoints.prune: PruneCheckpoints,
}
"""The transform that does what a function does for one payload."""


class BeamCrew:
    """A `survey.crew.Crew` whose work runs on Beam, one pipeline for each call with up to
    `MOST_ITEMS` items.

    The answers come back as files in a directory that the workers and this process share, for not every
    runner hands back collections. A worker writes one file for each bundle when the bundle is done. A bundle
    that ran twice has two, of which either will do; one that a dying worker left half-written is passed over;
    and an item without any answer is an error.
    """

    def __init__(self, make_pipeline: Callable[[], beam.Pipeline], directory: str) -> None:
        """Takes where to run and where to answer.

        Args:
          make_pipeline: makes a new empty pipeline, with runner and options.
          directory: path or URI of an existing directory, which somebody else cleans up; all workers share
            it.

        Raises:
          RunnerError: the runner is known to do this work wrong.
        """
        _refuse_wrong_runners(make_pipeline())
        self._make_pipeline, self._directory = make_pipeline, directory
        self._calls = 0

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        """See `Crew.run`.

        Raises:
          RunnerError: the runner did not end well, or an item has no answer.
        """
        answers: list[Done | Failed] = []
        for start in range(0, len(items), MOST_ITEMS):
            answers += self._run(task, work, items[start : start + MOST_ITEMS])
        return answers

    def _run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        start = time.monotonic()
        prefix = self._unused_prefix(task)
        make_transform = TRANSFORMS.get(work)
        transform = PayloadWork(work, _done) if make_transform is None else make_transform()
        pipeline = self._make_pipeline()
        runner = type(pipeline.runner).__name__
        answered = (
            pipeline
            | "Orders" >> beam.Create(list(enumerate(items)), reshuffle=False)
            | task.title().replace(" ", "") >> transform
        )
        answers = (answered[DONE], answered[FAILED]) | "Answers" >> beam.Flatten()
        _ = answers | "Answer" >> beam.ParDo(_WriteAnswers(prefix))
        state = pipeline.run().wait_until_finish()
        if state != PipelineState.DONE:
            raise RunnerError(f"{task}: expected {runner} to end in state DONE, got {state}; see its log")
        found = _read_answers(prefix)
        if found.keys() != set(range(len(items))):
            raise RunnerError(
                f"{task}: expected answers for {len(items)} items from {runner}, got {len(found)}; use "
                f"another runner, or a temporary directory that all its workers share with this process: "
                f"{self._directory} may not be one"
            )
        failed = sum(isinstance(answer, Failed) for answer in found.values())
        seconds = time.monotonic() - start
        _log.info("%s: %d items on %s, %d failed, %.1f s", task, len(items), runner, failed, seconds)
        return [found[number] for number in range(len(items))]

    def _unused_prefix(self, task: str) -> str:
        # An execution that is tried again may find the answers of its first try.
        while True:
            self._calls += 1
            name = f"{self._calls:04d}-{task.replace(' ', '-')}-"
            prefix = FileSystems.join(self._directory, name)
            if not _files(prefix):
                return prefix


class _WriteAnswers(beam.DoFn):
    """Writes the answers of one bundle into one file: a pickle of pairs (number, answer)."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._answers: list[tuple[int, Any]] = []

    def start_bundle(self) -> None:
        self._answers = []

    def process(self, element: tuple[int, Any]) -> None:
        self._answers.append(element)

    def finish_bundle(self) -> None:
        # A name that no other attempt has: two that run at once must not write into one file.
        with FileSystems.create(f"{self._prefix}{uuid.uuid4().hex}") as file:
            pickle.dump(self._answers, file)


def _read_answers(prefix: str) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for path in _files(prefix):
        with FileSystems.open(path) as file:
            try:
                answers = pickle.loads(file.read())
            except (EOFError, pickle.UnpicklingError):
                _log.warning("%s is not whole; its bundle must have run again elsewhere", path)
                continue
        for number, answer in answers:
            # If one attempt of two failed, the other one did the work.
            if number not in found or isinstance(found[number], Failed):
                found[number] = answer
    return found


def _files(prefix: str) -> list[str]:
    (matched,) = FileSystems.match([f"{glob.escape(prefix)}*"])
    return sorted(metadata.path for metadata in matched.metadata_list)


def _refuse_wrong_runners(pipeline: beam.Pipeline) -> None:
    if any(base.__name__ == "DaskRunner" for base in type(pipeline.runner).__mro__):
        raise RunnerError(
            "expected a Beam runner that can be trusted, got DaskRunner: with several outputs it gives wrong "
            "results and says that all went well; use another one, such as --runner=FnApiRunner"
        )
