"""URIs that somebody wrote into the store: whatever they name, nothing outside the roots is touched.

Each store has a Model with such a URI and a newer, whole one; the policy would delete the first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.builders import TRAINER, History, Made, Output, keep_models, write_saved_model
from tests.deletion.surroundings import Picture, picture, precious, swap_for_a_link
from tfx_janitor.deletion.gc import Collected, collect
from tfx_janitor.deletion.remove import vanish
from tfx_janitor.payload.places import Place
from tfx_janitor.retention.plan import Decision
from tfx_janitor.survey.crew import Done, Failed, Item, Threads


class World:
    """A store, its root with a sibling whose name begins alike, and what lies outside."""

    def __init__(self, home: Path) -> None:
        self.history = History(home)
        self.root = self.history.root
        self.outside = precious(self.history.home / "outside")
        precious(self.history.home / "pipelines-old" / "model")
        precious(self.root / "unclaimed")
        (self.root / "link out").symlink_to(self.outside)
        (self.root / "loop").symlink_to("loop")
        (self.root / "dangling out").symlink_to(self.outside / "nowhere")
        (self.root / "dangling in").symlink_to("nowhere")

    def model(self, uri: str) -> Made:
        """A Model at a URI in which {root} and {outside} stand for those, and nothing else is replaced."""
        uri = uri.replace("{root}", str(self.root)).replace("{outside}", str(self.outside))
        outputs = {"model": Output("Model", uri=uri or "to be emptied")}
        _, made = self.history.pipeline().run().execute(TRAINER, outputs=outputs)
        if not uri:
            row = self.history.row(made["model"])
            row.uri = uri
            self.history.store.put_artifacts([row])
        return made["model"]

    def newer_model(self) -> Made:
        """The one that stays."""
        return self.history.pipeline().retrain(blessed=None, pushed=False).model

    def collect(self, **site: Any) -> Collected:
        """One `gc` that keeps one Model of each node and waits for no grace."""
        return collect(self.history.site(**site), self.history.policy(rules=[keep_models(last=1)]))

    def picture(self) -> Picture:
        """Everything but the store, which the janitor writes its acts into."""
        tops = [path for path in self.history.home.iterdir() if not path.name.startswith("metadata.db")]
        return {name: seen for top in tops for name, seen in picture(top).items()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path.resolve() / "home")


def codes(decision: Decision | None) -> list[str]:
    assert decision is not None
    return [reason.code for reason in decision.reasons]


OUTSIDE_ROOTS = [
    "/",
    "//",
    "/..",
    "{root}",
    "{root}/",
    "{root}//.",
    "file://{root}",
    "{root}/inception/..",
    "{root}/..",
    "{root}/../outside",
    "{root}/inception/../../outside",
    "{root}-old/model",
    "{root}/../pipelines-old/model",
    "{outside}",
    "{outside}/variables",
    "file://{outside}",
    "file://localhost{outside}",
    "FILE://{outside}",
    "{root}/link out",
    "{root}/link out/",
    "{root}/link out/variables",
    "{root}/link out/../outside",
    "{root}/dangling out",
    "{outside}/two\nlines",
    "/etc/passwd",
    "/proc/self/root",
    "/proc/self/cwd",
    "/dev/null",
]

NOT_UNDERSTOOD = [
    "",
    " ",
    "\n",
    ".",
    "..",
    "~",
    "*",
    "$HOME",
    "inception/model/1",
    "C:\\models\\1",
    "file:{outside}",
    "file:/",
    "file://",
    "file://elsewhere{outside}",
    "gs://",
    "gs://bucket",
    "gs://bucket/",
    "gs://bucket/models/1",
    "gs://bucket/..",
    "gs://bucket/models/../../other",
    "s3:///",
    "hdfs://{outside}",
    "://",
    "\x1b[2J",
    "nul\0",
]

NOTHING_TO_READ = [
    "{root}/nowhere",
    "{root}/dangling in",
    "{root}/" + "n" * 300,
    "{root}/" + "d/" * 3000 + "1",
    "{root}/unclaimed/saved_model.pb/1",
    "{root}/nul\0/1",  # MLMD cuts it off at the NUL
]


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        *((uri, "hold.outside-roots") for uri in OUTSIDE_ROOTS),
        *((uri, "unknown.uri") for uri in NOT_UNDERSTOOD),
        *((uri, "unknown.payload") for uri in NOTHING_TO_READ),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_what_is_held(uri: str, code: str, world: World) -> None:
    hostile, stays = world.model(uri), world.newer_model()
    before = world.picture()
    collected = world.collect()
    assert code in codes(collected.plan.decision(hostile.id))
    assert collected.outcomes == ()
    assert world.history.states(hostile, stays) == ["LIVE", "LIVE"]
    assert world.picture() == before


NAMES = [
    "two\nlines",
    "tab\tand return\r",
    "\x1b[2J\x1b[31mred",
    "\u202eright to left",
    "'single' \"double\"",
    "$(touch touched)",
    "`touch touched`",
    "; rm -rf *",
    "*",
    "?",
    "[a-z]",
    "{a,b}",
    "-rf",
    "~",
    " leading and trailing ",
    "...",
    "..x",
    ".hidden",
    "back\\slash",
    "%2e%2e",
    "100%",
    "[bold red]markup[/]",
    "gs:",
    "x" * 255,
]


def test_a_name_is_a_name(world: World) -> None:
    """What lies beside them answers to the patterns among them."""
    hostile = [world.model(f"{{root}}/{name}/1") for name in NAMES]
    hostile += [world.model(f"file://{{root}}/uri/{name}") for name in NAMES]
    for made in hostile:
        write_saved_model(Path(made.uri.removeprefix("file://")))
    beside = [precious(top / name / "1") for top in (world.root, world.root / "uri") for name in "abx"]
    before = [picture(path) for path in (world.outside, *beside)]
    stays = world.newer_model()
    outcomes = world.collect().purged
    assert [outcome.done for outcome in outcomes] == ["purged"] * len(hostile)
    assert set(world.history.states(*hostile)) == {"DELETED"}
    assert world.history.state(stays) == "LIVE"
    assert not any(os.path.lexists(made.uri.removeprefix("file://")) for made in hostile)
    assert [picture(path) for path in (world.outside, *beside)] == before


@pytest.mark.parametrize(
    "spelling", ["{root}//p///1/", "{root}/./p/1", "{root}/p/2/../1", "file://{root}/p/1/."]
)
def test_a_spelling_is_one_place(spelling: str, world: World) -> None:
    """Another artifact that stays at the same place holds it, in whatever spelling."""
    hostile = world.model(spelling)
    write_saved_model(world.root / "p" / "1")
    world.newer_model()
    other = world.history.pipeline("other").run()
    other.execute(TRAINER, outputs={"model": Output("Model", uri=str(world.root / "p" / "1"))})
    before = world.picture()
    assert "hold.shared-payload" in codes(world.collect().plan.decision(hostile.id))
    assert world.picture() == before


@pytest.mark.parametrize(
    "around", ["{root}/p", "{root}/p/1/Format-Serving", "{root}/link in/1", "{root}/link in"]
)
def test_in_at_or_around_what_stays_nothing_goes(around: str, world: World) -> None:
    (world.root / "link in").symlink_to(world.root / "p")
    hostile = world.model(around)
    write_saved_model(world.root / "p" / "1" / "Format-Serving")
    world.newer_model()
    other = world.history.pipeline("other").run()
    other.execute(TRAINER, outputs={"model": Output("Model", uri=str(world.root / "p" / "1"))})
    before = world.picture()
    assert "hold.shared-payload" in codes(world.collect().plan.decision(hostile.id))
    assert world.picture() == before


def test_a_payload_that_is_a_link_inside_goes_as_a_link(world: World) -> None:
    (world.root / "link in").symlink_to(world.root / "unclaimed")
    before = picture(world.root / "unclaimed")
    hostile = world.model("{root}/link in")
    world.newer_model()
    world.collect()
    assert world.history.state(hostile) == "DELETED"
    assert not (world.root / "link in").is_symlink()
    assert picture(world.root / "unclaimed") == before


def test_a_loop_goes_as_a_link(world: World) -> None:
    hostile = world.model("{root}/loop")
    world.newer_model()
    world.collect()
    assert world.history.state(hostile) == "DELETED"


def test_a_way_back_up_through_a_link_leads_where_the_kernel_goes(world: World) -> None:
    """`link/../1` is beside what the link leads to, not beside the link."""
    (world.root / "deep" / "er").mkdir(parents=True)
    (world.root / "link").symlink_to(world.root / "deep" / "er")
    hostile = world.model("{root}/link/../unclaimed")
    write_saved_model(world.root / "deep" / "unclaimed")
    before = picture(world.root / "unclaimed")
    world.newer_model()
    world.collect()
    assert picture(world.root / "unclaimed") == before
    assert world.history.state(hostile) == "DELETED"
    assert not (world.root / "deep" / "unclaimed").exists()


class Meddling(Threads):
    """A crew beside which somebody acts after the judging and before the first byte goes."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(1)
        self._act = act

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        if task == "purge":
            self._act()
        return super().run(task, work, items)


def test_a_link_that_comes_after_the_judging_leads_to_nothing_else_inside_the_roots(world: World) -> None:
    world.model("{root}/p/1")
    write_saved_model(world.root / "p" / "1")
    precious(world.root / "q" / "1")
    before = picture(world.root / "q")
    world.newer_model()
    swap = swap_for_a_link(world.root / "p", world.root / "q", aside=world.root / "aside")
    outcomes = world.collect(crew=Meddling(swap)).purged
    assert [outcome.done for outcome in outcomes] == ["failed"]
    assert picture(world.root / "q") == before


def test_a_link_that_comes_after_the_judging_does_not_lead_outside(world: World) -> None:
    world.model("{root}/p/variables")
    write_saved_model(world.root / "p" / "variables")
    world.newer_model()
    before = picture(world.outside)
    swap = swap_for_a_link(world.root / "p", world.outside, aside=world.root / "aside")
    outcomes = world.collect(crew=Meddling(swap)).purged
    assert [outcome.done for outcome in outcomes] == ["failed"]
    assert picture(world.outside) == before


@pytest.mark.parametrize("levels", [1500, 3000])
def test_a_payload_of_many_levels(levels: int, world: World) -> None:
    """Down to where a path can still name it, it goes; what lies deeper cannot be measured, and is held."""
    hostile = world.model("{root}/deep")
    (world.root / "deep").mkdir()
    here = os.open(world.root / "deep", os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    stays = world.newer_model()
    decision = world.collect().plan.decision(hostile.id)
    if levels == 1500:
        assert world.history.states(hostile, stays) == ["DELETED", "LIVE"]
        assert not (world.root / "deep").exists()
    else:
        assert "unknown.payload" in codes(decision)
        assert world.history.states(hostile, stays) == ["LIVE", "LIVE"]
        vanish(str(world.root / "deep"), "test", roots=[Place("file", str(world.root))])


@pytest.mark.parametrize("kind", ["fifo", "hard link"])
def test_a_payload_that_is_no_directory_goes_as_what_it_is(kind: str, world: World) -> None:
    hostile = world.model("{root}/thing")
    thing = world.root / "thing"
    os.mkfifo(thing) if kind == "fifo" else thing.hardlink_to(world.outside / "saved_model.pb")
    world.newer_model()
    before = picture(world.outside)
    world.collect()
    assert world.history.state(hostile) == "DELETED"
    assert not os.path.lexists(thing)
    assert picture(world.outside) == before


def test_a_uri_that_is_no_text_is_refused_by_the_store(world: World) -> None:
    """So names that are no UTF-8 only come in payloads."""
    with pytest.raises((ValueError, TypeError)):
        world.model(os.fsdecode(b"/root/\xff"))
