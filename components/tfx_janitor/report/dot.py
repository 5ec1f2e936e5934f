"""Lineage in DOT, the language of Graphviz: artifacts are boxes, executions ellipses, the deleted dashed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tfx_janitor.lineage.paths import Step
from tfx_janitor.lineage.walk import Edge
from tfx_janitor.report.lineage_account import LineageAccount
from tfx_janitor.report.text import printable

_GONE = ("DELETED", "FAILED", "CANCELED", "ABANDONED")


def dot_lines(account: LineageAccount) -> Iterator[str]:
    """The graph, a line at a time. Every word in it is quoted, whatever a name in the store holds."""
    yield "digraph lineage {\n"
    yield f"  graph {_attributes({'rankdir': 'LR'})}\n"
    for step in account.graph.steps:
        yield f"  {quoted(_id(step))} {_attributes(_node(account, step))}\n"
    for edge in account.graph.edges:
        ends = f"{quoted(_id(edge.origin))} -> {quoted(_id(edge.target))}"
        yield f"  {ends} {_attributes(_edge(edge))}\n"
    yield "}\n"


def _node(account: LineageAccount, step: Step) -> dict[str, str]:
    facts = account.facts(step)
    shown = {"shape": "box" if step[0] == "artifact" else "ellipse"}
    beside = [facts["uri"]] if step[0] == "artifact" else []
    shown["label"] = "\n".join(printable(str(line)) for line in (account.names.name(step), *beside))
    if facts["state"] in _GONE:
        shown["style"] = "dashed"
    elif step == account.graph.root:
        shown["style"] = "bold"
    return shown


def _edge(edge: Edge) -> dict[str, str]:
    label = " ".join(word for word in (edge.role, printable(edge.name)) if word)
    return {"label": label, "style": "dotted"} if edge.kind is None else {"label": label}


def _id(step: Step) -> str:
    return f"{step[0]} {step[1]}"


def _attributes(values: Mapping[str, str]) -> str:
    return f"[{', '.join(f'{name}={quoted(value)}' for name, value in values.items())}]"


def quoted(value: str) -> str:
    """A double-quoted string. In labels a backslash begins an escape, so each is doubled."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
