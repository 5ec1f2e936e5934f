"""`verify` and `checkpoints`: payloads on a disk, without a metadata store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tfx_janitor.cli.exits import finish
from tfx_janitor.cli.options import Format, Level, ModelLevel, OutputFormat, VerifyLevel
from tfx_janitor.cli.printing import print_json, show
from tfx_janitor.cli.site import clock_ms, working
from tfx_janitor.errors import JanitorError, Stopped

if TYPE_CHECKING:
    from tfx_janitor.payload.smoke import SmokeTest
    from tfx_janitor.payload.verification import Verification
    from tfx_janitor.survey.plain_directory import DirectoryPlan


def verify(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="SavedModels or checkpoints.")],
    level: Level = ModelLevel.CHECKSUMS,
    examples: Annotated[
        str | None,
        typer.Option(
            "--examples",
            metavar="FILE",
            help="For --level smoke: what to ask besides the model's own warm-up requests, in JSON (.json) "
            "or TFRecords.",
        ),
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option("--signature", metavar="NAME", help="Which signature the examples are for."),
    ] = None,
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
    work = partial(verify_payload, level=depth, smoke_test=_smoke_test(level, examples, signature))
    found: list[Verification] = []
    errors: dict[str, str] = {}
    with working() as (crew, _):
        answers = crew.run("verify", work, paths)
    for path, answer in zip(paths, answers, strict=True):
        if isinstance(answer, Failed):
            errors[path] = answer.error
        else:
            found += answer
    if not found:
        raise JanitorError("\n".join(dict.fromkeys(errors.values())))
    if format is Format.JSON:
        print_json(verification_document(found, errors, depth))
    else:
        show(*verification_lines(found), *(text(f"not verified: {error}") for error in errors.values()))
    finish(not errors and all(verification.whole for verification in found))


def _smoke_test(level: ModelLevel, examples: str | None, signature: str | None) -> SmokeTest:
    from tfx_janitor.payload.smoke import SmokeTest

    if level is not ModelLevel.SMOKE and (examples or signature):
        raise JanitorError(f"expected --examples and --signature only with --level smoke, got {level.value}")
    return SmokeTest.of({"examples": examples, "signature": signature})


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
    broken: Annotated[
        bool,
        typer.Option(
            "--broken", help="Let go of those that cannot be restored from, and mend the `checkpoint` file."
        ),
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Do it; without this it is only told.")] = False,
    level: Annotated[
        VerifyLevel, typer.Option("--verify", help="How deep to verify what would stay.")
    ] = VerifyLevel.CHECKSUMS,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Thin out the checkpoints of a plain directory.

    Needs no metadata store. Only the directory itself is meant, none below or beside it; the newest whole
    checkpoint always stays, and a damaged one is only deleted with --broken.
    """
    from tfx_janitor.payload.verification import Level as Depth
    from tfx_janitor.report.documents import checkpoints_document
    from tfx_janitor.survey.plain_directory import plan_broken, plan_directory, rule_of

    thinning = last is not None or every_n_steps is not None or every_n_hours is not None
    if thinning == broken:
        raise JanitorError(
            "expected either --broken, or at least one of --last, --every-n-steps and --every-n-hours; got "
            + ("both" if broken else "none")
        )
    depth = Depth(level.value)
    with working() as (crew, _):
        if broken:
            planned = plan_broken(directory, crew, depth, now_ms=clock_ms())
        else:
            rule = rule_of(last=last, every_n_steps=every_n_steps, every_n_hours=every_n_hours)
            planned = plan_directory(directory, rule, crew, depth)
    changes = broken or bool(planned.deletions)
    rewrites = changes and _rewrites_state(planned)
    freed = _delete(planned, mends_state=broken) if delete and changes else 0
    if format is Format.JSON:
        print_json(
            checkpoints_document(
                planned.path,
                planned.decisions,
                deleted=delete,
                rewrites_state=rewrites,
                bytes_freed=freed,
            )
        )
    else:
        _tell(planned, freed, deleted=delete, broken=broken, rewrites=rewrites)
    finish(not planned.doubts)


def _rewrites_state(planned: DirectoryPlan) -> bool:
    """Whether the `checkpoint` file is another one when the plan is carried out."""
    from tfx_janitor.deletion.checkpoints import state_after
    from tfx_janitor.payload.checkpoint_state import StateError
    from tfx_janitor.payload.checkpoints import read_directory

    try:
        found = read_directory(planned.path)
    except StateError:
        return True
    going, doubts = ({d.name for d in some} for some in (planned.deletions, planned.doubts))
    staying = [checkpoint for checkpoint in found.checkpoints if checkpoint.name not in going]
    return found.state is not None and found.state != state_after(found.state, staying, doubts)


def _delete(planned: DirectoryPlan, *, mends_state: bool) -> int:
    from tfx_janitor.deletion.checkpoints import PruneOrder, prune
    from tfx_janitor.payload.places import Place

    order = PruneOrder(
        directory=planned.path,
        names=tuple(decision.name for decision in planned.deletions),
        not_restorable=tuple(decision.name for decision in planned.doubts),
        roots=(Place("file", planned.path),),
        mends_state=mends_state,
    )
    try:
        return prune(order).bytes
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise Stopped(
            f"not all could be deleted in {planned.path}: {error.strerror}{where}; mend that and run it again"
        ) from None


def _tell(planned: DirectoryPlan, freed: int, *, deleted: bool, broken: bool, rewrites: bool) -> None:
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
        lines += ["the `checkpoint` file was mended"] if broken and rewrites else []
    else:
        amount = size(sum(decision.bytes for decision in going))
        lines.append(f"{count(len(going), 'checkpoint')} would be deleted, {amount}; {stay} would be left")
        mends = broken and rewrites
        lines += ["the `checkpoint` file would be mended"] if mends else []
        lines += ["next: the same with --delete"] if going or mends else []
    if doubts:
        advice = "" if broken else "; --broken lets go of what is damaged"
        lines.append(f"{count(len(doubts), 'checkpoint')} damaged or not understood: kept{advice}")
    show(*lines)
