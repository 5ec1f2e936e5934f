"""What an explanation says, as an outline: the same lines whether they are shown as a list or as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.text import Text

from tfx_janitor.report.explanation import Explanation, Past, plans_of
from tfx_janitor.report.sentences import sentence
from tfx_janitor.report.tables import STYLES
from tfx_janitor.report.text import second, size, text
from tfx_janitor.retention.plan import CheckpointDecision, Reason
from tfx_janitor.retention.timestamps import from_iso

_HEADINGS = {
    "keep": "It stays, because",
    "delete": "It may go: no hold holds it, and every rule that governs it lets go",
    "unknown": "It stays until somebody looks at it, because",
    "ungoverned": "No rule of the policy governs it, so it is never touched. The closest rules",
    "deleted": "It was deleted",
}

_LOST = "Nobody can judge it any more, because"
"""Of a moment at which an artifact was there whose payload is gone today."""

_TENSES = {"past": "as it was at", "present": "as it is at", "future": "as it would be at"}


@dataclass(frozen=True, slots=True)
class Branch:
    """A line, and what stands below it.

    Attributes:
      step: whether the line is the next step of a lineage path.
    """

    label: Text
    below: tuple[Branch, ...] = ()
    step: bool = False


def title(explanation: Explanation) -> Text:
    """`Model 12  LIVE  keep`."""
    facts = explanation.facts
    return Text.assemble(
        text(f"{facts['type']} {facts['artifact_id']}", "bold"),
        f"  {facts['state']}  ",
        (explanation.verdict, STYLES.get(explanation.verdict, "bold")),
    )


def about(explanation: Explanation) -> Iterator[Text]:
    """Where the artifact lies, where it came from, and when it is looked at, a line each."""
    yield text(explanation.facts["uri"])
    yield text("; ".join(_provenance(explanation)), "dim")
    moment = explanation.moment
    if moment.tense != "present":
        yield Text(f"{_TENSES[moment.tense]} {second(moment.at_ms)}", "yellow")
    if explanation.found.served:
        yield Text("what was named is where it is served")
    if explanation.origin:
        yield text(f"pushed by {explanation.origin[0]} from {', '.join(explanation.origin[1:])}")
    if explanation.found.others:
        others = ", ".join(str(explanation.names.artifact_id(row)) for row in explanation.found.others)
        yield text(f"the same place is also claimed by artifact {others}")


def verdict_branch(explanation: Explanation) -> Branch:
    """The verdict in words, and all that it rests on."""
    if explanation.decision is not None:
        below = _reasons(explanation, explanation.telling)
    elif explanation.verdict == "deleted":
        below = _deletion(explanation.past)
    else:
        below = (Branch(text(f"{miss.rule}: {'; '.join(miss.because)}")) for miss in explanation.misses)
    lost = explanation.verdict == "unknown" and explanation.moment.gone_since(explanation.found.row)
    return Branch(_heading(_LOST if lost else _HEADINGS[explanation.verdict]), tuple(below))


def other_branches(explanation: Explanation) -> Iterator[Branch]:
    """What else there is to say, each part under a heading of its own."""
    if explanation.decision is None:
        if explanation.reasons:
            label = _heading("If a rule governed it, it would stay, because")
            yield Branch(label, tuple(_reasons(explanation, explanation.reasons)))
    elif explanation.verdict != "delete" and explanation.missed:
        label = "What did not keep it"
        if explanation.rules_verdict == "delete":
            label = "Without that it would go, for every rule that governs it lets go"
        yield Branch(_heading(label), tuple(_reasons(explanation, explanation.missed)))
    if explanation.decision is not None and explanation.decision.checkpoints:
        checkpoints = (_checkpoint(explanation, c) for c in explanation.decision.checkpoints)
        yield Branch(_heading("Checkpoints inside"), tuple(checkpoints))
    if explanation.past:
        yield Branch(_heading("What tfx-janitor did to it"), tuple(map(_past, explanation.past)))
    if explanation.since:
        yield Branch(_heading("What tfx-janitor did to it since then"), tuple(map(_past, explanation.since)))
    if explanation.notes:
        yield Branch(_heading("About that moment"), tuple(Branch(text(note)) for note in explanation.notes))


def _reasons(explanation: Explanation, reasons: Iterable[Reason]) -> Iterator[Branch]:
    for reason in reasons:
        style = "red" if reason.code.startswith("expire.") else ""
        label = Text.assemble(text(sentence(reason), style), (f"  [{reason.code}]", "dim"))
        yield Branch(label, _path(explanation, reason))


def _path(explanation: Explanation, reason: Reason) -> tuple[Branch, ...]:
    """The steps after the artifact itself, each below the one that leads to it."""
    below: tuple[Branch, ...] = ()
    names, links = explanation.names.path(reason.path), explanation.links.path(reason.path)
    for name, link in reversed(list(zip(names[1:], links, strict=True))):
        below = (Branch(text(f"{link.words} {name}"), below, step=True),)
    return below


def _checkpoint(explanation: Explanation, checkpoint: CheckpointDecision) -> Branch:
    name = f"{checkpoint.directory}/{checkpoint.name}" if checkpoint.directory else checkpoint.name
    verdict = (checkpoint.verdict, STYLES[checkpoint.verdict])
    label = Text.assemble(text(name), f"  {size(checkpoint.bytes)}  ", verdict)
    if (checkpoint.directory, checkpoint.name) in explanation.marked_checkpoints:
        label.append("  already marked" if checkpoint.verdict == "delete" else "  marked, but will stay")
    return Branch(label, tuple(_reasons(explanation, checkpoint.reasons)))


def _deletion(past: Iterable[Past]) -> Iterator[Branch]:
    told = list(past)
    purge, mark = _last(told, "purge"), _last(told, "mark")
    if purge is None:
        yield Branch(Text("not by tfx-janitor: no act of this store purged it"))
        return
    freed = size(purge.outcome.bytes) if purge.outcome is not None else "unknown"
    yield Branch(text(f"{second(purge.act.at_ms)} by {purge.act.actor}; {freed} freed"))
    for plan_id in plans_of(purge.act if mark is None else mark.act):
        yield Branch(text(f"under plan {plan_id}"))
    if mark is not None:
        yield Branch(text(f"under policy {mark.act.details.get('policy_digest')}"))
        if mark.outcome is not None and mark.outcome.detail:
            yield Branch(text(f"because {mark.outcome.detail}"))


def _last(past: Iterable[Past], what: str) -> Past | None:
    return next((p for p in reversed(list(past)) if p.what == what), None)


def _past(past: Past) -> Branch:
    outcome, act = past.outcome, past.act
    done = "not finished" if outcome is None else outcome.done
    freed = f", {size(outcome.bytes)}" if outcome is not None and outcome.bytes else ""
    below = [Branch(text(outcome.detail))] if outcome is not None and outcome.detail else []
    below += [Branch(text(f"plan {plan_id}", "dim")) for plan_id in plans_of(act)]
    marks = past.what == "mark" or (past.what == "prune" and act.kind == "apply")
    if marks and "grace_ms" in act.details:
        until = second(act.at_ms + int(act.details["grace_ms"]))
        below.append(Branch(text(f"could be restored until {until}", "dim")))
    label = text(f"{second(act.at_ms)}  {act.kind} {act.id} by {act.actor}: {done}{freed}")
    return Branch(label, tuple(below))


def _provenance(explanation: Explanation) -> Iterator[str]:
    facts = explanation.facts
    place = " / ".join(str(facts[part]) for part in ("pipeline", "node", "output") if facts[part])
    yield place or "no COMPLETE execution produced it"
    if facts["run"]:
        yield f"run {facts['run']}"
    yield f"created {second(from_iso(facts['created_at']))}"
    if explanation.decision is not None and explanation.decision.bytes is not None:
        yield size(explanation.decision.bytes)


def _heading(words: str) -> Text:
    return Text(f"{words}:", "bold")
