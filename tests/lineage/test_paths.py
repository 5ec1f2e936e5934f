"""Shortest lineage paths: real steps, the same each time, and one search for many."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.builders import History, Output
from tfx_janitor.deletion.pins import pin
from tfx_janitor.lineage.paths import Derivations
from tfx_janitor.lineage.snapshot import (
    INPUTS,
    OUTPUTS,
    Artifacts,
    EventKind,
    Events,
    Executions,
    ExecutionState,
    Snapshot,
)

IN, OUT = EventKind.INPUT, EventKind.OUTPUT


def made_of(
    events: Iterable[tuple[int, EventKind, int]], nodes: int = 6, executed: str = "x.Trainer"
) -> Snapshot:
    """A snapshot of triples (artifact row, kind, execution row); ids are rows + 1."""
    artifact, kind, execution = (np.array(column, np.int64) for column in zip(*events, strict=True))
    rows, zeros = np.arange(nodes), np.zeros(nodes, np.int64)
    complete = np.full(nodes, ExecutionState.COMPLETE)
    return Snapshot(
        Artifacts(rows + 1, zeros, zeros, zeros, zeros, ("",) * nodes, ("Thing",), {}),
        Executions(
            rows + 1, zeros, complete, zeros, zeros, zeros, zeros, zeros, (executed,), ("p",), ("r",), ("n",)
        ),
        Events(artifact, execution, kind, np.full(len(kind), -1), np.zeros(len(kind), np.int64), ()),
    )


def test_from_a_model_to_what_it_was_made_from_and_to_what_was_made_from_it(tmp_path: Path):
    history = History(tmp_path)
    made = history.pipeline().retrain()
    snapshot = history.snapshot()
    model, examples = snapshot.row(made.model.id), snapshot.row(made.examples.id)
    pushed = snapshot.row(made.push.pushed_model.id)
    assert model is not None and examples is not None and pushed is not None
    derivations = Derivations(snapshot)

    up, down = derivations.ancestors([model]), derivations.descendants([examples])

    trained = (("artifact", examples + 1), ("execution", made.training.execution), ("artifact", model + 1))
    assert up.rows.tolist() == [examples]
    assert up.path(examples) == trained
    assert {model, pushed} <= set(down.rows.tolist())
    assert down.path(pushed)[::-1] == (
        *trained,
        ("execution", made.push.execution),
        ("artifact", made.push.pushed_model.id),
    )
    assert derivations.path(examples, pushed) == down.path(pushed)[::-1]


def test_no_step_over_what_a_resolver_found_or_the_janitor_did(tmp_path: Path):
    history = History(tmp_path)
    made = history.pipeline().run().train()
    other = history.pipeline("other").run()
    other.resolve(made.model)
    pin(history.site(), made.model.id, "demo")
    snapshot = history.snapshot()
    row = snapshot.row(made.model.id)
    assert row is not None
    assert Derivations(snapshot).descendants([row]).rows.tolist() == []


def test_no_step_over_an_act_whatever_it_recorded():
    derivations = Derivations(made_of([(0, IN, 0), (1, OUT, 0)], executed="tfx_janitor.act.purge"))
    assert 0 not in derivations.ancestors([1])
    assert 1 not in derivations.descendants([0])
    assert derivations.path(0, 1) is None


def test_only_over_the_types_that_may_lie_between(tmp_path: Path):
    history = History(tmp_path)
    run = history.pipeline().run()
    run.ingest()
    trained, judged = run.train(), run.evaluate()
    blessing = run.infra_validate()
    pushed = run.execute(
        "x.Pusher",
        inputs={"infra_blessing": [blessing], "model_blessing": [judged.blessing]},
        outputs={"pushed_model": Output("PushedModel")},
    )[1]["pushed_model"]
    snapshot = history.snapshot()
    model, end = snapshot.row(trained.model.id), snapshot.row(pushed.id)
    assert model is not None and end is not None
    derivations = Derivations(snapshot)

    anyhow = derivations.path(model, end)
    validated = derivations.path(model, end, between=["InfraBlessing"])

    assert anyhow is not None and anyhow[2] == ("artifact", judged.blessing.id)
    assert validated is not None and validated[2] == ("artifact", blessing.id)
    assert derivations.path(model, end, between=[]) is None
    assert derivations.path(end, model) is None


def test_of_two_paths_the_shorter_then_the_one_over_lower_ids():
    # 0 -> 4 in two steps by way of 1 or of 2, in three by way of 3.
    short = [(0, IN, 1), (2, OUT, 1), (0, IN, 0), (1, OUT, 0), (1, IN, 3), (2, IN, 3), (4, OUT, 3)]
    long = [(0, IN, 2), (3, OUT, 2), (3, IN, 4), (5, OUT, 4), (5, IN, 5), (4, OUT, 5)]
    derivations = Derivations(made_of([*long, *short]))
    path = (("artifact", 1), ("execution", 1), ("artifact", 2), ("execution", 4), ("artifact", 5))
    assert derivations.path(0, 4) == path
    assert derivations.ancestors([4]).path(0) == path
    assert derivations.descendants([0]).path(4) == path[::-1]


def test_where_a_search_began_is_reached_only_from_elsewhere():
    # 2 was made from 1, and 1 from 0 in two ways, of which one is longer.
    shorter = [(0, IN, 3), (1, OUT, 3), (1, IN, 4), (2, OUT, 4)]
    longer = [(0, IN, 0), (3, OUT, 0), (3, IN, 1), (1, OUT, 1)]
    derivations = Derivations(made_of([*longer, *shorter]))
    walk = derivations.ancestors([0, 2])
    assert (0 in walk, 1 in walk, 2 in walk, 5 in walk) == (True, True, False, False)
    assert walk.rows.tolist() == [1, 3]
    assert walk.path(0) == derivations.path(0, 2)
    assert walk.path(2) == derivations.path(2, 2) == (("artifact", 3),)
    with pytest.raises(KeyError, match="5"):
        walk.path(5)
    assert derivations.ancestors([]).rows.tolist() == []
    down = derivations.descendants([0, 2])
    assert (0 in down, 1 in down, 2 in down) == (False, True, True)


def test_the_first_execution_of_a_store_is_a_step_like_any_other():
    walk = Derivations(made_of([(0, IN, 0), (1, OUT, 0)])).ancestors([1])
    assert 0 in walk
    assert walk.rows.tolist() == [0]


EVENTS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([*EventKind]), st.integers(0, 5)), min_size=1, max_size=24
)


@given(EVENTS, st.sets(st.integers(0, 5)))
@example([(1, OUT, 0), (1, IN, 2), (2, OUT, 2), (2, IN, 0)], {0, 1})
def test_every_search_agrees_with_trying_all_steps(events: list[tuple[int, EventKind, int]], ends: set[int]):
    derivations = Derivations(made_of(events))
    makes = {(a, c) for a, i, e in events if i in INPUTS for c, o, f in events if o in OUTPUTS and e == f}
    distance = dict.fromkeys(ends, 0)
    for far in range(1, 7):
        distance |= {a: far for a, c in makes if distance.get(c) == far - 1 and a not in distance}

    walk = derivations.ancestors(ends)

    assert {int(row): len(walk.path(int(row))) for row in walk.rows} == {
        row: 2 * far + 1 for row, far in distance.items() if far
    }
    for row in distance:
        path = walk.path(row)
        assert all(linked(events, path, at) for at in range(0, len(path) - 1, 2))
        nearest = int(path[-1][1]) - 1
        alone = derivations.path(row, nearest)
        assert alone is not None and len(alone) == len(path)


def linked(events: list[tuple[int, EventKind, int]], path: tuple[tuple[str, int], ...], at: int) -> bool:
    (_, taken), (_, execution), (_, given) = path[at : at + 3]
    inputs = {(a + 1, e + 1) for a, kind, e in events if kind in INPUTS}
    outputs = {(a + 1, e + 1) for a, kind, e in events if kind in OUTPUTS}
    return (taken, execution) in inputs and (given, execution) in outputs
