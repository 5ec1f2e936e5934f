"""Many items, batch by batch, until somebody wants to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tfx_janitor.deletion.act import NOT_BEGUN, Outcome
from tfx_janitor.deletion.acts import BATCH
from tfx_janitor.deletion.site import Site

IN_HAND = 50
"""Payloads that are removed without looking up: what somebody who wants to stop waits for."""

_Item = TypeVar("_Item")


def in_hand(site: Site) -> int:
    """How many payloads are removed without looking up whether somebody wants to stop.

    As many as an act has where nobody can: a crew that starts a Beam pipeline each time is asked once.
    """
    return BATCH if site.stopping is None else IN_HAND


def in_batches(
    site: Site,
    items: Sequence[_Item],
    carry_out: Callable[[Sequence[_Item]], list[Outcome]],
    *,
    left: Callable[[_Item], Outcome],
    size: int | None = None,
) -> list[Outcome]:
    """Carries something out on many items. A batch that was begun comes to its end, whoever wants to stop.

    Args:
      carry_out: takes one batch.
      left: what becomes of an item that is not begun any more; see `not_begun`.
      size: of a batch; as many as an act may have, unless given.
    """
    outcomes: list[Outcome] = []
    step = size or BATCH
    for start in range(0, len(items), step):
        batch = items[start : start + step]
        outcomes += map(left, batch) if site.stopped else carry_out(batch)
    return outcomes


def not_begun(artifact_id: int) -> Outcome:
    """What becomes of an artifact that the wish to stop came before."""
    return Outcome(artifact_id, "skipped", NOT_BEGUN)
