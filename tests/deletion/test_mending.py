"""What a person says to be so: refused where it could lose anything, told in the history, and undone."""

from __future__ import annotations

import errno
import shutil
import subprocess

import pytest

from tests.builders import History, Retraining, damage_saved_model, keep_models
from tests.deletion.surroundings import before, unreadable
from tfx_janitor.deletion import acts, chain
from tfx_janitor.deletion.mending import close, discard, forget
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.restore import restore
from tfx_janitor.errors import JanitorError


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    """Three runs of which only the newest is still served."""
    pipeline = history.pipeline()
    runs = [pipeline.retrain() for _ in range(3)]
    for run in runs[:2]:
        shutil.rmtree(run.push.destination)
    return runs


class TestForget:
    def test_what_is_gone_is_called_deleted(self, history: History, runs: list[Retraining]) -> None:
        shutil.rmtree(runs[0].model.path)
        (outcome,) = forget(history.site(), [runs[0].model.id], "lost with the disk")
        assert (outcome.done, outcome.detail) == ("forgotten", "lost with the disk")
        assert history.state(runs[0].model) == "DELETED"

    def test_what_lies_there_is_not_forgotten(self, history: History, runs: list[Retraining]) -> None:
        (outcome,) = forget(history.site(), [runs[0].model.id], "a mistake")
        assert outcome.done == "skipped"
        assert "discard it instead" in outcome.detail
        assert history.state(runs[0].model) == "LIVE"

    def test_a_disk_that_is_not_mounted_is_no_loss(self, history: History, runs: list[Retraining]) -> None:
        history.root.rename(history.home / "unmounted")
        (outcome,) = forget(history.site(), [runs[0].model.id], "a mistake")
        assert outcome.done == "skipped"
        assert "mount its disk" in outcome.detail

    def test_of_two_that_share_a_payload_one_stays(self, history: History, runs: list[Retraining]) -> None:
        twin = history.pipeline("elsewhere").run().import_model(runs[0].model.path)
        outcomes = forget(history.site(), [runs[0].model.id, twin.id], "a double")
        assert sorted(outcome.done for outcome in outcomes) == ["forgotten", "skipped"]
        assert runs[0].model.path.exists()

    def test_a_twin_that_is_marked_keeps_nothing(self, history: History, runs: list[Retraining]) -> None:
        twin = history.pipeline("elsewhere").run().import_model(runs[0].model.path)
        history.set_state(twin, "MARKED_FOR_DELETION")
        (outcome,) = forget(history.site(), [runs[0].model.id], "a double")
        assert outcome.done == "skipped"
        assert history.state(runs[0].model) == "LIVE"
        (outcome,) = forget(history.site(), [twin.id], "a double")
        assert outcome.done == "forgotten"

    @pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE])
    def test_what_cannot_be_looked_at_is_not_gone(
        self, code: int, history: History, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unreadable(monkeypatch, runs[0].model.path, code)
        (outcome,) = forget(history.site(), [runs[0].model.id], "a mistake")
        assert outcome.done == "skipped"
        assert "cannot be looked at" in outcome.detail
        assert history.state(runs[0].model) == "LIVE"

    def test_where_all_around_is_gone_too_it_tells_the_way(
        self, history: History, runs: list[Retraining]
    ) -> None:
        shutil.rmtree(history.root)
        (outcome,) = forget(history.site(), [runs[0].model.id], "the pipeline was given up")
        assert outcome.done == "skipped"
        command = outcome.detail.partition("make it again: ")[2]
        subprocess.run(command, shell=True, check=True)
        (outcome,) = forget(history.site(), [runs[0].model.id], "the pipeline was given up")
        assert outcome.done == "forgotten"

    def test_an_unknown_id_is_refused(self, history: History, runs: list[Retraining]) -> None:
        with pytest.raises(JanitorError, match="which has no 4711"):
            forget(history.site(), [runs[0].model.id, 4711], "a mistake")


class TestDiscard:
    def test_it_goes_although_the_policy_keeps_it(self, history: History, runs: list[Retraining]) -> None:
        policy = history.policy(rules=[keep_models(last=3)], grace="1d")
        (outcome,) = discard(history.site(), policy, [runs[0].model.id], "trained on bad data")
        assert outcome.done == "marked"
        assert purge(history.site(), policy=policy) == []
        (gone,) = purge(history.site(now_ms=history.later(days=2)), policy=policy)
        assert gone.done == "purged"
        assert not runs[0].model.path.exists()

    def test_a_hold_keeps_it_marked(self, history: History, runs: list[Retraining]) -> None:
        """It is the newest, and served: TFX no longer takes it, and its bytes stay."""
        damage_saved_model(runs[2].model.path)
        policy = history.policy(rules=[keep_models(last=3)])
        discard(history.site(), policy, [runs[2].model.id], "damaged")
        assert purge(history.site(now_ms=history.later(days=2))) == []
        assert history.state(runs[2].model) == "MARKED_FOR_DELETION"
        assert runs[2].model.path.exists()

    def test_it_can_be_restored(self, history: History, runs: list[Retraining]) -> None:
        policy = history.policy(rules=[keep_models(last=3)], grace="1d")
        discard(history.site(), policy, [runs[0].model.id], "a mistake")
        (outcome,) = restore(history.site(), [runs[0].model.id])
        assert outcome.done == "restored"
        assert purge(history.site(now_ms=history.later(days=2))) == []

    def test_bytes_of_what_somebody_called_deleted_go_in_good_order(
        self, history: History, runs: list[Retraining]
    ) -> None:
        history.set_state(runs[0].model, "DELETED")
        policy = history.policy(rules=[keep_models(last=3)])
        (outcome,) = discard(history.site(), policy, [runs[0].model.id], "its bytes are left")
        assert outcome.done == "marked"
        assert [outcome.done for outcome in purge(history.site())] == ["purged"]
        assert not runs[0].model.path.exists()

    def test_what_no_rule_governs_is_left(self, history: History, runs: list[Retraining]) -> None:
        (outcome,) = discard(history.site(), history.policy(), [runs[0].examples.id], "a mistake")
        assert outcome.done == "skipped"
        assert history.state(runs[0].examples) == "LIVE"


class TestClose:
    def test_what_died_holds_nothing_any_more(self, history: History, runs: list[Retraining]) -> None:
        execution = runs[0].run.consume(runs[0].model, state="RUNNING")
        case = history.case(history.policy())
        assert case.active.any()
        (outcome,) = close(history.site(), [execution], "the machine was shut down")
        assert outcome.done == "closed"
        assert not history.case(history.policy()).active.any()

    def test_what_has_ended_stays_as_it_is(self, history: History, runs: list[Retraining]) -> None:
        (outcome,) = close(history.site(), [runs[0].training.execution], "a mistake")
        assert outcome.done == "skipped"
        row = history.store.get_executions_by_id([runs[0].training.execution])[0]
        assert row.last_known_state == row.COMPLETE

    def test_what_ends_meanwhile_is_not_told_as_closed(
        self, history: History, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dead, alive = (runs[0].run.consume(runs[0].model, state="RUNNING") for _ in range(2))
        before(monkeypatch, acts, "begin", lambda: history.end(alive))
        outcomes = close(history.site(), [dead, alive], "they died")
        assert [outcome.done for outcome in outcomes] == ["closed", "skipped"]
        (told,) = acts.read(history.store)
        assert told.outcomes == tuple(outcomes)
        (row,) = history.store.get_executions_by_id([alive])
        assert row.last_known_state == row.COMPLETE

    def test_nothing_else_of_it_changes(self, history: History, runs: list[Retraining]) -> None:
        execution = runs[0].run.consume(runs[0].model, state="RUNNING")
        (before,) = history.store.get_executions_by_id([execution])
        close(history.site(), [execution], "it died")
        (after,) = history.store.get_executions_by_id([execution])
        for row in (before, after):
            row.ClearField("last_known_state")
            row.ClearField("last_update_time_since_epoch")
        assert before == after


def test_all_of_it_is_in_the_chain(history: History, runs: list[Retraining]) -> None:
    shutil.rmtree(runs[0].model.path)
    execution = runs[0].run.consume(runs[1].model, state="RUNNING")
    forget(history.site(), [runs[0].model.id], "lost")
    discard(history.site(), history.policy(), [runs[1].model.id], "bad data")
    close(history.site(), [execution], "dead")
    told = acts.read(history.store)
    assert [(act.kind, act.details["reason"]) for act in told] == [
        ("mend", "lost"),
        ("mend", "bad data"),
        ("mend", "dead"),
    ]
    assert chain.check(told) == []
