"""What must hold at every instant, whatever was struck: the promises of docs/deleting.md."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.deletion.faults.world import Content, Files, World
from tfx_janitor.deletion.remove import TRASH
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.payload.checkpoint_state import FILE
from tfx_janitor.payload.checkpoints import read_directory

TEMPORARY = f".{FILE}.tfx-janitor-"

LIFE = [
    state.name for state in (ArtifactState.LIVE, ArtifactState.MARKED_FOR_DELETION, ArtifactState.DELETED)
]
"""The states in the order in which an artifact goes."""

TOLD_BY = {"LIVE": ("rescue", "restore"), "MARKED_FOR_DELETION": ("mark",), "DELETED": ("purge", "forget")}
"""What an act says of an artifact that it gives a state."""


@dataclass(frozen=True)
class Allowed:
    """What was judged, and nothing else may change.

    Attributes:
      states: by artifact id those that it may have; all others keep theirs.
      going: artifacts whose payload may go.
      pruned: by directory the names of the checkpoints that may go from it.
      abandoned: directories that no artifact claims and that may go, with their label in the trash.
    """

    states: Mapping[int, frozenset[str]]
    going: frozenset[int]
    pruned: Mapping[str, frozenset[str]]
    abandoned: Mapping[str, str]

    @staticmethod
    def between(before: World, after: World, home: Path) -> Allowed:
        """What an act that nothing disturbed did between two moments."""
        states = {i: _between(row.state, after.state(i)) for i, row in before.rows.items()}
        going = {i for i, row in before.rows.items() if row.state != "DELETED" == after.state(i)}
        gone = {
            directory: frozenset(n for n in names if not _of(after.files, directory, n))
            for directory, names in marked_inside(after).items()
        }
        pruned = {directory: names for directory, names in gone.items() if names}
        abandoned = {
            place: label for place, label in marked_abandoned(after, home) if place not in after.files
        }
        return Allowed(states, frozenset(going), pruned, abandoned)


def marked_inside(world: World) -> dict[str, set[str]]:
    """Every checkpoint that an act of marking names, by directory."""
    marked: dict[str, set[str]] = {}
    for act in world.acts:
        for text, names in act.details.get("checkpoints", {}).items() if act.kind == "apply" else ():
            for directory, name in names:
                place = os.path.normpath(os.path.join(world.rows[int(text)].place, directory))
                marked.setdefault(place, set()).add(name)
    return marked


def marked_abandoned(world: World, home: Path) -> Iterator[tuple[str, str]]:
    """Every directory without an artifact that an act of marking names, and its label in the trash."""
    for act in world.acts:
        for orphan in act.details.get("orphans", ()):
            yield os.path.relpath(orphan["path"], home), f"execution-{orphan['execution']}"


def violations(home: Path, before: World, now: World, allowed: Allowed) -> list[str]:
    """Everything that is not as it must be, in words."""
    free = _Free(before, allowed)
    return [
        *(f"the acts: {finding}" for finding in now.findings),
        *_rows(before, now, allowed),
        *_silent(before, now, home, allowed),
        *_payloads(before, now, allowed),
        *_pruned(home, before, now, allowed),
        *_trash(before, now, allowed),
        *_others(before.files, now.files, free),
    ]


def unsettled(expected: World, now: World) -> list[str]:
    """In what a world differs from the one that the next run must bring about."""
    wanted, found = expected.settled, now.settled
    differing = sorted(what for what in wanted.keys() | found.keys() if wanted.get(what) != found.get(what))
    files = [what for what in differing if what.startswith("file ")]
    shown = [what for what in differing if what not in files[1:]]
    more = {files[0]: f", and {len(files) - 1} files more"} if len(files) > 1 else {}
    return [
        f"{what}{more.get(what, '')}: expected {_words(wanted.get(what))}, is {_words(found.get(what))}"
        for what in shown
    ]


def age_temporary_files(home: Path) -> None:
    """Ten minutes pass for what writers that died left behind."""
    for directory, _, names in os.walk(home):
        for name in names:
            if name.startswith(TEMPORARY):
                hour_ago = time.time() - 3600
                os.utime(os.path.join(directory, name), (hour_ago, hour_ago))


class _Free:
    """The paths that may differ; each is looked at by a law of its own."""

    def __init__(self, before: World, allowed: Allowed) -> None:
        self._payloads = {before.rows[artifact_id].place for artifact_id in allowed.going}
        self._payloads |= allowed.abandoned.keys()
        self._allowed = allowed
        self._trashes = {
            os.path.join(parent, TRASH) for parent in (*map(os.path.dirname, self._payloads), *allowed.pruned)
        }

    def holds(self, path: str) -> bool:
        way = path
        while way:
            if way in self._payloads or way in self._trashes:
                return True
            way = os.path.dirname(way)
        return _may_be_pruned(path, self._allowed)


def _rows(before: World, now: World, allowed: Allowed) -> Iterator[str]:
    """Nothing is written of an artifact but its state, and that only where it was judged."""
    if before.rows.keys() != now.rows.keys():
        yield f"artifacts: expected {sorted(before.rows)}, found {sorted(now.rows)}"
    for artifact_id, row in before.rows.items():
        found = now.rows.get(artifact_id, row)
        if (found.type, found.place) != (row.type, row.place):
            yield f"artifact {artifact_id} is another: {found}"
        states = allowed.states.get(artifact_id, frozenset({row.state}))
        if found.state not in states:
            yield f"artifact {artifact_id} is {found.state}, was {row.state}; may be {sorted(states)}"
    closed = {number for act in now.acts for number in act.details.get("closes_executions", ())}
    for execution, state in before.executions.items():
        if now.executions.get(execution) != state and execution not in closed:
            yield f"execution {execution} is {now.executions.get(execution)}, was {state}"


def _silent(before: World, now: World, home: Path, allowed: Allowed) -> Iterator[str]:
    """Nothing changes that no act tells of."""
    told = {(touch.artifact_id, touch.what) for act in now.acts for touch in act.touches}
    for artifact_id, row in before.rows.items():
        state = now.state(artifact_id)
        whats = TOLD_BY[state] if state != row.state else ("purge", "prune")
        same = state == row.state and before.files.below(row.place) == now.files.below(row.place)
        if not same and not any((artifact_id, what) in told for what in whats):
            yield f"artifact {artifact_id} changed, and no act tells of it"
    removed = {path for act in now.acts for _, path in act.details.get("removes", ())}
    for place in allowed.abandoned:
        if before.files.below(place) != now.files.below(place) and str(home / place) not in removed:
            yield f"{place} changed, and no act tells of it"


def _payloads(before: World, now: World, allowed: Allowed) -> Iterator[str]:
    """A payload lies at its URI as it was, or it is DELETED and nothing lies there: never a part of it."""
    for artifact_id in allowed.going:
        place = before.rows[artifact_id].place
        was, here = _but_pruned(before.files, place, allowed), _but_pruned(now.files, place, allowed)
        state = now.state(artifact_id)
        if here == was or (not here and state == "DELETED"):
            continue
        missing = was.keys() - here.keys()
        yield f"artifact {artifact_id} is {state}, and {len(missing)} of {len(was)} files at its URI are gone"
    for place in allowed.abandoned:
        if now.files.below(place) not in ({}, before.files.below(place)):
            yield f"{place} is not what it was, and not gone"


def _but_pruned(files: Files, place: str, allowed: Allowed) -> dict[str, Content]:
    """What lies at a place, but for checkpoints that may go from it; of these there is a law of their own."""
    return {
        name: content
        for name, content in files.below(place).items()
        if not _may_be_pruned(f"{place}/{name}", allowed)
    }


def _pruned(home: Path, before: World, now: World, allowed: Allowed) -> Iterator[str]:
    """What stays restores; the state file names only what restores; what goes loses its index first."""
    for directory, names in allowed.pruned.items():
        if not (
            home / directory
        ).exists():  # then so is the payload that it lay in, which has a law of its own
            continue
        try:
            found = read_directory(str(home / directory))
        except JanitorError as error:
            yield f"{directory}: {error}"
            continue
        complete = {c.name for c in found.checkpoints if c.complete}
        for checkpoint in found.checkpoints:
            files = _of(now.files, directory, checkpoint.name)
            was = _of(before.files, directory, checkpoint.name)
            if checkpoint.complete and files != was:
                yield f"{directory}: {checkpoint.name} counts as complete, and is not what it was"
            if not checkpoint.complete and checkpoint.name not in names:
                yield f"{directory}: {checkpoint.name} must stay: {checkpoint.problem}"
            index = os.path.join(directory, f"{checkpoint.name}.index")
            if index in was and files != was and index in files:
                yield f"{directory}: {checkpoint.name} has its index, and lacks other files"
        state, had = found.state, os.path.join(directory, FILE) in before.files
        if state is None:
            if had:
                yield f"{directory}: its state file is gone"
            continue
        named = {os.path.basename(path) for path in state.all}
        for name in sorted(named - complete):
            yield f"{directory}: its state file names {name}, which does not restore"
        tensorflow = {c.name for c in found.checkpoints if c.format == "tf" and c.complete} - names
        for name in sorted(tensorflow - named):
            yield f"{directory}: its state file does not name {name}, which stays"
        if named and (state.latest is None or os.path.basename(state.latest) not in complete):
            yield f"{directory}: its state file has {state.latest} as the latest, which does not restore"


def _trash(before: World, now: World, allowed: Allowed) -> Iterator[str]:
    """In the trash lies only what was judged, of what is DELETED by then, or parts of that."""
    entries: dict[tuple[str, str], dict[str, Content]] = {}
    for path, content in now.files.items():
        directory, found, rest = path.partition(f"/{TRASH}/")
        if found:
            entry, _, name = rest.partition("/")
            entries.setdefault((directory, entry), {})[name or "."] = content
    origins = _origins(before, allowed)
    for (directory, entry), files in entries.items():
        place, artifact_id = origins.get((directory, entry.partition("~")[0]), (None, None))
        if place is None:
            yield f"{directory}: {entry} in the trash is of nothing that was judged"
            continue
        if artifact_id is not None and now.state(artifact_id) != "DELETED":
            yield f"artifact {artifact_id} is {now.state(artifact_id)}, and lies in the trash"
        was = before.files.below(place)
        rewritten = {name for name in files if _may_be_pruned(os.path.join(place, name), allowed)}
        if any(was.get(name) != files[name] for name in files.keys() - rewritten):
            yield f"{directory}: {entry} in the trash is not what lay at {place}"


def _origins(before: World, allowed: Allowed) -> dict[tuple[str, str], tuple[str, int | None]]:
    """By a directory and a label in its trash: where that lay, and the artifact whose payload it is."""
    origins: dict[tuple[str, str], tuple[str, int | None]] = {}
    for place, label in allowed.abandoned.items():
        origins[os.path.dirname(place), label] = place, None
    for directory, names in allowed.pruned.items():
        origins |= {(directory, name): (os.path.join(directory, name), None) for name in names}
    for artifact_id in allowed.going:
        place = before.rows[artifact_id].place
        origins[os.path.dirname(place), f"artifact-{artifact_id}"] = place, artifact_id
    return origins


def _others(before: Files, now: Files, free: _Free) -> Iterator[str]:
    """Everything else is as it was, byte for byte: what is kept, what nobody knows, what is outside."""
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path) and not free.holds(path):
            yield f"{path}: expected {_words(before.get(path))}, is {_words(now.get(path))}"


def _may_be_pruned(path: str, allowed: Allowed) -> bool:
    """Whether a path is of a checkpoint that may go, or the state file that then no longer names it."""
    directory, name = path, ""
    while directory:
        directory, _, last = directory.rpartition("/")
        name = f"{last}/{name}" if name else last
        names = allowed.pruned.get(directory)
        if names is not None:
            return (
                name == FILE or name.startswith(TEMPORARY) or any(_is_of(path, directory, n) for n in names)
            )
    return False


def _of(files: Files, directory: str, name: str) -> dict[str, Content]:
    """The files of a checkpoint, told by its literal name."""
    stem = os.path.join(directory, name)
    return {path: files[path] for path in files.starting(stem) if _is_of(path, directory, name)}


def _is_of(path: str, directory: str, name: str) -> bool:
    stem = os.path.join(directory, name)
    return path == stem or path.startswith((f"{stem}.", f"{stem}/"))


def _between(first: str, last: str) -> frozenset[str]:
    here, there = sorted((LIFE.index(first), LIFE.index(last)))
    return frozenset(LIFE[here : there + 1])


def _words(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, tuple):
        mode, content = value
        return f"{len(content)} bytes, mode {mode:o}"
    if isinstance(value, frozenset):
        return str(sorted(value))
    return str(value)
