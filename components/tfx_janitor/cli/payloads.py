"""`verify` and `checkpoints`: payloads on a disk, without a metadata store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tfx_janitor.cli.exits import finish
from tfx_janitor.cli.options import Format, Level, OutputFormat, VerifyLevel
from tfx_janitor.cli.printing import print_json, show
from tfx_janitor.cli.site import working
from tfx_janitor.errors import JanitorError

if TYPE_CHECKING:
    from tfx_janitor.payload.verification import Verification
    from tfx_janitor.survey.plain_directory import DirectoryPlan


def verify(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="SavedModels or checkpoints.")],
    level: Level = VerifyLevel.CHECKSUMS,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Tell whole SavedModels and checkpoints from damaged ones.

    Names the file and the tensor of each damage.
    """
    from tfx_janitor.payload.recognise import verify_payload
    from tfx_janitor.payload.verification import Level as Depth
    from tfx_janitor.report.documents import verification_document
    from tfx_janitor.report.records import verification_lines
    from tfx_janitor.report.text import text
    from tfx_janitor.survey.crew import Failed

    depth = Depth(level.value)
    found: list[Verification] = []
    errors: dict[str, str] = {}
    with working() as (crew, _):
        answers = crew.run("verify", partial(verify_payload, level=depth), paths)
    for path, answer in zip(paths, answers, strict=True):
        if isinstance(answer, Failed):
            errors[path] = answer.error
        else:
            found += answer
    if not found:
        raise JanitorError("\n".join(errors.values()))
    if format is Format.JSON:
        print_json(verification_document(found, errors, depth))
    else:
        show(*verification_lines(found), *(text(f"not verified: {error}") for error in errors.values()))
    finish(not errors and all(verification.whole for verification in found))


def checkpoints(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="The one directory that is meant.")],
    last: Annotated[
        int | None, typer.Option("--last", metavar="N", min=1, help="Keep the newest N whole ones.")
    ] = None,
    every_n_steps: Annotated[
        int | None,
        typer.Option("--every-n-steps", metavar="N", min=1, help="Keep the oldest, then one every N steps."),
    ] = None,
    every_n_hours: Annotated[
        float | None,
        typer.Option("--every-n-hours", metavar="H", help="Keep the oldest, then one every H hours."),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Do it; without this it is only told.")] = False,
    level: Annotated[
        VerifyLevel, typer.Option("--verify", help="How deep to verify what would stay.")
    ] = VerifyLevel.CHECKSUMS,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Thin out the checkpoints of a plain directory.

    Needs no metadata store. Only the directory itself is meant, none below or beside it; the newest whole
    checkpoint always stays, and a damaged one is never deleted.
    """
    from tfx_janitor.payload.verification import Level as Depth
    from tfx_janitor.report.documents import checkpoints_document
    from tfx_janitor.survey.plain_directory import plan_directory, rule_of

    if last is None and every_n_steps is None and every_n_hours is None:
        raise JanitorError("expected at least one of --last, --every-n-steps and --every-n-hours, got none")
    rule = rule_of(last=last, every_n_steps=every_n_steps, every_n_hours=every_n_hours)
    with working() as (crew, _):
        planned = plan_directory(directory, rule, crew, Depth(level.value))
    freed = _delete(planned) if delete and planned.deletions else 0
    if format is Format.JSON:
        print_json(checkpoints_document(planned.path, planned.decisions, deleted=delete, bytes_freed=freed))
    else:
        _tell(planned, freed, deleted=delete)
    finish(not planned.doubts)


def _delete(planned: DirectoryPlan) -> int:
    from tfx_janitor.deletion.checkpoints import PruneOrder, prune
    from tfx_janitor.payload.places import Place

    order = PruneOrder(
        directory=planned.path,
        names=tuple(decision.name for decision in planned.deletions),
        not_restorable=tuple(decision.name for decision in planned.doubts),
        roots=(Place("file", planned.path),),
    )
    try:
        return prune(order).bytes
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise JanitorError(
            f"not all could be deleted in {planned.path}: {error.strerror}{where}; mend that and run it again"
        ) from None


def _tell(planned: DirectoryPlan, freed: int, *, deleted: bool) -> None:
    from tfx_janitor.report.tables import checkpoint_rows
    from tfx_janitor.report.text import count, size, text

    if not planned.decisions:
        show(text(f"no checkpoints directly in {planned.path}"))
        return
    show(text(planned.path), checkpoint_rows(planned.decisions))
    going, doubts = planned.deletions, planned.doubts
    stay = len(planned.decisions) - len(going)
    lines = [""]
    if deleted:
        lines.append(f"{count(len(going), 'checkpoint')} deleted, {size(freed)} freed; {stay} left")
    else:
        amount = size(sum(decision.bytes for decision in going))
        lines.append(f"{count(len(going), 'checkpoint')} would be deleted, {amount}; {stay} would be left")
        lines += ["next: the same with --delete"] if going else []
    if doubts:
        lines.append(f"{count(len(doubts), 'checkpoint')} damaged or not understood, never deleted")
    show(*lines)
