"""The checker sees what is broken: one guard of the deletion is taken away at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.deletion.faults.scenarios import SCENARIOS
from tests.deletion.faults.trial import Trial
from tfx_janitor import effects
from tfx_janitor.deletion import acts, checkpoints, claim, remove
from tfx_janitor.deletion.remove import Removed
from tfx_janitor.payload import checkpoint_state

Mutate = Callable[[pytest.MonkeyPatch], None]


def deleted_in_place(patch: pytest.MonkeyPatch) -> None:
    def vanish_at(parent_fd: int, name: str, label: str) -> Removed:
        return remove._remove(parent_fd, name)

    patch.setattr(claim, "vanish_at", vanish_at)


def trash_never_finished(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(claim, "finish_at", lambda *_: Removed())


def state_file_left_as_it_is(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(checkpoints.checkpoints, "write_state", lambda *_: None)


def state_file_written_in_place(patch: pytest.MonkeyPatch) -> None:
    def replace(directory: int, path: str, text: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        descriptor = effects.create(checkpoint_state.FILE, flags, 0o666, dir_fd=directory)
        effects.write(descriptor, text, path)
        os.close(descriptor)

    patch.setattr(checkpoint_state, "_replace", replace)


def shards_before_the_index(patch: pytest.MonkeyPatch) -> None:
    index_first = checkpoints._index_first

    def index_last(files: Sequence[str]) -> list[str]:
        return index_first(files)[::-1]

    patch.setattr(checkpoints, "_index_first", index_last)


def acts_that_tell_nothing(patch: pytest.MonkeyPatch) -> None:
    begin = acts.begin

    def silent(site: Any, kind: Any, _: Any, details: Any) -> int:
        return begin(site, kind, [], details)

    patch.setattr(acts, "begin", silent)


BROKEN: dict[str, tuple[Mutate, str, str]] = {
    "deleted in place": (deleted_in_place, "purge", "files at its URI are gone"),
    "trash never finished": (trash_never_finished, "purge", "next run: file"),
    "state file left as it is": (state_file_left_as_it_is, "prune", "which does not restore"),
    "state file written in place": (state_file_written_in_place, "prune", "its state file does not name"),
    "shards before the index": (shards_before_the_index, "prune", "has its index, and lacks other files"),
    "acts that tell nothing": (acts_that_tell_nothing, "mark", "no act tells of it"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_seen(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate, scenario, expected = BROKEN[name]
    mutate(monkeypatch)
    assert any(expected in problem for problem in violations(Trial(scenario, SCENARIOS[scenario], tmp_path)))


def violations(trial: Trial) -> Iterator[str]:
    """All that is broken when nothing is struck, and then by one strike after the other."""
    yield from trial.problems
    for at, fault in trial.faults():
        yield from trial.strike(fault, at)
