"""The transforms on a real runner, and the crew that runs them: the same answers as the threads give."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import damage_checkpoint, damage_saved_model, write_checkpoints, write_saved_model
from tests.evaluating import metrics_file, write_evaluation
from tfx_janitor.deletion.checkpoints import PruneOrder, prune
from tfx_janitor.deletion.claim import RemovalOrder, remove_payload
from tfx_janitor.payload.places import resolve
from tfx_janitor.payload.verification import Level
from tfx_janitor.survey import look
from tfx_janitor.survey.crew import Failed, Threads
from tfx_janitor.survey.look import CheckpointOrder, ModelOrder

pytestmark = pytest.mark.tfx

beam = pytest.importorskip("apache_beam")

from apache_beam.testing.util import assert_that, equal_to, is_empty  # noqa: E402

from tfx_janitor import transforms  # noqa: E402
from tfx_janitor.transforms import BeamCrew, RunnerError  # noqa: E402


def make_pipeline() -> Any:
    return beam.Pipeline(argv=["--runner=FnApiRunner"])


@pytest.fixture
def crew(tmp_path: Path) -> BeamCrew:
    answers = tmp_path / "answers"
    answers.mkdir()
    return BeamCrew(make_pipeline, str(answers))


def run(transform: Any, orders: list[Any], *, done: Callable, failed: Callable) -> dict[str, int]:
    """Runs a transform, checks both outputs with Beam's own matchers, and returns its counters."""
    pipeline = make_pipeline()
    answered = pipeline | beam.Create(list(enumerate(orders))) | transform
    assert_that(answered.done, done, label="done")
    assert_that(answered.failed, failed, label="failed")
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(beam.metrics.MetricsFilter().with_namespace("tfx_janitor"))["counters"]
    return {counter.key.metric.name: counter.committed for counter in counters}


def test_measuring_tells_sizes_and_what_is_missing(tmp_path: Path):
    (tmp_path / "payload").mkdir()
    (tmp_path / "payload" / "file").write_bytes(b"x" * 42)
    missing = tmp_path / "missing"
    counters = run(
        transforms.MeasurePayloads(),
        [str(tmp_path / "payload"), str(missing)],
        done=equal_to([(0, 42)]),
        failed=equal_to([(1, Failed(f"No such file or directory: {missing}"))]),
    )
    assert counters == {"payloads_measured": 1, "bytes_measured": 42, "payloads_not_measured": 1}


def test_verifying_tells_whole_from_damaged_models(tmp_path: Path):
    whole = write_saved_model(tmp_path / "whole")
    damaged = write_saved_model(tmp_path / "damaged")
    damage_saved_model(damaged)
    counters = run(
        transforms.VerifyModels(),
        [ModelOrder(str(path), Level.CHECKSUMS) for path in (whole, damaged)]
        + [ModelOrder("relative", Level.LOAD)],
        done=told([(0, True), (1, False)]),
        failed=numbered([2]),
    )
    assert counters == {"models_whole": 1, "models_damaged": 1, "models_not_verified": 1}


def test_checkpoints_are_listed_and_verified(tmp_path: Path):
    directory = write_checkpoints(tmp_path / "run", (1, 2))
    damage_checkpoint(directory, "ckpt-2")
    listed = run(
        transforms.ListCheckpoints(),
        [str(directory)],
        done=equal_to([(0, look.list_checkpoints(str(directory)))]),
        failed=is_empty(),
    )
    assert listed == {"payloads_listed": 1, "checkpoints_found": 2}
    verified = run(
        transforms.VerifyCheckpoints(),
        [CheckpointOrder(str(directory), name, Level.CHECKSUMS) for name in ("ckpt-1", "ckpt-2", "ckpt-3")],
        done=told([(0, True), (1, False), (2, False)]),
        failed=is_empty(),
    )
    assert verified == {"checkpoints_whole": 1, "checkpoints_damaged": 2}


def test_evaluations_are_read_and_a_damaged_one_hides_no_other(tmp_path: Path):
    evaluation = write_evaluation(tmp_path / "whole", {"label": [0, 1], "prediction": [0.1, 0.2]})
    damaged = shutil.copytree(evaluation, tmp_path / "damaged")
    metrics_file(damaged).write_bytes(b"")
    counters = run(
        transforms.ReadEvaluations(),
        [str(damaged), str(evaluation)],
        done=equal_to([(1, {"accuracy": 0.5})]),
        failed=equal_to([(0, Failed(f"{damaged} holds no metrics: nothing was evaluated"))]),
    )
    assert counters == {"evaluations_read": 1, "metrics_found": 1, "evaluations_not_read": 1}


def test_purging_takes_payloads_away_and_refuses_what_is_outside_of_the_roots(tmp_path: Path):
    root, outside = tmp_path / "root", write_saved_model(tmp_path / "outside")
    inside = write_saved_model(root / "Trainer" / "model" / "1")
    size = look.measure(str(inside))
    roots = (resolve(str(root)),)
    orders = [RemovalOrder(str(path), "artifact-1", roots) for path in (inside, outside)]
    counters = run(transforms.PurgePayloads(), orders, done=numbered([0]), failed=numbered([1]))
    assert (counters["payloads_purged"], counters["payloads_not_purged"]) == (1, 1)
    assert counters["bytes_freed"] == size
    assert not inside.exists() and outside.exists()


def test_pruning_deletes_by_literal_name(tmp_path: Path):
    directory = write_checkpoints(tmp_path / "run", (1, 10))
    order = PruneOrder(str(directory), ("ckpt-1",), (), (resolve(str(tmp_path)),))
    counters = run(transforms.PruneCheckpoints(), [order], done=numbered([0]), failed=is_empty())
    assert (counters["directories_pruned"], counters["files_removed"]) == (1, 2)
    assert sorted(path.name for path in directory.glob("ckpt-*.index")) == ["ckpt-10.index"]


def test_an_order_of_the_wrong_type_is_refused_before_anything_runs():
    with pytest.raises(beam.typehints.TypeCheckError):
        make_pipeline() | beam.Create([(0, 17)]) | transforms.MeasurePayloads()  # type: ignore[operator]


@pytest.mark.parametrize("number", [1, 50])
def test_the_crew_answers_as_threads_do(crew: BeamCrew, tmp_path: Path, number: int):
    payloads = [tmp_path / f"payload-{i}" for i in range(number)]
    for i, payload in enumerate(payloads):
        if i % 7 != 3:
            payload.write_bytes(b"x" * i)
    uris = [str(payload) for payload in payloads]
    assert crew.run("measure", look.measure, uris) == Threads().run("measure", look.measure, uris)


def test_the_crew_does_all_kinds_of_work(crew: BeamCrew, tmp_path: Path):
    model, directory = write_saved_model(tmp_path / "model"), write_checkpoints(tmp_path / "run", (1, 2))
    model_orders = [ModelOrder(str(model), Level.CHECKSUMS), ModelOrder("relative", Level.STRUCTURE)]
    kinds: list[tuple[Callable[[Any], Any], list[Any]]] = [
        (look.verify_model, model_orders),
        (look.list_checkpoints, [str(directory), str(tmp_path / "missing")]),
        (look.verify_checkpoint, [CheckpointOrder(str(directory), "ckpt-1", Level.CHECKSUMS)]),
        (length, ["some", "other", "work", None]),
    ]
    for work, items in kinds:
        assert crew.run("look", work, items) == Threads().run("look", work, items)


def test_purging_twice_is_as_good_as_once(crew: BeamCrew, tmp_path: Path):
    model = write_saved_model(tmp_path / "model" / "1")
    directory = write_checkpoints(tmp_path / "run", (1, 2))
    roots = (resolve(str(tmp_path)),)
    removal = RemovalOrder(str(model), "artifact-1", roots)
    pruning = PruneOrder(str(directory), ("ckpt-1",), (), roots)
    for expected_files in ((True, True), (False, False)):
        (removed,) = crew.run("purge", remove_payload, [removal])
        (pruned,) = crew.run("prune", prune, [pruning])
        assert not isinstance(removed, Failed) and not isinstance(pruned, Failed)
        assert (removed.files > 0, pruned.files > 0) == expected_files
        assert not model.exists()
        assert (directory / "ckpt-2.index").exists() and not (directory / "ckpt-1.index").exists()


def test_nothing_to_do_runs_no_pipeline(tmp_path: Path):
    made: list[Any] = []

    def make() -> Any:
        made.append(make_pipeline())
        return made[-1]

    crew = BeamCrew(make, str(tmp_path))
    before = len(made)
    assert crew.run("measure", look.measure, []) == []
    assert len(made) == before


def test_a_directory_with_brackets_is_one_directory(tmp_path: Path):
    (tmp_path / "run[1]").mkdir()
    (tmp_path / "run1").mkdir()
    crew = BeamCrew(make_pipeline, str(tmp_path / "run[1]"))
    assert crew.run("count", length, ["some", "words"]) == [4, 5]


def test_answers_of_an_earlier_try_are_not_taken_for_this_one(tmp_path: Path):
    (tmp_path / "0001-count-0").write_bytes(pickle.dumps([(0, "an earlier answer")]))
    assert BeamCrew(make_pipeline, str(tmp_path)).run("count", length, ["some"]) == [4]


def test_very_many_items_go_in_several_pipelines(crew: BeamCrew, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transforms, "MOST_ITEMS", 2)
    assert crew.run("count", length, ["a", "list", "of", "five", "words"]) == [1, 4, 2, 4, 5]


def test_an_item_without_an_answer_is_an_error(
    crew: BeamCrew, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    class Forgetful(transforms.PayloadWork):
        def expand(self, input_or_inputs: Any) -> Any:
            return super().expand(input_or_inputs | beam.Filter(lambda pair: pair[0] != 1))

    monkeypatch.setitem(transforms.TRANSFORMS, length, lambda: Forgetful(length, transforms._done))  # type: ignore[arg-type]
    with pytest.raises(RunnerError, match="expected answers for 3 items from FnApiRunner, got 2"):
        crew.run("count", length, ["some", "lost", "words"])


def test_a_bundle_that_ran_twice_or_was_cut_off_does_no_harm(tmp_path: Path):
    prefix = str(tmp_path / "0001-purge-")
    Path(prefix + "a").write_bytes(pickle.dumps([(0, Failed("the other one was faster")), (1, 7)]))
    Path(prefix + "b").write_bytes(pickle.dumps([(0, 42), (1, 7)]))
    Path(prefix + "c").write_bytes(pickle.dumps([(0, 42), (1, 7)])[:-4])
    assert transforms._read_answers(prefix) == {0: 42, 1: 7}


def test_a_runner_that_gives_wrong_results_is_refused(tmp_path: Path):
    class DaskRunner:
        pass

    pipeline = make_pipeline()
    pipeline.runner = DaskRunner()
    with pytest.raises(RunnerError, match="DaskRunner"):
        BeamCrew(lambda: pipeline, str(tmp_path))


def test_every_work_of_survey_and_deletion_has_its_transform():
    work = {
        look.measure,
        look.list_checkpoints,
        look.verify_model,
        look.verify_checkpoint,
        look.read_evaluation,
        remove_payload,
        prune,
    }
    assert set(transforms.TRANSFORMS) == work


def length(word: str) -> int:
    return len(word)


def numbered(numbers: list[int]) -> Callable[[list[Any]], None]:
    """Matches elements by their keys."""

    def match(found: list[Any]) -> None:
        assert sorted(key for key, _ in found) == numbers, found

    return match


def told(expected: list[tuple[int, bool]]) -> Callable[[list[Any]], None]:
    """Matches verifications by their keys and whether they say whole."""

    def match(found: list[Any]) -> None:
        assert sorted((key, verified.whole) for key, verified in found) == expected, found

    return match
