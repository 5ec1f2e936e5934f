"""Purges directories that no artifact claims, after looking at them once more.

How a purge and a restore keep out of each other's way is told in `orphans`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tfx_janitor.deletion import acts, seals
from tfx_janitor.deletion.act import Act, Outcome
from tfx_janitor.deletion.batches import in_batches, in_hand
from tfx_janitor.deletion.orphan_marks import (
    OrphanMark,
    closed_by,
    in_words,
    not_begun,
    orphan_marks,
    outcome_of,
)
from tfx_janitor.deletion.remove import (
    Removed,
    check_removable_at,
    finish_at,
    in_trash,
    opened,
    vanish_at,
)
from tfx_janitor.deletion.second_judgement import SecondJudgement
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.payload.places import Place
from tfx_janitor.payload.presence import Unread, is_missing
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Orphan
from tfx_janitor.survey.crew import Failed
from tfx_janitor.survey.orphans import Search, find_orphans, look_into


@dataclass(frozen=True, slots=True)
class OrphanOrder:
    """One directory to remove.

    Attributes:
      orphan: as it was marked; if it is anything else by now, it stays.
      label: of its entry in the trash.
      roots: it must lie inside one of these.
      finish: whether only what an earlier purge left in the trash goes, whatever lies at the path.
    """

    orphan: Orphan
    label: str
    roots: tuple[Place, ...]
    finish: bool = False


def remove_orphan(order: OrphanOrder) -> Removed | None:
    """Makes a directory disappear and removes its bytes, or finishes what a crash left of that.

    Returns:
      What was removed; None if the directory is not as it was marked, and was left alone.

    Raises:
      RemovalError: it is not inside the roots, or a link has come into its path.
      JanitorError: something is mounted in it.
      OSError: the file system refused.
    """
    directory, name = os.path.split(order.orphan.path)
    with opened(directory, roots=order.roots) as directory_fd:
        removed = finish_at(directory_fd, order.label)
        if order.finish or is_missing(order.orphan.path):
            return removed
        check_removable_at(directory_fd, name)
        found = look_into(order.orphan.path)
        now = replace(
            order.orphan,
            inode=found.inode,
            newest_ms=found.newest_ms,
            bytes=found.bytes,
            files=found.files,
        )
        if now.content != order.orphan.content:
            return None
        return removed + vanish_at(directory_fd, name, order.label)


@dataclass(frozen=True, slots=True)
class _Fate:
    """What becomes of one mark.

    Attributes:
      does: "remove" the directory; "finish" what an earlier purge began; "close" the mark, the directory
        stays; "wait", for nobody can tell, or another policy must.
      done: for the last two, what becomes of it in the record, and why; nothing of what waits for a policy.
      alone: whether the other directories of the execution are not concerned.
    """

    mark: OrphanMark
    does: Literal["remove", "finish", "close", "wait"]
    done: str = ""
    detail: str = ""
    alone: bool = False


def purge(
    site: Site,
    snapshot: Snapshot,
    known: Sequence[Act],
    judges: SecondJudgement,
    altered: frozenset[int],
) -> list[Outcome]:
    """Looks at all marked directories whose grace is over once more, and removes what may still go.

    Args:
      snapshot: read before the acts.
      known: all acts.
      judges: knows the policies in question.
      altered: acts that are not as they were written.

    Returns:
      One outcome per directory: purged; finished, where an earlier purge was cut off; rescued, where
      something shows life or claims it; skipped or failed.
    """
    outcomes = list(_of_altered(known, altered))
    due = [
        one
        for one in orphan_marks(known, altered=altered)
        if one.act.is_due(site.now_ms) and site.only_pipeline in (None, one.orphan.pipeline)
    ]
    second = _SecondLook(site, snapshot, judges)
    fates: list[_Fate] = []
    together: dict[tuple[int, int], list[_Fate]] = defaultdict(list)
    for one in due:
        together[one.act.id, one.orphan.execution].append(second.fate(one))
    for group in together.values():
        fates += _together(group)
    outcomes += [_settled(fate) for fate in fates if fate.does == "wait" and fate.done]
    dealt_with = [fate for fate in fates if fate.does != "wait"]
    outcomes += in_batches(
        site,
        dealt_with,
        lambda batch: _carry_out(site, batch, judges),
        left=lambda fate: not_begun(fate.mark.orphan),
        size=in_hand(site),
    )
    return outcomes


class _SecondLook:
    """Finds the directories anew under each policy in question, when it first matters."""

    def __init__(self, site: Site, snapshot: Snapshot, judges: SecondJudgement) -> None:
        self._site, self._snapshot, self._judges = site, snapshot, judges
        self._by_digest: dict[str, tuple[Search, Mapping[str, Orphan]]] = {}

    def fate(self, mark: OrphanMark) -> _Fate:
        path = mark.orphan.path
        if mark.begun and in_trash(path, mark.label):
            return _Fate(mark, "finish")
        if is_missing(path):
            if not os.path.isdir(os.path.dirname(path)):
                detail = "nothing lies there, nor is there the directory that it lay in: is its disk mounted?"
                return _Fate(mark, "wait", "skipped", detail)
            if mark.begun:
                return _Fate(mark, "finish")
            return _Fate(mark, "close", "skipped", "it is gone already", alone=True)
        marking, *in_force = self._judges.policies(mark.act)
        heard = [policy for policy in in_force if self._judges.has_a_say_on(policy, path)]
        for policy in (marking, *heard):
            now, obstacle = self._found(policy, path)
            if now is None and obstacle is not None:
                return _Fate(mark, "wait", "skipped", str(obstacle))
            if now is None:
                detail = f"execution {mark.orphan.execution} or an artifact claims it now"
                return _Fate(mark, "close", "rescued", detail)
            if now.verdict == "unknown":
                why = next(reason for reason in now.reasons if reason.code.startswith("unknown."))
                return _Fate(mark, "wait", "skipped", in_words(why))
            if now.verdict == "keep":
                return _Fate(mark, "close", "rescued", in_words(now.reasons[0]))
            if now.content != mark.orphan.content:
                return _Fate(mark, "close", *_CHANGED)
        return _Fate(mark, "remove" if heard == in_force else "wait")

    def _found(self, policy: RetentionPolicy, path: str) -> tuple[Orphan | None, Unread | None]:
        """The verdict on a directory, if it is found anew; else what kept this from looking, if any."""
        if policy.digest not in self._by_digest:
            search = find_orphans(self._site.case(self._snapshot, policy), self._site.scouts) or Search()
            self._by_digest[policy.digest] = search, {orphan.path: orphan for orphan in search.orphans}
        search, orphans = self._by_digest[policy.digest]
        return orphans.get(path), search.why_not(path)


_CHANGED = ("skipped", "it changed since it was marked")


def _together(fates: Sequence[_Fate]) -> Iterator[_Fate]:
    """The directories of one execution go together or not at all."""
    staying = [fate for fate in fates if fate.does in ("close", "wait") and not fate.alone]
    for fate in fates:
        if fate.does == "remove" and staying:
            first = staying[0]
            detail = f"as {first.mark.orphan.path} of the same execution: {first.detail}"
            yield replace(fate, does=first.does, done=first.done, detail=detail)
        else:
            yield fate


def _carry_out(site: Site, fates: Sequence[_Fate], judges: SecondJudgement) -> list[Outcome]:
    removing = [fate for fate in fates if fate.does in ("remove", "finish")]
    details = {
        "plan_ids": sorted({fate.mark.act.details["plan_id"] for fate in fates}),
        "closes": [fate.mark.closing for fate in fates],
        "removes": [fate.mark.closing for fate in removing],
    }
    act = acts.begin(site, "purge", [], details)
    taken_back = {c for other in acts.read(site.store, kinds=("restore",)) for c in closed_by(other)}
    done = [_settled(fate) for fate in fates if fate.does == "close"]
    released = [fate for fate in removing if fate.mark.closing in taken_back and fate.does == "remove"]
    done += [outcome_of(fate.mark.orphan, "skipped", "it was restored meanwhile") for fate in released]
    going = [fate for fate in removing if fate not in released]
    orders = [
        OrphanOrder(f.mark.orphan, f.mark.label, judges.roots(f.mark.act), f.does == "finish") for f in going
    ]
    answers = site.crew.run("purge orphans", remove_orphan, orders)
    for fate, answer in zip(going, answers, strict=True):
        orphan = fate.mark.orphan
        if isinstance(answer, Failed):
            done.append(outcome_of(orphan, "failed", answer.error))
        elif answer is None:
            done.append(outcome_of(orphan, *_CHANGED))
        elif fate.does == "finish":
            done.append(outcome_of(orphan, "finished", "an earlier purge of it was cut off", answer.bytes))
        else:
            done.append(outcome_of(orphan, "purged", "", answer.bytes))
    acts.end(site, act, done)
    return done


def _of_altered(known: Sequence[Act], altered: frozenset[int]) -> Iterator[Outcome]:
    for act in known:
        for record in act.details.get("orphans", ()) if act.id in altered else ():
            path = record.get("path") if isinstance(record, dict) else None
            if isinstance(path, str) and not is_missing(path):
                yield Outcome(0, "skipped", seals.ALTERED.format(act.id), path=path)


def _settled(fate: _Fate) -> Outcome:
    return outcome_of(fate.mark.orphan, fate.done, fate.detail)
