"""Directories that no artifact claims: which executions may have left some, and which of these may go.

TFX records what an execution made only when it has come to an end. One whose process died leaves its
directories behind, and looks the same as one that is at work. So what tells them apart is time alone, and
everything else here makes sure that a directory is what it looks like: laid out by TFX, for this execution of
this store, and wanted by nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from tfx_janitor.lineage.snapshot import ACTIVE, SUCCESSFUL, EventKind, ExecutionState, Snapshot
from tfx_janitor.payload.places import Place
from tfx_janitor.policy.durations import format_duration
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.plan import Orphan, Reason, verdict_of
from tfx_janitor.retention.timestamps import shown, to_ms

_MADE = (EventKind.OUTPUT, EventKind.DECLARED_OUTPUT, EventKind.INTERNAL_OUTPUT, EventKind.PENDING_OUTPUT)
_ENDED = (ExecutionState.FAILED, ExecutionState.CANCELED)

_SLACK_MS = to_ms(timedelta(minutes=10))
"""By how much the clocks of a store and of a disk may differ."""

_VALUE = "/value"
"""TFX puts the one file of a value artifact into the directory that it lays out, and names the file."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a look at a directory tells, all that is in it included.

    Attributes:
      inode: of the directory itself.
      oldest_ms: the earliest time at which anything in it, or itself, was written.
      newest_ms: the last time at which anything was written or changed its attributes.
      bytes: apparent size of all that is not a directory.
      files: number of these; links count as themselves.
    """

    inode: int
    oldest_ms: int
    newest_ms: int
    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A directory as TFX lays it out: `<home>/<node>/<output>/<execution>`, or its working directory.

    Attributes:
      path: absolute, without links.
      execution: row of the execution that its name and its place tell.
      output: None for the working directory, `<home>/<node>/.system/executor_execution/<execution>`.
      stranger: a number beside it that no execution of this node has.
    """

    path: str
    execution: int
    output: str | None
    stranger: int | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """What tells the directories of a node from others.

    Attributes:
      name: of its directory, in the home of its pipeline.
      executions: ids of its executions.
      outputs: the keys under which executions of its types ever recorded something.
    """

    name: str
    executions: frozenset[int]
    outputs: frozenset[str]

    def strangers(self, output: str, numbers: Iterable[int]) -> list[int]:
        """Those of the numbered directories of an output that no execution of the node is."""
        # Where its outputs are known by name, what has another name is none.
        if self.outputs and output not in self.outputs:
            return []
        return [number for number in numbers if number not in self.executions]


def nodes(snapshot: Snapshot) -> dict[str, dict[str, Node]]:
    """By pipeline and name, the nodes that have ever run."""
    executions = snapshot.executions
    ids: dict[tuple[int, int], list[int]] = defaultdict(list)
    types: dict[tuple[int, int], set[int]] = defaultdict(set)
    for row in np.flatnonzero((executions.pipeline >= 0) & (executions.node >= 0)).tolist():
        key = int(executions.pipeline[row]), int(executions.node[row])
        ids[key].append(int(executions.id[row]))
        types[key].add(int(executions.type[row]))
    known = outputs(snapshot, {kind for kinds in types.values() for kind in kinds})
    found: dict[str, dict[str, Node]] = defaultdict(dict)
    for pipeline, node in ids:
        name = executions.node_names[node]
        if _is_name(name):
            keys = frozenset(key for kind in types[pipeline, node] for key in known[kind])
            found[executions.pipeline_names[pipeline]][name] = Node(
                name, frozenset(ids[pipeline, node]), keys
            )
    return dict(found)


def together(several: Sequence[Node]) -> Node:
    """Nodes of one name as one, where their pipelines share a home."""
    return Node(
        several[0].name,
        frozenset[int]().union(*(node.executions for node in several)),
        frozenset[str]().union(*(node.outputs for node in several)),
    )


def newcomers(snapshot: Snapshot) -> list[str]:
    """Pipelines that have made nothing yet: nothing tells where they write, so it may be in any home."""
    makers = set(np.unique(snapshot.pipeline).tolist())
    return [name for number, name in enumerate(snapshot.executions.pipeline_names) if number not in makers]


def suspects(case: Case) -> list[int]:
    """Rows of executions that ended badly or not at all and have recorded no output.

    One that succeeded has recorded all that it made: what else lies in its directories is not judged. The
    janitor's own execution is none, for it is at work right now.
    """
    snapshot = case.snapshot
    executions = snapshot.executions
    found = ~np.isin(executions.state, SUCCESSFUL) & ~snapshot.janitor_executions
    found &= (executions.pipeline >= 0) & (executions.node >= 0)
    if case.own_execution is not None:
        found &= executions.id != case.own_execution
    if case.only_pipeline is not None:
        own = [i for i, name in enumerate(executions.pipeline_names) if name == case.only_pipeline]
        found &= np.isin(executions.pipeline, own)
    return [
        row
        for row in np.flatnonzero(found).tolist()
        if _is_name(executions.node_names[executions.node[row]]) and not snapshot.artifacts_of(row, _MADE)
    ]


def homes(snapshot: Snapshot, pipelines: Collection[str]) -> dict[str, set[str]]:
    """Where pipelines write, by name: their roots, as the letters of the URIs of what they made tell."""
    found: dict[str, set[str]] = defaultdict(set)
    for row, uri in enumerate(snapshot.artifacts.uri):
        pipeline = snapshot.pipeline_of(row)
        if pipeline is None or pipeline not in pipelines:
            continue
        producer = int(snapshot.executions.id[snapshot.producer[row]])
        laid_out = f"/{snapshot.node_of(row)}/{snapshot.output_of(row)}/{producer}"
        home = uri.rstrip("/").removesuffix(_VALUE).removesuffix(laid_out)
        if home and len(home) < len(uri.rstrip("/").removesuffix(_VALUE)):
            found[pipeline].add(home)
    return dict(found)


def outputs(snapshot: Snapshot, types: Collection[int]) -> dict[int, set[str]]:
    """By execution type the output keys under which its executions ever recorded something."""
    events = snapshot.events
    recorded = np.isin(events.kind, _MADE) & (events.key >= 0)
    kinds = snapshot.executions.type[events.execution]
    return {
        kind: {events.key_names[key] for key in np.unique(events.key[recorded & (kinds == kind)]).tolist()}
        for kind in types
    }


def claimed(
    paths: Collection[str], places: Iterable[tuple[int, Place]], unplaced: Iterable[tuple[int, str]]
) -> dict[str, int]:
    """Which of these directories artifacts claim: what lies at, in or around one, whatever its state.

    Args:
      paths: of directories, without links.
      places: rows of artifacts and where they lie, links followed.
      unplaced: rows of artifacts with a URI that names no local place from here. It claims every directory
        that it ends in: `bucket/inception/Trainer/model/7` may be the very same, mounted.

    Returns:
      By path the row of an artifact that claims it.
    """
    wanted = set(paths)
    lengths = sorted({len(path) for path in wanted})
    tails = {tuple(path.split("/")[-3:]): path for path in wanted}
    found: dict[str, int] = {}
    around: dict[str, int] = {}
    for row, place in places:
        if not place.local:
            continue
        around[place.path] = row
        for length in lengths:
            if place.path[:length] in wanted and place.path[length : length + 1] in ("", "/"):
                found[place.path[:length]] = row
    for path in wanted - found.keys():
        for length in (at for at, letter in enumerate(path) if letter == "/"):
            if (row := around.get(path[:length] or "/")) is not None:
                found[path] = row
    for row, uri in unplaced:
        names = uri.split("/")
        for at in range(len(names) - 2):
            if (path := tails.get(tuple(names[at : at + 3]))) is not None:
                found[path] = row
    return found


def judge(
    case: Case,
    directories: Sequence[LaidOut],
    contents: Mapping[str, Contents],
    unreadable: Mapping[str, str],
    claims: Mapping[str, int],
) -> tuple[Orphan, ...]:
    """Verdicts on all directories that no artifact claims, by execution and path.

    The directories of one execution go together or not at all.

    Args:
      directories: of `suspects`.
      contents: by path what lies in each that is not claimed.
      unreadable: by path why nothing can be told of one.
      claims: by path the row of an artifact that claims it.
    """
    assert case.policy.orphans is not None
    by_execution: dict[int, list[LaidOut]] = defaultdict(list)
    for directory in directories:
        by_execution[directory.execution].append(directory)
    looked_at = {
        row: [contents[directory.path] for directory in laid_out if directory.path in contents]
        for row, laid_out in by_execution.items()
    }
    life = _Life(case, looked_at)
    known = outputs(case.snapshot, {int(case.snapshot.executions.type[row]) for row in by_execution})
    orphans: list[Orphan] = []
    for row, laid_out in sorted(by_execution.items()):
        unclaimed = [directory for directory in laid_out if directory.path not in claims]
        # An empty working directory stays behind every execution: alone it is nothing.
        if all(directory.output is None for directory in unclaimed):
            continue
        reasons = [
            *(Reason("unknown.payload", unreadable[d.path]) for d in unclaimed if d.path in unreadable),
            *_strange(case, row, unclaimed, looked_at[row]),
            *_untold(case, row, known),
            *_claims(case, laid_out, claims),
            *life.signs(row),
        ] or [life.silence(row)]
        orphans += (
            _orphan(case, directory, contents.get(directory.path), reasons) for directory in unclaimed
        )
    return tuple(sorted(orphans, key=lambda orphan: (orphan.execution, orphan.path)))


def _strange(
    case: Case, row: int, directories: Sequence[LaidOut], looked_at: Sequence[Contents]
) -> Iterator[Reason]:
    """Why these may not be what they look like: two stores that share a root both count from 1."""
    executions = case.snapshot.executions
    number, state = int(executions.id[row]), int(executions.state[row])
    if state not in (*ACTIVE, *_ENDED):
        yield Reason("unknown.state", f"execution {number} is in a state that says nothing: {state}")
    for directory in directories:
        if directory.stranger is not None:
            yield Reason(
                "unknown.other-store",
                f"beside {directory.path} lies {directory.stranger}, which no execution of this node is: "
                "another store has its runs here",
            )
            break
    if not looked_at:
        return
    began, ended = int(executions.created_ms[row]), int(executions.updated_ms[row])
    oldest, newest = min(c.oldest_ms for c in looked_at), max(c.newest_ms for c in looked_at)
    if oldest < began - _SLACK_MS:
        yield Reason(
            "unknown.written-before",
            f"something in it was written at {shown(oldest)}, and execution {number} began at {shown(began)}",
        )
    if state in _ENDED and newest > ended + _SLACK_MS:
        yield Reason(
            "unknown.written-after",
            f"something in it changed at {shown(newest)}, and execution {number} ended at {shown(ended)}",
        )


def _untold(case: Case, row: int, known: Mapping[int, Collection[str]]) -> Iterator[Reason]:
    executions = case.snapshot.executions
    kind = int(executions.type[row])
    if not known[kind]:
        yield Reason(
            "unknown.output",
            f"no execution of type {executions.type_names[kind]} ever recorded an output, so nothing tells "
            "which directories it makes",
        )


def _claims(case: Case, directories: Sequence[LaidOut], claims: Mapping[str, int]) -> Iterator[Reason]:
    for directory in directories:
        if directory.path in claims:
            artifact = case.artifact_step(claims[directory.path])
            detail = f"artifact {artifact[1]} claims {directory.path}, of the same execution"
            yield Reason("hold.claimed", detail, path=(case.execution_step(directory.execution), artifact))
            return


class _Life:
    """Signs of life of executions and of the runs that they are part of."""

    def __init__(self, case: Case, looked_at: Mapping[int, Sequence[Contents]]) -> None:
        assert case.policy.orphans is not None
        self._case = case
        self._older_than = case.policy.orphans.older_than
        # At its very end the time still holds, as stale_after does.
        self._since_ms = case.now_ms - to_ms(max(self._older_than, case.policy.min_age))
        self._written = {
            row: max((c.newest_ms for c in found), default=0) for row, found in looked_at.items()
        }
        self._youngest = self._of_runs()

    def signs(self, row: int) -> Iterator[Reason]:
        """Why an execution may be at work, or is still wanted by its run."""
        case, executions = self._case, self._case.snapshot.executions
        run, step = int(executions.run[row]), case.execution_step(row)
        if self._lives(self._last(row)):
            what = "gave a sign of life" if executions.updated_ms[row] >= self._written[row] else "wrote"
            detail = f"execution {step[1]} {what} at {shown(self._last(row))}"
            yield Reason("keep.older-than", detail, path=(step,))
        if case.policy.stale_after is not None and case.active[row]:
            after = format_duration(case.policy.stale_after)
            state = ExecutionState(int(executions.state[row])).name
            detail = f"execution {step[1]} is {state}, and not dead by stale_after {after}"
            yield Reason("hold.active-execution", detail, path=(step,))
        if run < 0:
            return
        name = executions.run_names[run]
        other = self._youngest[run]
        if run == case.own_run:
            yield Reason("hold.active-run", f"run {name} is the janitor's own", path=(step,))
        elif other != row and self._lives(self._last(other)):
            path = (step, case.execution_step(other))
            detail = f"in run {name} execution {path[1][1]} was at work at {shown(self._last(other))}"
            yield Reason("hold.active-run", detail, path=path)

    def silence(self, row: int) -> Reason:
        """What lets go of all that an execution left."""
        executions = self._case.snapshot.executions
        step = self._case.execution_step(row)
        state = ExecutionState(int(executions.state[row])).name
        detail = (
            f"execution {step[1]} is {state}, and was last heard of at {shown(self._last(row))}; "
            f"keeps for {format_duration(self._older_than)}"
        )
        return Reason("expire.older-than", detail, path=(step,))

    def _lives(self, moment_ms: int) -> bool:
        return moment_ms >= self._since_ms

    def _last(self, row: int) -> int:
        return max(int(self._case.snapshot.executions.updated_ms[row]), self._written.get(row, 0))

    def _of_runs(self) -> dict[int, int]:
        """By run the execution that was heard of last."""
        executions = self._case.snapshot.executions
        wanted = {int(executions.run[row]) for row in self._written} - {-1}
        youngest: dict[int, int] = {}
        for row in np.flatnonzero(np.isin(executions.run, list(wanted))).tolist():
            run = int(executions.run[row])
            if run not in youngest or self._last(row) > self._last(youngest[run]):
                youngest[run] = row
        return youngest


def _orphan(case: Case, directory: LaidOut, found: Contents | None, reasons: Sequence[Reason]) -> Orphan:
    executions = case.snapshot.executions
    row = directory.execution
    run = int(executions.run[row])
    verdict = verdict_of(reasons)
    return Orphan(
        path=directory.path,
        execution=int(executions.id[row]),
        pipeline=executions.pipeline_names[executions.pipeline[row]],
        run=None if run < 0 else executions.run_names[run],
        node=executions.node_names[executions.node[row]],
        output=directory.output,
        bytes=None if found is None else found.bytes,
        files=None if found is None else found.files,
        newest_ms=None if found is None else found.newest_ms,
        inode=None if found is None else found.inode,
        verdict=verdict,
        reasons=tuple(reasons),
    )


def _is_name(node: str) -> bool:
    """Whether a node id is the name of one directory."""
    return bool(node) and node not in (".", "..") and "/" not in node and "\0" not in node
