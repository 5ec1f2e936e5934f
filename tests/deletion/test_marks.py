"""Which acts make marks on artifacts, and which end them."""

from __future__ import annotations

from tfx_janitor.deletion.act import Act, Kind, Outcome, Touch
from tfx_janitor.deletion.marks import artifact_marks

RUN = 5
"""The ModelRun that is marked, and in which checkpoints were marked before."""


def act(act_id: int, kind: Kind, what: str, done: str, **details: object) -> Act:
    """An act that touched the ModelRun and came to its end."""
    became = (Outcome(RUN, done),)
    return Act(act_id, kind, 0, "tester@here", "1", True, details, (Touch(RUN, what),), became)


MARKED = act(11, "apply", "mark", "marked")


def test_a_restore_ends_a_mark() -> None:
    assert artifact_marks([MARKED]).keys() == {RUN}
    assert artifact_marks([MARKED, act(12, "restore", "restore", "restored")]) == {}


def test_a_restore_of_the_checkpoints_inside_ends_none() -> None:
    inside = act(12, "restore", "restore", "restored", closes=[[10, RUN]])
    assert artifact_marks([MARKED, inside])[RUN].act == MARKED
