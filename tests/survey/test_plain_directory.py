"""The engine on a directory that no store knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.builders import damage_checkpoint, flip_bit, write_checkpoints
from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.verification import Level
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.look import CheckpointOrder
from tfx_janitor.survey.plain_directory import DirectoryPlan, plan_directory, rule_of


class Counting(Threads):
    """A crew that remembers what it was asked to look at."""

    def __init__(self) -> None:
        super().__init__(2)
        self.seen: list[str] = []

    def run(self, task: str, work: Callable, items: Sequence) -> list:
        self.seen += [item.name for item in items if isinstance(item, CheckpointOrder)]
        return super().run(task, work, items)


def verdicts(planned: DirectoryPlan) -> dict[str, str]:
    return {decision.name: decision.verdict for decision in planned.decisions}


def test_only_what_stays_is_verified(tmp_path: Path):
    crew = Counting()
    planned = plan_directory(
        str(write_checkpoints(tmp_path, (1, 2, 3))), rule_of(last=1), crew, Level.CHECKSUMS
    )
    assert verdicts(planned) == {"ckpt-1": "delete", "ckpt-2": "delete", "ckpt-3": "keep"}
    assert crew.seen == ["ckpt-3"]


def test_a_damaged_one_makes_the_next_stay(tmp_path: Path):
    run = write_checkpoints(tmp_path, (1, 2, 3, 4))
    damage_checkpoint(run, "ckpt-4")
    flip_bit(run / "ckpt-3.index", 3)
    crew = Counting()
    planned = plan_directory(str(run), rule_of(last=1), crew, Level.CHECKSUMS)
    assert verdicts(planned) == {
        "ckpt-1": "delete",
        "ckpt-2": "keep",
        "ckpt-3": "unknown",
        "ckpt-4": "unknown",
    }
    assert crew.seen == ["ckpt-4", "ckpt-3", "ckpt-2"]
    assert [doubt.name for doubt in planned.doubts] == ["ckpt-3", "ckpt-4"]
    assert "tensor" in planned.doubts[1].reasons[0].detail


def test_the_newest_whole_one_stays_whatever_the_rule_says(tmp_path: Path):
    run = write_checkpoints(tmp_path, (10, 11, 12))
    planned = plan_directory(str(run), rule_of(every_n_steps=100), Threads(1), Level.CHECKSUMS)
    assert verdicts(planned) == {"ckpt-10": "keep", "ckpt-11": "delete", "ckpt-12": "keep"}
    (hold,) = planned.decisions[-1].reasons
    assert (hold.code, hold.detail) == ("hold.newest-checkpoint", "newest of 3 restorable; it always stays")


def test_a_link_to_a_directory_means_the_directory(tmp_path: Path):
    run = write_checkpoints(tmp_path / "run", (1,))
    (tmp_path / "link").symlink_to(run)
    planned = plan_directory(str(tmp_path / "link"), rule_of(last=1), Threads(1), Level.STRUCTURE)
    assert planned.path == os.path.realpath(run)


def test_an_unreadable_state_file_is_refused(tmp_path: Path):
    run = write_checkpoints(tmp_path, (1, 2))
    (run / "checkpoint").write_text("not a state {")
    with pytest.raises(JanitorError, match="not a checkpoint state"):
        plan_directory(str(run), rule_of(last=1), Threads(1), Level.STRUCTURE)


@pytest.mark.parametrize("words", [{}, {"last": 0}, {"every_n_hours": float("nan")}, {"every_n_steps": -1}])
def test_a_rule_that_keeps_nothing_is_refused(words: dict):
    with pytest.raises(JanitorError, match="expected a rule for checkpoints"):
        rule_of(**words)
