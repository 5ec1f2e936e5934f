"""The one place where codes become words for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tfx_janitor.report.text import count, size
from tfx_janitor.retention.plan import CheckpointDecision, Decision, Reason

_BRIEF = {
    "hold.active-execution": "in use",
    "hold.active-run": "its run is not over",
    "hold.claimed": "an artifact claims a part",
    "hold.evidence": "tells a metric",
    "hold.external": "external",
    "hold.latest-blessed": "latest blessed",
    "hold.newest": "newest of its node",
    "hold.newest-checkpoint": "newest checkpoint",
    "hold.no-verified-survivor": "no whole model would be left",
    "hold.outside-roots": "outside the roots",
    "hold.pinned": "pinned",
    "hold.served": "served",
    "hold.shared-payload": "shares its payload",
    "hold.too-young": "too young",
}
"""What holds, in two or three words; for a hold that is not listed here its code says it."""

_LEAD = {"hold.external": "not made by a pipeline: "}
"""What goes before a detail that does not say it all by itself."""

_WITHOUT_WORD = ("keep.prunes-inside", "expire.all")
"""What a rule says as a whole, and none of its words alone: the detail says it."""

_MARKED = "MARKED_FOR_DELETION"


def sentence(reason: Reason) -> str:
    """One reason in full: `last: rank 5 of 7, keeps 3 (rule models)`."""
    if _of_a_rule(reason):
        parts = [] if reason.code in _WITHOUT_WORD else [_word(reason)]
        said = ": ".join([*parts, *([reason.detail] if reason.detail else [])])
    else:
        said = f"{_LEAD.get(reason.code, '')}{reason.detail}" if reason.detail else brief(reason)
    return f"{said} (rule {reason.rule})" if reason.rule else said


def brief(reason: Reason) -> str:
    """One reason in as few words as tell it apart."""
    if _of_a_rule(reason):
        return f"rule {reason.rule}: {_word(reason)}" if reason.rule else _word(reason)
    return _BRIEF.get(reason.code, reason.code.partition(".")[2].replace("-", " "))


def why(decision: Decision) -> str:
    """The reasons of a verdict for one cell of a table: what keeps in brief, what lets go in full."""
    said = []
    if decision.state == _MARKED:
        said.append(
            "already marked" if decision.verdict == "delete" else "marked, will be rescued unless discarded"
        )
    if decision.verdict == "unknown":
        unknown = [reason for reason in decision.reasons if reason.code.startswith("unknown.")]
        return "; ".join([*said, *map(sentence, unknown)])
    said += [brief(reason) for reason in decision.reasons if not _of_a_rule(reason)]
    return "; ".join([*said, *_by_rule(decision.reasons, full=decision.verdict == "delete")])


def why_checkpoint(checkpoint: CheckpointDecision) -> str:
    """The reasons of the verdict on a checkpoint, for one cell of a table."""
    if checkpoint.verdict == "unknown":
        return "; ".join(sentence(r) for r in checkpoint.reasons if r.code.startswith("unknown."))
    said = [brief(reason) for reason in checkpoint.reasons if not _of_a_rule(reason)]
    return "; ".join([*said, *_by_rule(checkpoint.reasons, full=checkpoint.verdict == "delete")])


def inside(decision: Decision, marked: Collection[tuple[int, str, str]] = ()) -> list[str]:
    """What happens to the checkpoints inside an artifact that stays, one sentence for each verdict.

    Args:
      marked: checkpoints that are marked already: artifact id, directory and name of each.
    """
    said = []
    for verdict, begins in (("delete", "deletes "), ("keep", "keeps "), ("unknown", "cannot judge ")):
        found = [c for c in decision.checkpoints if c.verdict == verdict]
        if found:
            names = _few([c.name for c in found])
            waiting = sum((decision.artifact_id, c.directory, c.name) in marked for c in found)
            already = "already marked" if waiting == len(found) else f"{waiting:,} of them already marked"
            told = f", {already}" if waiting and verdict == "delete" else ""
            said.append(f"{begins}{names} ({size(sum(c.bytes for c in found))}){told}")
    return said


def totals(**counts: int) -> str:
    """`3 marked, 1 skipped`: what there is none of is left out."""
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or "nothing"


def _by_rule(reasons: Iterable[Reason], *, full: bool) -> list[str]:
    by_rule: dict[str | None, list[str]] = {}
    for reason in reasons:
        if _of_a_rule(reason):
            detailed = full and reason.detail
            said = f"{_word(reason)}: {reason.detail}" if detailed else _word(reason)
            by_rule.setdefault(reason.rule, []).append(said)
    joint = "; " if full else ", "
    return [
        f"rule {rule}: {joint.join(said)}" if rule else joint.join(said) for rule, said in by_rule.items()
    ]


def _of_a_rule(reason: Reason) -> bool:
    return reason.code.startswith(("keep.", "expire."))


def _word(reason: Reason) -> str:
    """The policy's own word for it: `expire.newer-than` comes of `newer_than`."""
    return reason.code.partition(".")[2].replace("-", "_")


def _few(names: list[str], most: int = 4) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:2])}, ... {names[-1]}: {count(len(names), 'checkpoint')}"
