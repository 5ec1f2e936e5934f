"""Takes one version out of service, on a person's word."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.site import Site
from tfx_janitor.verified_pusher import pushed_models, retirement, versions
from tfx_janitor.verified_pusher.adoption import standing
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.pushed_models import PushedModel
from tfx_janitor.verified_pusher.staging import Corner
from tfx_janitor.verified_pusher.versions import Version


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
      WithdrawalError: it is the newest, a server has it loaded, the Model behind another one is known by it
        alone, or the file system refused.
    """
    corner = Corner(os.path.realpath(base))
    standing(corner.base, number)  # before anything is made in a directory that has none
    try:
        corner.make(Unsynced())
        with corner.alone():
            return _withdraw_alone(site, base, number, reason=reason, in_use=in_use)
    except OSError as error:
        raise WithdrawalError(f"could not take version {number} in {base} out of service: {error}") from error


def _refuse_last_trace(
    base: str, number: int, standing: Iterable[Version], known: Iterable[PushedModel]
) -> None:
    """Refuses to take away by what alone the lineage knows the Model behind a version that stays.

    A pusher that model servers refused a version puts one back, and has no store to record that in.
    """
    recorded = {one.version for one in known}
    real = os.path.realpath(base)
    for version in standing if number in recorded else ():
        if version.number not in recorded and retirement.put_back_from(real, version) == number:
            raise WithdrawalError(
                f"version {version.number} in {base} was put back from version {number}, and no PushedModel "
                f"tells of it: nothing would hold its Model; `tfx-janitor adopt {shlex.quote(base)} "
                f"{version.number}` first"
            )


def _withdraw_alone(
    site: Site, base: str, number: int, *, reason: str, in_use: Callable[[int], bool]
) -> list[Outcome]:
    real = os.path.realpath(base)
    version = standing(real, number)  # again: somebody may have taken it away meanwhile
    if number == versions.served(real)[-1].number:
        raise WithdrawalError(
            f"version {number} is the newest in {base}, and servers would fall back to an older one; put "
            "one in its place with `tfx-janitor rollback`, or push a new one"
        )
    if in_use(number):
        raise WithdrawalError(f"a model server has version {number} in {base} loaded; wait until it has not")
    known = pushed_models.of_base(site.store, real)
    _refuse_last_trace(base, number, versions.served(real), known)
    touches = [Touch(one.artifact_id, pushed_models.WITHDRAW) for one in known if one.version == number]
    act = acts.begin(site, "mend", touches, {"reason": reason, "base": real, "version": number})
    problem = retirement.withdraw(real, number)
    done = pushed_models.WITHDRAWN if problem is None else "failed"
    path = os.path.join(real, version.name)
    outcomes = [Outcome(touch.artifact_id, done, problem or reason) for touch in touches]
    outcomes.append(Outcome(0, done, problem or reason, path=path))
    acts.end(site, act, outcomes)
    return outcomes
