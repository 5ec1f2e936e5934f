"""Terminal tables of what was recorded or looked up: acts, pins, verifications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tfx_janitor.lineage.snapshot import Pin
from tfx_janitor.payload.verification import Verification
from tfx_janitor.report.explanation import plans_of
from tfx_janitor.report.sentences import totals
from tfx_janitor.report.tables import STYLES, grid
from tfx_janitor.report.text import count, second, size, text

if TYPE_CHECKING:
    from tfx_janitor.deletion.act import Act, Outcome
    from tfx_janitor.deletion.history import HistoryVerification

_APART_MS = 60 * 60 * 1000
"""The time of an act and that of its record differ by no more where clocks agree and no run is long."""


def act_lines(
    acts: Iterable[Act], artifact_id: int | None = None, path: str | None = None, most: int = 20
) -> Iterator[Text]:
    """What was done, in the order given: who, when, how much, under which plan and policy.

    Args:
      artifact_id: tells of this artifact alone.
      path: tells of this directory alone, which no artifact claims.
      most: items of one act that are listed.
    """
    for act in acts:
        outcomes = [
            outcome
            for outcome in act.outcomes
            if artifact_id in (None, outcome.artifact_id) and path in (None, outcome.path)
        ]
        head = Text.assemble((second(act.at_ms), "dim"), "  ", (act.kind, "bold"), text(f"  {act.actor}"))
        yield head.append_text(text(f"  {_became(act, outcomes)}"))
        yield text(f"  act {act.id}, tfx-janitor {act.version}", "dim")
        if abs(act.written_ms - act.at_ms) > _APART_MS:
            yield text(f"  written down at {second(act.written_ms)}", "yellow")
        for plan_id in plans_of(act):
            yield text(f"  plan {plan_id}", "dim")
        for detail, name in (("policy_digest", "policy"), ("reason", "reason")):
            if act.details.get(detail):
                yield text(f"  {name} {act.details[detail]}", "dim")
        for outcome in outcomes[:most]:
            yield text(f"  {_item(outcome)}", STYLES.get(outcome.done, ""))
        if len(outcomes) > most:
            yield text(f"  and {len(outcomes) - most:,} more, with --format json", "dim")


def _became(act: Act, outcomes: Sequence[Outcome]) -> str:
    if not act.ended:
        begun = len(act.touches) + len(act.details.get("orphans", act.details.get("removes", ())))
        return f"not finished: {count(begun, 'item')} begun"
    return totals(**Counter(outcome.done for outcome in outcomes))


def _item(outcome: Outcome) -> str:
    freed = f", {size(outcome.bytes)}" if outcome.bytes else ""
    detail = f": {outcome.detail}" if outcome.detail else ""
    item = f"artifact {outcome.artifact_id}" if outcome.path is None else outcome.path
    return f"{outcome.done} {item}{freed}{detail}"


def history_verification_lines(verified: HistoryVerification) -> Iterator[Text]:
    """What is altered or gone, with the hash that was expected and the one that was found; and the heads."""
    for finding in verified.findings:
        of = "" if finding.act_id is None else f"  act {finding.act_id}"
        yield Text.assemble((finding.kind, "bold red"), text(f"{of}: {finding.detail}"))
        for name, digest in (("expected", finding.expected), ("found", finding.found)):
            if digest is not None:
                yield text(f"  {name:8} {digest}", "dim")
    hashed = "" if verified.sealed == verified.acts else f", {verified.sealed:,} with a hash"
    told = count(len(verified.findings), "finding") if verified.findings else "all as written"
    yield text(f"{count(verified.acts, 'act')}{hashed}: {told}")
    for act_id, digest in verified.heads:
        yield text(f"head {digest}  act {act_id}")
    if verified.heads:
        yield text(
            "note the head elsewhere: --verify --head HASH tells later if the newest acts are gone", "dim"
        )


def pin_table(pins: Iterable[Pin]) -> Table:
    """One line for each pin."""
    table = grid()
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(*(Text(name, "dim") for name in ("artifact", "by", "until", "reason")))
    for pin in pins:
        table.add_row(str(pin.artifact_id), text(pin.actor), _until(pin), text(pin.reason))
    return table


def _until(pin: Pin) -> str:
    if pin.released_ms is not None:
        return f"released {second(pin.released_ms)}"
    return "for ever" if pin.until_ms is None else second(pin.until_ms)


def verification_lines(verifications: Iterable[Verification]) -> Iterator[Text]:
    """One line for each payload, and one for each damage below it."""
    for found in verifications:
        word = "whole" if found.whole else "DAMAGED"
        extent = [size(found.bytes), count(found.files, "file")]
        extent += [count(found.tensors, "tensor")] if found.tensors else []
        told = f"  {found.kind} {found.path}  ({', '.join(extent)})"
        yield Text.assemble((f"{word:7}", STYLES[word]), text(told))
        for damage in found.damages:
            yield Text.assemble("         ", text(damage))
