"""`withdraw` and `adopt`, and what `rollback` passes over: versions that model servers watch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.builders import History, Retraining, flip_bit
from tests.cli.conftest import Call
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.payload.verification import Level as Depth
from tfx_janitor.verified_pusher import content, manifest, withdrawal
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.manifest import Execution, Manifest, Source, Verified
from tfx_janitor.verified_pusher.rollback import choose, put_back
from tfx_janitor.verified_pusher.staging import CORNER, Corner
from tfx_janitor.verified_pusher.withdrawal import WithdrawalError


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    """Three whole runs whose models differ."""
    pipeline = history.pipeline()
    runs = [pipeline.retrain() for _ in range(3)]
    for number, run in enumerate(runs):
        for model in (run.model.path / "Format-Serving", run.push.pushed_model.path, run.push.destination):
            (model / "assets.extra").mkdir()
            (model / "assets.extra" / "label").write_text(f"run {number}")
    return runs


def label(version: Path) -> str:
    return (version / "assets.extra" / "label").read_text()


def base_of(run: Retraining) -> Path:
    return run.push.destination.parent


class TestRollback:
    def test_what_was_not_blessed_is_passed_over(
        self, on: Call, history: History, runs: list[Retraining]
    ) -> None:
        history.set_property(runs[1].blessing, "blessed", 0)
        answer = on("rollback", base_of(runs[0]), "--format", "json")
        assert answer.json["put_back"]["version"] == int(runs[0].push.destination.name)
        assert "was not blessed" in answer.json["passed_over"][0]["why"]
        assert label(Path(answer.json["destination"])) == "run 0"

    def test_a_person_may_want_it_all_the_same(
        self, on: Call, history: History, runs: list[Retraining]
    ) -> None:
        history.set_property(runs[1].blessing, "blessed", 0)
        answer = on("rollback", base_of(runs[0]), "--to", runs[1].push.destination.name, "--format", "json")
        assert label(Path(answer.json["destination"])) == "run 1"

    def test_what_a_person_took_out_of_service_is_passed_over(self, on: Call, runs: list[Retraining]) -> None:
        number = runs[1].push.destination.name
        assert on("withdraw", base_of(runs[0]), number, "--reason", "bad predictions").code == 0
        answer = on("rollback", base_of(runs[0]), "--format", "json")
        assert label(Path(answer.json["destination"])) == "run 0"
        (over,) = answer.json["passed_over"]
        assert over["why"] == (
            "was taken out of service by a person: bad predictions; --to takes it all the same"
        )
        answer = on("rollback", base_of(runs[0]), "--to", number, "--format", "json")
        assert label(Path(answer.json["destination"])) == "run 1"

    def test_what_was_taken_out_before_its_push_was_recorded_is_passed_over_too(
        self, on: Call, history: History, runs: list[Retraining]
    ) -> None:
        """A person does not wait until the push, which waits for model servers, has given up."""
        pushed = runs[1].push
        history.set_property(pushed.pushed_model, "pushed", 0)
        on("withdraw", base_of(runs[0]), pushed.destination.name, "--reason", "bad predictions")
        history.set_property(pushed.pushed_model, "pushed", 1)
        answer = on("rollback", base_of(runs[0]), "--format", "json")
        assert label(Path(answer.json["destination"])) == "run 0"

    def test_a_base_directory_may_be_spelled_as_pushers_take_it(
        self, call: Call, runs: list[Retraining]
    ) -> None:
        assert call("rollback", f"file://{base_of(runs[0])}/").code == 0
        answer = call("rollback", "gs://serving/inception")
        assert answer.code == 2
        assert "expected a local directory" in answer.err

    def test_what_was_rolled_back_is_told_when_the_rest_fails(
        self, on: Call, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> list[Outcome]:
            raise WithdrawalError("no space")

        monkeypatch.setattr(withdrawal, "withdraw", fail)
        answer = on("rollback", base_of(runs[0]), "--withdraw")
        assert answer.code == 1
        assert "recorded as act" in answer.out
        assert "is still in service: no space" in answer.out

    def test_what_it_is_rolled_back_from_can_go_at_once(self, on: Call, runs: list[Retraining]) -> None:
        answer = on("rollback", base_of(runs[0]), "--withdraw")
        assert answer.code == 0
        assert not runs[2].push.destination.exists()
        assert f"version {runs[2].push.destination.name} is out of service" in answer.out

    def test_what_went_can_be_put_back_while_its_archive_is_there(
        self, on: Call, call: Call, runs: list[Retraining]
    ) -> None:
        undo = on("rollback", base_of(runs[0]), "--withdraw").out.split("undo: tfx-janitor ")[1]
        assert call(*undo.split()).code == 0
        assert label(max(base_of(runs[0]).glob("[0-9]*"))) == "run 2"

    def test_nothing_is_promised_where_no_archive_is_left(self, on: Call, runs: list[Retraining]) -> None:
        shutil.rmtree(runs[2].push.pushed_model.path)
        assert "undo" not in on("rollback", base_of(runs[0]), "--withdraw").out

    def test_without_a_store_as_well(self, call: Call, runs: list[Retraining]) -> None:
        answer = call("rollback", base_of(runs[0]), "--withdraw")
        assert (answer.code, "undo" in answer.out) == (0, False)
        assert not runs[2].push.destination.exists()


class TestWithdraw:
    def test_it_is_gone_and_the_history_tells(self, on: Call, runs: list[Retraining]) -> None:
        number = runs[0].push.destination.name
        assert on("withdraw", base_of(runs[0]), number, "--reason", "tampered with").code == 0
        assert not runs[0].push.destination.exists()
        told = on("history", runs[0].push.pushed_model.id).out
        assert "withdrawn" in told and "tampered with" in told
        assert on("history", "--verify").code == 0

    def test_the_newest_stays(self, on: Call, runs: list[Retraining]) -> None:
        answer = on("withdraw", base_of(runs[0]), runs[2].push.destination.name, "--reason", "a mistake")
        assert answer.code == 2
        assert " rollback`, or push a new one" in answer.err
        assert runs[2].push.destination.exists()

    def test_a_server_that_does_not_answer_may_have_it_loaded(self, on: Call, runs: list[Retraining]) -> None:
        number = runs[0].push.destination.name
        server = ["--server", "127.0.0.1:1/inception"]
        answer = on("withdraw", base_of(runs[0]), number, "--reason", "old", *server)
        assert answer.code == 2
        assert runs[0].push.destination.exists()

    @pytest.mark.parametrize("gone", [slice(0, 1), slice(0, 3)], ids=["it", "all"])
    def test_one_that_somebody_takes_away_meanwhile(
        self, on: Call, history: History, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch, gone: slice
    ) -> None:
        make = Corner.make

        def make_slowly(corner: Corner, unsynced: Unsynced) -> None:
            make(corner, unsynced)
            for run in runs[gone]:
                shutil.rmtree(run.push.destination)

        monkeypatch.setattr(Corner, "make", make_slowly)
        answer = on("withdraw", base_of(runs[0]), runs[0].push.destination.name, "--reason", "old")
        assert answer.code == 2
        assert "expected a version of" in answer.err
        assert acts.read(history.store) == []

    def test_one_by_which_alone_the_model_behind_what_is_served_is_known(
        self, on: Call, history: History, runs: list[Retraining]
    ) -> None:
        base, number = base_of(runs[0]), int(runs[1].push.destination.name)
        policy = history.policy_file(rules=[{"name": "m", "match": {"type": "Model"}, "keep": {"last": 1}}])
        choice = choose(str(base), level=Depth.CHECKSUMS, to=number)  # as a pusher does that has no store
        put_back(choice, execution=Execution(), now_ms=history.now_ms, level=Depth.CHECKSUMS)
        answer = on("withdraw", base, number, "--reason", "old")
        assert answer.code == 2
        adopt = f"tfx-janitor --metadata {history.url} adopt {base} {number + 2}"
        assert f"`{adopt}` first" in answer.err
        assert on("adopt", base, number + 2, "--reason", "put back by the pusher").code == 0
        assert on("withdraw", base, number, "--reason", "old").code == 0
        assert "served at" in on("explain", runs[1].model.id, "--policy", policy).out

    def test_a_directory_that_cannot_be_written_to(self, on: Call, runs: list[Retraining]) -> None:
        (base_of(runs[0]) / CORNER).write_text("in the way")
        answer = on("withdraw", base_of(runs[0]), runs[0].push.destination.name, "--reason", "old")
        assert answer.code == 2
        assert "could not take version" in answer.err and "out of service" in answer.err

    def test_one_that_is_not_there(self, on: Call, runs: list[Retraining]) -> None:
        answer = on("withdraw", base_of(runs[0]), 7, "--reason", "a mistake")
        assert answer.code == 2
        assert "expected a version of" in answer.err


class TestAdopt:
    def test_the_model_that_it_is_a_copy_of_is_found_and_held(
        self, on: Call, history: History, runs: list[Retraining]
    ) -> None:
        stray = shutil.copytree(runs[1].push.destination, base_of(runs[0]) / "1800000000")
        shutil.rmtree(runs[1].push.destination)
        policy = history.policy_file(rules=[{"name": "m", "match": {"type": "Model"}, "keep": {"last": 1}}])
        assert "hold.served" not in on("explain", runs[1].model.id, "--policy", policy).out
        told = on(
            "adopt", base_of(runs[0]), 1800000000, "--reason", "copied by hand", "--format", "json"
        ).json
        assert told["source_artifact_id"] == runs[1].model.id
        row = history.row(told["pushed_model"])
        assert row.custom_properties["pushed_destination"].string_value == str(stray)
        held = on("explain", runs[1].model.id, "--policy", policy)
        assert "served at" in held.out

    @pytest.mark.parametrize("made_later", [False, True])
    def test_its_manifest_names_the_model_unless_that_was_made_later(
        self, on: Call, history: History, runs: list[Retraining], made_later: bool
    ) -> None:
        """A store that was lost and begun anew gives the same ids and URIs once more."""
        stray = shutil.copytree(runs[1].push.destination, base_of(runs[0]) / "1800000000")
        (stray / "assets.extra" / "label").write_text("no Model is as this any more")
        model = runs[2].model
        pushed = Manifest(
            version=1800000000,
            created_at_ms=history.row(model).create_time_since_epoch - made_later,
            source=Source(model.uri, model.id, "Model"),
            execution=Execution(),
            verified=Verified("checksums", "SavedModel", 1),
            files=content.digest(content.scan(str(stray))),
        )
        manifest.write(str(stray), pushed, Unsynced())
        adopt = ("adopt", base_of(runs[0]), 1800000000, "--reason", "found by audit", "--format", "json")
        assert on(*adopt).json["source_artifact_id"] == (None if made_later else model.id)

    def test_one_that_is_known(self, on: Call, runs: list[Retraining]) -> None:
        answer = on("adopt", base_of(runs[0]), runs[0].push.destination.name, "--reason", "a mistake")
        assert answer.code == 2
        assert "has its PushedModel" in answer.err

    def test_one_that_is_damaged(self, on: Call, history: History, runs: list[Retraining]) -> None:
        stray = shutil.copytree(runs[1].push.destination, base_of(runs[0]) / "1800000000")
        flip_bit(stray / "variables" / "variables.data-00000-of-00001", 0)
        before = len(history.store.get_artifacts())
        answer = on("adopt", base_of(runs[0]), 1800000000, "--reason", "a mistake")
        assert answer.code == 2
        assert "is not whole" in answer.err
        assert len(history.store.get_artifacts()) == before

    def test_a_version_that_no_model_is_known_for(self, on: Call, runs: list[Retraining]) -> None:
        stray = shutil.copytree(runs[1].push.destination, base_of(runs[0]) / "1800000000")
        (stray / "assets.extra" / "label").write_text("of another store")
        answer = on("adopt", base_of(runs[0]), 1800000000, "--reason", "from the old site")
        assert answer.code == 0
        assert "no Model in the store is what it serves" in answer.out
