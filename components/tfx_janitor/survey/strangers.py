"""Looks for directories of executions that this store does not know: those of another one, or one before it.

They lie where TFX lays them out, as orphans do, and nothing here tells what may go: the store that can is
another one.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tfx_janitor.payload.presence import Unread, is_missing
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.orphans import Contents, Node, newcomers, nodes, together
from tfx_janitor.survey.crew import Crew, Failed
from tfx_janitor.survey.orphans import claims_on, homes_in_roots, list_nodes, look_into


@dataclass(frozen=True, slots=True)
class Strangers:
    """The directories of one output of a node that no execution of this store is and that no artifact claims.

    Attributes:
      path: `<home>/<node>/<output>`, absolute, without links.
      contents: by number what lies in each, or why nobody can tell; at least one, ascending.
    """

    path: str
    contents: Mapping[int, Contents | Failed]


@dataclass(frozen=True, slots=True)
class StrangerSearch:
    """What was found, by path; and what kept one from looking further."""

    found: tuple[Strangers, ...]
    unread: tuple[Unread, ...]


def find_strangers(
    case: Case, crew: Crew, registered: Callable[[Collection[int]], Collection[int]]
) -> StrangerSearch:
    """Looks below every node whose pipeline has a home, whether the policy asks for orphans or not.

    Args:
      registered: tells which ids are executions of the store by now. TFX registers an execution before it
        makes its directories, so what is not one after they were listed is of no run that has just begun.
    """
    known = nodes(case.snapshot)
    at = _by_path(case, known)
    new = _by_name(known, newcomers(case.snapshot))
    listed, passed_over = list_nodes(sorted(at), crew)
    numbers: dict[str, list[int]] = {}
    for path, numbered in listed.items():
        node = at[path]
        others = new[node.name].executions if node.name in new else ()
        for output, all_numbers in numbered.outputs:
            strange = [number for number in node.strangers(output, all_numbers) if number not in others]
            if strange:
                numbers[os.path.join(path, output)] = strange
    read = set(case.snapshot.executions.id.tolist()) if numbers else set()
    begun = registered(sorted({number for strange in numbers.values() for number in strange} - read))
    paths = {
        os.path.join(output, str(number)): (output, number)
        for output, strange in numbers.items()
        for number in strange
        if number not in begun
    }
    contents = _look_into(sorted(paths.keys() - claims_on(case, list(paths)).keys()), crew)
    found: dict[str, dict[int, Contents | Failed]] = {}
    for path, (output, number) in paths.items():
        if path in contents:
            found.setdefault(output, {})[number] = contents[path]
    return StrangerSearch(
        tuple(Strangers(output, found[output]) for output in sorted(found)),
        tuple(unread for _, unread in passed_over),
    )


def _by_path(case: Case, known: Mapping[str, Mapping[str, Node]]) -> dict[str, Node]:
    """By the path of its directory each node; those of the pipeline in question, if only one is.

    Pipelines that share a home, as one and its successor under another name may, have their nodes in common.
    """
    sharing: dict[str, list[str]] = defaultdict(list)
    for pipeline, homes in homes_in_roots(case, known.keys()).items():
        for home in homes:
            sharing[home].append(pipeline)
    by_name: dict[tuple[str, ...], dict[str, Node]] = {}
    found: dict[str, Node] = {}
    for home, pipelines in sharing.items():
        own = [name for name in pipelines if case.only_pipeline in (None, name)]
        key = tuple(pipelines)
        if own and key not in by_name:
            by_name[key] = _by_name(known, pipelines)
        names = {name for pipeline in own for name in known[pipeline]}
        found.update((os.path.join(home, name), by_name[key][name]) for name in names)
    return found


def _by_name(known: Mapping[str, Mapping[str, Node]], pipelines: Iterable[str]) -> dict[str, Node]:
    several: dict[str, list[Node]] = defaultdict(list)
    for pipeline in pipelines:
        for name, node in known.get(pipeline, {}).items():
            several[name].append(node)
    return {name: together(same) for name, same in several.items()}


def _look_into(paths: Sequence[str], crew: Crew) -> dict[str, Contents | Failed]:
    """What lies in directories, but for those that are gone: whoever owns them may be at work."""
    answers = zip(paths, crew.run("look into orphans", look_into, paths), strict=True)
    return {path: found for path, found in answers if not (isinstance(found, Failed) and is_missing(path))}
