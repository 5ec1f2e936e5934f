"""The commands put together."""

from __future__ import annotations

import typer

from tfx_janitor.cli import (
    acting,
    auditing,
    deciding,
    lineage,
    mending,
    payloads,
    pinning,
    remembering,
    reporting,
    serving,
)
from tfx_janitor.cli.exits import CommandsThatAnswer
from tfx_janitor.cli.options import LogFormat, Logs, Metadata, Version
from tfx_janitor.cli.usage import CommandInPlainWords

EPILOG = (
    "Exit codes: 0 done; 1 done, but with findings, skipped or failed items, or stopped before all was done; "
    "2 bad input, nothing done; 3 refused by a limit. Times are ISO 8601, UTC where no zone is given."
)

# Rich help doubles the time that --help takes, and says no more.
app = typer.Typer(
    cls=CommandsThatAnswer,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)


@app.callback()
def top(
    ctx: typer.Context,
    metadata: Metadata = None,
    log_format: Logs = LogFormat.TEXT,
    version: Version = False,
) -> None:
    """Finds, explains and safely deletes dead models and checkpoints of TFX pipelines."""
    ctx.obj = metadata


ACTS = {
    acting.apply,
    acting.purge,
    acting.gc,
    acting.restore,
    mending.discard,
    mending.forget,
    mending.close,
    serving.withdraw,
}
"""Those to which the first Ctrl-C or `kill` is a wish."""

for command in (
    deciding.plan,
    acting.apply,
    acting.purge,
    acting.gc,
    acting.restore,
    deciding.explain,
    lineage.lineage,
    auditing.audit,
    reporting.report,
    mending.discard,
    mending.forget,
    mending.close,
    payloads.verify,
    payloads.checkpoints,
    pinning.pin,
    pinning.unpin,
    pinning.pins,
    remembering.history,
    serving.rollback,
    serving.withdraw,
    serving.adopt,
):
    app.command(cls=acting.CommandThatActs if command in ACTS else CommandInPlainWords)(command)
