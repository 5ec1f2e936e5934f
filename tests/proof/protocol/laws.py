"""What must hold in every world that can be reached."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

from tests.proof.protocol.steps import IDLE, janitor_steps
from tests.proof.protocol.world import Protocol, World

Law = Callable[[World, Protocol], bool]


def no_part_at_a_live_uri(world: World, protocol: Protocol) -> bool:
    """No half-deleted payload is visible at a LIVE URI."""
    return not (world.row == "LIVE" and world.payload == "partial")


def live_is_whole(world: World, protocol: Protocol) -> bool:
    """What is LIVE lies whole at its URI: a restored artifact too."""
    return world.row != "LIVE" or world.payload == "whole"


def judged_users_keep_it(world: World, protocol: Protocol) -> bool:
    """An execution that registered before the second judgement keeps the payload until it ends."""
    return "using" not in world.launchers or world.payload == "whole"


def users_keep_it(world: World, protocol: Protocol) -> bool:
    """Every execution that is registered keeps the payload until it ends."""
    return not world.used or world.payload == "whole"


def judged_twice(world: World, protocol: Protocol) -> bool:
    """Bytes go only if the mark that stands was made here, and was judged again after its grace."""
    return not world.unjudged


def deleted_once(world: World, protocol: Protocol) -> bool:
    """It becomes DELETED once, however many janitors there are."""
    return world.deletions <= 1


def next_run_settles_it(world: World, protocol: Protocol) -> bool:
    """One undisturbed run after the grace leaves it LIVE and whole, or DELETED and gone."""
    launchers = ("using",) if world.used else ()
    alone = replace(world, janitors=(IDLE,), launchers=launchers, person="away", looked_fresh=False)
    return _settled(alone, protocol)


@functools.cache
def _settled(world: World, protocol: Protocol) -> bool:
    world = _purged(replace(world, grace="none" if world.grace == "none" else "over"), protocol)
    return (world.row, world.payload) in (("LIVE", "whole"), ("DELETED", "gone"))


def _purged(world: World, protocol: Protocol) -> World:
    """The world after one run of purge that nothing disturbs."""
    begin = [after for _, after in janitor_steps(world, 0, protocol) if after.janitors[0].phase == "read"]
    if not begin:
        return world
    world = begin[0]
    while world.janitors[0].phase != "idle":
        ((_, world),) = janitor_steps(world, 0, protocol)
    return world


WITHOUT_ASSUMPTIONS: tuple[Law, ...] = (
    no_part_at_a_live_uri,
    judged_users_keep_it,
    judged_twice,
    deleted_once,
)
"""Laws that need nothing from time."""

ALL: tuple[Law, ...] = (*WITHOUT_ASSUMPTIONS, live_is_whole, users_keep_it, next_run_settles_it)
