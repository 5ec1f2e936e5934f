"""Takes payloads away: claimed first, then removed.

The very row that was judged becomes DELETED by compare-and-set before its payload is touched. From then on a
restore or a rescue is told no, and whoever was faster keeps what he has. Then the payload disappears in one
rename, and its bytes go. What is DELETED stays so: a claim is never taken back, since another janitor may be
finishing it already. So whatever would refuse the removal is looked for before.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.batches import in_batches, in_hand, not_begun
from tfx_janitor.deletion.last_look import needed_since
from tfx_janitor.deletion.marks import ArtifactMark
from tfx_janitor.deletion.overtaken import changed_since, in_words, unless_overtaken
from tfx_janitor.deletion.remove import Removed, check_removable_at, finish_at, opened, vanish_at
from tfx_janitor.deletion.site import Site
from tfx_janitor.deletion.states import transition
from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot
from tfx_janitor.payload.places import Place
from tfx_janitor.survey.crew import Failed, attempt

_AIMS = (ArtifactState.DELETED,)


@dataclass(frozen=True, slots=True)
class RemovalOrder:
    """One payload to remove.

    Attributes:
      path: absolute, links in it followed but for the last name: the place that was judged.
      label: of its entry in the trash.
      roots: it must lie inside one of these.
      vanished: nothing lay at the path when this was decided: only what is left of it in the trash goes, and
        not what may have come to lie there since.
    """

    path: str
    label: str
    roots: tuple[Place, ...]
    vanished: bool = False


def remove_payload(order: RemovalOrder) -> Removed:
    """Makes a payload disappear and removes its bytes, or finishes what a crash left of that.

    Raises:
      RemovalError: it is not inside the roots, or a link has come into its path since it was judged.
      OSError: the file system refused.
    """
    directory, name = os.path.split(order.path)
    with opened(directory, roots=order.roots) as directory_fd:
        removed = finish_at(directory_fd, order.label)
        return removed if order.vanished else removed + vanish_at(directory_fd, name, order.label)


def check_removable(order: RemovalOrder) -> None:
    """Looks whether a payload could be removed, and changes nothing.

    Raises:
      RemovalError: it is not inside the roots, a link has come into its path, or it is a mount point.
      OSError: the file system would refuse.
    """
    directory, name = os.path.split(order.path)
    with opened(directory, roots=order.roots) as directory_fd:
        check_removable_at(directory_fd, name)


@dataclass(frozen=True)
class Condemned:
    """An artifact whose payload is to go.

    Attributes:
      state: of the row that was judged: MARKED_FOR_DELETION; DELETED, if an earlier purge claimed it and was
        cut off; else it was DELETED, and somebody put another state over that.
    """

    row: int
    artifact_id: int
    mark: ArtifactMark
    state: ArtifactState
    place: Place
    vanished: bool

    @property
    def label(self) -> str:
        """What its payload is called in the trash."""
        return trash_label(self.artifact_id)


def trash_label(artifact_id: int) -> str:
    """What an artifact's payload is called in the trash."""
    return f"artifact-{artifact_id}"


def carry_out(
    site: Site, snapshot: Snapshot, condemned: Sequence[Condemned], roots: tuple[Place, ...]
) -> list[Outcome]:
    """Claims and removes the payloads of one act.

    Returns:
      One outcome per artifact: purged; finished, if an earlier purge had claimed it; corrected, if it is
      DELETED once more; skipped, if somebody was faster or wanted to stop; failed.
    """
    plan_ids = {item.mark.act.details["plan_id"] for item in condemned if not item.mark.discarded}
    details = {"plan_ids": sorted(plan_ids)}
    act = acts.begin(site, "purge", [Touch(item.artifact_id, "purge") for item in condemned], details)
    done = in_batches(
        site,
        condemned,
        lambda group: _remove(site, snapshot, group, roots),
        left=lambda item: not_begun(item.artifact_id),
        size=in_hand(site),
    )
    done.sort(key=lambda outcome: outcome.artifact_id)
    acts.end(site, act, done)
    return done


def _remove(
    site: Site, snapshot: Snapshot, condemned: Sequence[Condemned], roots: tuple[Place, ...]
) -> list[Outcome]:
    """Claims payloads and removes what it could claim: nothing may come between the two."""
    orders = [RemovalOrder(item.place.path, item.label, roots, item.vanished) for item in condemned]
    refused = [
        Outcome(item.artifact_id, "failed", f"{order.path}: {answer.error}")
        for item, order in zip(condemned, orders, strict=True)
        if isinstance(answer := attempt(check_removable, order), Failed)
    ]
    done = unless_overtaken(site, snapshot, refused, aims=_AIMS)
    refused_ids = {outcome.artifact_id for outcome in done}
    late = _last_look(site, snapshot, [item for item in condemned if item.artifact_id not in refused_ids])
    done += [Outcome(artifact_id, "skipped", why) for artifact_id, why in late.items()]
    problems = _claim(site, snapshot, condemned, leaving=refused_ids | late.keys())
    done += [Outcome(artifact_id, "skipped", problem) for artifact_id, problem in problems.items() if problem]
    settled = {outcome.artifact_id for outcome in done}
    claimed = [
        (item, order)
        for item, order in zip(condemned, orders, strict=True)
        if item.artifact_id not in settled
    ]
    answers = site.crew.run("purge", remove_payload, [order for _, order in claimed])
    for (item, order), answer in zip(claimed, answers, strict=True):
        if isinstance(answer, Failed):
            left = f"{order.path}: {answer.error}"
            detail = f"it is DELETED, but bytes are left, which the next purge removes: {left}"
            done.append(Outcome(item.artifact_id, "failed", detail))
        else:
            done.append(Outcome(item.artifact_id, *_became(item), answer.bytes))
    return done


def _last_look(site: Site, snapshot: Snapshot, condemned: Iterable[Condemned]) -> dict[int, str]:
    """By artifact id why it stays after all; where nothing lies any more, nothing can be saved."""
    there = [item for item in condemned if not item.vanished]
    # What is DELETED is not claimed: no compare-and-set tells that somebody has brought it back.
    deleted = {item.artifact_id for item in there if item.state == ArtifactState.DELETED}
    marked = {item.artifact_id for item in there} - deleted
    return changed_since(site, snapshot, deleted) | needed_since(site, snapshot, marked)


def _claim(
    site: Site, snapshot: Snapshot, condemned: Sequence[Condemned], leaving: Collection[int]
) -> dict[int, str | None]:
    """By artifact id why it cannot be claimed, None where it is; what is DELETED already needs no claim."""
    answers: dict[int, str | None] = {}
    for state in {item.state for item in condemned} - {ArtifactState.DELETED}:
        judged = {
            item.artifact_id: int(snapshot.artifacts.updated_ms[item.row])
            for item in condemned
            if item.state == state and item.artifact_id not in leaving
        }
        answers |= transition(site.store, judged, source=state, target=ArtifactState.DELETED)
    return in_words(site, snapshot, answers, aims=_AIMS)


def _became(item: Condemned) -> tuple[str, str]:
    if item.state == ArtifactState.MARKED_FOR_DELETION:
        return "purged", ""
    if item.state == ArtifactState.DELETED:
        return "finished", "an earlier purge of it was cut off"
    return "corrected", f"somebody had set it {item.state.name} again, and nothing lies at its URI"
