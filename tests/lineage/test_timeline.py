"""The store as it was at a moment is the store that was read at that moment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import History, Made
from tests.elapsing import elapse
from tfx_janitor.deletion import pins
from tfx_janitor.deletion.act import Touch
from tfx_janitor.deletion.acts import begin
from tfx_janitor.lineage.snapshot import ExecutionState, Snapshot, state_name
from tfx_janitor.lineage.timeline import as_of
from tfx_janitor.retention.timestamps import to_ms

DAY = to_ms(timedelta(days=1))


def told(snapshot: Snapshot) -> dict[str, Any]:
    """All that a snapshot says, in ids and names instead of rows and numbers."""
    artifacts, executions, events = snapshot.artifacts, snapshot.executions, snapshot.events

    def name(names: tuple[str, ...], at: int) -> str | None:
        return None if at < 0 else names[at]

    return {
        "artifacts": [
            (
                int(artifacts.id[row]),
                snapshot.type_of(row),
                state_name(int(artifacts.state[row])),
                artifacts.uri[row],
                snapshot.properties_of(row),
                (snapshot.pipeline_of(row), snapshot.run_of(row), snapshot.node_of(row)),
            )
            for row in range(len(artifacts))
        ],
        "executions": [
            (
                int(executions.id[row]),
                executions.type_names[executions.type[row]],
                ExecutionState(int(executions.state[row])).name,
                name(executions.pipeline_names, executions.pipeline[row]),
                name(executions.run_names, executions.run[row]),
                name(executions.node_names, executions.node[row]),
            )
            for row in range(len(executions))
        ],
        "events": sorted(
            (
                int(executions.id[events.execution[at]]),
                int(artifacts.id[events.artifact[at]]),
                int(events.kind[at]),
                str(name(events.key_names, events.key[at])),
            )
            for at in range(len(events))
        ),
        "pins": [(pin.context_id, pin.artifact_id, pin.released_ms) for pin in snapshot.pins],
    }


def state_at(history: History, artifact: Made, moment_ms: int) -> str:
    then = as_of(history.snapshot(), moment_ms)
    row = then.row(artifact.id)
    assert row is not None
    return state_name(int(then.artifacts.state[row]))


def test_each_day_of_a_history_reads_as_it_was_read_on_that_day(tmp_path: Path) -> None:
    history = History(tmp_path)
    pipeline = history.pipeline()
    read: list[tuple[int, dict[str, Any]]] = []

    def the_day_ends() -> None:
        elapse(history, days=1)
        read[:] = [(moment - DAY, was) for moment, was in read]
        read.append((history.now_ms, told(history.snapshot())))

    first = pipeline.retrain()
    the_day_ends()
    run = pipeline.run()
    run.ingest()
    training = run.start_training()
    the_day_ends()
    history.end(training, "FAILED")
    the_day_ends()
    pipeline.run().train_from_cache(first.training)
    history.pipeline("another").retrain(blessed=False)
    the_day_ends()
    pipeline.retrain()

    today = history.snapshot()
    assert len(read) == 4
    for moment, was in read:
        assert told(as_of(today, moment)) == was


def test_at_the_end_of_time_nothing_is_missing(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.pipeline().retrain()

    assert told(as_of(history.snapshot(), history.now_ms)) == told(history.snapshot())


def test_before_all_time_there_is_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.pipeline().retrain()

    then = as_of(history.snapshot(), 0)

    assert told(then) == {"artifacts": [], "executions": [], "events": [], "pins": []}
    assert then.rows_of_type("Model") == []
    assert len(then.producer) == 0


def test_the_moment_itself_belongs_to_the_past(tmp_path: Path) -> None:
    history = History(tmp_path)
    model = history.pipeline().retrain().model
    snapshot = history.snapshot()
    row = snapshot.row(model.id)
    assert row is not None
    born = int(snapshot.artifacts.created_ms[row])

    assert as_of(snapshot, born).row(model.id) is not None
    assert as_of(snapshot, born - 1).row(model.id) is None


def test_an_execution_that_ended_later_was_running_and_had_no_outputs(tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.pipeline().run()
    training = run.start_training()
    elapse(history, days=1)
    yesterday = history.now_ms
    history.end(training)

    then = as_of(history.snapshot(), yesterday)

    assert then.executions.state.tolist() == [ExecutionState.RUNNING]
    assert then.executions.updated_ms.tolist() == [yesterday]


def test_what_was_marked_or_deleted_later_was_live(tmp_path: Path) -> None:
    history = History(tmp_path)
    first = history.pipeline().retrain()
    elapse(history, days=1)
    yesterday = history.now_ms
    history.set_state(first.model, "DELETED")
    history.set_state(first.model_run, "MARKED_FOR_DELETION")
    history.set_state(first.examples, "ABANDONED")

    assert state_at(history, first.model, yesterday) == "LIVE"
    assert state_at(history, first.model_run, yesterday) == "LIVE"
    # Nothing tells what it was before: no guess.
    assert state_at(history, first.examples, yesterday) == "ABANDONED"
    assert state_at(history, first.model, history.now_ms) == "DELETED"


def test_between_the_mark_and_the_purge_the_acts_tell_that_it_was_marked(tmp_path: Path) -> None:
    history = History(tmp_path)
    model = history.pipeline().retrain().model
    elapse(history, days=1)
    begin(history.site(), "apply", [Touch(model.id, "mark")], {})
    history.set_state(model, "MARKED_FOR_DELETION")
    elapse(history, days=1)
    marked = history.now_ms
    begin(history.site(), "purge", [Touch(model.id, "purge")], {})
    history.set_state(model, "DELETED")

    assert state_at(history, model, marked - DAY) == "LIVE"
    assert state_at(history, model, marked) == "MARKED_FOR_DELETION"
    assert state_at(history, model, history.now_ms) == "DELETED"


def test_what_was_marked_and_restored_later_was_marked_in_between(tmp_path: Path) -> None:
    history = History(tmp_path)
    model = history.pipeline().retrain().model
    begin(history.site(), "apply", [Touch(model.id, "mark")], {})
    history.set_state(model, "MARKED_FOR_DELETION")
    elapse(history, days=1)
    begin(history.site(), "restore", [Touch(model.id, "restore")], {})
    history.set_state(model, "LIVE")
    elapse(history, days=1)
    restored = history.now_ms
    history.set_property(model, "tags", "golden")

    assert state_at(history, model, restored - DAY) == "MARKED_FOR_DELETION"
    assert state_at(history, model, restored) == "LIVE"


def test_pins_are_set_and_released_in_their_time(tmp_path: Path) -> None:
    history = History(tmp_path)
    model = history.pipeline().retrain().model
    start = history.now_ms
    pins.pin(history.site(now_ms=start + DAY), model.id, "the audit wants it")
    pins.unpin(history.site(now_ms=start + 3 * DAY), model.id)
    snapshot = history.snapshot()

    def standing(moment: int) -> bool:
        return any(pin.stands(moment) for pin in as_of(snapshot, moment).pins)

    assert as_of(snapshot, start).pins == ()
    assert [standing(start + days * DAY) for days in (1, 2, 3)] == [True, True, False]
    assert as_of(snapshot, start + 2 * DAY).pins[0].released_ms is None


def test_an_event_that_was_recorded_later_is_gone_though_both_its_ends_were_there(tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.pipeline().run()
    examples = run.ingest()
    consumer = run.consume(examples, state="RUNNING")
    elapse(history, days=1)
    yesterday = history.now_ms
    event = mlmd.Event(artifact_id=examples.id, execution_id=consumer, type=mlmd.Event.OUTPUT)
    history.store.put_events([event])

    assert len(as_of(history.snapshot(), yesterday).events) == 2
    assert len(as_of(history.snapshot(), history.later(days=2)).events) == 3


def test_properties_follow_their_artifacts_where_ids_do_not_follow_time(tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.pipeline().run()
    run.ingest(span=1)
    restored_from_elsewhere = run.ingest(span=2)
    history.backdate(restored_from_elsewhere, days=1)

    then = as_of(history.snapshot(), history.now_ms - to_ms(timedelta(hours=12)))

    assert then.artifacts.id.tolist() == [restored_from_elsewhere.id]
    assert then.property(0, "span") == 2
