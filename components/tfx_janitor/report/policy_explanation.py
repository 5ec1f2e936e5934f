"""What a policy does, and the smallest history in which it would delete something that was ever pushed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tfx_janitor.policy.durations import format_duration
from tfx_janitor.policy.file import Problem
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.rehearsal.adverse import LONGEST, MOST_RUNS
from tfx_janitor.rehearsal.cautions import cautions
from tfx_janitor.rehearsal.imagined import Run
from tfx_janitor.rehearsal.worst_case import Loss, WorstCase, worst_cases
from tfx_janitor.report.plan_view import caution_lines
from tfx_janitor.report.policy_text import counted, listed, policy_sentence, rule_sentence, spelled
from tfx_janitor.report.sentences import why
from tfx_janitor.report.tables import STYLES, grid
from tfx_janitor.report.text import size, text
from tfx_janitor.retention.plan import Decision
from tfx_janitor.retention.timestamps import to_iso

SCHEMA = "tfx-janitor/policy-explanation/v1"

_ROWS = 12
"""A history of more runs than this is told with those that are alike on one line."""


@dataclass(frozen=True)
class PolicyExplanation:
    """A policy, what is worth a second look, and the worst case of each rule."""

    policy: RetentionPolicy
    cautions: tuple[Problem, ...]
    worst: tuple[WorstCase, ...]

    @property
    def conclusion(self) -> str:
        """One sentence for the policy as a whole."""
        losses = [(case, case.loss) for case in self.worst if case.loss is not None]
        if not losses:
            return f"Nothing that was ever pushed would go in any history that was tried: {_bound()}."
        case, loss = min(losses, key=lambda found: (len(found[1].runs), _pushed(found[1].runs)))
        return (
            f"After {counted(len(loss.runs), 'run')} something that was pushed may be gone: {_lost(loss)}, "
            f"under rule {case.rule.name}."
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "schema": SCHEMA,
            "policy": self.policy.to_dict(),
            "policy_digest": self.policy.digest,
            "sentence": policy_sentence(self.policy),
            "cautions": [one.to_dict() for one in self.cautions],
            "bound": {"runs": MOST_RUNS, "span": format_duration(LONGEST)},
            "rules": [
                {
                    "name": case.rule.name,
                    "sentence": rule_sentence(case.rule),
                    "types": list(case.types),
                    "conclusion": conclusion(case),
                    "smallest_history": None if case.loss is None else _history(case.loss),
                }
                for case in self.worst
            ],
            "conclusion": self.conclusion,
        }


def explain_policy(policy: RetentionPolicy) -> PolicyExplanation:
    """Searches the worst case of each rule; takes seconds at most."""
    return PolicyExplanation(policy, cautions(policy), worst_cases(policy))


def conclusion(case: WorstCase) -> str:
    """One sentence on what the search found for a rule."""
    if not case.types:
        return "It deletes no Model, ModelRun or PushedModel."
    if case.loss is None:
        types = listed([f"{name}s" for name in case.types], "or")
        return f"No history was found in which any pushed {types} would go: {_bound()}."
    loss = case.loss
    judged = to_iso(loss.now_ms)[:10]
    runs = list(dict.fromkeys(decision.run or "" for decision in loss.lost))
    pushed = f"{listed(runs)} {'was' if len(runs) == 1 else 'were'} pushed"
    return f"It takes {'; '.join(_story(loss))}. Then, on {judged}, {_lost(loss)} may go, though {pushed}."


def policy_lines(explanation: PolicyExplanation) -> Iterator[RenderableType]:
    """Sentences and tables in order."""
    yield text(policy_sentence(explanation.policy))
    for case in explanation.worst:
        yield Text()
        yield text(f"rule {case.rule.name}", "bold")
        yield text(rule_sentence(case.rule))
        if case.loss is not None:
            yield Text()
            yield Text("The smallest history in which it lets something go that was ever pushed:")
            yield _table(case.loss)
        yield text(conclusion(case))
    yield from caution_lines(explanation.cautions)
    yield Text()
    yield text(explanation.conclusion, "bold")


def _bound() -> str:
    years = LONGEST // timedelta(days=365)
    return f"up to {MOST_RUNS} runs, over up to {years} years"


def _story(loss: Loss) -> Iterator[str]:
    """How the history went, part by part."""
    family = loss.family
    pause = f", the newest {spelled(family.pause)} later" if family.pause else ""
    yield f"{counted(len(loss.runs), 'run')}, {family.spacing} apart{pause}"
    pushed = _pushed(loss.runs)
    number = {len(loss.runs): "all", 1: "one"}.get(pushed, f"{pushed:,}")
    yield f"{number} of them pushed"
    if not any(run.blessed for run in loss.runs):
        yield "none of them blessed"
    if not family.measured:
        yield "no metric recorded for any"
    if loss.payload_bytes is not None:
        yield f"each payload {size(loss.payload_bytes)}"
    if family.tags:
        yield f"each tagged {' '.join(family.tags)}"


def _lost(loss: Loss) -> str:
    """`the Model and the PushedModel of run-1`."""
    by_run: dict[str, list[str]] = {}
    for decision in loss.lost:
        by_run.setdefault(decision.run or "", []).append(f"the {decision.type}")
    return listed([f"{listed(types)} of {run}" for run, types in by_run.items()])


def _pushed(runs: Sequence[Run]) -> int:
    return sum(run.pushed for run in runs)


def _table(loss: Loss) -> Table:
    table = grid()
    extra = sorted({name for run in loss.runs for name in run.metrics} | set(loss.family.varied))
    for _ in ("run", "created", "pushed", "blessed", "served", *extra, "verdict"):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    head = ("run", "created (UTC)", "pushed", "blessed", "served", *extra, "verdict", f"why ({loss.type})")
    table.add_row(*(text(name, "dim") for name in head))
    for alike in _alike(loss):
        (oldest, first), (newest, last) = alike[0], alike[-1]
        cells = [
            _span(first.run, last.run),
            _span(_moment(loss, oldest), _moment(loss, newest)),
            _yes(oldest.pushed),
            _yes(oldest.blessed),
            _yes(False),
            *(_span(_value(oldest, name), _value(newest, name)) for name in extra),
        ]
        verdict = Text(first.verdict, STYLES[first.verdict])
        table.add_row(*map(text, cells), verdict, text(why(first)))
    return table


def _alike(loss: Loss) -> list[list[tuple[Run, Decision]]]:
    """The runs, one by one if they are few, else those that nothing tells apart together."""
    rows = list(zip(loss.runs, loss.decisions, strict=True))
    if len(rows) <= _ROWS:
        return [[row] for row in rows]
    told = groupby(rows, key=lambda row: (row[0].pushed, row[0].blessed, row[1].verdict, why(row[1])))
    return [list(alike) for _, alike in told]


def _span(first: object, last: object) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


def _yes(said: bool) -> str:
    return "yes" if said else "no"


def _moment(loss: Loss, run: Run) -> str:
    """To the minute, unless runs follow one another faster."""
    precise = any(other.created_ms % 60_000 for other in loss.runs)
    return to_iso(run.created_ms)[: 19 if precise else 16].replace("T", " ")


def _value(run: Run, name: str) -> object:
    return run.metrics.get(name, run.properties.get(name, ""))


def _history(loss: Loss) -> dict[str, Any]:
    return {
        "spacing": loss.family.spacing,
        "pause": format_duration(loss.family.pause),
        "now": to_iso(loss.now_ms),
        "payload_bytes": loss.payload_bytes,
        "type": loss.type,
        "runs": [
            {
                "run": decision.run,
                "created_at": to_iso(run.created_ms),
                "pushed": run.pushed,
                "blessed": run.blessed,
                "served": False,
                "metrics": dict(run.metrics),
                "properties": dict(run.properties),
                "verdict": decision.verdict,
                "reasons": [reason.to_dict() for reason in decision.reasons],
            }
            for run, decision in zip(loss.runs, loss.decisions, strict=True)
        ],
        "lost": [{"run": decision.run, "type": decision.type} for decision in loss.lost],
    }
