"""What is explored: both protocols as they are, and each guard taken away where that is seen best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.proof.protocol import laws
from tests.proof.protocol.explore import Exploration, explore
from tests.proof.protocol.laws import Law
from tests.proof.protocol.world import BYTES_FIRST, CLAIM_FIRST, Cast, Protocol

ALONE = Cast(janitors=1, stale=False, consumer=False, person=False)
TWO_JANITORS = replace(ALONE, janitors=2)
LAUNCHER = replace(ALONE, stale=True)
LATER_LAUNCHER = replace(ALONE, consumer=True)
PERSON = replace(ALONE, person=True)
TWO_JANITORS_AND_A_LAUNCHER = replace(LAUNCHER, janitors=2)
LAUNCHERS = Cast(janitors=1, person=False)
EVERYBODY = Cast(janitors=2)

BEGUN_IS_KEPT = replace(BYTES_FIRST, begun_is_kept=True)
NO_ASSUMPTION = replace(CLAIM_FIRST, grace_outlasts_launching=False)


@dataclass(frozen=True)
class Scene:
    """One exploration.

    Attributes:
      broken: the law that breaks; None if all that are asked for hold in every world.
    """

    name: str
    protocol: Protocol
    cast: Cast
    laws: Sequence[Law] = laws.ALL
    broken: Law | None = None

    def explore(self) -> Exploration:
        """Looks at all of its worlds, or at those up to the first that breaks a law."""
        return explore(self.protocol, self.cast, self.laws)


HOLDS = (
    Scene("claim first: everybody at once", CLAIM_FIRST, EVERYBODY),
    Scene("bytes first: one janitor, launchers, nobody restores", BYTES_FIRST, LAUNCHERS),
    Scene(
        "claim first, no assumption about launchers: what holds all the same",
        NO_ASSUMPTION,
        Cast(janitors=1),
        (
            laws.no_part_at_a_live_uri,
            laws.judged_users_keep_it,
            laws.judged_twice,
            laws.next_run_settles_it,
        ),
    ),
    Scene(
        "bytes first, no assumption about launchers: what holds all the same",
        replace(BYTES_FIRST, grace_outlasts_launching=False),
        Cast(janitors=1),
        (laws.no_part_at_a_live_uri, laws.judged_users_keep_it),
    ),
)

BYTES_FIRST_BREAKS = (
    Scene(
        "bytes first: restored after the second judgement",
        BYTES_FIRST,
        PERSON,
        broken=laws.live_is_whole,
    ),
    Scene(
        "bytes first: rescued by one janitor after another has judged",
        BYTES_FIRST,
        TWO_JANITORS_AND_A_LAUNCHER,
        (laws.live_is_whole,),
        laws.live_is_whole,
    ),
    Scene(
        "bytes first: the grace of an older mark",
        BYTES_FIRST,
        TWO_JANITORS,
        (laws.judged_twice,),
        laws.judged_twice,
    ),
    Scene(
        "bytes first: an act of marking that marks nothing hides that a purge began",
        BYTES_FIRST,
        TWO_JANITORS,
        broken=laws.next_run_settles_it,
    ),
    Scene(
        "bytes first: one janitor sets DELETED while another has the bytes in hand, and dies",
        BEGUN_IS_KEPT,
        TWO_JANITORS,
        (laws.next_run_settles_it,),
        laws.next_run_settles_it,
    ),
    Scene(
        "bytes first, but the rows read before the acts: resurrected between the two reads",
        replace(BEGUN_IS_KEPT, reads_row_first=True),
        LAUNCHERS,
        broken=laws.live_is_whole,
    ),
)

GUARDS = (
    Scene(
        "without a second judgement",
        replace(CLAIM_FIRST, judges_again=False),
        LAUNCHER,
        broken=laws.judged_users_keep_it,
    ),
    Scene(
        "without waiting for the grace",
        replace(CLAIM_FIRST, waits=False),
        LAUNCHER,
        (laws.users_keep_it,),
        laws.users_keep_it,
    ),
    Scene(
        "with blind puts for compare-and-set",
        replace(CLAIM_FIRST, compare_and_set=False),
        TWO_JANITORS_AND_A_LAUNCHER,
        broken=laws.live_is_whole,
    ),
    Scene(
        "with blind puts, it is deleted twice",
        replace(CLAIM_FIRST, compare_and_set=False),
        replace(TWO_JANITORS, person=True),
        (laws.deleted_once,),
        laws.deleted_once,
    ),
    Scene(
        "with deletion in place for the rename",
        replace(NO_ASSUMPTION, renames=False),
        LAUNCHER,
        (laws.no_part_at_a_live_uri,),
        laws.no_part_at_a_live_uri,
    ),
    Scene(
        "with DELETED before the bytes go, and nobody who finishes",
        replace(CLAIM_FIRST, finishes_deleted=False),
        ALONE,
        broken=laws.next_run_settles_it,
    ),
    Scene(
        "with nobody who corrects what came to life again",
        replace(NO_ASSUMPTION, corrects=False),
        LAUNCHER,
        (laws.next_run_settles_it,),
        laws.next_run_settles_it,
    ),
    Scene(
        "with a claim on any row that is marked",
        replace(CLAIM_FIRST, on_judged_row=False),
        TWO_JANITORS_AND_A_LAUNCHER,
        broken=laws.judged_twice,
    ),
    Scene(
        "with the acts read before the row",
        replace(CLAIM_FIRST, reads_row_first=False),
        TWO_JANITORS,
        broken=laws.judged_twice,
    ),
    Scene(
        "with a beginning that a later act of marking hides",
        replace(CLAIM_FIRST, begun_is_kept=False),
        TWO_JANITORS,
        broken=laws.next_run_settles_it,
    ),
)

BEYOND_ANY_PROTOCOL = (
    Scene(
        "a launcher registers after the grace: its input is gone",
        NO_ASSUMPTION,
        LAUNCHER,
        (laws.users_keep_it,),
        laws.users_keep_it,
    ),
    Scene(
        "a launcher registers after the grace, and what is gone is LIVE again",
        NO_ASSUMPTION,
        LAUNCHER,
        (laws.live_is_whole,),
        laws.live_is_whole,
    ),
    Scene(
        "a janitor sleeps between the act of marking and the mark for longer than the grace",
        replace(CLAIM_FIRST, grace_outlasts_marking=False),
        LATER_LAUNCHER,
        (laws.users_keep_it,),
        laws.users_keep_it,
    ),
)

SCENES = (*HOLDS, *BYTES_FIRST_BREAKS, *GUARDS, *BEYOND_ANY_PROTOCOL)
