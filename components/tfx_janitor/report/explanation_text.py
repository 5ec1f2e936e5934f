"""An explanation as a person reads it, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.padding import Padding
from rich.text import Text

from tfx_janitor.report.explanation import Explanation, Past, plans_of
from tfx_janitor.report.sentences import sentence
from tfx_janitor.report.tables import STYLES, checkpoint_rows
from tfx_janitor.report.text import second, size, text
from tfx_janitor.retention.plan import Reason
from tfx_janitor.retention.timestamps import from_iso

_HEADINGS = {
    "keep": "It stays, because",
    "delete": "It may go: no hold holds it, and every rule that governs it lets go",
    "unknown": "It stays until somebody looks at it, because",
    "ungoverned": "No rule of the policy governs it, so it is never touched. The closest rules",
    "deleted": "It was deleted",
}


def explanation_lines(explanation: Explanation) -> Iterator[Text | Padding]:
    """Renderables in order; texts are to be printed without cutting anything."""
    facts = explanation.facts
    yield Text.assemble(
        text(f"{facts['type']} {facts['artifact_id']}", "bold"),
        f"  {facts['state']}  ",
        (explanation.verdict, STYLES.get(explanation.verdict, "bold")),
    )
    yield text(f"  {facts['uri']}")
    yield text(f"  {'; '.join(_provenance(explanation))}", "dim")
    if explanation.found.served:
        yield text("  what was named is where it is served")
    if explanation.origin:
        yield text(f"  pushed by {explanation.origin[0]} from {', '.join(explanation.origin[1:])}")
    if explanation.found.others:
        others = ", ".join(str(row) for row in _ids(explanation))
        yield text(f"  the same place is also claimed by artifact {others}")
    yield Text()
    yield Text(f"{_HEADINGS[explanation.verdict]}:", "bold")
    yield from _body(explanation)
    if explanation.past:
        yield Text()
        yield Text("What tfx-janitor did to it:", "bold")
        for past in explanation.past:
            yield from _past(past)


def _body(explanation: Explanation) -> Iterator[Text | Padding]:
    decision = explanation.decision
    if decision is not None:
        yield from _reasons(explanation, decision.reasons)
        if decision.checkpoints:
            yield Text()
            yield Text("Checkpoints inside:", "bold")
            yield Padding(checkpoint_rows(decision.checkpoints), (0, 0, 0, 2))
    elif explanation.verdict == "deleted":
        yield from _deletion(explanation.past)
    else:
        for miss in explanation.misses:
            yield text(f"  {miss.rule}: {'; '.join(miss.because)}")
        if explanation.held:
            yield Text()
            yield Text("If a rule governed it, it would stay, because:", "bold")
            yield from _reasons(explanation, explanation.held)


def _reasons(explanation: Explanation, reasons: Iterable[Reason]) -> Iterator[Text]:
    for reason in reasons:
        style = "red" if reason.code.startswith("expire.") else ""
        yield Text.assemble("  ", text(sentence(reason), style), (f"  [{reason.code}]", "dim"))
        # The artifact alone is no path: it only says who is spoken of.
        for depth, name in enumerate(explanation.names.path(reason.path) if len(reason.path) > 1 else ()):
            yield text(f"    {'   ' * max(depth - 1, 0)}{'-> ' if depth else ''}{name}")


def _deletion(past: Iterable[Past]) -> Iterator[Text]:
    told = list(past)
    purge = _last(told, "purge")
    mark = _last(told, "mark")
    if purge is None:
        yield text("  not by tfx-janitor: no act of this store purged it")
        return
    freed = size(purge.outcome.bytes) if purge.outcome is not None else "unknown"
    yield text(f"  {second(purge.act.at_ms)} by {purge.act.actor}; {freed} freed")
    for plan_id in plans_of(purge.act if mark is None else mark.act):
        yield text(f"  under plan {plan_id}")
    if mark is not None:
        yield text(f"  under policy {mark.act.details.get('policy_digest')}")
        if mark.outcome is not None and mark.outcome.detail:
            yield text(f"  because {mark.outcome.detail}")


def _last(past: Iterable[Past], what: str) -> Past | None:
    return next((p for p in reversed(list(past)) if p.what == what), None)


def _past(past: Past) -> Iterator[Text]:
    outcome = past.outcome
    done = "not finished" if outcome is None else outcome.done
    freed = f", {size(outcome.bytes)}" if outcome is not None and outcome.bytes else ""
    act = past.act
    yield text(f"  {second(act.at_ms)}  {act.kind} {act.id} by {act.actor}: {done}{freed}")
    if outcome is not None and outcome.detail:
        yield text(f"    {outcome.detail}")
    for plan_id in plans_of(act):
        yield text(f"    plan {plan_id}", "dim")
    if past.what == "mark" and "grace_ms" in act.details:
        yield text(f"    could be restored until {second(act.at_ms + int(act.details['grace_ms']))}", "dim")


def _provenance(explanation: Explanation) -> Iterator[str]:
    facts = explanation.facts
    place = " / ".join(str(facts[part]) for part in ("pipeline", "node", "output") if facts[part])
    yield place or "no COMPLETE execution produced it"
    if facts["run"]:
        yield f"run {facts['run']}"
    yield f"created {second(from_iso(facts['created_at']))}"
    if explanation.decision is not None and explanation.decision.bytes is not None:
        yield size(explanation.decision.bytes)


def _ids(explanation: Explanation) -> list[int]:
    return [explanation.names.artifact_id(row) for row in explanation.found.others]
