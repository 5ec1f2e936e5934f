"""Looks for directories that no artifact claims, only where TFX can have laid them out.

From the homes of pipelines, which the URIs of their artifacts tell, it is three known levels down to a
directory of an execution: `<home>/<node>/<output>/<execution>`. Nothing else in a root is looked at, and
nothing that an artifact claims is entered, however much lies there.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.filesystem import reason
from tfx_janitor.payload.places import Place, PlaceError, resolve
from tfx_janitor.payload.presence import Unread, on_the_way
from tfx_janitor.policy.file import Problem
from tfx_janitor.retention.case import PUSHED_MODEL, Case
from tfx_janitor.retention.orphans import Contents, LaidOut, claimed, homes, judge, outputs, suspects
from tfx_janitor.retention.plan import Orphan
from tfx_janitor.survey.crew import Crew, Failed
from tfx_janitor.survey.resolver import Resolver

_SYSTEM = ".system"
_WORKING = os.path.join(_SYSTEM, "executor_execution")
_SINCE = 1000
"""So many executions may have been registered since the store was read: their ids come next."""

_MOUNTS = "/proc/self/mountinfo"
_MS = 1_000_000
"""A millisecond, in nanoseconds."""

_DIGITS = 18
"""An MLMD id has no more."""


PassedOver = tuple[tuple[str, Unread], ...]
"""Directories of nodes, each with what kept one from seeing all that lies in it."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a look for directories that no artifact claims came to.

    Attributes:
      orphans: the verdicts.
      passed_over: nothing of these nodes is judged, for the directories of an execution go together or not at
        all.
    """

    orphans: tuple[Orphan, ...] = ()
    passed_over: PassedOver = ()

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What cannot be read, once each."""
        return each_once(unread for _, unread in self.passed_over)

    def why_not(self, path: str) -> Unread | None:
        """What kept it from judging a directory, if it passed over the node's."""
        return next((why for node, why in self.passed_over if path.startswith(f"{node}/")), None)

    @property
    def cautions(self) -> tuple[Problem, ...]:
        """What of this a person should hear."""
        told = "what no artifact claims in it or beside it is passed over"
        return tuple(Problem(f"{one}; {told}", ("orphans",)) for one in self.unread)


def each_once(unread: Iterable[Unread]) -> tuple[Unread, ...]:
    """One of those at the same path, by path."""
    found = {one.path: one for one in unread}
    return tuple(found[path] for path in sorted(found))


@dataclass(frozen=True, slots=True)
class NodeOrder:
    """A node's directory, as an absolute path without links."""

    path: str


@dataclass(frozen=True, slots=True)
class Numbered:
    """The numbered directories below a node's, by output; and those in which executors worked."""

    outputs: tuple[tuple[str, tuple[int, ...]], ...]
    working: tuple[int, ...]


def find_orphans(case: Case, crew: Crew) -> Search | None:
    """Looks for all directories that no artifact claims; None if the policy asks for none."""
    if case.policy.orphans is None:
        return None
    directories, passed_over = _laid_out(case, suspects(case), crew)
    claims = claims_on(case, [directory.path for directory in directories])
    paths = [directory.path for directory in directories if directory.path not in claims]
    answers = dict(zip(paths, crew.run("look into orphans", look_into, paths), strict=True))
    orphans = judge(
        case,
        directories,
        contents={path: found for path, found in answers.items() if not isinstance(found, Failed)},
        unreadable={path: found.error for path, found in answers.items() if isinstance(found, Failed)},
        claims=claims,
    )
    return Search(orphans, passed_over)


def list_numbered(order: NodeOrder) -> Numbered | Unread:
    """What TFX laid out for a node, or what keeps one from seeing all of it.

    Links and what has other names are passed over.
    """
    try:
        return _list_numbered(order)
    except (FileNotFoundError, NotADirectoryError):  # it has gone since
        return Numbered((), ())
    except OSError as error:
        path = os.path.normpath(error.filename or order.path)
        return on_the_way(path) or Unread(path, reason(error))


def _list_numbered(order: NodeOrder) -> Numbered:
    outputs = tuple(
        (name, _numbers(os.path.join(order.path, name)))
        for name in _directories(order.path)
        if name != _SYSTEM
    )
    system = os.path.join(order.path, _SYSTEM)
    working = os.path.join(order.path, _WORKING)
    return Numbered(outputs, _numbers(working) if _is_directory(system) and _is_directory(working) else ())


def look_into(path: str) -> Contents:
    """What all of a directory tells; links are not followed.

    Raises:
      JanitorError: it is no directory any more, or something is mounted at it or in it.
      OSError: it is gone, or a directory in it cannot be listed.
    """
    top = os.lstat(path)
    if not stat.S_ISDIR(top.st_mode):
        raise JanitorError(f"{path} is not a directory any more")
    if (point := _mounted(path)) is not None:
        raise JanitorError(f"{point} is a mount point; unmount it first")
    oldest, newest = top.st_mtime_ns, max(top.st_mtime_ns, top.st_ctime_ns)
    size = files = 0
    waiting = [path]
    while waiting:
        with os.scandir(waiting.pop()) as scan:
            for entry in scan:
                status = entry.stat(follow_symlinks=False)
                oldest = min(oldest, status.st_mtime_ns)
                # What was copied here may carry an old time of writing; that of its coming tells.
                newest = max(newest, status.st_mtime_ns, status.st_ctime_ns)
                if not stat.S_ISDIR(status.st_mode):
                    size, files = size + status.st_size, files + 1
                elif status.st_dev == top.st_dev:
                    waiting.append(entry.path)
                else:
                    raise JanitorError(f"{entry.path} is a mount point; unmount it first")
    return Contents(top.st_ino, oldest // _MS, -(-newest // _MS), size, files)


def _laid_out(case: Case, rows: Sequence[int], crew: Crew) -> tuple[list[LaidOut], PassedOver]:
    """The directories of these executions, as far as they are there, and the nodes that are passed over."""
    executions = case.snapshot.executions
    suspected: dict[str, dict[int, int]] = defaultdict(dict)
    nodes: dict[str, int] = {}
    by_pipeline = homes_in_roots(case, {executions.pipeline_names[executions.pipeline[row]] for row in rows})
    for row in rows:
        node = int(executions.node[row])
        for home in by_pipeline[executions.pipeline_names[executions.pipeline[row]]]:
            path = os.path.join(home, executions.node_names[node])
            nodes[path] = node
            suspected[path][int(executions.id[row])] = row
    last = int(executions.id.max(initial=0))
    made = outputs(case.snapshot, {int(executions.type[row]) for row in rows})
    found: list[LaidOut] = []
    listed, passed_over = list_nodes(list(suspected), crew)
    for path, answer in listed.items():
        here = suspected[path]
        known = set(executions.id[executions.node == nodes[path]].tolist())
        for output, numbers in answer.outputs:
            stranger = next((n for n in numbers if n not in known and not last < n <= last + _SINCE), None)
            for number in here.keys() & set(numbers):
                keys = made[int(executions.type[here[number]])]
                # Where its outputs are known by name, what has another name is none.
                if output in keys or not keys:
                    found.append(
                        LaidOut(os.path.join(path, output, str(number)), here[number], output, stranger)
                    )
        for number in here.keys() & set(answer.working):
            found.append(LaidOut(os.path.join(path, _WORKING, str(number)), here[number], None))
    return found, passed_over


def list_nodes(paths: Sequence[str], crew: Crew) -> tuple[dict[str, Numbered], PassedOver]:
    """What TFX laid out for nodes, by the paths of their directories, and those that are passed over."""
    found: dict[str, Numbered] = {}
    passed_over: list[tuple[str, Unread]] = []
    answers = crew.run("look for orphans", list_numbered, [NodeOrder(path) for path in paths])
    for path, answer in zip(paths, answers, strict=True):
        if isinstance(answer, Numbered):
            found[path] = answer
        elif isinstance(answer, Failed):
            passed_over.append((path, Unread(path, f"could not be looked at: {answer.error}")))
        else:
            passed_over.append((path, answer))
    return found, tuple(passed_over)


def homes_in_roots(case: Case, pipelines: Collection[str]) -> dict[str, list[str]]:
    """By pipeline, the directories in which its nodes have theirs, as paths without links, inside the roots.

    A pipeline that has made nothing yet has none: nothing tells where it writes.
    """
    told = homes(case.snapshot, pipelines)
    roots = [resolve(root) for root in case.policy.roots]
    found: dict[str, list[str]] = {}
    for name in pipelines:
        places: set[Place] = set()
        for uri in told.get(name, ()):
            try:
                places.add(resolve(uri))
            except PlaceError:
                continue
        found[name] = sorted(
            place.path
            for place in places
            if place.local and any(root == place or root.contains(place) for root in roots)
        )
    return found


def claims_on(case: Case, paths: Sequence[str]) -> dict[str, int]:
    """Which of these directories artifacts claim, or what was pushed; by path the row of one that does."""
    if not paths:
        return {}
    snapshot = case.snapshot
    resolver = Resolver()
    places: list[tuple[int, Place]] = []
    unplaced: list[tuple[int, str]] = []
    destinations = (
        (row, snapshot.property(row, "pushed_destination")) for row in snapshot.rows_of_type(PUSHED_MODEL)
    )
    for row, uri in (*enumerate(snapshot.artifacts.uri), *destinations):
        try:
            place = resolver(str(uri or ""))
        except PlaceError:
            place = None
        if place is not None and place.local:
            places.append((row, place))
        elif uri:
            unplaced.append((row, str(uri)))
    return claimed(paths, places, unplaced)


def _directories(path: str) -> list[str]:
    """Names of the directories in a directory; none, if it is a link."""
    if not _is_directory(path):
        return []
    with os.scandir(path) as scan:
        return sorted(entry.name for entry in scan if entry.is_dir(follow_symlinks=False))


def _numbers(path: str) -> tuple[int, ...]:
    names = [name for name in _directories(path) if name.isascii() and name.isdecimal()]
    return tuple(sorted(int(name) for name in names if str(int(name[:_DIGITS])) == name))


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _mounted(path: str) -> str | None:
    """A mount point at or below a path. The device does not tell of a bind mount."""
    try:
        with open(_MOUNTS, errors="surrogateescape") as lines:
            points = [line.split(" ")[4] for line in lines]
    except OSError:  # no Linux, or no /proc
        return None
    for point in points:
        # Blanks and the like are written as octal numbers.
        plain = point.encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1")
        mounted = os.fsdecode(plain)
        if mounted == path or mounted.startswith(f"{path}/"):
            return mounted
    return None
