"""Everything that there is to say about one artifact: its verdict, its reasons, its past.

Three answers: an artifact that a rule governs has a decision; one that none governs has the rules that came
closest and what they miss; one that is DELETED has the acts that deleted it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfx_janitor.deletion.marks import CheckpointName, checkpoint_marks
from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot
from tfx_janitor.policy.schema import Rule
from tfx_janitor.report.artifact_facts import artifact_facts
from tfx_janitor.report.finding import Found
from tfx_janitor.report.lineage_links import LineageLinks
from tfx_janitor.report.lineage_names import LineageNames
from tfx_janitor.report.moment import Moment
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.plan import Decision, Reason, Verdict, verdict_of
from tfx_janitor.retention.settlement import Settlement
from tfx_janitor.retention.timestamps import to_iso

if TYPE_CHECKING:
    from tfx_janitor.deletion.act import Act, Outcome

SCHEMA = "tfx-janitor/explanation/v1"

_ANY = ("*",)


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule that does not match an artifact, and what of it does not fit."""

    rule: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """What one act did to the artifact; `outcome` is None if the act was cut off."""

    act: Act
    what: str
    outcome: Outcome | None


@dataclass(frozen=True)
class Explanation:
    """What `explain` answers.

    Attributes:
      found: which artifact, and how it was named.
      facts: what the store says of it, JSON-ready.
      moment: when it is looked at.
      decision: None if no rule governs it, or it is DELETED.
      reasons: all that is to be said of it: holds, then each rule's words, kept and missed. For an ungoverned
        artifact, the holds that would hold it.
      misses: for an ungoverned artifact, the rules that came closest.
      past: acts of the janitor that touched it until the moment, oldest first.
      since: those that touched it later.
      notes: what a reader must know of an answer that is not for now, a sentence each.
      origin: for a PushedModel, names of the execution that pushed it and of the Models that it was given.
    """

    found: Found
    facts: Mapping[str, Any]
    moment: Moment
    decision: Decision | None
    reasons: tuple[Reason, ...]
    misses: tuple[Miss, ...]
    past: tuple[Past, ...]
    since: tuple[Past, ...]
    notes: tuple[str, ...]
    origin: tuple[str, ...]
    names: LineageNames
    links: LineageLinks

    @property
    def verdict(self) -> str:
        """`keep`, `delete`, `unknown`; `ungoverned` or `deleted` where there is nothing to decide."""
        if self.decision is not None:
            return self.decision.verdict
        return "deleted" if self.facts["state"] == ArtifactState.DELETED.name else "ungoverned"

    @property
    def telling(self) -> tuple[Reason, ...]:
        """The reasons that the verdict rests on: what holds, or what lets go of what may go."""
        return self.reasons if self.decision is None else self.decision.reasons

    @property
    def missed(self) -> tuple[Reason, ...]:
        """Every word of the policy that did not keep it, and by how much it missed."""
        return tuple(reason for reason in self.reasons if not reason.holds)

    @property
    def rules_verdict(self) -> Verdict | None:
        """What the rules alone say, whatever holds it; None where none governs it."""
        if self.decision is None:
            return None
        return verdict_of(reason for reason in self.reasons if reason.rule is not None)

    @property
    def marked_checkpoints(self) -> frozenset[CheckpointName]:
        """The checkpoints inside on which a mark stood at the moment."""
        artifact_id = self.facts["artifact_id"]
        marks = checkpoint_marks([past.act for past in self.past])
        return frozenset(name for mark in marks if mark.artifact_id == artifact_id for name in mark.names)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        decision, moment = self.decision, self.moment
        inside, marked = () if decision is None else decision.checkpoints, self.marked_checkpoints
        return {
            "schema": SCHEMA,
            **self.facts,
            "served": self.found.served,
            "at": to_iso(moment.at_ms),
            "tense": moment.tense,
            "verdict": self.verdict,
            "rules_verdict": self.rules_verdict,
            "verdict_if_whole": moment.verdict_if_whole(self.found.row, self.reasons),
            "bytes": None if decision is None else decision.bytes,
            "reasons": [self._reason_dict(reason) for reason in self.telling],
            "missed": [self._reason_dict(reason) for reason in self.missed],
            "checkpoints": [{**c.to_dict(), "marked": (c.directory, c.name) in marked} for c in inside],
            "closest_rules": [{"rule": miss.rule, "because": list(miss.because)} for miss in self.misses],
            "origin": list(self.origin),
            "history": [_past_dict(past) for past in self.past],
            "since": [_past_dict(past) for past in self.since],
            "notes": list(self.notes),
        }

    def _reason_dict(self, reason: Reason) -> dict[str, Any]:
        return {
            **reason.to_dict(),
            "path_names": self.names.path(reason.path),
            "path_links": [link.to_dict() for link in self.links.path(reason.path)],
        }


def explain(
    settlement: Settlement,
    found: Found,
    decision: Decision | None,
    acts: Iterable[Act],
    moment: Moment,
) -> Explanation:
    """Gathers what there is to say.

    Args:
      settlement: the case judged, at the moment.
      found: the artifact.
      decision: on it; None if no rule governs it, or it is DELETED.
      acts: those that ever touched it, oldest first.
    """
    case = settlement.nomination.case
    snapshot, row = case.snapshot, found.row
    artifact_id = int(snapshot.artifacts.id[row])
    names = LineageNames(snapshot)
    ungoverned = decision is None and snapshot.artifacts.state[row] != ArtifactState.DELETED
    if decision is not None:
        holding = (reason for reason in decision.reasons if reason.holds)
        reasons = (*holding, *(reason for reason in settlement.reasons_of(row) if not reason.holds))
    else:
        reasons = settlement.holds_on(row) if ungoverned else ()
    told = [_past(act, artifact_id) for act in acts]
    return Explanation(
        found=found,
        facts=artifact_facts(snapshot, row),
        moment=moment,
        decision=decision,
        reasons=reasons,
        misses=_closest(case, row) if ungoverned else (),
        past=tuple(past for past in told if not moment.precedes(past.act.at_ms)),
        since=tuple(past for past in told if moment.precedes(past.act.at_ms)),
        notes=tuple(moment.notes(row, settlement, reasons)),
        origin=_origin(case, row, names),
        names=names,
        links=LineageLinks(snapshot),
    )


def _origin(case: Case, row: int, names: LineageNames) -> tuple[str, ...]:
    pushes = [
        (model, execution)
        for model, pushed in case.pushes.items()
        for execution, made in pushed
        if made == row
    ]
    steps = [case.execution_step(execution) for _, execution in pushes[:1]]
    return tuple(names.path([*steps, *(case.artifact_step(model) for model, _ in pushes)]))


def _closest(case: Case, row: int) -> tuple[Miss, ...]:
    snapshot = case.snapshot
    misses = [Miss(rule.name, tuple(_unfit(rule, snapshot, row))) for rule in case.policy.rules]
    least = min((len(miss.because) for miss in misses), default=0)
    return tuple(miss for miss in misses if len(miss.because) == least)


def _unfit(rule: Rule, snapshot: Snapshot, row: int) -> list[str]:
    """What of an artifact a rule does not match, each in words."""
    values = {
        "type": snapshot.type_of(row),
        "pipeline": snapshot.pipeline_of(row),
        "node": snapshot.node_of(row),
        "output": snapshot.output_of(row),
    }
    unfit = []
    for name, value in values.items():
        alone = rule.match.model_copy(
            update={**{other: _ANY for other in values if other != name}, "properties": {}}
        )
        if not alone.matches(snapshot.type_of(row), values["pipeline"], values["node"], values["output"], {}):
            wanted = " or ".join(getattr(rule.match, name))
            unfit.append(f"its {name} is {value or 'not known'}, the rule wants {wanted}")
    for name, wanted in rule.match.properties.items():
        value = snapshot.property(row, name)
        if value != wanted:
            told = "missing" if value is None else value
            unfit.append(f"its property {name} is {told}, the rule wants {wanted}")
    return unfit


def _past(act: Act, artifact_id: int) -> Past:
    what = next(touch.what for touch in act.touches if touch.artifact_id == artifact_id)
    outcome = next((o for o in act.outcomes if o.artifact_id == artifact_id), None)
    return Past(act, what, outcome)


def _past_dict(past: Past) -> dict[str, Any]:
    details, outcome = past.act.details, past.outcome
    return {
        "act": past.act.id,
        "kind": past.act.kind,
        "at": to_iso(past.act.at_ms),
        "actor": past.act.actor,
        "version": past.act.version,
        "plans": plans_of(past.act),
        "policy_digest": details.get("policy_digest"),
        "done": None if outcome is None else outcome.done,
        "detail": "" if outcome is None else outcome.detail,
        "bytes": 0 if outcome is None else outcome.bytes,
    }


def plans_of(act: Act) -> list[str]:
    """Ids of the plans that an act carried out."""
    plan_id = act.details.get("plan_id")
    return [plan_id] if plan_id else list(act.details.get("plan_ids", ()))
