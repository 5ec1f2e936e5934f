"""Who can do what next: every atomic step of everybody, one function for each actor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.proof.protocol.world import Cast, Janitor, Payload, Phase, Protocol, Row, World

Step = tuple[str, World]
"""What happens, in words, and the world after it."""

IDLE = Janitor()

AFTER_JUDGEMENT: frozenset[Phase] = frozenset(
    ("condemned", "claim", "finish", "rename", "empty", "record", "record put")
)

_EMPTYING: dict[Payload, Payload] = {
    "whole": "partial",
    "partial": "gone",
    "trash": "part in trash",
    "part in trash": "gone",
}


def steps(world: World, protocol: Protocol, cast: Cast) -> Iterator[Step]:
    """Everything that can happen next."""
    for index, janitor in enumerate(world.janitors):
        name = f"janitor {index + 1}" if len(world.janitors) > 1 else "janitor"
        for label, after in janitor_steps(world, index, protocol):
            yield f"{name} {label}", after
        if cast.crashes and janitor.phase != "idle":
            yield f"{name} dies", _at(world, index, IDLE)
    yield from _launcher_steps(world)
    if cast.person:
        yield from _person_steps(world)
    yield from _time_steps(world, protocol)


def janitor_steps(world: World, index: int, protocol: Protocol) -> Iterator[Step]:
    """What one janitor can do next: idle it has a choice, after that there is one step at most."""
    janitor = world.janitors[index]
    match janitor.phase:
        case "idle":
            yield from _begin(world, index, protocol)
        case "go":
            after = replace(world, grace="running", begun=world.begun and protocol.begun_is_kept)
            yield "writes the act of marking", _at(after, index, replace(janitor, phase="act"))
        case "act":
            fits = world.row == "LIVE" and janitor.fresh
            yield from _change(world, index, protocol, fits, "MARKED", "mark put", IDLE)
        case "read":
            yield _judge(world, index, protocol)
        case "needed":
            if world.payload == "whole":
                yield "finds it needed again, and whole", _at(world, index, replace(janitor, phase="rescue"))
            else:
                yield "finds it needed again, but not whole", _at(world, index, IDLE)
        case "rescue":
            fits = world.row == "MARKED" and janitor.fresh
            yield from _change(world, index, protocol, fits, "LIVE", "rescue put", IDLE)
        case "condemned":
            phase: Phase = "finish" if protocol.bytes_before_deleted else "claim"
            after = replace(world, begun=True)
            yield "writes the act of purging", _at(after, index, replace(janitor, phase=phase))
        case "claim":
            fits = world.row == janitor.source and (janitor.fresh or not protocol.on_judged_row)
            then = Janitor("finish", vanished=janitor.vanished)
            yield from _change(world, index, protocol, fits, "DELETED", "record put", then)
        case "finish" | "rename" | "empty":
            yield _remove(world, index, protocol)
        case "record":
            fits = world.row == "MARKED" and (janitor.fresh or not protocol.on_judged_row)
            yield from _change(world, index, protocol, fits, "DELETED", "record put", IDLE)
        case "mark put":
            yield "puts MARKED", _at(_written(world, "MARKED"), index, IDLE)
        case "rescue put":
            yield "puts LIVE", _at(_written(world, "LIVE"), index, IDLE)
        case "record put":
            finish = Janitor("finish", vanished=janitor.vanished)
            then = IDLE if protocol.bytes_before_deleted else finish
            yield "puts DELETED", _at(_written(world, "DELETED"), index, then)


def _begin(world: World, index: int, protocol: Protocol) -> Iterator[Step]:
    if world.row == "LIVE" and world.payload == "whole" and not world.used and not world.pinned:
        yield "judges it: may be marked", _at(world, index, Janitor("go", fresh=True))
    if world.grace == "none":
        return
    if protocol.reads_row_first:
        if world.row != "LIVE" or (protocol.corrects and world.begun):
            after = Janitor("read", fresh=True, saw=world.row)
            yield f"reads the row: {world.row}", _at(world, index, after)
    else:
        due = world.grace == "over" or not protocol.waits
        after = Janitor("read", due=due, begun=world.begun)
        yield f"reads the acts: {_told(due, world.begun)}", _at(world, index, after)


def _told(due: bool, begun: bool) -> str:
    grace = "its grace is over" if due else "it is in its grace"
    return f"{grace}, a purge has begun" if begun else grace


def _judge(world: World, index: int, protocol: Protocol) -> Step:
    """The second of purge's two reads, and what follows from both."""
    janitor = world.janitors[index]
    if janitor.saw is None:
        row, fresh, due, begun = world.row, True, janitor.due, janitor.begun
    else:
        row, fresh, begun = janitor.saw, janitor.fresh, world.begun
        due = world.grace == "over" or not protocol.waits
    condemned = Janitor("condemned", fresh=fresh)
    vanished = world.payload not in ("whole", "partial")
    if row == "DELETED" and protocol.finishes_deleted and begun and world.payload != "gone":
        return "finds a purge to finish", _at(world, index, Janitor("finish", vanished=vanished))
    if row == "LIVE" and protocol.corrects and begun and vanished:
        corrects = replace(condemned, source="LIVE", vanished=True)
        return "finds that it is LIVE, and gone", _at(world, index, corrects)
    if row != "MARKED":
        return f"reads that it is {row}: nothing to purge", _at(world, index, IDLE)
    if begun and vanished:
        return "finds a purge to finish", _at(world, index, replace(condemned, vanished=True))
    if protocol.judges_again:
        if world.payload != "whole":
            return "judges it again: unreadable, so unknown", _at(world, index, IDLE)
        if world.used or world.pinned:
            return "judges it again: needed", _at(world, index, Janitor("needed", fresh=fresh))
    if not due:
        return "judges it again: in its grace", _at(world, index, IDLE)
    cleared = world.cleared or (protocol.judges_again and fresh and world.ripe)
    how = "judges it again: may go" if protocol.judges_again else "takes it, unjudged"
    return how, _at(replace(world, cleared=cleared), index, condemned)


def _remove(world: World, index: int, protocol: Protocol) -> Step:
    """What `remove_payload` does: `finish`, then `vanish`, which is a rename and then the bytes."""
    janitor = world.janitors[index]
    after = replace(janitor, phase="record") if protocol.bytes_before_deleted else IDLE
    in_trash = world.payload in ("trash", "part in trash")
    at_uri = world.payload in ("whole", "partial")
    if janitor.phase == "finish":
        if in_trash:
            return _take_bytes(world)
        if janitor.vanished:
            return "finds no bytes left", _at(world, index, after)
        then: Phase = "rename" if protocol.renames else "empty"
        return "finds nothing in the trash", _at(world, index, replace(janitor, phase=then))
    if janitor.phase == "rename":
        if not at_uri:
            return "finds nothing at the URI", _at(world, index, after)
        renamed = replace(world, payload="trash")
        return "renames the payload into the trash", _at(renamed, index, replace(janitor, phase="empty"))
    if in_trash or (at_uri and not protocol.renames):
        return _take_bytes(world)
    return "finds no bytes left", _at(world, index, after)


def _take_bytes(world: World) -> Step:
    payload = _EMPTYING[world.payload]
    label = "deletes the rest of the bytes" if payload == "gone" else "deletes some of the bytes"
    return label, replace(world, payload=payload, unjudged=world.unjudged or not world.cleared)


def _change(
    world: World, index: int, protocol: Protocol, fits: bool, row: Row, blind: Phase, then: Janitor
) -> Iterator[Step]:
    """A change of state: one atomic step by compare-and-set; a look and a put where puts are blind."""
    if not fits:
        yield f"does not set {row}: the row changed", _at(world, index, IDLE)
    elif protocol.compare_and_set:
        yield f"sets {row}", _at(_written(world, row), index, then)
    else:
        yield f"looks, and will put {row}", _at(world, index, replace(world.janitors[index], phase=blind))


def _launcher_steps(world: World) -> Iterator[Step]:
    for index, use in enumerate(world.launchers):
        name = f"launcher {index + 1}" if len(world.launchers) > 1 else "launcher"
        launchers = list(world.launchers)
        if use == "idle" and world.row == "LIVE":
            launchers[index] = "resolved"
            yield f"{name} resolves it", replace(world, launchers=tuple(launchers))
        elif use == "resolved":
            launchers[index] = "late" if _too_late(world) else "using"
            registered = replace(world, launchers=tuple(launchers))
            yield f"{name} registers its execution", registered
            if world.row != "LIVE":
                # It puts the copy that it holds in memory along with its execution.
                yield f"{name} registers its execution, and puts LIVE again", _written(registered, "LIVE")
        elif use in ("using", "late"):
            launchers[index] = "done"
            yield f"{name} ends its execution", replace(world, launchers=tuple(launchers))


def _too_late(world: World) -> bool:
    """Whether a second judgement has been made already that no registration can change any more."""
    judged = any(janitor.phase in AFTER_JUDGEMENT for janitor in world.janitors)
    return judged or world.deletions > 0 or world.payload != "whole"


def _person_steps(world: World) -> Iterator[Step]:
    if not world.pinned and world.row != "DELETED":
        yield "person pins it", replace(world, pinned=True)
    if world.person == "away" and world.row == "MARKED":
        yield "person reads that it is MARKED", replace(world, person="looked", looked_fresh=True)
    elif world.person == "looked":
        if world.payload == "whole":
            yield "person verifies that it is whole", replace(world, person="verified")
        else:
            yield "person is told that it is not whole", replace(world, person="away", looked_fresh=False)
    elif world.person == "verified":
        gone = replace(world, person="away", looked_fresh=False)
        if world.row == "MARKED" and world.looked_fresh:
            yield "person sets LIVE: restored", _written(gone, "LIVE")
        else:
            yield "person is told that the row changed", gone


def _time_steps(world: World, protocol: Protocol) -> Iterator[Step]:
    if world.grace != "running":
        return
    launching = protocol.grace_outlasts_launching and "resolved" in world.launchers
    marking = protocol.grace_outlasts_marking and any(j.phase in ("act", "mark put") for j in world.janitors)
    if not launching and not marking:
        yield "the grace is over", replace(world, grace="over", ripe=world.row == "MARKED")


def _at(world: World, index: int, janitor: Janitor) -> World:
    janitors = list(world.janitors)
    janitors[index] = janitor
    return replace(world, janitors=tuple(janitors))


def _written(world: World, row: Row) -> World:
    """The world after a put of the row's state: whoever read the row before has an old one now."""
    if row == world.row:
        return world  # MLMD takes no notice of a put that changes nothing
    changes: dict[str, Any] = {}
    if row == "MARKED":
        changes.update(ripe=False, cleared=False)
    corrected = world.row == "LIVE" and world.payload not in ("whole", "partial")
    if row == "DELETED" and not corrected:
        changes["deletions"] = min(2, world.deletions + 1)
    janitors = tuple(replace(janitor, fresh=False) for janitor in world.janitors)
    return replace(world, row=row, janitors=janitors, looked_fresh=False, **changes)
