"""Takes one version out of service, on a person's word."""

from __future__ import annotations

import os
from collections.abc import Callable

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.acts import Outcome, Touch
from tfx_janitor.deletion.site import Site
from tfx_janitor.verified_pusher import pushed_models, retirement, versions
from tfx_janitor.verified_pusher.adoption import standing
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.staging import Corner


class WithdrawalError(PushError):
    """A version that must not be taken out of service, or could not be."""


def withdraw(
    site: Site, base: str, number: int, *, reason: str, in_use: Callable[[int], bool]
) -> list[Outcome]:
    """Takes a version out of service that is not the newest: out of sight in one rename, then deleted.

    Args:
      in_use: whether a model server has the version of this number loaded.

    Returns:
      One outcome for each PushedModel of it, and one for its directory.

    Raises:
      AdoptionError: there is no such version.
      WithdrawalError: it is the newest, a server has it loaded, or the file system refused.
    """
    real = os.path.realpath(base)
    version = standing(real, number)
    corner = Corner(real)
    corner.make(Unsynced())
    with corner.alone():
        newest = versions.served(real)[-1].number
        if number == newest:
            raise WithdrawalError(
                f"version {number} is the newest in {base}, and servers would fall back to an older one; put "
                "one in its place with `tfx-janitor rollback`, or push a new one"
            )
        if in_use(number):
            raise WithdrawalError(
                f"a model server has version {number} in {base} loaded; wait until it has not"
            )
        known = [one for one in pushed_models.of_base(site.store, real) if one.version == number]
        touches = [Touch(one.artifact_id, "withdraw") for one in known]
        act = acts.begin(site, "mend", touches, {"reason": reason, "base": real, "version": number})
        problem = retirement.withdraw(real, number)
        done = "withdrawn" if problem is None else "failed"
        path = os.path.join(real, version.name)
        outcomes = [Outcome(touch.artifact_id, done, problem or reason) for touch in touches]
        outcomes.append(Outcome(0, done, problem or reason, path=path))
        acts.end(site, act, outcomes)
    return outcomes
