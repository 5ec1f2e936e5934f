"""Findings about the directories that model servers watch: lineage, manifest and bytes side by side."""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tfx_janitor.audit import looks
from tfx_janitor.audit.finding import Finding
from tfx_janitor.audit.of_lineage import Unblessed, unblessed_pushes
from tfx_janitor.audit.of_payloads import kind_of_damage, told, untold
from tfx_janitor.audit.refusals import Refusal
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.payload import saved_model
from tfx_janitor.payload.filesystem import reason
from tfx_janitor.payload.places import Place, PlaceError, resolve
from tfx_janitor.payload.presence import Unread, is_missing
from tfx_janitor.payload.verification import Level, Verification
from tfx_janitor.retention.case import PRESENT, PUSHED_MODEL, Case
from tfx_janitor.survey.crew import Crew, Failed
from tfx_janitor.verified_pusher import content, manifest, versions
from tfx_janitor.verified_pusher.errors import ManifestError
from tfx_janitor.verified_pusher.versions import Version


@dataclass(frozen=True, slots=True)
class VersionOrder:
    """One served version to look at.

    Attributes:
      path: absolute, of its directory.
      level: how thoroughly to verify it.
      models: SavedModels, any of which it may be a copy of, if it has no manifest; empty compares nothing.
    """

    path: str
    level: Level
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VersionLook:
    """What a served version is.

    Attributes:
      verification: of its SavedModel.
      has_manifest: whether a VerifiedPusher left its manifest.
      difference: how it differs from what was pushed; None if it does not, or nobody can tell.
    """

    verification: Verification
    has_manifest: bool
    difference: str | None


def inspect_version(order: VersionOrder) -> VersionLook:
    """Verifies a served version, and compares it with its manifest, or with the Model that it came from.

    Raises:
      OSError: something that stands there cannot be read, such as the manifest.
    """
    verification = saved_model.verify(order.path, order.level)
    try:
        damages = manifest.check(order.path)
    except ManifestError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        return VersionLook(verification, False, _difference_from_models(order))
    return VersionLook(verification, True, told(damages) if damages else None)


def _difference_from_models(order: VersionOrder) -> str | None:
    if order.level is Level.STRUCTURE or not order.models:
        return None
    served = content.digest(content.scan(order.path))
    first: str | None = None
    for model in order.models:
        if not saved_model.verify(model, Level.CHECKSUMS).whole:
            continue  # the Model has changed since, and cannot tell
        given = content.digest(content.scan(model))
        if given == served:
            return None
        differing = sorted({file.path for file in set(served) ^ set(given)})
        first = first or f"{differing[0]} is not as in {model}"
    return first


@dataclass(frozen=True, slots=True)
class Served:
    """What is served, and what it is like.

    Attributes:
      pushes: by place, the PushedModels that were pushed there.
      versions: each with its base directory, what was asked of it, and the answer.
    """

    pushes: Mapping[Place, tuple[int, ...]]
    versions: tuple[tuple[Place, Version, VersionOrder, VersionLook | Failed], ...]

    def pushed(self, order: VersionOrder) -> tuple[int, ...]:
        """The PushedModels of a version."""
        return self.pushes.get(Place("file", order.path), ())


def look(case: Case, crew: Crew, level: Level) -> Served:
    """Looks at every version in every base directory.

    If only one pipeline is in question, at every version beside which it pushed.
    """
    pushes = _pushes(case)
    pushed_to = _pushed_to(pushes)
    found = [
        (Place("file", base), version)
        for base in _bases(case, pushes)
        if _is_own(case, pushed_to[base])
        for version in _versions(base)
    ]
    orders = _orders(case, found, pushes, level)
    answers = crew.run("verify versions", inspect_version, orders)
    seen = zip(found, orders, answers, strict=True)
    return Served(pushes, tuple((base, version, order, answer) for (base, version), order, answer in seen))


def findings(case: Case, served: Served) -> Iterator[Finding]:
    """What is wrong with versions that could be read; if one pipeline is in question, with its own."""
    yield from _vanished(case, served.pushes)
    unblessed = unblessed_pushes(case)
    standing: dict[Place, list[Standing]] = defaultdict(list)
    for base, version, order, seen in served.versions:
        pushed = served.pushed(order)
        sound = not isinstance(seen, Failed) and seen.verification.whole and seen.difference is None
        standing[base].append(Standing(version, sound and unblessed.keys().isdisjoint(pushed)))
    known: dict[str, set[int]] = defaultdict(set)
    for place in served.pushes:
        if (number := versions.parse(os.path.basename(place.path))) is not None:
            known[os.path.dirname(place.path)].add(number)
    for base, version, order, seen in served.versions:
        pushed = served.pushed(order)
        if _is_own(case, pushed):
            had_earlier = any(number < version.number for number in known[base.path])
            replacement = _replacement(base, version, standing[base], had_earlier=had_earlier)
            yield from _of_version(case, base, version, seen, pushed, unblessed, replacement)


def _of_version(
    case: Case,
    base: Place,
    version: Version,
    seen: VersionLook | Failed,
    pushed: Sequence[int],
    unblessed: Mapping[int, Unblessed],
    replacement: tuple[str, ...],
) -> Iterator[Finding]:
    """What is wrong with one version that is served.

    Args:
      seen: what it is; what could not be looked at has no findings about its content.
      pushed: rows of the PushedModels that tell of it, ascending.
      unblessed: by PushedModel, pushes of what was not blessed.
      replacement: arguments of the command that takes it out of service, if there is one.
    """
    path = os.path.join(base.path, version.name)
    about = int(case.snapshot.artifacts.id[pushed[-1]]) if pushed else None
    if not pushed:
        # Of what is not whole nothing can be adopted, and what cannot be read may be whole.
        whole = not isinstance(seen, Failed) and seen.verification.whole
        adoption = ("adopt", base.path, str(version.number), "--reason", "found by audit")
        yield Finding(
            "unaccounted-version",
            f"version {version.name} in {base} is served, and no PushedModel tells of it",
            path=path,
            evidence={"version": version.number, "whole": whole},
            mend=adoption if whole else () if _is_unread(seen) else replacement,
        )
    for push in (unblessed[row] for row in pushed if row in unblessed):
        model = int(case.snapshot.artifacts.id[push.model])
        yield Finding(
            "unblessed-push",
            f"version {version.name} in {base} serves Model {model}, which was not blessed",
            artifact_id=int(case.snapshot.artifacts.id[push.pushed]),
            path=path,
            lineage=push.path(case),
            evidence={"model": model},
            mend=replacement,
        )
    if isinstance(seen, Failed) or _is_unread(seen):
        return
    if not seen.verification.whole:
        yield Finding(
            kind_of_damage(seen.verification),
            f"version {version.name} in {base}: {told(seen.verification.damages)}",
            artifact_id=about,
            path=path,
            bytes=seen.verification.bytes,
            evidence={"damages": [str(damage) for damage in seen.verification.damages]},
            mend=replacement,
        )
    elif seen.difference is not None:
        than = "what its manifest says" if seen.has_manifest else "the Model that it came from"
        yield Finding(
            "diverged-version",
            f"version {version.name} in {base} is not {than}: {seen.difference}",
            artifact_id=about,
            path=path,
            evidence={"manifest": seen.has_manifest},
            mend=replacement,
        )


def refusals(case: Case, served: Served, crew: Crew) -> Iterator[Refusal]:
    """Versions that could not be looked at, or not all of them; if one pipeline is in question, its own."""
    own = [(order, seen) for _, _, order, seen in served.versions if _is_own(case, served.pushed(order))]
    failed = [order.path for order, seen in own if isinstance(seen, Failed)]
    found = dict(zip(failed, crew.run("find what cannot be read", looks.obstacle, failed), strict=True))
    for order, seen in own:
        if isinstance(seen, Failed):
            obstacle = found[order.path]
            unread = obstacle if isinstance(obstacle, Unread) else Unread(order.path, untold(seen.error))
        else:
            unread = looks.unread(order.path, seen.verification.damages)
        if unread is not None:
            pushed = served.pushed(order)
            yield Refusal(order.path, unread, int(case.snapshot.artifacts.id[pushed[-1]]) if pushed else None)


def _is_unread(seen: VersionLook | Failed) -> bool:
    """Whether nobody can tell what a version is like."""
    return isinstance(seen, Failed) or looks.unread("", seen.verification.damages) is not None


def _vanished(case: Case, pushes: Mapping[Place, Sequence[int]]) -> Iterator[Finding]:
    """The newest push to a directory, if it is gone and only earlier versions stand there.

    An earlier push that is gone was retired, as far as anybody can tell; and where no version stands any
    more, the whole directory was taken out of service.
    """
    newest: dict[str, tuple[int, Place]] = {}
    pushed_to = _pushed_to(pushes)
    for place, rows in pushes.items():
        if place.local:
            base, last = os.path.dirname(place.path), (rows[-1], place)
            newest[base] = max(last, newest.get(base, last))
    for base, (row, place) in newest.items():
        if not (_is_own(case, pushed_to[base]) and _is_own(case, (row,))):
            continue
        number = versions.parse(os.path.basename(place.path))
        standing = _versions(base) if _may_be_there(base) else ()
        live = case.snapshot.artifacts.state[row] == ArtifactState.LIVE
        if live and standing and number is not None and standing[-1].number < number:
            artifact_id = int(case.snapshot.artifacts.id[row])
            yield Finding(
                "dangling-reference",
                f"version {number} was pushed to {base} last, and is gone; {standing[-1].name} is served",
                artifact_id=artifact_id,
                path=place.path,
                evidence={"property": "pushed_destination", "value": place.path},
                # Without it TFX's cache misses, and the next run pushes again.
                mend=("discard", str(artifact_id), "--reason", "what it pushed is gone"),
            )


def _orders(
    case: Case,
    found: Sequence[tuple[Place, Version]],
    pushes: Mapping[Place, Sequence[int]],
    level: Level,
) -> list[VersionOrder]:
    sources = _sources(case)
    orders: list[VersionOrder] = []
    for base, version in found:
        place = resolve(os.path.join(base.path, version.name))
        models = tuple(
            path
            for pushed in pushes.get(place, ())
            for model in sources[pushed]
            for path in _found(case, model)
        )
        orders.append(VersionOrder(place.path, level, models))
    return orders


@dataclass(frozen=True, slots=True)
class Standing:
    """A version of a base directory, and whether nothing speaks against serving it."""

    version: Version
    sound: bool


def _replacement(
    base: Place, version: Version, standing: Sequence[Standing], *, had_earlier: bool
) -> tuple[str, ...]:
    """What takes a version out of service: only of the newest must another one take the place.

    Args:
      standing: all versions of the base directory, ascending.
      had_earlier: whether the lineage knows of an earlier one, of which an archive may be left.

    Returns:
      Arguments of the command; none if there is nothing to put in its place, and a person must push.
    """
    *before, newest = standing
    if version != newest.version:
        return ("withdraw", base.path, str(version.number), "--reason", "found by audit")
    sound = [one.version for one in before if one.sound]
    if sound and not before[-1].sound:
        # A rollback sees damage; it knows of no blessing, nor, without a digest, of what was pushed.
        return ("rollback", base.path, "--to", str(sound[-1].number), "--withdraw")
    return ("rollback", base.path, "--withdraw") if before or had_earlier else ()


def _pushes(case: Case) -> Mapping[Place, tuple[int, ...]]:
    """By place, the rows of the PushedModels that were pushed there, ascending, in whatever state."""
    found: dict[Place, list[int]] = defaultdict(list)
    for row in case.snapshot.rows_of_type(PUSHED_MODEL):
        destination = case.snapshot.property(row, "pushed_destination")
        if case.snapshot.property(row, "pushed") == 1 and destination:
            try:
                found[resolve(str(destination))].append(row)
            except PlaceError:
                continue
    return {place: tuple(rows) for place, rows in found.items()}


def _pushed_to(pushes: Mapping[Place, Sequence[int]]) -> Mapping[str, list[int]]:
    """By base directory, the PushedModels that were pushed to it."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, rows in pushes.items():
        if place.local:
            found[os.path.dirname(place.path)] += rows
    return found


def _is_own(case: Case, pushed: Sequence[int]) -> bool:
    """Whether some of what was pushed is of the pipeline in question, if only one is.

    What no pipeline pushed, such as what a rollback put back or somebody copied there, is anybody's.
    """
    owners = {owner for row in pushed if (owner := case.snapshot.pipeline_of(row)) is not None}
    return case.only_pipeline is None or not owners or case.only_pipeline in owners


def _bases(case: Case, pushes: Mapping[Place, tuple[int, ...]]) -> list[str]:
    """Base directories that the policy names, and those that something was pushed to, if they are there."""
    named = [resolve(base) for base in case.policy.serving]
    pushed = [Place("file", os.path.dirname(place.path)) for place in pushes if place.local]
    return sorted({place.path for place in (*named, *pushed) if place.local and _may_be_there(place.path)})


def _may_be_there(base: str) -> bool:
    """Whether a base directory is there, or nobody can tell."""
    return os.path.isdir(base) or not (is_missing(base) or os.path.exists(base))


def _versions(base: str) -> tuple[Version, ...]:
    """The versions in a base directory: without them nothing can be said of what is served."""
    try:
        for version in versions.taken(base):
            _must_be_seen(os.path.join(base, version.name))
        return versions.served(base)
    except OSError as error:
        raise JanitorError(
            f"expected to list {base}, which model servers watch, but it {reason(error)}"
        ) from None


def _must_be_seen(path: str) -> None:
    """Raises what keeps one from looking: `served` takes what it cannot look at for no directory."""
    try:
        os.stat(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise


def _sources(case: Case) -> Mapping[int, list[int]]:
    """By PushedModel, the Models that it may be a copy of."""
    found: dict[int, list[int]] = defaultdict(list)
    for model, pushes in case.pushes.items():
        for _, pushed in pushes:
            found[pushed].append(model)
    return found


def _found(case: Case, model: int) -> tuple[str, ...]:
    """The SavedModel of a Model that a Pusher takes, if it is still there."""
    artifacts = case.snapshot.artifacts
    if artifacts.state[model] not in PRESENT:
        return ()
    try:
        return saved_model.find(resolve(artifacts.uri[model]).path)[:1]
    except JanitorError:
        return ()
