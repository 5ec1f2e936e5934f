"""What served when: the timeline of one base directory, from MLMD, also for versions long gone.

A model server loads the version with the highest number that stands there. So a version serves from its push
until a higher one is pushed or it is taken away, and again when all that is above it is taken away. When it
was taken away is known where a push recorded which versions it retired. What a person removed by hand nobody
recorded: it is seen missing today, and no more than that.
"""

from __future__ import annotations

import heapq
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from tfx_janitor.lineage.origin import Origin, Origins
from tfx_janitor.lineage.snapshot import Snapshot, Value
from tfx_janitor.payload.places import Place, PlaceError, parse, resolve
from tfx_janitor.report.artifact_facts import origin_facts
from tfx_janitor.report.finding import NotFound
from tfx_janitor.retention.case import PUSHED_MODEL
from tfx_janitor.retention.timestamps import to_iso
from tfx_janitor.verified_pusher.standing import Standing

SCHEMA = "tfx-janitor/served/v1"

_FEW = 5


@dataclass(frozen=True, slots=True)
class Period:
    """When a version was the newest that stood: milliseconds since the epoch.

    Attributes:
      until_ms: None if it still is, or if nobody knows when it ceased to be.
    """

    since_ms: int
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """One version, as MLMD tells of it.

    Attributes:
      name: of its directory.
      number: None for a name that no model server takes for a version.
      pushed: rows of the PushedModels that tell of it, oldest first: the same model may be pushed again.
      pushed_ms: when it was pushed first.
      retired_ms: when a later push retired it; None if none did.
      periods: when it was the newest that stood.
      origin: what led to it.
      digest: of its content.
      standing: what stands there now; None if nothing does, or nobody could look.
      run: the pipeline run that pushed it; None for a rollback.
      puts_back: number of the earlier version that a rollback put back as this one.
    """

    name: str
    number: int | None
    pushed: tuple[int, ...]
    pushed_ms: int
    retired_ms: int | None
    periods: tuple[Period, ...]
    origin: Origin
    digest: str | None
    standing: Standing | None
    run: str | None
    puts_back: int | None


@dataclass(frozen=True)
class Timeline:
    """The history of one base directory.

    Attributes:
      base: as it was named, in its normal spelling.
      versions: that MLMD knows, in the order in which they were pushed.
      unrecorded: that stand there, and MLMD knows nothing of them, lowest number first.
      looked: whether anybody could look into the directory.
    """

    snapshot: Snapshot
    metadata: str
    base: Place
    versions: tuple[ServedVersion, ...]
    unrecorded: tuple[Standing, ...]
    looked: bool

    @property
    def newest(self) -> int | None:
        """Number of the newest version that stands: what a model server serves now."""
        standing = [version.standing for version in self.versions if version.standing is not None]
        return max((one.number for one in (*standing, *self.unrecorded)), default=None)

    def serves(self, version: ServedVersion) -> bool:
        """Whether a version is what a model server serves now."""
        return version.standing is not None and version.number == self.newest and bool(version.periods)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "schema": SCHEMA,
            "metadata": self.metadata,
            "base": str(self.base),
            "looked": self.looked,
            "versions": [self._version_dict(version) for version in self.versions],
            "unrecorded": [
                {
                    "version": one.name,
                    "digest": one.digest,
                    "source_id": one.source_id,
                    "puts_back": one.puts_back,
                    "serving": one.number == self.newest,
                }
                for one in self.unrecorded
            ],
        }

    def _version_dict(self, version: ServedVersion) -> dict[str, Any]:
        standing = version.standing
        return {
            "version": version.name,
            "pushed_models": [int(self.snapshot.artifacts.id[row]) for row in version.pushed],
            "pushed_at": to_iso(version.pushed_ms),
            "retired_at": None if version.retired_ms is None else to_iso(version.retired_ms),
            "periods": [
                {
                    "since": to_iso(period.since_ms),
                    "until": None if period.until_ms is None else to_iso(period.until_ms),
                }
                for period in version.periods
            ],
            "serving": self.serves(version),
            "stands": standing is not None if self.looked else None,
            "digest": version.digest,
            "digest_on_disk": None if standing is None else standing.digest,
            "pushed_in_run": version.run,
            "puts_back": version.puts_back,
            **origin_facts(self.snapshot, version.origin),
        }


def base_of(name: str) -> Place:
    """The base directory that a person names: a URI, or a path, absolute or relative.

    Raises:
      PlaceError: neither.
    """
    return parse(name if "://" in name or not name else os.path.abspath(name))


def timeline(
    snapshot: Snapshot, base: Place, standing: Sequence[Standing] | None, *, metadata: str
) -> Timeline:
    """Everything that was ever pushed to a base directory.

    Args:
      standing: the versions that stand there now; None if nobody could look.

    Raises:
      NotFound: nothing was ever pushed there, and nothing stands there.
    """
    by_name = {one.name: one for one in standing or ()}
    pushes = list(_pushes(snapshot, base))
    retired = _retirements(snapshot, pushes)
    origins = Origins(snapshot)
    found: dict[tuple[str, tuple[int, ...]], ServedVersion] = {}
    for name, row in sorted(pushes, key=lambda push: (_at(snapshot, push[1]), push[1])):
        origin = origins.of(row) or Origin((), (), ())
        # Pushed again it is the same version; of another model, it is a push that this name hides.
        known = found.get((name, origin.models))
        if known is not None:
            found[name, origin.models] = replace(known, pushed=(*known.pushed, row))
            continue
        there, digest = by_name.get(name), snapshot.property(row, "content_digest")
        found[name, origin.models] = ServedVersion(
            name=name,
            number=_number(name),
            pushed=(row,),
            # What tells of it may have been recorded later, where a rollback was cut off.
            pushed_ms=min(_at(snapshot, row), (there and there.pushed_ms) or _at(snapshot, row)),
            retired_ms=retired.get(name),
            periods=(),
            origin=origin,
            digest=str(digest) if digest else (there and there.digest),
            standing=there,
            run=snapshot.run_of(row),
            puts_back=_integer(snapshot.property(row, "put_back_version")),
        )
    if not found and not by_name:
        raise NotFound(_nothing_there(snapshot, base))
    versions = list(found.values())
    recorded = {version.name for version in versions}
    return Timeline(
        snapshot,
        metadata,
        base,
        tuple(
            replace(version, periods=tuple(periods))
            for version, periods in zip(versions, _periods(versions), strict=True)
        ),
        tuple(
            sorted((one for one in by_name.values() if one.name not in recorded), key=lambda one: one.number)
        ),
        standing is not None,
    )


def _pushes(snapshot: Snapshot, base: Place) -> Iterator[tuple[str, int]]:
    """Pairs of a version's name and the row of a PushedModel that was pushed there, in whatever state."""
    wanted = {base, resolve(str(base))}
    same: dict[str, bool] = {}  # by the directory's spelling: asking the disk about links takes its time
    for row, destination in _destinations(snapshot):
        directory, name = os.path.split(destination.path)
        if directory not in same:
            place = replace(destination, path=directory)
            same[directory] = place in wanted or resolve(str(place)) in wanted
        if same[directory]:
            yield name, row


def _destinations(snapshot: Snapshot) -> Iterator[tuple[int, Place]]:
    for row in snapshot.rows_of_type(PUSHED_MODEL):
        destination = snapshot.property(row, "pushed_destination")
        if snapshot.property(row, "pushed") == 1 and destination:
            try:
                yield row, parse(str(destination))
            except PlaceError:
                continue


def _retirements(snapshot: Snapshot, pushes: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """By a version's name, when a later push took it out of service."""
    found: dict[str, int] = {}
    for _, row in pushes:
        for name in str(snapshot.property(row, "retired_versions") or "").split(","):
            if name:
                found[name] = min(_at(snapshot, row), found.get(name, _at(snapshot, row)))
    return found


def _periods(versions: Sequence[ServedVersion]) -> list[list[Period]]:
    """When each was the newest: of two pushes to one name the first, for what stands is not replaced."""
    periods: list[list[Period]] = [[] for _ in versions]
    moments = [(version.pushed_ms, at, False) for at, version in enumerate(versions)]
    moments += [
        (version.retired_ms, at, True)
        for at, version in enumerate(versions)
        if version.retired_ms is not None
    ]
    present: list[tuple[int, int]] = []  # a heap of (-number, at); what was retired is taken off when met
    gone: set[int] = set()
    serving: int | None = None
    for moment_ms, changes in groupby(sorted(moments), key=lambda moment: moment[0]):
        for _, at, retires in changes:
            number = versions[at].number
            if retires:
                gone.add(at)
            elif number is not None:
                heapq.heappush(present, (-number, at))
        while present and present[0][1] in gone:
            heapq.heappop(present)
        newest = present[0][1] if present else None
        if newest == serving:
            continue
        if serving is not None:
            periods[serving][-1] = replace(periods[serving][-1], until_ms=moment_ms)
        if newest is not None:
            periods[newest].append(Period(moment_ms))
        serving = newest
    return periods


def _nothing_there(snapshot: Snapshot, base: Place) -> str:
    pushed: dict[str, int] = defaultdict(int)
    for _, destination in _destinations(snapshot):
        pushed[str(replace(destination, path=os.path.dirname(destination.path)))] += 1
    told = f"expected a base directory that something was pushed to, but the store knows of no push to {base}"
    if not pushed:
        return f"{told}, nor to anywhere else"
    most = sorted(pushed, key=lambda directory: (-pushed[directory], directory))
    listed = ", ".join(f"{directory} ({_times(pushed[directory])})" for directory in most[:_FEW])
    return f"{told}; it knows of pushes to {listed}{', ...' if len(most) > _FEW else ''}"


def _times(pushes: int) -> str:
    return "1 push" if pushes == 1 else f"{pushes:,} pushes"


def _at(snapshot: Snapshot, row: int) -> int:
    return int(snapshot.artifacts.created_ms[row])


def _integer(value: Value | None) -> int | None:
    return value if isinstance(value, int) else None


def _number(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdecimal() else None
