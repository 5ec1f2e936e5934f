"""What served when, from MLMD: versions long gone, the same model again, and what nobody recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders import PUSHER, History, Made, Output, Pipeline
from tests.report.conftest import Show
from tests.retention.pure_histories import HOUR, MONDAY, PureHistory
from tfx_janitor.report.finding import NotFound
from tfx_janitor.report.served import Period, Timeline, base_of, timeline
from tfx_janitor.report.served_text import timeline_lines
from tfx_janitor.verified_pusher.standing import Standing

BASE = "/srv/serving/inception"


class Pushes:
    """A history of pushes to one base directory, an hour each."""

    def __init__(self) -> None:
        self.past = PureHistory()

    def push(self, version: int | str, *, hour: int, base: str = BASE, **properties: str | int) -> int:
        """A Model and its push. Returns the PushedModel's id."""
        model = self.past.artifact("Model", day=hour / 24)
        self.past.execution("Trainer", outputs=[model], run=f"run {version}")
        return self.push_again(model, version, hour=hour, base=base, **properties)

    def push_again(
        self, model: int, version: int | str, *, hour: int, base: str = BASE, **properties: str | int
    ) -> int:
        """The push of a Model."""
        values: dict[str, Any] = {"pushed": 1, "pushed_destination": f"{base}/{version}", **properties}
        pushed = self.past.artifact("PushedModel", day=hour / 24, **values)
        self.past.execution("Pusher", inputs=[model], outputs=[pushed], run=f"push {version}")
        return pushed

    def timeline(self, *standing: int | Standing, looked: bool = True) -> Timeline:
        """With the versions that stand there now."""
        there = [one if isinstance(one, Standing) else Standing(str(one), one) for one in standing]
        told = timeline(self.past.snapshot(), base_of(BASE), there if looked else None, metadata="m.db")
        return told


def hours(told: Timeline) -> dict[str, list[tuple[int, int | None]]]:
    """By version, from which hour to which it was the newest."""

    def hour(moment_ms: int | None) -> int | None:
        return None if moment_ms is None else (moment_ms - MONDAY) // HOUR

    return {
        version.name: [(hour(period.since_ms) or 0, hour(period.until_ms)) for period in version.periods]
        for version in told.versions
    }


@pytest.fixture
def pushes() -> Pushes:
    return Pushes()


def test_each_serves_until_the_next_is_pushed(pushes: Pushes):
    for version, hour in ((10, 1), (11, 5), (12, 7)):
        pushes.push(version, hour=hour)
    told = pushes.timeline(11, 12)
    assert hours(told) == {"10": [(1, 5)], "11": [(5, 7)], "12": [(7, None)]}
    assert [told.serves(version) for version in told.versions] == [False, False, True]
    assert [version.standing is not None for version in told.versions] == [False, True, True]


def test_the_highest_number_serves_and_not_the_latest_push(pushes: Pushes):
    for version, hour in ((10, 1), (12, 5), (11, 7)):
        pushes.push(version, hour=hour)
    assert hours(pushes.timeline(10, 11, 12)) == {"10": [(1, 5)], "12": [(5, None)], "11": []}


def test_what_is_below_serves_again_when_what_is_above_is_retired(pushes: Pushes):
    pushes.push(10, hour=1)
    pushes.push(12, hour=5)
    pushes.push(11, hour=7, retired_versions="12")
    told = pushes.timeline(10, 11)
    assert hours(told) == {"10": [(1, 5)], "12": [(5, 7)], "11": [(7, None)]}
    assert told.versions[1].retired_ms == MONDAY + 7 * HOUR


def test_what_a_push_retired_is_known_to_the_hour(pushes: Pushes):
    pushes.push(10, hour=1)
    pushes.push(11, hour=2)
    pushes.push(12, hour=3, retired_versions="10,11")
    assert [v.retired_ms for v in pushes.timeline(12).versions] == [MONDAY + 3 * HOUR] * 2 + [None]


def test_what_somebody_removed_by_hand_is_seen_missing_and_no_more(pushes: Pushes):
    pushes.push(10, hour=1)
    pushes.push(11, hour=2)
    told = pushes.timeline(10)
    newest = told.versions[1]
    assert newest.periods == (Period(MONDAY + 2 * HOUR, None),)
    assert newest.standing is None and newest.retired_ms is None and not told.serves(newest)
    assert told.newest == 10


def test_the_same_model_pushed_again_is_the_same_version(pushes: Pushes):
    first = pushes.push(10, hour=1)
    again = pushes.push_again(101, 10, hour=4)
    told = pushes.timeline(10)
    (version,) = told.versions
    assert [int(told.snapshot.artifacts.id[row]) for row in version.pushed] == [first, again]
    assert version.pushed_ms == MONDAY + HOUR


def test_another_model_under_the_same_number_never_served(pushes: Pushes):
    """Two pushes of the stock Pusher in one second: the second is dropped, and recorded as pushed."""
    pushes.push(10, hour=1)
    pushes.push(10, hour=1)
    told = pushes.timeline(10)
    assert [version.periods for version in told.versions] == [(Period(MONDAY + HOUR),), ()]
    assert [told.serves(version) for version in told.versions] == [True, False]


def test_what_was_not_pushed_and_what_was_pushed_elsewhere_is_left_out(pushes: Pushes):
    pushes.push(10, hour=1)
    pushes.push(11, hour=2, pushed=0)
    pushes.push(12, hour=3, base=f"{BASE}-2")
    pushes.push(13, hour=4, base=f"{BASE}/canary")
    assert [version.name for version in pushes.timeline(10).versions] == ["10"]


def test_what_stands_there_and_nobody_recorded(pushes: Pushes):
    pushes.push(10, hour=1)
    told = pushes.timeline(10, Standing("99", 99, "blake3:ab", 7), 3)
    assert [one.name for one in told.unrecorded] == ["3", "99"]
    assert told.newest == 99 and not told.serves(told.versions[0])
    listed = told.to_dict()["unrecorded"]
    assert [(one["version"], one["serving"]) for one in listed] == [("3", False), ("99", True)]


def test_what_a_manifest_tells(pushes: Pushes):
    pushes.push(10, hour=5)
    there = Standing("10", 10, digest="blake3:ab", pushed_ms=MONDAY + HOUR)
    (version,) = pushes.timeline(there).versions
    assert (version.digest, version.pushed_ms) == ("blake3:ab", MONDAY + HOUR)
    pushes.push(11, hour=6, content_digest="blake3:cd", put_back_version=10)
    version = pushes.timeline(there).versions[1]
    assert (version.digest, version.puts_back) == ("blake3:cd", 10)


def test_where_nobody_can_look_only_the_past_is_known(pushes: Pushes):
    pushes.push(10, hour=1)
    told = pushes.timeline(looked=False)
    assert told.newest is None and not told.serves(told.versions[0])
    assert told.to_dict()["versions"][0]["stands"] is None


def test_another_directory_is_named_where_nothing_was_pushed_here(pushes: Pushes):
    with pytest.raises(
        NotFound, match="the store knows of no push to /srv/serving/inception, nor to anywhere"
    ):
        pushes.timeline()
    pushes.push(10, hour=1, base="/srv/other")
    pushes.push(11, hour=2, base="/srv/other")
    with pytest.raises(NotFound, match=r"it knows of pushes to /srv/other \(2 pushes\)"):
        pushes.timeline()
    assert [one.name for one in pushes.timeline(10).unrecorded] == ["10"]


def test_no_name_is_cut_however_narrow_the_terminal(pushes: Pushes, show: Show):
    pushes.push(10, hour=1)
    pushes.push(1_700_000_011, hour=2, content_digest=f"blake3:{'ab' * 32}")
    wide, narrow = (show(*timeline_lines(pushes.timeline(10)), width=width) for width in (160, 60))
    assert len(wide) == 4 and wide[1].split()[0] == "version"
    assert "run 10, pushed in push 10" in wide[3]
    assert narrow[1:7] == [
        "1700000011",
        "  from     2026-01-05 02:00:00 UTC",
        "  until    not recorded",
        "  model    103",
        "  run      run 1700000011, pushed in push 1700000011",
        "  data     unknown",
    ]


def test_no_name_is_cut_at_any_width(pushes: Pushes, show: Show):
    pushes.push(10, hour=1)
    pushes.push(1_700_000_011, hour=2, content_digest=f"blake3:{'ab' * 32}")
    for width in range(60, 160):
        assert "\u2026" not in "".join(show(*timeline_lines(pushes.timeline(10)), width=width)), width


def push_with(pipeline: Pipeline, model: Made, destination: Path) -> Made:
    properties: dict[str, str | int] = {"pushed": 1, "pushed_destination": str(destination)}
    outputs = {"pushed_model": Output("PushedModel", properties)}
    return pipeline.run().execute(PUSHER, inputs={"model": [model]}, outputs=outputs)[1]["pushed_model"]


def test_one_directory_by_whatever_name(tmp_path: Path):
    """Pushed to by way of a link, asked for by the directory itself, and the other way round."""
    history = History(tmp_path)
    real, link = history.home / "served", history.home / "link"
    real.mkdir()
    link.symlink_to(real)
    pipeline = history.pipeline()
    model = pipeline.run().train().model
    push_with(pipeline, model, link / "1")
    push_with(pipeline, model, real / "2")
    for base in (real, link, f"file://{link}/"):
        told = timeline(history.snapshot(), base_of(str(base)), [], metadata="m.db")
        assert [version.name for version in told.versions] == ["1", "2"]
