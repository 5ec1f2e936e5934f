"""Whether the acts are still those that were written: what is altered, and what is gone.

An act's own hash shows that its record was altered. The hashes that later acts name it by show it as well
where its own was made to fit, and show that an act is gone. What nobody names, nobody misses: that the newest
acts are gone shows only to who noted the head's hash elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tfx_janitor.deletion import seals
from tfx_janitor.deletion.act import Act, Link
from tfx_janitor.retention.plan import Plan

FindingKind = Literal[
    "altered-act",
    "altered-pin",
    "altered-plan",
    "missing-head",
    "removed-act",
    "removed-pin",
    "unknown-pin",
    "unsealed-act",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written.

    Attributes:
      act_id: the act that it is about, None where it is about none.
      detail: what is wrong, in one line.
      expected: the hash that should be there, where one tells it.
      found: the one that is there.
    """

    kind: FindingKind
    act_id: int | None
    detail: str
    expected: str | None = None
    found: str | None = None


def check(acts: Sequence[Act]) -> list[Finding]:
    """What is altered or gone, by act id.

    An act without a hash is no finding where none before it has one: a version of before wrote it.

    Args:
      acts: all acts of a store, ascending by id.
    """
    naming = _naming(acts)
    found = [
        Finding("removed-act", act_id, f"it is gone: act {by} names it", expected=digest)
        for act_id in naming.keys() - {act.id for act in acts}
        for digest, by in naming[act_id].items()
    ]
    sealed_before = False
    for act in acts:
        problem = _alteration(act, naming.get(act.id, {}))
        if problem is None and act.seal is None and sealed_before:
            detail = "no hash: an older tfx-janitor wrote it, or its hash was taken away"
            problem = Finding("unsealed-act", act.id, detail)
        found += [] if problem is None else [problem]
        found += _policy(act)
        sealed_before = sealed_before or act.seal is not None
    return sorted(found, key=lambda finding: finding.act_id or 0)


def heads(acts: Iterable[Act]) -> list[Link]:
    """The acts that none names as they are now, mostly the newest alone: their hashes cover all others."""
    acts = tuple(acts)
    named = {link for act in acts if act.seal is not None for link in act.seal.previous}
    sealed = [(act.id, act.seal.hash) for act in acts if act.seal is not None]
    return [link for link in sealed if link not in named]


def check_heads(acts: Iterable[Act], noted: Iterable[str]) -> Iterator[Finding]:
    """Which hashes that somebody noted no act has any more."""
    known = {digest for act in acts if act.seal is not None for digest in (act.seal.begun, act.seal.ended)}
    for digest in noted:
        if digest not in known:
            detail = "no act has the hash that was noted: it is gone, or altered and hashed anew"
            yield Finding("missing-head", None, detail, expected=digest)


def check_plan(acts: Iterable[Act], plan: Plan) -> Iterator[Finding]:
    """Whether a plan is one that was applied, and what the acts recorded of its decisions."""
    applied = [act for act in acts if act.kind == "apply" and act.details.get("plan_id") == plan.id]
    if not applied:
        detail = "no act applied it: it was never applied here, or was altered and hashed anew since"
        yield Finding("altered-plan", None, detail, found=plan.id)
        return
    touched = {touch.artifact_id for act in applied for touch in act.touches}
    decisions = {d.artifact_id: d for d in plan.decisions if d.artifact_id in touched}
    for act in applied:
        expected = act.details.get("decided")
        wanted = sorted({touch.artifact_id for touch in act.touches} & decisions.keys())
        marked = {record.get("path") for record in act.details.get("orphans", ())}
        found = seals.decided(
            [
                *(decisions[artifact_id] for artifact_id in wanted),
                *(orphan for orphan in plan.orphans or () if orphan.path in marked),
            ]
        )
        if expected is not None and expected != found:
            detail = f"what it recorded of the decisions of plan {plan.id} is not what the plan says"
            yield Finding("altered-plan", act.id, detail, expected, found)


def sound(acts: Iterable[Act], findings: Iterable[Finding]) -> list[Act]:
    """The acts that nothing was found about."""
    doubtful = {finding.act_id for finding in findings}
    return [act for act in acts if act.id not in doubtful]


def _naming(acts: Iterable[Act]) -> Mapping[int, Mapping[str, int]]:
    """By act id, the hashes that later acts name it by, each with the first act that does."""
    naming: dict[int, dict[str, int]] = {}
    for act in acts:
        for act_id, digest in act.seal.previous if act.seal is not None else ():
            naming.setdefault(act_id, {}).setdefault(digest, act.id)
    return naming


def _alteration(act: Act, naming: Mapping[str, int]) -> Finding | None:
    """The first thing that shows that an act is not as it was written.

    Args:
      naming: the hashes that later acts name it by, and which acts do.
    """

    def altered(detail: str, expected: str | None = None, found: str | None = None) -> Finding:
        return Finding("altered-act", act.id, detail, expected, found)

    seal = act.seal
    if seal is None:
        for digest, by in naming.items():
            return altered(f"its hash was taken away: act {by} names it", expected=digest)
        return altered(act.damage) if act.damage else None
    begun = seals.beginning(act, seal.previous)
    if begun != seal.begun:
        return altered(
            "its kind, time, actor, version, details, touched artifacts, or the acts that it names",
            seal.begun,
            begun,
        )
    if act.ended != (seal.ended is not None):
        said, hashed = ("ended", "is missing") if act.ended else ("did not end", "is there")
        return altered(f"its state says that it {said}, and the hash of its end {hashed}", seal.ended)
    if seal.ended is None and (act.outcomes or act.damage):
        return altered("it did not end, and has outcomes")
    if seal.ended is not None and (ended := seals.end(seal.begun, act.outcomes)) != seal.ended:
        return altered("its outcomes", seal.ended, ended)
    for digest, by in naming.items():
        if digest not in (seal.begun, seal.ended):
            return altered(f"it was hashed anew: act {by} names it by another hash", digest, seal.hash)
    return None


def _policy(act: Act) -> Iterator[Finding]:
    """An act of applying carries its plan's policy, and the policy's own hash beside it."""
    expected, policy = act.details.get("policy_digest"), act.details.get("policy")
    if expected is not None and policy is not None and (found := seals.plain(policy)) != expected:
        yield Finding("altered-plan", act.id, "the policy of its plan", expected, found)
