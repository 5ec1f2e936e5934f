"""`lineage`: where an artifact came from, what came of it, and what served when. It only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tfx_janitor.cli.options import All, LineageFormat
from tfx_janitor.cli.printing import print_json, print_pieces, show, show_tree
from tfx_janitor.cli.site import opened
from tfx_janitor.errors import JanitorError

if TYPE_CHECKING:
    from tfx_janitor.deletion.site import Site
    from tfx_janitor.lineage.origin import Origin, Origins
    from tfx_janitor.report.finding import Found
    from tfx_janitor.report.lineage_account import LineageAccount

DEPTH = 8
"""Steps of a tree for people: from a PushedModel over Trainer and Transform to where the data came in."""

BREADTH = 20
"""Branches of a tree for people at each step: data may have gone into a thousand runs."""


def lineage(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="ID_OR_PATH",
            help="An artifact's id, its URI, or any path inside what it left, also inside a served version.",
        ),
    ] = None,
    upstream: Annotated[bool, typer.Option("--upstream", help="Only what it was made from.")] = False,
    downstream: Annotated[bool, typer.Option("--downstream", help="Only what came of it.")] = False,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            metavar="N",
            min=1,
            help="Steps to follow; one leads to an execution, the next to an artifact. A tree follows "
            f"{DEPTH}, and {BREADTH} branches at each; JSON and DOT follow everything.",
        ),
    ] = None,
    list_all: All = False,
    served: Annotated[
        str | None,
        typer.Option("--served", metavar="BASE_DIR", help="Tell what was served from here, and when."),
    ] = None,
    format: Annotated[
        LineageFormat, typer.Option("--format", help="A tree for people, JSON alone, or DOT for Graphviz.")
    ] = LineageFormat.TABLE,
) -> None:
    """Tell where an artifact came from, and what came of it.

    Follows the events of the store, and properties by which one thing names another. With --served it is the
    history of a directory that a model server watches, with versions that are long gone.
    """
    if served is not None and name is None:
        if upstream or downstream or depth is not None or list_all or format is LineageFormat.DOT:
            raise JanitorError(
                "--served has a table and JSON, always with everything; leave the other options out"
            )
        _tell_served(ctx, served, format)
        return
    if name is None or served is not None:
        got = "neither" if name is None else "both"
        raise JanitorError(f"expected either ID_OR_PATH or --served BASE_DIR, got {got}")
    if list_all and depth is not None:
        raise JanitorError("expected --depth N or --all, got both")
    limited = format is LineageFormat.TABLE and not list_all
    limits = {"depth": depth or DEPTH, "breadth": BREADTH} if limited else {"depth": depth, "breadth": None}
    with opened(ctx, readonly=True) as site:
        both = upstream == downstream
        account = _account(site, name, upstream or both, downstream or both, **limits)
    if format is LineageFormat.JSON:
        print_json(account.to_dict())
    elif format is LineageFormat.DOT:
        from tfx_janitor.report.dot import dot_lines

        print_pieces(dot_lines(account))
    else:
        from tfx_janitor.report.lineage_tree import lineage_trees

        for tree in lineage_trees(account):
            show_tree(tree)


def _account(
    site: Site, name: str, up: bool, down: bool, *, depth: int | None, breadth: int | None
) -> LineageAccount:
    from tfx_janitor.lineage.origin import Origins
    from tfx_janitor.lineage.read_api import read_parameters
    from tfx_janitor.lineage.walk import Graphs
    from tfx_janitor.report.finding import find
    from tfx_janitor.report.lineage_account import LineageAccount
    from tfx_janitor.report.lineage_references import all_references

    snapshot = site.read()
    found = find(snapshot, name)
    references = all_references(snapshot, read_parameters(site.store, snapshot.executions.id.tolist()))
    graph = Graphs(snapshot, references).around(
        found.row, upstream=up, downstream=down, depth=depth, breadth=breadth
    )
    executions = [number for what, number in graph.steps if what == "execution"]
    parameters = dict(read_parameters(site.store, executions))
    return LineageAccount(snapshot, found, graph, parameters, _origin(Origins(snapshot), found))


def _origin(origins: Origins, found: Found) -> Origin | None:
    """What led to the artifact; to one that was imported from where another is served, what led to that."""
    known = [origin for row in (found.row, *found.others) if (origin := origins.of(row)) is not None]
    told = (origin for origin in known if origin.examples or origin.blessings)
    return next(told, known[0] if known else None)


def _tell_served(ctx: typer.Context, served: str, format: LineageFormat) -> None:
    from tfx_janitor.report.served import base_of, timeline
    from tfx_janitor.verified_pusher.standing import standing_in

    base = base_of(served)
    with opened(ctx, readonly=True) as site:
        told = timeline(site.read(), base, standing_in(base), metadata=site.metadata)
    if format is LineageFormat.JSON:
        print_json(told.to_dict())
        return
    from tfx_janitor.report.served_text import timeline_lines

    show(*timeline_lines(told))
