"""Lineage as a tree: each thing told once, however it is reached, and nothing too deep to be shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.builders import History
from tests.lineage.test_paths import made_of
from tests.report.conftest import Show
from tests.report.lineage_accounts import account_in, account_of
from tfx_janitor.lineage.snapshot import ArtifactState, EventKind, Snapshot
from tfx_janitor.report.lineage_account import LineageAccount
from tfx_janitor.report.lineage_tree import DEEPEST, lineage_trees

IN, OUT = EventKind.INPUT, EventKind.OUTPUT


def made(*events: tuple[int, EventKind, int], nodes: int = 6, state: int = ArtifactState.LIVE) -> Snapshot:
    """A snapshot of triples (artifact row, kind, execution row), every artifact in one state."""
    snapshot = made_of(events, nodes)
    artifacts = replace(snapshot.artifacts, state=np.full(nodes, state))
    return replace(snapshot, artifacts=artifacts)


def told(show: Show, account: LineageAccount) -> list[str]:
    return [line for tree in lineage_trees(account) for line in show(tree, width=10_000)]


def test_what_is_reached_twice_is_told_once_and_then_named(show: Show):
    diamond = made((0, IN, 0), (1, OUT, 0), (0, IN, 1), (2, OUT, 1), (1, IN, 2), (2, IN, 2), (3, OUT, 2))
    lines = told(show, account_of(diamond, 4))
    assert sum(line.endswith("input: Thing 1") for line in lines) == 1
    assert sum(line.endswith("input: Thing 1, told above") for line in lines) == 1


def test_what_is_told_further_down_is_said_to_be(show: Show):
    short_and_long = [(0, IN, 0), (1, OUT, 0), (1, IN, 1), (2, OUT, 1), (0, IN, 2), (2, IN, 2), (3, OUT, 2)]
    lines = told(show, account_of(made(*short_and_long), 1))
    places = [
        next(i for i, line in enumerate(lines) if line.endswith(end)) for end in ("told below", "Thing 4")
    ]
    assert places == sorted(places)


def test_a_circle_ends_where_it_began(show: Show):
    lines = told(show, account_of(made((0, IN, 0), (1, OUT, 0), (1, IN, 1), (0, OUT, 1)), 1))
    assert sum(line.endswith("output: Thing 1, told above") for line in lines) == 1


def test_nothing_is_said_to_be_nothing(show: Show):
    lines = told(show, account_of(made((1, OUT, 0)), 1))
    assert [line.lstrip("│├└─ ") for line in lines[4:]] == [
        "Made from:",
        "nothing that the store knows of",
        "What came of it:",
        "nothing yet",
    ]


def test_where_it_ends_for_want_of_depth_it_says_so(show: Show):
    chain = made((0, IN, 0), (1, OUT, 0), (1, IN, 1), (2, OUT, 1))
    assert told(show, account_of(chain, 1, depth=2))[-1].endswith("1 more step from here; --all follows")
    assert "more step" not in "".join(told(show, account_of(chain, 1, depth=4)))


def test_what_was_deleted_is_marked(show: Show):
    gone = made((0, IN, 0), (1, OUT, 0), state=ArtifactState.DELETED)
    assert "output: Thing 2 (DELETED)" in "".join(told(show, account_of(gone, 1)))


def test_parameters_on_one_line_each_shortened_but_no_path(show: Show):
    path = "/srv/" + "deep/" * 30 + "module.py"
    parameters = {1: {"module_file": path, "train_args": '{\n "num_steps": 1}', "x": "null", "y": "a " * 99}}
    lines = told(show, account_of(made((0, IN, 0), (1, OUT, 0)), 1, parameters=parameters))
    (line,) = (line for line in lines if "module_file" in line)
    shown = f'module_file {path}, train_args {{ "num_steps": 1}}, y {"a " * 28}a...'
    assert line.strip() == shown


def test_a_chain_of_3_000_goes_on_at_the_margin_and_stays_linear(show: Show):
    long = 3_000
    events = [event for i in range(long) for event in ((i, IN, i), (i + 1, OUT, i))]
    lines = told(show, account_of(made(*events, nodes=long + 1), long + 1))
    assert sum(line.endswith(" Thing 1") for line in lines) == 1
    assert max(len(line) - len(line.lstrip("│├└─ ")) for line in lines) <= 4 * (DEEPEST + 2)
    continued = sum(line.endswith(", continued:") for line in lines)
    assert continued == sum(line.endswith("continued below") for line in lines) == 2 * long // DEEPEST - 1


def test_what_led_to_a_push_stands_first(tmp_path: Path, show: Show):
    history = History(tmp_path)
    run = history.pipeline().retrain()
    lines = told(show, account_in(history, run.push.pushed_model))
    assert f"model: Model {run.model.id}, trained in run inception-run-1" in lines
    assert f"data: Examples {run.examples.id}, span 0, version 0" in lines
    assert f"blessing: ModelBlessing {run.blessing.id}, blessed" in lines
    unblessed = history.pipeline().retrain(blessed=None)
    assert "blessing: none" in told(show, account_in(history, unblessed.push.pushed_model))
