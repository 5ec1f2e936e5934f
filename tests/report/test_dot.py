"""Lineage in DOT: a parser that is none of ours reads it back, whatever the names hold."""

from __future__ import annotations

from pathlib import Path

import pydot
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import History
from tests.lineage.test_paths import made_of
from tests.report.lineage_accounts import account_in, account_of
from tfx_janitor.lineage.snapshot import EventKind
from tfx_janitor.report import dot
from tfx_janitor.report.dot import dot_lines
from tfx_janitor.report.lineage_account import LineageAccount
from tfx_janitor.report.text import printable

IN, OUT = EventKind.INPUT, EventKind.OUTPUT

HOSTILE = 'a"b\\ [label="x"]; } // \n<b>&amp;</b> é \x1b[2J'


def parsed(account: LineageAccount) -> pydot.Dot:
    graphs = pydot.graph_from_dot_data("".join(dot_lines(account)))
    assert graphs is not None and len(graphs) == 1
    return graphs[0]


def test_every_node_and_every_edge(tmp_path: Path):
    history = History(tmp_path)
    made = history.pipeline().retrain()
    history.set_state(made.examples, "DELETED")
    account = account_in(history, made.model)
    graph = parsed(account)
    nodes = {node.get_name(): node for node in graph.get_nodes()}
    assert set(nodes) - {"graph"} == {f'"{kind} {number}"' for kind, number in account.graph.steps}
    ends = {(edge.get_source(), edge.get_destination()) for edge in graph.get_edges()}
    assert ends == {
        tuple(f'"{kind} {number}"' for kind, number in (edge.origin, edge.target))
        for edge in account.graph.edges
    }
    model, examples = nodes[f'"artifact {made.model.id}"'], nodes[f'"artifact {made.examples.id}"']
    assert model.get("label") == f'"Model {made.model.id}\\n{made.model.uri}"'
    assert (model.get("style"), examples.get("style")) == ('"bold"', '"dashed"')
    labels = {edge.get("label") for edge in graph.get_edges()}
    assert {'"input examples"', '"output model"', '"current_model_id"'} <= labels


@pytest.mark.parametrize("name", [HOSTILE, "\\", '"', "<", "->", "{}", "\\N", ""])
def test_no_name_breaks_out_of_its_quotes(tmp_path: Path, name: str):
    history = History(tmp_path)
    model = history.pipeline().run().import_model(f"/srv/{name}")
    graph = parsed(account_in(history, model))
    (node,) = (n for n in graph.get_nodes() if n.get_name() == f'"artifact {model.id}"')
    shown = printable(f"/srv/{name}").replace("\\", "\\\\").replace('"', '\\"')
    assert node.get("label") == f'"Model {model.id}\\n{shown}"'
    assert len(graph.get_edges()) == 1


@given(st.text(alphabet=st.sampled_from('ab "\\\n<>{}[]->;=é/*#'), max_size=12))
def test_every_text_survives_its_quotes(text: str):
    graphs = pydot.graph_from_dot_data(f"digraph g {{ a [label={dot.quoted(text)}]; b; }}")
    assert graphs is not None
    assert sorted(node.get_name() for node in graphs[0].get_nodes()) == ["a", "b"]


def test_an_event_without_a_key_has_its_role(tmp_path: Path):
    graph = parsed(account_of(made_of([(0, IN, 0), (1, OUT, 0)]), 1))
    assert [edge.get("label") for edge in graph.get_edges()] == ['"input"', '"output"']
