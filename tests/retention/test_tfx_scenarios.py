"""The scenarios by which TFX tested its own garbage collector, until it was removed, on this engine.

One test for each of the fifteen in TFX's `garbage_collection_test.py`, by its name there. Each says what TFX
did; what is different here keeps more, and is listed in docs/coming-from-tfx.md.

Where TFX looked at the newest output, there is one more after it here: it is held anyway, as an output of the
newest execution of its node.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tfx.proto.orchestration import garbage_collection_policy_pb2

from tests.builders import EXAMPLE_GEN, TRAINER, History, Made, Output
from tests.checkpoint_janitor.conftest import Past
from tests.checkpoint_janitor.conftest import past as past  # the fixture
from tests.checkpoint_janitor.test_executor import Ran
from tests.checkpoint_janitor.test_executor import started as started
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.gc import collect
from tfx_janitor.policy.schema import PolicyError, RetentionPolicy
from tfx_janitor.retention.plan import Decision
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

# The message is made when its module is imported; no type checker sees it.
_Message: Any = garbage_collection_policy_pb2
GarbageCollectionPolicy = _Message.GarbageCollectionPolicy

EXAMPLES = ("ImportExampleGen", "examples")


class ExampleGen:
    """A node that makes Examples, and a policy on that output of it.

    Each run's Examples are a minute younger than those of the run before, for TFX's tests slept between them.
    """

    def __init__(self, home: Path) -> None:
        self.history = History(home)
        self._pipeline = self.history.pipeline("digits")
        self._policy: RetentionPolicy | None = None

    def obeys(self, *, output: tuple[str, str] = EXAMPLES, **policy: Any) -> None:
        """Has a policy on its output, or on some other one."""
        self._policy = self._convert({output: GarbageCollectionPolicy(**policy)})

    def keeps_nothing(self) -> None:
        """Has TFX's way to keep nothing on its output: zero artifacts."""
        message = GarbageCollectionPolicy(keep_most_recently_published={"num_artifacts": 0})
        with pytest.raises(PolicyError, match="unsafe_delete_all"):
            self._convert({EXAMPLES: message})
        self._policy = self._convert({EXAMPLES: message}, unsafe_delete_all=True)

    def _convert(self, messages: Mapping[tuple[str, str], Any], **others: Any) -> RetentionPolicy:
        return RetentionPolicy.from_tfx(
            messages,
            roots=[str(self.history.root)],
            min_age=timedelta(),
            grace=timedelta(),
            limits={"max_fraction": None},
            **others,
        )

    def produces(self, *, external: bool = False, state: str = "COMPLETE", **properties: int | str) -> Made:
        """Runs once."""
        earlier = [artifact.id for artifact in self.history.store.get_artifacts()]
        self.history.backdate(*earlier, minutes=1)
        run = self._pipeline.run()
        output = Output("Examples", {"span": 0, "version": 0, **properties}, external=external)
        _, made = run.execute(EXAMPLE_GEN, outputs={"examples": output}, state=state)
        made["examples"].path.mkdir(parents=True)
        (made["examples"].path / "data_tfrecord").write_bytes(b"digits")
        return made["examples"]

    def is_used(self, examples: Made) -> None:
        """A Trainer takes the Examples and is still at it."""
        self._pipeline.run().execute(TRAINER, inputs={"examples": [examples]}, state="RUNNING")

    def created_ms(self, examples: Made) -> int:
        """When the Examples were published, in milliseconds."""
        return self.history.row(examples).create_time_since_epoch

    def decides(self) -> dict[int, Decision]:
        """The decision on each of its Examples that a rule governs."""
        assert self._policy is not None
        case = self.history.case(self._policy)
        plan = make_plan(case, Threads(2), metadata=self.history.url, created_ms=0)
        return {decision.artifact_id: decision for decision in plan.decisions}

    def lets_go(self) -> list[int]:
        """Ids of what is to be deleted, the oldest first."""
        return [id for id, decision in self.decides().items() if decision.verdict == "delete"]

    def says(self, examples: Made) -> list[str]:
        """The codes of the reasons for a decision."""
        return [reason.code for reason in self.decides()[examples.id].reasons]

    def collects(self) -> Mapping[int, Outcome]:
        """Deletes; what became of each."""
        assert self._policy is not None
        return {done.artifact_id: done for done in collect(self.history.site(), self._policy).outcomes}


def breaks(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """Makes a function fail, in TFX's words."""

    def fail(*_: object, **__: object) -> None:
        raise Exception("Failed!")

    monkeypatch.setattr(function, fail)


@pytest.fixture
def example_gen(tmp_path: Path) -> ExampleGen:
    return ExampleGen(tmp_path)


def test_no_policy(example_gen: ExampleGen):
    # As in TFX: what no policy is about is never touched.
    example_gen.produces()
    example_gen.produces()
    example_gen.obeys(output=("Trainer", "model"), keep_most_recently_published={"num_artifacts": 1})
    assert example_gen.decides() == {}


def test_artifacts_in_use(example_gen: ExampleGen):
    # As in TFX, but the newest is held for being the newest, and keeping nothing must be spelled out.
    example_gen.keeps_nothing()
    examples = example_gen.produces()
    assert example_gen.lets_go() == []
    assert example_gen.says(examples) == ["hold.newest"]
    example_gen.produces()
    assert example_gen.lets_go() == [examples.id]

    example_gen.is_used(examples)
    assert example_gen.lets_go() == []
    assert "hold.active-execution" in example_gen.says(examples)


def test_artifacts_external(example_gen: ExampleGen):
    # TFX called it DELETED and left its bytes. Here it stays what it is: somebody else's.
    example_gen.keeps_nothing()
    external = example_gen.produces(external=True)
    example_gen.produces()
    assert example_gen.lets_go() == []
    assert example_gen.says(external) == ["hold.external"]


def test_artifacts_external_counted_for_policy(example_gen: ExampleGen):
    # They count, as in TFX: one newer external is enough for an own one to go. None of them itself goes.
    example_gen.obeys(keep_most_recently_published={"num_artifacts": 1})
    own = example_gen.produces()
    older, newer = (example_gen.produces(external=True) for _ in range(2))
    assert example_gen.lets_go() == [own.id]
    assert example_gen.says(older) == ["hold.external"]
    assert "keep.last" in example_gen.says(newer)


def test_keep_most_recently_published(example_gen: ExampleGen):
    # As in TFX, also for those that were published at the same time as the last one that stays.
    example_gen.obeys(keep_most_recently_published={"num_artifacts": 2})
    older = example_gen.produces()
    tied = example_gen.produces()
    assert example_gen.lets_go() == []
    example_gen.produces()
    assert example_gen.lets_go() == [older.id]
    apart = example_gen.created_ms(tied) - example_gen.created_ms(older)
    example_gen.history.backdate(tied, milliseconds=apart)
    assert example_gen.lets_go() == []


def test_garbage_collect_artifacts(example_gen: ExampleGen):
    # As in TFX; a payload that is a directory goes as a whole, one that is a file as a file.
    example_gen.keeps_nothing()
    directory, file, _ = (example_gen.produces() for _ in range(3))
    content = (file.path / "data_tfrecord").read_bytes()
    (file.path / "data_tfrecord").unlink()
    file.path.rmdir()
    file.path.write_bytes(content)
    example_gen.collects()
    assert not directory.path.exists() and not file.path.exists()
    assert example_gen.history.states(directory, file) == ["DELETED", "DELETED"]


def test_garbage_collect_external_artifacts(example_gen: ExampleGen):
    # TFX left the bytes and called them DELETED, so that nothing resolved to them any more. Here both stay.
    example_gen.keeps_nothing()
    external = example_gen.produces(external=True)
    example_gen.produces()
    assert example_gen.collects() == {}
    assert example_gen.history.state(external) == "LIVE" and external.path.exists()


def test_garbage_collect_artifacts_output_of_failed_executions(example_gen: ExampleGen):
    # TFX deleted them. Here they have no owner, for only a COMPLETE execution owns what it wrote: a rule that
    # names the node does not govern them, and to one that governs every artifact they are unknown.
    example_gen.keeps_nothing()
    failed = example_gen.produces(state="FAILED")
    example_gen.produces()
    assert failed.id not in example_gen.decides()
    assert example_gen.collects() == {}
    assert example_gen.history.state(failed) == "LIVE" and failed.path.exists()

    history = example_gen.history
    rule = {"name": "all", "match": {"type": "Examples"}, "keep": {}, "unsafe_delete_all": True}
    case = history.case(history.policy(rules=[rule]))
    decision = make_plan(case, Threads(2), metadata=history.url, created_ms=0).decision(failed.id)
    assert decision is not None and decision.verdict == "unknown"
    assert [reason.code for reason in decision.reasons] == ["unknown.no-producer"]


def test_garbage_collect_artifacts_does_not_throw_and_marks_deleted_when_not_found(example_gen: ExampleGen):
    # TFX called it DELETED. Here it is unknown: a disk that is not mounted looks the same.
    example_gen.keeps_nothing()
    lost, other, _ = (example_gen.produces() for _ in range(3))
    lost.path.rename(example_gen.history.home / "elsewhere")
    assert example_gen.says(lost) == ["unknown.payload"]
    assert example_gen.collects()[other.id].done == "purged"
    assert example_gen.history.states(lost, other) == ["LIVE", "DELETED"]


def test_garbage_collect_artifacts_does_not_throw_or_mark_deleted_when_permission_denied(
    example_gen: ExampleGen, monkeypatch: pytest.MonkeyPatch
):
    # As in TFX: nobody falls over it, and it is not called DELETED. The next purge tries again.
    example_gen.keeps_nothing()
    examples = example_gen.produces()
    example_gen.produces()

    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_, **__: False)  # root may do everything
        outcome = example_gen.collects()[examples.id]
    assert outcome.done == "failed" and "Permission denied" in outcome.detail
    assert example_gen.history.state(examples) == "MARKED_FOR_DELETION" and examples.path.exists()
    assert example_gen.collects()[examples.id].done == "purged"


@pytest.mark.tfx
def test_run_garbage_collect_for_node_catches_garbage_collect_artifacts_error(
    started: Past, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    # As in TFX: what goes wrong while deleting is logged, and fails no pipeline. Here the report has it too.
    breaks(monkeypatch, "tfx_janitor.deletion.gc.purge")
    ran = Ran(started, crew=Threads(2)).do()
    assert (ran.report.status, ran.report.reason) == ("failed", "Exception: Failed!")
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["Failed!"]


@pytest.mark.tfx
def test_run_garbage_collect_for_node_catches_get_artifacts_to_garbage_collect_for_node_error(
    started: Past, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    # As in TFX: the same for what goes wrong while deciding. Then nothing is marked, let alone deleted.
    breaks(monkeypatch, "tfx_janitor.deletion.gc.make_plan")
    ran = Ran(started, crew=Threads(2)).do()
    assert (ran.report.status, ran.report.reason) == ("failed", "Exception: Failed!")
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["Failed!"]
    assert set(started.models) == {"LIVE"}


def test_keep_property_value_groups(example_gen: ExampleGen):
    # As in TFX.
    example_gen.obeys(
        keep_property_value_groups={
            "groupings": [
                {"property_name": "examples_type.name"},
                {"property_name": "span", "keep_num": 2, "keep_order": "KEEP_ORDER_LARGEST"},
                {"property_name": "version", "keep_num": 1, "keep_order": "KEEP_ORDER_LARGEST"},
            ]
        }
    )
    spans_and_versions = ((0, 0), (1, 0), (2, 0), (2, 1), (3, 0))
    made = [example_gen.produces(span=span, version=version) for span, version in spans_and_versions]
    assert example_gen.lets_go() == [examples.id for examples in made[:3]]
    assert example_gen.says(made[3]) == ["keep.groups"]
    assert "keep.groups" in example_gen.says(made[4])


def test_keep_property_value_groups_with_none_value(example_gen: ExampleGen):
    # As in TFX: what has no value stays only while there are fewer values than are kept.
    example_gen.obeys(
        keep_property_value_groups={
            "groupings": [
                {"property_name": "test_property", "keep_num": 2, "keep_order": "KEEP_ORDER_SMALLEST"}
            ]
        }
    )
    one = example_gen.produces(test_property=1)
    none = example_gen.produces()
    assert example_gen.says(one) == ["keep.groups"]
    assert "keep.groups" in example_gen.says(none)
    example_gen.produces(test_property=2)
    assert example_gen.lets_go() == [none.id]


def test_keep_property_value_groups_non_homogenous_types_failure(example_gen: ExampleGen):
    # TFX raised an error, which ended the collection of the whole node. Here only this group is unknown.
    example_gen.obeys(keep_property_value_groups={"groupings": [{"property_name": "test_property"}]})
    number = example_gen.produces(test_property=0)
    text = example_gen.produces(test_property="str")
    example_gen.produces()
    assert example_gen.lets_go() == []
    for examples in (number, text):
        decision = example_gen.decides()[examples.id]
        assert (decision.verdict, example_gen.says(examples)) == ("unknown", ["unknown.mixed-types"])
        assert decision.reasons[0].detail == "values of test_property have different types: int, str"
