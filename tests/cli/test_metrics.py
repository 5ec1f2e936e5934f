"""`--metrics FILE`: written by real commands, however they end, and never in their way."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import errors
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.builders import History, Retraining, keep_models, prune_checkpoints
from tests.busy_store import impatient
from tests.cli.conftest import Call
from tests.cli.interrupted import interrupted
from tests.cli.test_process import loads
from tfx_janitor import effects
from tfx_janitor.audit.finding import CODES
from tfx_janitor.effects import Effect, Watcher


@pytest.fixture
def retrained(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(blessed=None, pushed=False) for _ in range(3)]


@pytest.fixture
def policy(history: History, retrained: object) -> Path:
    """Deletes two of three models, and one of two checkpoints in each of three runs."""
    return history.policy_file(rules=[keep_models(last=1), prune_checkpoints(last=1)], grace="7d")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "janitor.prom"


def told(file: Path, history: History, command: str, **more: str) -> dict[str, float]:
    """Values by name and by what else is in the labels."""
    found: dict[str, float] = {}
    whose = {"command": command, "metadata": history.url, **more}
    for family in text_string_to_metric_families(file.read_text()):
        for sample in family.samples:
            assert whose.items() <= sample.labels.items()
            own = "".join(f"/{value}" for name, value in sample.labels.items() if name not in whose)
            found[sample.name.removeprefix("tfx_janitor_") + own] = sample.value
    return found


def test_gc_from_its_marks_to_its_purge(on: Call, history: History, policy: Path, file: Path):
    assert on("gc", "--policy", policy, "--metrics", file).code == 0
    first = told(file, history, "gc")
    assert (first["last_run_items/marked"], first["last_run_items/purged"]) == (5, 0)
    assert (first["artifacts/keep"], first["artifacts/delete"], first["artifacts/ungoverned"]) == (4, 2, 3)
    assert first["marks"] == 5
    age = first["last_run_timestamp_seconds"] - first["oldest_mark_timestamp_seconds"]
    assert 0 <= age <= first["last_run_duration_seconds"] + 1
    assert first["reclaimable_bytes"] > 0 == first["freed_bytes_total"]
    assert first["last_success_timestamp_seconds"] == first["last_run_timestamp_seconds"]
    assert "stored_bytes" not in first

    answer = on("gc", "--policy", policy, "--now", "2100-01-01", "--sizes", "all", "--metrics", file)
    assert (answer.code, answer.err) == (0, "")
    second = told(file, history, "gc")
    assert (second["last_run_items/purged"], second["last_run_items/pruned"]) == (2, 3)
    assert (second["items_total/marked"], second["items_total/purged"], second["runs_total"]) == (5, 2, 2)
    assert second["last_run_freed_bytes"] == second["freed_bytes_total"] == first["reclaimable_bytes"]
    assert second["stored_bytes"] > second["freed_bytes_total"]
    assert (second["marks"], "oldest_mark_timestamp_seconds" in second) == (0, False)


def test_apply_and_purge_have_metrics_of_their_own(
    on: Call, history: History, policy: Path, file: Path, tmp_path: Path
):
    on("plan", "--policy", policy, "--out", tmp_path / "plan.json")
    assert on("apply", tmp_path / "plan.json", "--metrics", file).code == 0
    applied = told(file, history, "apply")
    assert (applied["last_run_items/marked"], applied["artifacts/delete"]) == (5, 2)

    assert on("purge", "--now", "2100-01-01", "--metrics", file).code == 0
    purged = told(file, history, "purge")
    assert (purged["last_run_items/purged"], purged["runs_total"]) == (2, 1)
    assert "artifacts/delete" not in purged


def test_audit_counts_all_kinds_of_findings(
    on: Call, history: History, policy: Path, retrained: list[Retraining], file: Path
):
    for path in retrained[0].model_run.path.glob("ckpt-200.*"):
        path.unlink()
    answer = on("audit", "--policy", policy, "--metrics", file, "--format", "json")
    assert answer.code == 1
    audited = told(file, history, "audit")
    findings = {name.split("/")[1]: n for name, n in audited.items() if name.startswith("findings/")}
    assert findings == {code: answer.json["summary"]["by_code"].get(code, 0) for code in CODES}
    assert audited["findings/stale-checkpoint-state/error"] == 1
    assert audited["last_run_exit_code"] == 1
    # It came to its end: what it found is no failure of the audit.
    assert audited["last_success_timestamp_seconds"] == audited["last_run_timestamp_seconds"]


def test_an_audit_of_one_pipeline_says_so(on: Call, history: History, policy: Path, file: Path):
    on("audit", "--policy", policy, "--pipeline", "inception", "--metrics", file)
    audited = told(file, history, "audit", pipeline="inception")
    assert "marks" not in audited  # those are the whole store's


def test_a_refusal_is_told(on: Call, history: History, retrained: object, file: Path):
    policy = history.policy_file(rules=[keep_models(last=1)], limits={"max_fraction": 0.5})
    assert on("gc", "--policy", policy, "--metrics", file).code == 3
    refused = told(file, history, "gc")
    assert (refused["last_run_refused"], refused["last_run_exit_code"]) == (1, 3)
    assert refused["artifacts/delete"] == 2
    assert "last_success_timestamp_seconds" not in refused


def test_bad_input_is_told_beside_the_last_success(on: Call, history: History, policy: Path, file: Path):
    on("gc", "--policy", policy, "--metrics", file)
    success = told(file, history, "gc")["last_success_timestamp_seconds"]
    policy.write_text("{")
    assert on("gc", "--policy", policy, "--metrics", file).code == 2
    failed = told(file, history, "gc")
    assert (failed["last_run_exit_code"], failed["runs_total"], failed["items_total/marked"]) == (2, 2, 5)
    assert failed["last_success_timestamp_seconds"] == success < failed["last_run_timestamp_seconds"]


def test_a_store_that_does_not_open_has_the_same_name(on: Call, history: History, policy: Path, file: Path):
    on("gc", "--policy", policy, "--metrics", file)
    history.database.rename(history.home / "moved.db")
    assert on("gc", "--policy", policy, "--metrics", file).code == 2
    assert told(file, history, "gc")["runs_total"] == 2


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("mysql://janitor:secret@db:3306/mlmd", "mysql://..."),
        ("secret", ""),
        ("http://[secret", "http://..."),
    ],
)
def test_no_password_gets_into_a_label(call: Call, policy: Path, file: Path, url: str, name: str):
    assert call("--metadata", url, "purge", "--metrics", file).code != 0
    assert "secret" not in file.read_text()
    assert f'metadata="{name}"' in file.read_text()


def test_a_store_that_is_lost_half_way(
    on: Call, history: History, policy: Path, file: Path, monkeypatch: pytest.MonkeyPatch
):
    impatient(monkeypatch)
    acts: list[str] = []

    def lost(effect: Effect, change: Callable[[], Any]) -> Any:
        acts.append(effect.subject)
        if acts.count("PutLineageSubgraph") > 1 and effect.kind == "mlmd":
            raise errors.UnavailableError("failed to connect to all addresses")
        return change()

    with effects.watched(lost):
        answer = on("gc", "--policy", policy, "--metrics", file)
    assert answer.code == 1
    cut_off = told(file, history, "gc")
    assert (cut_off["last_run_exit_code"], cut_off["last_run_items/marked"]) == (1, 2)
    assert "last_success_timestamp_seconds" not in cut_off


def test_a_run_that_was_stopped(history: History, policy: Path, file: Path):
    arguments = ("gc", "--policy", policy, "--metrics", file)
    done = interrupted(history, *arguments, at="PutLineageSubgraph", by=signal.SIGTERM)
    assert done.returncode == 1
    stopped = told(file, history, "gc")
    assert (stopped["last_run_exit_code"], stopped["last_run_items/marked"]) == (1, 2)
    assert "last_success_timestamp_seconds" not in stopped


def test_metrics_that_cannot_be_written_are_1_and_the_act_stands(
    on: Call, history: History, policy: Path, retrained: list[Retraining], tmp_path: Path
):
    answer = on("gc", "--policy", policy, "--metrics", tmp_path / "none" / "janitor.prom")
    assert answer.code == 1
    assert "5 marked" in answer.out
    assert answer.err == (
        f"tfx-janitor: the metrics were not written to {tmp_path}/none/janitor.prom: "
        "No such file or directory\n"
    )
    assert history.state(retrained[0].model) == "MARKED_FOR_DELETION"


def test_how_the_act_ended_counts_for_more_than_its_metrics(on: Call, history: History, tmp_path: Path):
    answer = on("gc", "--policy", tmp_path / "none.yaml", "--metrics", tmp_path)
    assert answer.code == 2
    assert "the metrics were not written" in answer.err
    assert "none.yaml: no such file" in answer.err


@pytest.mark.parametrize("content", [b"SQLite format 3\0", b"# HELP node_load1 1m load average.\n"])
def test_a_file_of_somebody_else_is_left_alone(on: Call, policy: Path, file: Path, content: bytes):
    file.write_bytes(content)
    answer = on("gc", "--policy", policy, "--metrics", file)
    assert (answer.code, file.read_bytes()) == (1, content)
    assert "holds no metrics of tfx-janitor; name another one" in answer.err


def test_a_device_or_a_link_is_not_replaced(on: Call, policy: Path, tmp_path: Path):
    link = tmp_path / "stdout.prom"
    link.symlink_to("/dev/stdout")
    answer = on("gc", "--policy", policy, "--metrics", link)
    assert (answer.code, link.is_symlink()) == (1, True)
    assert "there is something else than a file" in answer.err


def failing_at(kind: str, of: str) -> Watcher:
    def watcher(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.kind == kind and of in effect.subject:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return change()

    return watcher


@pytest.mark.parametrize("kind", ["create", "write", "fsync", "rename"])
def test_a_full_disk_leaves_the_old_metrics_and_nothing_beside_them(
    on: Call, policy: Path, file: Path, kind: str
):
    on("gc", "--policy", policy, "--metrics", file)
    before = file.read_text()
    with effects.watched(failing_at(kind, file.name)):
        answer = on("gc", "--policy", policy, "--metrics", file)
    assert answer.code == 1
    assert "No space left on device" in answer.err
    assert file.read_text() == before
    assert [path.name for path in file.parent.iterdir() if "prom" in path.name] == [file.name]


def test_who_asks_for_no_metrics_does_not_load_what_makes_them(history: History, policy: Path):
    arguments = ["--metadata", history.url, "gc", "--policy", str(policy)]
    assert loads(arguments, ["prometheus_client", "tfx_janitor.report.openmetrics"])[1] == []


def test_the_docs_name_all_metrics_and_no_others(on: Call, policy: Path, file: Path):
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    written: set[str] = set()
    for command in (("gc", "--sizes", "all"), ("audit",)):
        on(*command, "--policy", policy, "--metrics", file)
        families = text_string_to_metric_families(file.read_text())
        written |= {sample.name for family in families for sample in family.samples}
    assert set(re.findall(r"\btfx_janitor_[a-z_]+", page.read_text())) == written
