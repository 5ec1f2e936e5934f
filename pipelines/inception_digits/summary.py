"""What a person wants to see, read from ML Metadata and the disk: nothing here remembers the process."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pipelines.inception_digits import data, ledger, retrainings
from pipelines.inception_digits.ledger import Ledger
from pipelines.inception_digits.retrainings import Retraining
from pipelines.inception_digits.workspace import Workspace
from tfx_janitor.lineage import connection, read_api
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.report.text import size

_STYLES = {ledger.KEPT: "green", ledger.DUE: "yellow", ledger.GONE: "red"}


def show_newest_retraining(console: Console, workspace: Workspace) -> None:
    """Shows what the newest retraining was made of, how good it is, and what the janitor did after it."""
    store, _ = connection.open_url(workspace.metadata_url, readonly=True)
    snapshot = read_api.read(store)
    newest = retrainings.read(store, snapshot, workspace.pipeline)[-1]
    pushed = f"as version {newest.version}" if newest.version else "[red]no[/]"
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column()
    grid.add_row("trained", _trained(newest))
    grid.add_row("accuracy", _accuracy(newest))
    grid.add_row("pushed", pushed)
    grid.add_row("janitor", _cleaned(snapshot, newest.run))
    console.print(Panel(grid, title=f"span {newest.span}: Model {newest.model}", title_align="left"))


def show_everything(console: Console, workspace: Workspace) -> None:
    """Shows all models and checkpoints ever made, the disk, what is served, and where to look next."""
    store, url = connection.open_url(workspace.metadata_url, readonly=True)
    snapshot = read_api.read(store)
    policy = RetentionPolicy.from_yaml(workspace.policy)
    known = Ledger(store, url, snapshot, policy, workspace.pipeline, time.time_ns() // 1_000_000)
    made = retrainings.read(store, snapshot, workspace.pipeline)

    console.rule("All models and checkpoints ever made")
    console.print(_entries_table(made, known))
    console.print(f"{ledger.DUE}: of a run that was not over yet when its janitor looked", style="dim")
    console.rule("What is served, asked for the digits that no training ever saw")
    console.print(_served_table(workspace, made))
    console.rule("Disk")
    sizes = known.bytes(workspace.root, workspace.serving)
    console.print(
        f"[bold]{size(sizes.now)}[/] with the janitor, "
        f"[bold]{size(sizes.now + sizes.deleted + sizes.retired)}[/] without: "
        f"it deleted {size(sizes.deleted)}, and {size(sizes.retired)} were retired from service."
    )
    console.rule("Where to look next")
    _print_commands(console, workspace, made[0].model)


def accuracy_of(version: Path, held_out: Path) -> float:
    """Accuracy of a SavedModel directory on digits that no training ever saw, asked as a client would ask."""
    examples = list(tf.data.TFRecordDataset(str(held_out)).as_numpy_iterator())
    labels = [int(label) for _, label in data.read(str(held_out))]
    model: Any = tf.saved_model.load(str(version))
    probabilities = model.signatures["serving_default"](tf.constant(examples))["probabilities"]
    return float(np.mean(np.argmax(probabilities, axis=1) == labels))


def _trained(retraining: Retraining) -> str:
    weights = "from scratch" if retraining.base_model is None else f"from Model {retraining.base_model}"
    return (
        f"{weights}, {retraining.steps} steps on {retraining.trained} digits, "
        f"learning rate {retraining.learning_rate:g}"
    )


def _accuracy(retraining: Retraining) -> str:
    if retraining.accuracy is None:
        return "[red]not evaluated[/]"
    against = "" if retraining.baseline is None else f", the blessed model has {retraining.baseline:.3f}"
    verdict = "[green]blessed[/]" if retraining.blessed else "[red]not blessed[/]"
    return f"{retraining.accuracy:.3f} on {retraining.evaluated} other digits{against}: {verdict}"


def _cleaned(snapshot: Snapshot, run: str | None) -> str:
    """What the janitor of one pipeline run reported."""
    reports = [row for row in snapshot.rows_of_type("JanitorReport") if snapshot.run_of(row) == run]
    if not reports:
        return "[red]left no report[/]"
    status, reason, freed = (
        snapshot.property(reports[-1], name) for name in ("status", "reason", "bytes_freed")
    )
    if status != "done":
        return f"[red]{status}[/]: {escape(str(reason))}"
    report = json.loads(Path(snapshot.artifacts.uri[reports[-1]], "report.json").read_text(encoding="utf-8"))
    by_fate: defaultdict[str, list[str]] = defaultdict(list)
    for outcome in report["outcomes"]:
        row = snapshot.row(outcome["artifact_id"])
        if outcome["done"] != "marked" and row is not None:
            by_fate[outcome["done"]].append(f"{snapshot.type_of(row)} {outcome['artifact_id']}")
    told = "; ".join(f"{fate} {', '.join(names)}" for fate, names in by_fate.items())
    return f"{told}: {size(int(freed or 0))} freed" if told else "nothing to delete"


def _entries_table(made: list[Retraining], known: Ledger) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("span", justify="right")
    table.add_column("what", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("why", overflow="fold")
    for retraining in made:
        span = str(retraining.span)
        for entry in known.entries(retraining.model):
            fate = Text(entry.fate, _STYLES[entry.fate])
            table.add_row(span, entry.what, size(entry.bytes), fate, Text(entry.reasons))
            span = ""
    return table


def _served_table(workspace: Workspace, made: list[Retraining]) -> Table | str:
    if not workspace.serving.is_dir():
        return "nothing: no model was pushed"
    models = {retraining.version: retraining.model for retraining in made}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("version", "model", "accuracy"):
        table.add_column(heading)
    versions = (path for path in workspace.serving.iterdir() if path.name.isdecimal())
    for version in sorted(versions, key=lambda path: int(path.name)):
        accuracy = accuracy_of(version, workspace.held_out)
        table.add_row(version.name, f"Model {models.get(version.name, '?')}", f"{accuracy:.3f}")
    return table


def _from_here(url: str) -> str:
    """A URL for the shell, short if what it names lies below the present directory."""
    here = os.getcwd()
    return f'"{url.replace(here, "$PWD")}"' if f"{here}/" in url else shlex.quote(url)


def _print_commands(console: Console, workspace: Workspace, model: int) -> None:
    installed = Path(sys.executable).with_name("tfx-janitor")
    janitor = "tfx-janitor" if shutil.which("tfx-janitor") else shlex.quote(os.path.relpath(installed))
    policy = shlex.quote(os.path.relpath(workspace.policy))
    page = shlex.quote(os.path.join(os.path.dirname(os.path.relpath(workspace.policy)), "report.html"))
    commands = (
        f"export TFX_JANITOR_METADATA={_from_here(workspace.metadata_url)}",
        f"{janitor} plan --policy {policy}  # what would go next, and why the rest stays",
        f"{janitor} explain {model} --policy {policy}  # why the first model is what it is",
        f"{janitor} history  # who deleted what, when",
        f"{janitor} report --policy {policy} --out {page}  # all on one page",
    )
    for command in commands:
        # People copy these: a terminal wraps long ones by itself, and a copy then has no line break in it.
        console.print(command, soft_wrap=True, highlight=False, markup=False)
