"""Findings about payloads: the lineage on one side, what lies on the disks on the other."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tfx_janitor.audit import looks
from tfx_janitor.audit.finding import Finding
from tfx_janitor.audit.looks import CheckpointProblem, Presence
from tfx_janitor.audit.of_lineage import PATIENCE
from tfx_janitor.audit.refusals import Refusal
from tfx_janitor.deletion.marks import ArtifactMark
from tfx_janitor.deletion.orphan_marks import OrphanMark
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.payload.checkpoint_state import FILE
from tfx_janitor.payload.places import Place, PlaceError, unfollowed
from tfx_janitor.payload.presence import Unread
from tfx_janitor.payload.verification import Damage, Level, Verification
from tfx_janitor.policy.schema import Orphans
from tfx_janitor.retention.case import MODEL, MODEL_RUN, PRESENT, PUSHED_MODEL, Case
from tfx_janitor.retention.timestamps import to_ms
from tfx_janitor.survey.crew import Crew, Failed
from tfx_janitor.survey.look import ModelOrder
from tfx_janitor.survey.orphans import Search, each_once, find_orphans

ORPHANED_AFTER = timedelta(days=14)
"""What counts as an orphan where the policy does not say it."""

_ALWAYS_FILLED = frozenset(
    (MODEL, "Examples", "ExampleStatistics", "Schema", "TransformGraph", "ModelEvaluation")
)
"""Types whose payload is never an empty directory."""


@dataclass(frozen=True)
class Seen:
    """What lies on the disks, for the artifacts whose URI names a local place.

    Attributes:
      places: by row, where each payload lies, a link standing for itself.
      presence: by row what lies there, or why nobody can tell.
      models, checkpoints: by row what was found wrong, or why nobody can tell.
    """

    places: Mapping[int, Place]
    presence: Mapping[int, Presence | Failed]
    models: Mapping[int, tuple[Verification, ...] | Failed]
    checkpoints: Mapping[int, tuple[CheckpointProblem, ...] | Failed]


def look(case: Case, crew: Crew, level: Level) -> Seen:
    """Looks at everything once."""
    uris = case.snapshot.artifacts.uri
    places = dict(_local_places(case))
    rows = list(places)
    presence = dict(zip(rows, crew.run("look", looks.see, [uris[row] for row in rows]), strict=True))
    there = [row for row in rows if _is_live(case, row) and _is_there(presence[row]) and _is_own(case, row)]
    models = [row for row in there if case.snapshot.type_of(row) == MODEL]
    runs = [row for row in there if case.snapshot.type_of(row) == MODEL_RUN]
    verified = crew.run(
        "verify models", looks.inspect_models, [ModelOrder(uris[row], level) for row in models]
    )
    inspected = crew.run(
        "verify checkpoints",
        looks.inspect_checkpoints,
        [looks.CheckpointOrder(uris[row], level) for row in runs],
    )
    return Seen(
        places,
        presence,
        dict(zip(models, verified, strict=True)),
        dict(zip(runs, inspected, strict=True)),
    )


def absences(case: Case, seen: Seen, marks: Mapping[int, ArtifactMark]) -> Iterator[Finding]:
    """What should lie there and does not: missing payloads, and states that came to life again."""
    for row, presence in seen.presence.items():
        if not _is_present(case, row) or isinstance(presence, Failed) or presence.there:
            continue
        artifact_id, place = int(case.snapshot.artifacts.id[row]), seen.places[row]
        mark = marks.get(artifact_id)
        state = case.snapshot.artifacts.state[row]
        if mark is not None and mark.begun and presence.mounted and state == ArtifactState.LIVE:
            yield Finding(
                "resurrected-state",
                f"act {mark.act.id} marked it, it was purged, and it is LIVE again",
                artifact_id=artifact_id,
                path=place.path,
                evidence={"marked_by_act": mark.act.id, "state": ArtifactState(int(state)).name},
                mend=("purge",),
            )
        elif (mark is None or not mark.begun) and not _was_a_version(case, row):
            where = (
                "" if presence.mounted else ", nor is the directory that it lay in; is a disk not mounted?"
            )
            yield Finding(
                "missing-payload",
                f"{case.snapshot.type_of(row)} has nothing at {place.path}{where}",
                artifact_id=artifact_id,
                path=place.path,
                evidence={"mounted": presence.mounted},
                mend=("forget", str(artifact_id), "--reason", "its payload is gone")
                if presence.mounted
                else (),
            )


def remains(case: Case, seen: Seen, crew: Crew, marks: Mapping[int, ArtifactMark]) -> Iterator[Finding]:
    """Bytes of what is DELETED, where nobody else lies."""
    artifacts = case.snapshot.artifacts
    taken = {seen.places[row].path for row in seen.presence if _is_present(case, row)}
    above = {way for path in taken for way in _ways_to(path)}
    rows = [
        row
        for row, presence in seen.presence.items()
        if artifacts.state[row] == ArtifactState.DELETED
        and _is_there(presence)
        # Nobody else lies at it, in it or around it.
        and seen.places[row].path not in above
        and taken.isdisjoint((seen.places[row].path, *_ways_to(seen.places[row].path)))
    ]
    sizes = crew.run("measure", looks.measure, [seen.places[row].path for row in rows])
    for row, size in zip(rows, sizes, strict=True):
        artifact_id = int(artifacts.id[row])
        mark = marks.get(artifact_id)
        cut_off = mark is not None and mark.unfinished
        yield Finding(
            "undeleted-payload",
            f"{case.snapshot.type_of(row)} is DELETED, and its payload still lies at {seen.places[row].path}",
            artifact_id=artifact_id,
            path=seen.places[row].path,
            bytes=0 if isinstance(size, Failed) else size,
            evidence={"marked_by_act": None if mark is None else mark.act.id, "cut_off": cut_off},
            mend=("purge",) if cut_off else ("discard", str(artifact_id), "--reason", "its bytes are left"),
        )


def _ways_to(path: str) -> Iterator[str]:
    """The directories above an absolute path."""
    while path != "/":
        path = os.path.dirname(path)
        yield path


def search(case: Case, crew: Crew) -> Search:
    """Looks for directories that no artifact claims, also where the policy asks for none."""
    if case.policy.orphans is None:
        policy = case.policy.model_copy(update={"orphans": Orphans(older_than=ORPHANED_AFTER)})
        case = dataclasses.replace(case, policy=policy)
    return find_orphans(case, crew) or Search()


def unsearched(obstacles: Iterable[Unread], refused: Iterable[Refusal]) -> Iterator[Finding]:
    """Directories in which nobody could look for what no artifact claims.

    Args:
      refused: what findings tell already; the same obstacle is told once.
    """
    told = {refusal.unread.path for refusal in refused}
    for unread in each_once(obstacles):
        if unread.path not in told:
            advice = "; audit as somebody who may" if unread.forbidden else ""
            yield Finding(
                "unreadable-payload",
                f"{unread}, and what no artifact claims may lie there{advice}",
                path=unread.path,
                evidence={"problem": unread.problem, "unread": unread.path},
            )


def orphans(case: Case, searched: Search, crew: Crew, marks: Sequence[OrphanMark]) -> Iterator[Finding]:
    """Directories that no artifact claims, of executions that are over or dead.

    What is marked, as it was marked, is on its way out; unless no purge came.
    """
    overdue = case.now_ms - to_ms(PATIENCE)
    waiting = {mark.orphan.content for mark in marks if not mark.act.is_due(overdue)}
    asked = case.policy.orphans
    found = searched.orphans
    unknown = [orphan for orphan in found if orphan.verdict == "unknown"]
    obstacles = crew.run("find what cannot be read", looks.obstacle, [orphan.path for orphan in unknown])
    for orphan, obstacle in zip(unknown, obstacles, strict=True):
        if isinstance(obstacle, Unread):
            yield Finding(
                "unreadable-payload",
                f"{orphan.node} left {orphan.path}, which no artifact claims: {obstacle}",
                execution_id=orphan.execution,
                path=orphan.path,
                evidence={"problem": obstacle.problem, "unread": obstacle.path},
            )
    for orphan in found:
        if orphan.verdict == "delete" and orphan.content not in waiting:
            advice = "" if asked else "; a policy with `orphans: {older_than: 14d}` lets gc delete it"
            yield Finding(
                "orphan-directory",
                f"{orphan.node} left {orphan.path}, and no artifact claims it{advice}",
                execution_id=orphan.execution,
                path=orphan.path,
                bytes=orphan.bytes or 0,
                evidence={"reasons": [reason.to_dict() for reason in orphan.reasons]},
                mend=("gc",) if asked else (),
            )


def incomplete(case: Case, seen: Seen) -> Iterator[Finding]:
    """Payloads other than Models of which parts are missing."""
    for row, presence in seen.presence.items():
        if not _is_live(case, row) or isinstance(presence, Failed) or not presence.is_directory:
            continue
        type_name = case.snapshot.type_of(row)
        if type_name == MODEL or type_name not in _ALWAYS_FILLED:
            continue
        filled = dict(presence.filled)
        missing = [name for name in _splits(case, row) if not filled.get(name)]
        if missing or not any(filled.values()):
            path = seen.places[row].path
            what = f"{', '.join(missing)} of {path}" if missing else path
            artifact_id = int(case.snapshot.artifacts.id[row])
            yield Finding(
                "partial-payload",
                f"{type_name} has nothing in {what}",
                artifact_id=artifact_id,
                path=path,
                evidence={"missing": missing},
                mend=("discard", str(artifact_id), "--reason", "it is not whole"),
            )


def _splits(case: Case, row: int) -> list[str]:
    """The directories that an Examples artifact says it has."""
    named = case.snapshot.property(row, "split_names")
    try:
        names = json.loads(named) if isinstance(named, str) else []
    except ValueError:
        return []
    return [f"Split-{name}" for name in names] if isinstance(names, list) else []


def damaged_models(case: Case, seen: Seen) -> Iterator[Finding]:
    """Models that are not whole, by what is wrong with them; one finding for each SavedModel."""
    for row, verifications in seen.models.items():
        artifact_id = int(case.snapshot.artifacts.id[row])
        for found in () if isinstance(verifications, Failed) else verifications:
            if not found.whole and looks.unread(found.path, found.damages) is None:
                code = kind_of_damage(found)
                yield Finding(
                    code,
                    f"the SavedModel at {found.path}: {told(found.damages)}",
                    artifact_id=artifact_id,
                    path=found.path,
                    bytes=found.bytes,
                    evidence={
                        "damages": [str(damage) for damage in found.damages],
                        "level": found.level.value,
                    },
                    mend=("discard", str(artifact_id), "--reason", "it is damaged"),
                )


def kind_of_damage(found: Verification) -> str:
    """The code for what is wrong with a SavedModel that could be read."""
    index = [damage for damage in found.damages if damage.file == "variables/variables.index"]
    if any(damage.problem.startswith("is missing") for damage in index):
        return "emptied-variables"
    if all(damage.tensor is None and _is_missing(damage) for damage in found.damages):
        return "partial-payload"
    return "damaged-model"


def _is_missing(damage: Damage) -> bool:
    return damage.problem.startswith(("is missing", "holds neither a SavedModel"))


def told(damages: Sequence[Damage]) -> str:
    """The first of the damages, and how many more there are."""
    more = f", and {len(damages) - 1} more" if len(damages) > 1 else ""
    return f"{damages[0]}{more}"


def broken_checkpoints(case: Case, seen: Seen) -> Iterator[Finding]:
    """Checkpoints that cannot be restored from, and `checkpoint` files that lead to nothing."""
    for row, problems in seen.checkpoints.items():
        artifact_id = int(case.snapshot.artifacts.id[row])
        for problem in () if isinstance(problems, Failed) else problems:
            if problem.unread is not None:
                continue
            if problem.name is None:
                yield Finding(
                    "stale-checkpoint-state",
                    problem.problem,
                    artifact_id=artifact_id,
                    path=problem.directory,
                    evidence={"file": os.path.join(problem.directory, FILE)},
                    mend=("checkpoints", problem.directory, "--broken", "--delete"),
                )
            else:
                yield Finding(
                    "broken-checkpoint",
                    f"{problem.name}: {problem.problem}",
                    artifact_id=artifact_id,
                    path=problem.directory,
                    bytes=problem.bytes,
                    evidence={"checkpoint": problem.name},
                    mend=("checkpoints", problem.directory, "--broken", "--delete"),
                )


def refusals(case: Case, seen: Seen, crew: Crew) -> Iterator[Refusal]:
    """Payloads that could not be looked at, or not at all of them; of the pipeline in question, if one is.

    Of what is DELETED nobody can tell whether its bytes are gone.
    """
    uris, ids = case.snapshot.artifacts.uri, case.snapshot.artifacts.id
    failed: dict[int, str] = {}
    for answers in (seen.presence, seen.models, seen.checkpoints):
        for row, answer in answers.items():
            if isinstance(answer, Failed) and _is_own(case, row):
                failed[row] = answer.error
    obstacles = crew.run("find what cannot be read", looks.obstacle, [uris[row] for row in failed])
    for (row, error), obstacle in zip(failed.items(), obstacles, strict=True):
        path = seen.places[row].path
        refused = obstacle if isinstance(obstacle, Unread) else Unread(path, untold(error))
        yield Refusal(path, refused, int(ids[row]))
    for row, verifications in seen.models.items():
        for found in () if isinstance(verifications, Failed) else verifications:
            if refused := looks.unread(found.path, found.damages):
                yield Refusal(seen.places[row].path, refused, int(ids[row]))
    for row, problems in seen.checkpoints.items():
        for problem in () if isinstance(problems, Failed) else problems:
            if problem.unread is not None:
                yield Refusal(seen.places[row].path, problem.unread, int(ids[row]))


def untold(error: str) -> str:
    """Why a look failed, as the end of a sentence, where what keeps it from looking was not found."""
    return f"could not be looked at: {error}"


def shared(case: Case, seen: Seen) -> Iterator[Finding]:
    """Payloads that several artifacts have, or that lie inside one another's."""
    rows = [row for row in seen.places if _is_present(case, row)]
    rows.sort(key=lambda row: (seen.places[row].scheme, seen.places[row].path.split("/"), row))
    around: list[int] = []  # what the payload at hand may lie in, outermost first
    for row in rows:
        place = seen.places[row]
        while around and not (seen.places[around[-1]] == place or seen.places[around[-1]].contains(place)):
            around.pop()
        if around:
            other = around[-1]
            other_id = int(case.snapshot.artifacts.id[other])
            relation = "has the same payload as" if seen.places[other] == place else "lies in the payload of"
            artifact_id = int(case.snapshot.artifacts.id[row])
            same = seen.places[other] == place
            yield Finding(
                "shared-payload",
                f"it {relation} artifact {other_id}",
                artifact_id=artifact_id,
                path=place.path,
                evidence={"other": other_id},
                mend=("forget", str(artifact_id), "--reason", f"artifact {other_id} has it") if same else (),
            )
        around.append(row)


def _local_places(case: Case) -> Iterator[tuple[int, Place]]:
    for row in range(len(case.snapshot.artifacts)):
        try:
            place = unfollowed(case.snapshot.artifacts.uri[row])
        except PlaceError:
            continue
        if place.local and place.path != "/":
            yield row, place


def _is_present(case: Case, row: int) -> bool:
    return case.snapshot.artifacts.state[row] in PRESENT


def _is_live(case: Case, row: int) -> bool:
    """Whether TFX may take it for input: what is marked is on its way out, and its bytes matter no more."""
    return bool(case.snapshot.artifacts.state[row] == ArtifactState.LIVE)


def _is_own(case: Case, row: int) -> bool:
    """Whether it is of the pipeline in question, if only one is."""
    return case.only_pipeline in (None, case.snapshot.pipeline_of(row))


def _was_a_version(case: Case, row: int) -> bool:
    """Whether its payload is what was served, as a rollback records it: that may be retired in good order."""
    destination = case.snapshot.property(row, "pushed_destination")
    return case.snapshot.type_of(row) == PUSHED_MODEL and case.snapshot.artifacts.uri[row] == destination


def _is_there(presence: Presence | Failed) -> bool:
    return not isinstance(presence, Failed) and presence.there
