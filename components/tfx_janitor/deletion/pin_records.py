"""Whether the pins still say what the acts of pinning and unpinning told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfx_janitor.deletion.act import Act
from tfx_janitor.deletion.chain import Finding
from tfx_janitor.lineage.read_api import PIN_CONTEXT_TYPE

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

Values = Mapping[str, str | int]
"""Properties of a pin's context."""

_RELEASED = "released_ms"


@dataclass(frozen=True, slots=True)
class PinRecord:
    """A pin's context as it stands in MLMD, whatever became of it.

    Attributes:
      act_id: the act that set it, as its name says.
    """

    context_id: int
    act_id: int | None
    values: Values


def name(artifact_id: int, act_id: int) -> str:
    """Name of a pin's context. The act's id makes it unique: an artifact may be pinned again, by several."""
    return f"artifact-{artifact_id}-act-{act_id}"


def values(artifact_id: int, reason: str, actor: str, since_ms: int, until_ms: int | None) -> Values:
    """What a pin's context says while nobody has released it."""
    told: dict[str, str | int] = {
        "artifact_id": artifact_id,
        "since_ms": since_ms,
        "reason": reason,
        "actor": actor,
    }
    return told if until_ms is None else {**told, "until_ms": until_ms}


def read(store: MetadataStore) -> list[PinRecord]:
    """All pins of a store, released ones too."""
    records = []
    for context in store.get_contexts_by_type(PIN_CONTEXT_TYPE):
        number = context.name.rpartition("-act-")[2]
        found = {
            key: getattr(value, kind)
            for key, value in context.custom_properties.items()
            if (kind := value.WhichOneof("value")) is not None
        }
        records.append(PinRecord(context.id, int(number) if number.isdecimal() else None, found))
    return records


def check(acts: Iterable[Act], records: Sequence[PinRecord], since: Iterable[Act]) -> Iterator[Finding]:
    """What the pins say otherwise than the acts told.

    Pins are set and released while this looks. What an act had done when it ended must show in records that
    were read after the act; what a record says must come from an act that was read after the record.

    Args:
      acts: those that nothing is known against, read before the records.
      since: all acts of pinning and unpinning, read after them.
    """
    by_act = {record.act_id: record for record in records}
    since = tuple(since)
    pinning = {act.id: act for act in since if act.kind == "pin"}
    unpinning = [act for act in since if act.kind == "unpin"]
    released: dict[object, Act] = {
        context_id: act
        for act in acts
        if act.kind == "unpin" and act.ended
        for context_id in _contexts(act) or ()
    }
    for act in acts:
        if act.kind != "pin" or not act.touches:
            continue
        record = by_act.get(act.id)
        if record is not None:
            yield from _differences(act, record)
        elif act.ended:
            artifact_id = act.touches[0].artifact_id
            yield Finding("removed-pin", act.id, f"the pin that it set on artifact {artifact_id} is gone")
    for record in records:
        if record.act_id not in pinning:
            detail = f"a pin (context {record.context_id}) that no act set, or whose act is gone"
            yield Finding("unknown-pin", record.act_id, detail)
        yield from _release(record, unpinning, released.get(record.context_id))


def _differences(act: Act, record: PinRecord) -> Iterator[Finding]:
    details, artifact_id = act.details, act.touches[0].artifact_id
    told = values(artifact_id, details.get("reason", ""), act.actor, act.at_ms, details.get("until_ms"))
    for key in sorted((told.keys() | record.values.keys()) - {_RELEASED}):
        expected, found = told.get(key), record.values.get(key)
        if expected != found:
            detail = f"the {key} of the pin that it set is {found!r}, and was {expected!r}"
            yield Finding("altered-pin", act.id, detail)


def _release(record: PinRecord, unpinning: Iterable[Act], by: Act | None) -> Iterator[Finding]:
    """Whether a pin was released just when acts say so.

    Args:
      unpinning: all acts that release pins.
      by: an act that ended and has released this one.
    """
    at = record.values.get(_RELEASED)
    if at is None:
        if by is not None:
            detail = f"the pin (context {record.context_id}) that it released stands again"
            yield Finding("altered-pin", by.id, detail)
        return
    if not any(act.at_ms == at and _may_release(act, record) for act in unpinning):
        detail = f"its pin (context {record.context_id}) was released at {at}, and by no act"
        yield Finding("altered-pin", record.act_id, detail)


def _may_release(act: Act, record: PinRecord) -> bool:
    """Whether an act released this pin; one of an older version says only on which artifact."""
    contexts = _contexts(act)
    if contexts is not None:
        return record.context_id in contexts
    return any(touch.artifact_id == record.values.get("artifact_id") for touch in act.touches)


def _contexts(act: Act) -> list[object] | None:
    """The pins that an act of unpinning says it released; None if it says nothing, or no list any more."""
    contexts = act.details.get("contexts")
    return contexts if isinstance(contexts, list) else None
