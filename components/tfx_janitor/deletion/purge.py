"""Deletes what was marked longer ago than its grace, after judging it again; rescues what is needed again.

Whatever is marked is judged under the policy that marked it, read back from the act of marking, and under
the one given now, if any: it goes only if both still let it go. How it goes is in `claim`. A crash at any
point leaves an act that never ended, and what it began the next purge finishes.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tfx_janitor.deletion import acts, checkpoint_purge, loader, orphan_purge
from tfx_janitor.deletion.act import Act, Kind, Outcome, Touch
from tfx_janitor.deletion.batches import in_batches, not_begun
from tfx_janitor.deletion.claim import Condemned, carry_out, trash_label
from tfx_janitor.deletion.marks import artifact_marks, checkpoint_marks
from tfx_janitor.deletion.overtaken import in_words, unless_overtaken
from tfx_janitor.deletion.remove import is_tidy
from tfx_janitor.deletion.seals import ALTERED, as_written
from tfx_janitor.deletion.second_judgement import SecondJudgement
from tfx_janitor.deletion.site import Site
from tfx_janitor.deletion.states import transition
from tfx_janitor.deletion.whole import check_whole
from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot
from tfx_janitor.payload.places import unfollowed
from tfx_janitor.payload.presence import has_vanished, is_missing
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Reason

_MARKING: tuple[Kind, ...] = ("apply", "mend")
_NO_REASON = Reason("", "")


def purge(site: Site, *, policy: RetentionPolicy | None = None) -> list[Outcome]:
    """Purges, rescues and prunes what is due.

    Args:
      policy: the policy in force now; None judges by the policies that marked alone.

    Returns:
      One outcome per artifact: purged, rescued, pruned, skipped or failed; finished, where an earlier purge
      was cut off; corrected, where somebody put LIVE over DELETED and nothing lies there. What is marked,
      still lets go and is within its grace, or not of this policy, has none.

    Raises:
      NotInstalled: payloads are to be loaded, and there is no TensorFlow; nothing was done. What another
        policy than the one in force marked is left then, and told once its grace is over.
      Stopped: somebody wanted to stop while this was looking; the site's account tells what was done before.
    """
    if policy is not None:
        loader.check(policy)
    # Rows before acts: a mark that is made in between is seen in its own grace, not in that of an older one.
    snapshot = site.read()
    known = acts.read(site.store)
    # A grace or a policy that somebody altered after the marking must not decide what goes.
    altered = frozenset(act.id for act in known if act.kind in _MARKING and not as_written(act))
    judges = SecondJudgement(site, snapshot, policy)
    standing = list(_standing(site, snapshot, known))
    unjudged = _unjudged(
        judges,
        [
            *(item.mark.act for item in standing if item.state == ArtifactState.MARKED_FOR_DELETION),
            *(mark.act for mark in checkpoint_marks(known) if site.concerns(snapshot, mark.artifact_id)),
        ],
        altered,
        must=policy is None,
    )
    fates = [_fate(site, judges, altered, unjudged, item) for item in standing]
    outcomes = [fate.outcome for fate in fates if fate.kind == "leave"]
    doubts = [fate.outcome for fate in fates if fate.kind == "doubt"]
    outcomes += unless_overtaken(site, snapshot, doubts, aims=(ArtifactState.DELETED,))
    outcomes += _rescue(site, snapshot, [(fate.item, fate.why) for fate in fates if fate.kind == "rescue"])
    outcomes += _remove(site, snapshot, judges, [fate.item for fate in fates if fate.kind == "remove"])
    outcomes += checkpoint_purge.purge(site, snapshot, known, judges, altered, unjudged)
    outcomes += orphan_purge.purge(site, snapshot, known, judges, altered)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Fate:
    """What is to become of an artifact.

    Attributes:
      kind: "remove" and "rescue"; "wait" for its grace, a hold or another policy; "leave", for it
        may not go now; "doubt", for nobody understands it, unless another janitor has taken it since.
      why: it is rescued, or left.
    """

    item: Condemned
    kind: Literal["remove", "rescue", "wait", "leave", "doubt"]
    why: Reason = _NO_REASON

    @property
    def outcome(self) -> Outcome:
        """Of what is left as it is."""
        detail = f"{self.why.code}: {self.why.detail}" if self.why.code else self.why.detail
        return Outcome(self.item.artifact_id, "skipped", detail)


def _unjudged(
    judges: SecondJudgement, marking: Iterable[Act], altered: Collection[int], *, must: bool
) -> frozenset[int]:
    """Ids of those acts of marking whose policy cannot judge here what it marked.

    Raises:
      NotInstalled: there is one, and all must be judged.
    """
    found: set[int] = set()
    for act in {act.id: act for act in marking if act.id not in altered}.values():
        policy = judges.policies(act)[0]
        if must:
            loader.check(policy)
        elif not loader.can_judge(policy):
            found.add(act.id)
    return frozenset(found)


def _fate(
    site: Site,
    judges: SecondJudgement,
    altered: Collection[int],
    unjudged: Collection[int],
    item: Condemned,
) -> _Fate:
    mark = item.mark
    if mark.act.id in altered:
        return _Fate(item, "leave", Reason("", ALTERED.format(mark.act.id)))
    if item.vanished:
        # The point of no return was passed, but whoever passed it did not live to come to the end; or what is
        # gone is called by another state again.
        return _Fate(item, "remove")
    if item.state == ArtifactState.DELETED:
        occupant = judges.occupant(mark.act, item.row, item.place)
        if occupant is None:
            return _Fate(item, "remove")
        return _Fate(item, "leave", Reason("", f"its purge was cut off; now {occupant}"))
    if mark.act.id in unjudged:
        if not mark.due(site.now_ms):
            return _Fate(item, "wait")
        return _Fate(item, "leave", Reason("", loader.UNJUDGED.format(mark.act.id)))
    decision = judges.of(mark.act, item.artifact_id)
    if decision is None:
        return _Fate(item, "rescue", Reason("keep.ungoverned", "no rule governs it"))
    if decision.verdict == "unknown":
        return _Fate(item, "doubt", next(r for r in decision.reasons if r.code.startswith("unknown.")))
    if decision.verdict == "keep":
        if not mark.discarded:
            return _Fate(item, "rescue", decision.reasons[0])
        # A person's word takes the place of the rules, but of no hold: while one holds, it stays marked.
        if any(reason.code.startswith("hold.") for reason in decision.reasons):
            return _Fate(item, "wait")
    if not (mark.due(site.now_ms) and judges.all_have_a_say(mark.act, item.artifact_id)):
        return _Fate(item, "wait")
    judged = judges.place(mark.act, item.row)
    # A link is judged by where it leads, and goes itself.
    if judged in (None, item.place) or os.path.islink(item.place.path):
        return _Fate(item, "remove")
    detail = f"it lay at {judged} when it was judged, and now lies at {item.place}"
    return _Fate(item, "leave", Reason("", detail))


def _remove(
    site: Site, snapshot: Snapshot, judges: SecondJudgement, going: Iterable[Condemned]
) -> list[Outcome]:
    """Payload by payload of each policy that marked some: they may have different roots."""
    by_policy: dict[str, list[Condemned]] = defaultdict(list)
    for item in going:
        by_policy[item.mark.act.details["policy_digest"]].append(item)
    outcomes: list[Outcome] = []
    for group in by_policy.values():
        roots = judges.roots(group[0].mark.act)
        outcomes += in_batches(
            site,
            group,
            lambda batch, roots=roots: carry_out(site, snapshot, batch, roots),
            left=lambda item: not_begun(item.artifact_id),
        )
    return outcomes


def _standing(site: Site, snapshot: Snapshot, known: Sequence[Act]) -> Iterable[Condemned]:
    """What this janitor marked, what it claimed and did not finish, and what came to life again; ascending.

    What others marked is theirs.
    """
    for artifact_id, mark in artifact_marks(known).items():
        row = snapshot.row(artifact_id)
        if row is None or not site.concerns(snapshot, artifact_id):
            continue
        state = ArtifactState(int(snapshot.artifacts.state[row]))
        if state == ArtifactState.MARKED_FOR_DELETION:
            place = unfollowed(snapshot.artifacts.uri[row])
            yield Condemned(row, artifact_id, mark, state, place, mark.begun and has_vanished(place.path))
        elif state == ArtifactState.DELETED and mark.unfinished:
            place = unfollowed(snapshot.artifacts.uri[row])
            vanished = is_missing(place.path)
            if not vanished or not is_tidy(place.path, trash_label(artifact_id)):
                yield Condemned(row, artifact_id, mark, state, place, vanished)
        elif state == ArtifactState.LIVE and mark.begun:
            place = unfollowed(snapshot.artifacts.uri[row])
            if has_vanished(place.path):
                yield Condemned(row, artifact_id, mark, state, place, vanished=True)


def _rescue(site: Site, snapshot: Snapshot, needed: Sequence[tuple[Condemned, Reason]]) -> list[Outcome]:
    damaged: list[Outcome] = []
    whole: list[tuple[Condemned, Reason]] = []
    problems = check_whole(site, snapshot, [item.row for item, _ in needed])
    for (item, reason), problem in zip(needed, problems, strict=True):
        if problem is None:
            whole.append((item, reason))
        else:
            detail = f"needed again ({reason.code}: {reason.detail}), but not whole: {problem}"
            damaged.append(Outcome(item.artifact_id, "failed", detail))
    outcomes = unless_overtaken(site, snapshot, damaged)
    outcomes += in_batches(
        site,
        whole,
        lambda batch: _unmark(site, snapshot, batch),
        left=lambda pair: not_begun(pair[0].artifact_id),
    )
    return outcomes


def _unmark(site: Site, snapshot: Snapshot, needed: Sequence[tuple[Condemned, Reason]]) -> list[Outcome]:
    touches = [Touch(item.artifact_id, "rescue") for item, _ in needed]
    act = acts.begin(site, "rescue", touches, {})
    answers = transition(
        site.store,
        {item.artifact_id: int(snapshot.artifacts.updated_ms[item.row]) for item, _ in needed},
        source=ArtifactState.MARKED_FOR_DELETION,
        target=ArtifactState.LIVE,
    )
    answers = in_words(site, snapshot, answers, aims=(ArtifactState.LIVE,))
    done = []
    for item, reason in needed:
        problem = answers[item.artifact_id]
        detail = f"{reason.code}: {reason.detail}" if problem is None else problem
        done.append(Outcome(item.artifact_id, "rescued" if problem is None else "skipped", detail))
    acts.end(site, act, done)
    return done
