"""The graph around one artifact: everything on the way, each once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import History, keep_models
from tests.lineage.test_paths import made_of
from tfx_janitor.deletion.gc import collect
from tfx_janitor.lineage.paths import Derivations, Step
from tfx_janitor.lineage.snapshot import EventKind, Snapshot
from tfx_janitor.lineage.walk import Direction, Edge, Graph, Graphs, deletion_of

IN, OUT, FOUND = EventKind.INPUT, EventKind.OUTPUT, EventKind.INTERNAL_OUTPUT

LONG = 100_000


def reached(direction: Direction | None) -> list[str]:
    """`["A1", "E1", "A2"]`: artifacts and executions by id, in the order in which they were reached."""
    assert direction is not None
    return [spelled(step) for step in direction.distance]


def spelled(step: Step) -> str:
    return f"{step[0][0].upper()}{step[1]}"


def graph_of(snapshot: Snapshot, artifact_id: int, *references: Edge, depth: int | None = None) -> Graph:
    row = snapshot.row(artifact_id)
    assert row is not None
    return Graphs(snapshot, references).around(row, depth=depth)


def test_up_to_the_data_and_down_to_what_is_served(tmp_path: Path):
    made = History(tmp_path)
    run = made.pipeline().retrain()
    graph = graph_of(made.snapshot(), run.model.id)
    up = ["artifact", run.model.id], ["execution", run.training.execution], ["artifact", run.examples.id]
    assert graph.upstream is not None and graph.downstream is not None
    assert [list(step) for step in graph.upstream.distance][:3] == list(up)
    assert ("artifact", run.push.pushed_model.id) in graph.downstream.distance
    assert ("artifact", run.blessing.id) in graph.downstream.distance
    assert ("artifact", run.model_run.id) not in graph.steps  # a sibling is neither
    assert all(edge.kind is not None for edge in graph.edges)


def test_what_is_reached_on_two_ways_is_reached_once():
    diamond = made_of([(0, IN, 0), (1, OUT, 0), (0, IN, 1), (2, OUT, 1), (1, IN, 2), (2, IN, 2), (3, OUT, 2)])
    graph = graph_of(diamond, 4)
    assert reached(graph.upstream) == ["A4", "E3", "A2", "A3", "E1", "E2", "A1"]
    assert len(graph.edges) == 7
    assert graph.upstream is not None
    assert graph.upstream.first["artifact", 1].target == ("execution", 1)


def test_a_circle_is_walked_once():
    circle = made_of([(0, IN, 0), (1, OUT, 0), (1, IN, 1), (0, OUT, 1)])
    graph = graph_of(circle, 1)
    assert reached(graph.upstream) == ["A1", "E2", "A2", "E1"]
    assert reached(graph.downstream) == ["A1", "E1", "A2", "E2"]
    assert len(graph.edges) == 4


def test_what_a_resolver_found_is_a_use_that_leads_nowhere():
    found = made_of([(0, FOUND, 0), (1, OUT, 0)])
    graph = graph_of(found, 1)
    assert reached(graph.downstream) == ["A1", "E1", "A2"]
    assert reached(graph.upstream) == ["A1"]
    assert [edge.role for edge in graph.edges] == ["internal output", "output"]


def test_an_act_that_makes_nothing_is_no_step_and_one_that_does_is():
    marked = made_of([(0, IN, 0)], executed="tfx_janitor.act.apply")
    rolled_back = made_of([(0, IN, 0), (1, OUT, 0)], executed="tfx_janitor.act.rollback")
    assert reached(graph_of(marked, 1).downstream) == ["A1"]
    assert reached(graph_of(rolled_back, 1).downstream) == ["A1", "E1", "A2"]


def test_events_lead_before_references():
    made = made_of([(0, IN, 0), (1, OUT, 0)])
    one, other = ("artifact", 1), ("artifact", 2)
    graph = graph_of(made, 2, Edge(one, other, "source_model_id", holder=other))
    assert graph.upstream is not None
    assert graph.upstream.first[one] == Edge(one, ("execution", 1), "", IN)
    assert [edge.name for edge in graph.upstream.onward[other]] == ["", "source_model_id"]
    assert graph.upstream.distance[one] == 2


def test_a_reference_alone_leads_as_far_as_an_execution_would():
    made = made_of([(0, IN, 0), (1, OUT, 0)])
    graph = graph_of(made, 1, Edge(("artifact", 1), ("artifact", 3), "current_model"), depth=1)
    assert reached(graph.downstream) == ["A1", "E1"]
    assert graph.downstream is not None
    assert graph.downstream.unfollowed == {("artifact", 1): 1, ("execution", 1): 1}
    graph = graph_of(made, 1, Edge(("artifact", 1), ("artifact", 3), "current_model"), depth=2)
    assert reached(graph.downstream) == ["A1", "E1", "A2", "A3"]


@pytest.mark.parametrize(("depth", "expected"), [(1, ["A1", "E1"]), (2, ["A1", "E1", "A2"]), (9, None)])
def test_depth_counts_steps_and_tells_what_it_left_out(depth: int, expected: list[str] | None):
    chain = made_of([(0, IN, 0), (1, OUT, 0), (1, IN, 1), (2, OUT, 1)])
    down = graph_of(chain, 1, depth=depth).downstream
    assert down is not None
    assert reached(down) == (expected or ["A1", "E1", "A2", "E2", "A3"])
    assert sum(down.unfollowed.values()) == (1 if expected else 0)


def test_breadth_leaves_out_the_highest_ids_and_tells_how_many():
    fan = made_of([(0, IN, 0), *((i, OUT, 0) for i in (5, 2, 4, 1, 3))])
    down = Graphs(fan).around(0, breadth=2).downstream
    assert reached(down) == ["A1", "E1", "A2", "A3"]
    assert down is not None and down.unfollowed == {("execution", 1): 3}


def test_only_what_is_asked_for():
    chain = made_of([(0, IN, 0), (1, OUT, 0), (1, IN, 1), (2, OUT, 1)])
    assert Graphs(chain).around(1, downstream=False).downstream is None
    assert Graphs(chain).around(1, upstream=False).steps == (
        ("artifact", 2),
        ("execution", 2),
        ("artifact", 3),
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([IN, OUT]), st.integers(0, 5)), min_size=1, max_size=20
    )
)
def test_it_reaches_what_the_shortest_paths_reach(events: list[tuple[int, EventKind, int]]):
    snapshot = made_of(events)
    graph, derivations = Graphs(snapshot).around(0), Derivations(snapshot)
    for direction, walk in (
        (graph.upstream, derivations.ancestors([0])),
        (graph.downstream, derivations.descendants([0])),
    ):
        assert direction is not None
        artifacts = {number - 1 for what, number in direction.distance if what == "artifact"}
        assert artifacts - {0} == set(walk.rows.tolist())


def test_a_chain_of_100_000_and_a_fan_of_100_000_take_seconds():
    chain = [event for i in range(LONG) for event in ((i, IN, i), (i + 1, OUT, i))]
    fan = [(0, IN, 0), *((i, OUT, 0) for i in range(1, LONG))]
    began = time.process_time()
    assert len(Graphs(made_of(chain, LONG + 1)).around(LONG).steps) == 2 * LONG + 1
    assert len(Graphs(made_of(fan, LONG)).around(0).steps) == LONG + 1
    assert time.process_time() - began < 30


def test_the_act_that_deleted_it(tmp_path: Path):
    history = History(tmp_path)
    pipeline = history.pipeline()
    models = [pipeline.run().train().model for _ in range(3)]
    history.set_state(models[0], "DELETED")
    collect(history.site(), history.policy(rules=[keep_models(last=1)]))
    snapshot = history.snapshot()
    by_hand, by_act, living = (deletion_of(snapshot, row) for row in snapshot.rows_of_type("Model"))
    assert by_hand is None and living is None and by_act is not None
    (purge,) = history.store.get_executions_by_type("tfx_janitor.act.purge")
    assert by_act[0] == purge.id
