"""What `tfx-janitor report` takes on a large store: seconds, memory, the page's size, and until it is open.

Run it with `python benchmarks/reporting.py`, or with another number of artifacts. It writes an MLMD store
shaped as TFX leaves it (5 artifacts a run, a run every 20 minutes), and payloads for its newest tenth: whole
SavedModels, and one file for what is no Model. The payloads of all others are missing, which the audit in the
page must tell. Then it runs the whole command in processes of its own, and opens the page in Chromium, if
there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deciding import write_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from rich.console import Console
from rich.table import Table

PER_RUN = 5
PACE_MS = 20 * 60 * 1000
WITH_PAYLOAD = 10
"""One run in so many has its payloads: the newest ones."""

SAVED_MODEL = Path(__file__).parents[1] / "tests" / "data" / "saved_model"
RULES = [{"name": "everything", "match": {"type": "*"}, "keep": {"last": 200, "pushed": 3}}]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("artifacts", nargs="?", type=int, default=100_000)
    artifacts = parser.parse_args().artifacts
    table = Table(title=f"{artifacts:,} artifacts")
    for heading in ("report", "seconds", "CPU s", "peak memory, MB", "page, MB", "open after, s"):
        table.add_column(heading, justify="left" if heading == "report" else "right")
    with tempfile.TemporaryDirectory(prefix="reporting-") as directory:
        home = Path(directory)
        make_store(home, artifacts // PER_RUN)
        for options in (["--no-replay"], []):
            page = home / "report.html"
            seconds, of_cpu, megabytes = report(home, page, options)
            size = page.stat().st_size / 1e6
            table.add_row(
                " ".join(options) or "with replay",
                f"{seconds:.1f}",
                f"{of_cpu:.1f}",
                f"{megabytes:,.0f}",
                f"{size:.1f}",
                opened(page),
            )
    Console().print(table)


def make_store(home: Path, runs: int) -> None:
    """Fills `metadata.db`, `pipelines` and `janitor.json` of a directory."""
    root = home / "pipelines"
    database = home / "metadata.db"
    store = write_store(str(database), runs, root=str(root))
    pushed = store.get_artifacts_by_type("PushedModel")
    for artifact in pushed:
        base = Path(artifact.uri).parents[2]
        run = Path(artifact.uri).name
        artifact.custom_properties["pushed_destination"].string_value = f"{base}/serving/{run}"
    store.put_artifacts(pushed)
    newest = [artifact for artifact in store.get_artifacts() if _run(artifact) >= runs - runs // WITH_PAYLOAD]
    del store
    _spread(database, runs)
    for artifact in newest:
        _write_payload(Path(artifact.uri))
    policy = {"version": 1, "roots": [str(root)], "rules": RULES}
    (home / "janitor.json").write_text(json.dumps(policy))


def report(home: Path, page: Path, options: list[str]) -> tuple[float, float, float]:
    """Runs the command; returns its wall seconds, its CPU seconds, and its peak resident memory in MB."""
    command = [sys.executable, "-m", "tfx_janitor", "--metadata", f"sqlite:///{home}/metadata.db", "report"]
    command += ["--policy", str(home / "janitor.json"), "--out", str(page), *options]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"report ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def opened(page: Path) -> str:
    """Seconds from navigation until everything is drawn, the quickest of three; `-` without a browser."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return "-"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        ready_ms: list[int] = []
        for _ in range(3):
            view = browser.new_page(viewport={"width": 1280, "height": 900})
            view.goto(page.as_uri())
            view.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
            ready_ms.append(int(view.get_attribute("html", "data-ready") or 0))
            view.close()
        browser.close()
    return f"{min(ready_ms) / 1000:.1f}"


def _run(artifact: mlmd.Artifact) -> int:
    return int(Path(artifact.uri).name)


def _write_payload(path: Path) -> None:
    if path.parent.name == "Model":
        shutil.copytree(SAVED_MODEL, path)
        return
    path.mkdir(parents=True)
    with (path / "data").open("wb") as file:
        file.truncate(100_000_000)  # sparse: it has a size, and takes no room


def _spread(database: Path, runs: int) -> None:
    """Gives the rows the times that they would have: MLMD itself stamps them with the clock."""
    first_ms = time.time_ns() // 1_000_000 - runs * PACE_MS
    with sqlite3.connect(database) as rows:
        for table, per_run in (("Artifact", PER_RUN), ("Execution", 4)):
            moment = f"{first_ms} + (id - 1) / {per_run} * {PACE_MS}"
            rows.execute(
                f"UPDATE {table} SET create_time_since_epoch = {moment},"
                f" last_update_time_since_epoch = {moment} + 60000"
            )
        moment = f"{first_ms} + (execution_id - 1) / 4 * {PACE_MS} + 60000"
        rows.execute(f"UPDATE Event SET milliseconds_since_epoch = {moment}")
    rows.close()


if __name__ == "__main__":
    main()
