"""`rollback`."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.builders import History, flip_bit
from tests.cli.conftest import Call
from tests.serving import labelled_model
from tfx_janitor.verified_pusher.staging import CORNER


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Cats, dogs, birds, as a stock Pusher would have pushed them."""
    for version, label in (("100", "cats"), ("101", "dogs"), ("102", "birds")):
        labelled_model(tmp_path / "my serving" / version, label)
    return tmp_path / "my serving"


def test_the_version_before_is_put_back(call: Call, base: Path):
    answer = call("rollback", base)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "version 103 serves what version 101 served, instead of version 102",
        f"  {base}/103",
        f"  from version {base}/101, verified: checksums",
        f"undo: tfx-janitor rollback '{base}' --to 102",
    ]
    assert (base / "103" / "assets" / "vocabulary.txt").read_text() == "dogs"


@pytest.mark.parametrize("spelled", ["my serving", "./my serving/", "elsewhere/../my serving"])
def test_all_paths_are_whole_however_it_was_spelled(
    call: Call, base: Path, monkeypatch: pytest.MonkeyPatch, spelled: str
):
    (base.parent / "elsewhere").mkdir()
    monkeypatch.chdir(base.parent)
    _, to, whence, undo = call("rollback", spelled).out.splitlines()
    assert to == f"  {base}/103"
    assert whence == f"  from version {base.parent / spelled}/101, verified: checksums"
    assert call(*shlex.split(undo.removeprefix("undo: tfx-janitor "))).code == 0


def test_one_version_can_be_asked_for(call: Call, base: Path):
    told = call("rollback", base, "--to", 100, "--level", "structure", "--format", "json").json
    assert told["schema"] == "tfx-janitor/rollback/v1"
    assert (told["version"], told["instead_of"], told["level"]) == (103, 102, "structure")
    assert told["put_back"] == {"version": 100, "path": f"{base}/100", "archived": False}
    assert (told["metadata"], told["act"], told["pushed_model"]) == (None, None, None)


def test_a_damaged_version_that_was_passed_over_is_a_finding(call: Call, base: Path):
    flip_bit(base / "101" / "variables" / "variables.data-00000-of-00001", 0)
    answer = call("rollback", base)
    assert answer.code == 1
    assert "  passed over version 101: it is damaged at" in answer.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["BASE/none"], "there is no BASE/none"),
        (["BASE/100"], "is a model itself; name the directory above it"),
        (["BASE", "--to", "7"], "expected a version of BASE, got 7; known are 100, 101, 102"),
        (["BASE", "--to", "102"], "version 102 is the newest in BASE already"),
        (["BASE", "--to", "new"], "expected a whole number, got"),
        (["BASE", "--now", "soon"], "expected a date or time"),
        (["BASE", "--level", "deep"], "structure"),
    ],
)
def test_bad_input_is_2(call: Call, base: Path, arguments: list[str], told: str):
    answer = call("rollback", *(argument.replace("BASE", str(base)) for argument in arguments))
    assert (answer.code, answer.out) == (2, "")
    assert told.replace("BASE", str(base)) in answer.err
    assert len(list(base.glob("1*"))) == 3


def test_nothing_to_roll_back_to_is_2(call: Call, tmp_path: Path):
    labelled_model(tmp_path / "1", "cats")
    answer = call("rollback", tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert "nothing to roll back to" in answer.err


def test_with_a_store_it_is_recorded(on: Call, history: History):
    pipeline = history.pipeline()
    first, second = (pipeline.retrain() for _ in range(2))
    (second.push.destination / "assets" / "vocabulary.txt").write_text("other")
    base = first.push.destination.parent
    answer = on("rollback", base)
    assert answer.code == 0
    assert f"  Model {first.model.id}\n" in answer.out
    assert "recorded as act " in answer.out
    undo = f"undo: tfx-janitor --metadata {history.url} rollback {base} --to {second.push.destination.name}\n"
    assert answer.out.endswith(undo)

    told = on("history").out
    assert "  rollback  " in told
    assert f"served artifact {first.model.id}: as version" in told
    assert on("history", "--verify").code == 0
    told = on("rollback", base, "--to", second.push.destination.name, "--format", "json").json
    assert told["metadata"] == history.url
    assert told["source"]["artifact_id"] == second.model.id
    assert history.row(told["pushed_model"]).type == "PushedModel"


def test_one_that_fails_did_nothing(on: Call, history: History):
    first, second = (history.pipeline().retrain() for _ in range(2))
    (second.push.destination / "assets" / "vocabulary.txt").write_text("other")
    base = first.push.destination.parent
    (base / CORNER).write_text("in the way")
    answer = on("rollback", base)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.endswith("there is something else; nothing became visible\n")
    assert "failed" in on("history").out


def test_a_version_that_was_put_back_and_retired_is_no_finding_of_the_audit(on: Call, history: History):
    first, second = (history.pipeline().retrain() for _ in range(2))
    (second.push.destination / "assets" / "vocabulary.txt").write_text("other")
    base = first.push.destination.parent
    put_back = on("rollback", base, "--format", "json").json["destination"]
    on("rollback", base, "--to", second.push.destination.name)
    shutil.rmtree(put_back)
    told = on("audit", "--policy", history.policy_file(), "--format", "json").json
    assert put_back not in json.dumps(told)


def test_the_environment_names_the_store_as_well(
    call: Call, history: History, monkeypatch: pytest.MonkeyPatch
):
    first, second = (history.pipeline().retrain() for _ in range(2))
    (second.push.destination / "assets" / "vocabulary.txt").write_text("other")
    base = first.push.destination.parent
    monkeypatch.setenv("TFX_JANITOR_METADATA", history.url)
    assert "recorded as act" in call("rollback", base).out
    monkeypatch.setenv("TFX_JANITOR_METADATA", "sqlite:///no/such/store.db")
    answer = call("rollback", base)
    assert (answer.code, answer.out) == (2, "")
    assert "no file /no/such/store.db" in answer.err
