"""All that a janitor may touch, seen at one moment: files byte for byte, states, and what acts tell."""

from __future__ import annotations

import os
import stat
from bisect import bisect_left
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tfx_janitor.deletion import acts, chain, pin_records
from tfx_janitor.deletion.act import Act
from tfx_janitor.deletion.marks import artifact_marks, checkpoint_marks
from tfx_janitor.deletion.orphan_marks import orphan_marks
from tfx_janitor.lineage.read_api import read_pins
from tfx_janitor.lineage.snapshot import ACT_TYPE_PREFIX

DATABASE = "metadata.db"

Content = tuple[int, bytes]
"""Mode of a file, link or directory, and what is in it: bytes, where a link leads, nothing."""


class Files(Mapping[str, Content]):
    """Names and what they are, by path relative to the home of it all."""

    def __init__(self, contents: Mapping[str, Content]) -> None:
        self._contents = dict(contents)
        self._paths = sorted(self._contents)

    def __getitem__(self, path: str) -> Content:
        return self._contents[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def starting(self, start: str) -> Iterator[str]:
        """The paths that start like this."""
        at = bisect_left(self._paths, start)
        return takewhile(lambda path: path.startswith(start), islice(self._paths, at, None))

    def below(self, place: str) -> dict[str, Content]:
        """What lies at a place and below it, by path relative to it; "." is itself."""
        inside = f"{place}/"
        found = {path.removeprefix(inside): self[path] for path in self.starting(inside)}
        return {".": self[place], **found} if place in self else found


@dataclass(frozen=True, slots=True)
class Row:
    """An artifact; its place is its URI, relative to the home of it all."""

    type: str
    place: str
    state: str


@dataclass(frozen=True)
class World:
    """What there is at one moment.

    Attributes:
      rows: by artifact id.
      executions: states of the pipelines' own, by id.
      pinned: artifacts on which a pin stands.
      marked: artifacts that stand marked by an act of this janitor.
      inside: checkpoints that stand marked: artifact id, directory, name.
      abandoned: directories that stand marked because no artifact claims them.
      findings: what the chain of acts says is not as it was written.
    """

    files: Files
    rows: Mapping[int, Row]
    executions: Mapping[int, str]
    pinned: frozenset[int]
    marked: frozenset[int]
    inside: frozenset[tuple[int, str, str]]
    abandoned: frozenset[str]
    acts: tuple[Act, ...] = field(repr=False)
    findings: tuple[str, ...]

    def state(self, artifact_id: int) -> str:
        return self.rows[artifact_id].state

    @property
    def settled(self) -> dict[str, Hashable]:
        """What the next run must bring about, whatever came before: everything but the acts."""
        told: dict[str, Hashable] = {f"file {path}": content for path, content in self.files.items()}
        told |= {f"artifact {artifact_id}": row.state for artifact_id, row in self.rows.items()}
        told |= {f"execution {execution}": state for execution, state in self.executions.items()}
        marks = {"marked": self.marked, "marked inside": self.inside, "abandoned": self.abandoned}
        return {**told, "pinned": self.pinned, **marks}

    @property
    def key(self) -> Hashable:
        """Equal for worlds that a janitor cannot tell apart."""
        told = tuple((act.kind, act.ended, repr(act.touches), repr(act.outcomes)) for act in self.acts)
        return frozenset(self.settled.items()), told


def look(home: Path, store: MetadataStore, now_ms: int) -> World:
    """The world as it is now.

    Raises:
      DamagedAct: an act does not read.
    """
    known = acts.read(store)
    findings = [*chain.check(known), *pin_records.check(known, pin_records.read(store), known)]
    rows = {
        row.id: Row(row.type, os.path.relpath(row.uri, home), mlmd.Artifact.State.Name(row.state))
        for row in store.get_artifacts()
    }
    inside = {
        (mark.artifact_id, directory, name)
        for mark in checkpoint_marks(known)
        for directory, name in mark.names
    }
    return World(
        files=Files(contents_below(home)),
        rows=rows,
        executions={
            execution.id: mlmd.Execution.State.Name(execution.last_known_state)
            for execution in store.get_executions()
            if not execution.type.startswith(ACT_TYPE_PREFIX)
        },
        pinned=frozenset(pin.artifact_id for pin in read_pins(store) if pin.stands(now_ms)),
        marked=frozenset(i for i in artifact_marks(known) if rows[i].state == "MARKED_FOR_DELETION"),
        inside=frozenset(inside),
        abandoned=frozenset(os.path.relpath(mark.orphan.path, home) for mark in orphan_marks(known)),
        acts=tuple(known),
        findings=tuple(f"{found.kind} {found.act_id}: {found.detail}" for found in findings),
    )


def contents_below(home: Path, place: str = "") -> dict[str, Content]:
    """Everything below a place, but for the database and what sqlite writes beside it."""
    seen: dict[str, Content] = {}
    for directory, names, files in os.walk(home / place):
        within = directory[len(str(home)) + 1 :]
        for name in (*names, *files):
            if within or not name.startswith(DATABASE):
                seen[f"{within}/{name}" if within else name] = content_of(f"{directory}/{name}")
    return seen


def content_of(path: str | Path) -> Content:
    """One name as it is."""
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return mode, os.fsencode(os.readlink(path))
    if not stat.S_ISREG(mode):
        return mode, b""
    with open(path, "rb") as file:
        return mode, file.read()
