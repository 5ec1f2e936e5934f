"""Somebody changes the tree while it is being removed: between any two calls, and for a second without pause.

What lies outside is byte for byte the same afterwards. The removal itself may fail: then no half of a payload
is in sight, and the next one finishes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deletion.surroundings import just_before, picture, precious, swap_for_a_link
from tfx_janitor.deletion import remove
from tfx_janitor.deletion.remove import TRASH, RemovalError, Removed, finish, in_trash, vanish
from tfx_janitor.payload.places import Place

Act = Callable[[Path], Removed]


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """`root/inception/model/7`."""
    return precious(tmp_path.resolve() / "root" / "inception" / "model" / "7")


@pytest.fixture
def root(payload: Path) -> Path:
    return payload.parents[2]


@pytest.fixture
def outside(payload: Path, tmp_path: Path) -> Path:
    """A copy of the root that is none, and looks like a payload as well: every name is found there."""
    outside = tmp_path.resolve() / "outside"
    shutil.copytree(payload.parents[2], outside)
    precious(outside / "model" / "7")
    precious(outside / "7")
    precious(outside / "variables")
    for place in (outside, outside / "model", outside / "inception" / "model"):
        precious(place / TRASH / "artifact-7")
        precious(place / "artifact-7")
    return outside


@pytest.fixture(autouse=True)
def untouched(outside: Path) -> Iterator[None]:
    before = picture(outside)
    yield
    assert picture(outside) == before


@pytest.fixture
def aside(tmp_path: Path) -> Path:
    """Where an attacker puts what is in the way."""
    return tmp_path.resolve() / "aside"


@pytest.fixture
def remove_it(root: Path) -> Act:
    return lambda payload: vanish(str(payload), "artifact-7", roots=[Place("file", str(root))])


@pytest.fixture
def finish_it(root: Path) -> Act:
    return lambda payload: finish(str(payload), "artifact-7", roots=[Place("file", str(root))])


# A directory becomes a link after it was checked and before it is opened, on each level.


@pytest.mark.parametrize(
    ("level", "leads_to"), [("root", "."), ("inception", "inception"), ("model", "inception/model")]
)
def test_one_on_the_way(
    level: str,
    leads_to: str,
    remove_it: Act,
    finish_it: Act,
    payload: Path,
    outside: Path,
    aside: Path,
    monkeypatch,
) -> None:
    swapped = next(path for path in payload.parents if path.name == level)
    swap = swap_for_a_link(swapped, outside / leads_to, aside=aside)
    for act in (remove_it, finish_it):
        with monkeypatch.context() as patch:
            just_before(patch, "open", level, swap)
            with pytest.raises(RemovalError, match=f"{level} is a link or a file where a directory was"):
                act(payload)
        swapped.unlink()
        aside.rename(swapped)
    assert (payload / "saved_model.pb").exists()


def test_the_payload_before_its_rename(
    remove_it: Act, payload: Path, outside: Path, aside: Path, monkeypatch
) -> None:
    just_before(monkeypatch, "rename", "7", swap_for_a_link(payload, outside, aside=aside))
    assert remove_it(payload).files == 1  # the link
    assert not os.path.lexists(payload)
    assert (aside / "saved_model.pb").exists()


def test_the_payload_in_the_trash(
    remove_it: Act, finish_it: Act, payload: Path, outside: Path, aside: Path, monkeypatch
) -> None:
    entry = payload.parent / TRASH / "artifact-7"
    just_before(monkeypatch, "open", "artifact-7", swap_for_a_link(entry, outside, aside=aside))
    with pytest.raises(OSError, match="Not a directory"):
        remove_it(payload)
    assert in_trash(str(payload), "artifact-7")
    assert finish_it(payload).files == 1  # the link


@pytest.mark.parametrize("opening", [1, 2], ids=["before-the-rename", "after-the-rename"])
def test_the_trash(
    opening: int, remove_it: Act, payload: Path, outside: Path, aside: Path, monkeypatch
) -> None:
    swap = swap_for_a_link(payload.parent / TRASH, outside, aside=aside)
    just_before(monkeypatch, "open", TRASH, swap, time=opening)
    with pytest.raises(OSError, match="Not a directory"):
        remove_it(payload)
    assert picture(payload if opening == 1 else aside / "artifact-7")


def test_a_directory_inside(
    remove_it: Act, finish_it: Act, payload: Path, outside: Path, aside: Path, monkeypatch
) -> None:
    inside = payload.parent / TRASH / "artifact-7" / "variables"
    swap = swap_for_a_link(inside, outside / "variables", aside=aside)
    just_before(monkeypatch, "open", "variables", swap)
    with pytest.raises(OSError, match="Not a directory"):
        remove_it(payload)
    assert in_trash(str(payload), "artifact-7")
    finish_it(payload)
    assert os.listdir(payload.parent) == []


def test_the_way_back_up(
    remove_it: Act, finish_it: Act, payload: Path, outside: Path, aside: Path, monkeypatch
) -> None:
    """What is being emptied is moved elsewhere: its `..` is then a directory that nobody wants emptied."""
    entry = payload.parent / TRASH / "artifact-7"
    precious(aside)
    before = picture(aside)

    def move() -> None:
        (entry / "variables").rename(aside / "stolen")

    just_before(monkeypatch, "open", "..", move)
    # The subdirectory first, so that the names beside it are still to go when the way leads back.
    monkeypatch.setattr(remove.os, "listdir", lambda fd: sorted(os.listdir(fd)))
    with pytest.raises(RemovalError, match="variables was moved elsewhere"):
        remove_it(payload)
    (aside / "stolen").rmdir()
    assert picture(aside).keys() == before.keys()
    finish_it(payload)
    assert os.listdir(payload.parent) == []


# Names that come and go.


def test_a_file_that_vanishes_before_it_is_unlinked(remove_it: Act, payload: Path, monkeypatch) -> None:
    file = payload.parent / TRASH / "artifact-7" / "saved_model.pb"
    just_before(monkeypatch, "unlink", "saved_model.pb", file.unlink)
    assert remove_it(payload).files == 2
    assert os.listdir(payload.parent) == []


@pytest.mark.parametrize("call", ["stat", "open", "rmdir"])
def test_a_directory_that_vanishes_before(call: str, remove_it: Act, payload: Path, monkeypatch) -> None:
    directory = payload.parent / TRASH / "artifact-7" / "variables"
    just_before(monkeypatch, call, "variables", lambda: shutil.rmtree(directory))
    assert remove_it(payload).files in (1, 3)
    assert os.listdir(payload.parent) == []


@pytest.mark.parametrize(("call", "name"), [("stat", "7"), ("rename", "7"), ("open", "model")])
def test_a_payload_that_vanishes_before(
    call: str, name: str, remove_it: Act, payload: Path, monkeypatch
) -> None:
    gone = payload if name == "7" else payload.parent
    just_before(monkeypatch, call, name, lambda: shutil.rmtree(gone))
    assert remove_it(payload) == Removed()


@pytest.mark.parametrize(("call", "name"), [("open", TRASH), ("rename", "7")])
def test_a_trash_that_another_janitor_tidies_up_before(
    call: str, name: str, remove_it: Act, payload: Path, monkeypatch
) -> None:
    just_before(monkeypatch, call, name, (payload.parent / TRASH).rmdir)
    assert remove_it(payload).files == 3
    assert os.listdir(payload.parent) == []


def test_a_trash_that_another_janitor_empties(remove_it: Act, payload: Path, monkeypatch) -> None:
    just_before(monkeypatch, "open", TRASH, lambda: shutil.rmtree(payload.parent / TRASH), time=2)
    assert remove_it(payload) == Removed()
    assert os.listdir(payload.parent) == []


def test_a_file_that_appears_while_its_directory_goes(
    remove_it: Act, finish_it: Act, payload: Path, monkeypatch
) -> None:
    """A writer that holds the directory open may go on; the removal says so, and the next one finishes."""
    directory = payload.parent / TRASH / "artifact-7" / "variables"
    just_before(monkeypatch, "rmdir", "variables", (directory / "late").touch)
    with pytest.raises(OSError, match="not empty"):
        remove_it(payload)
    assert not payload.exists()
    assert finish_it(payload).files >= 1
    assert os.listdir(payload.parent) == []


def test_a_payload_that_is_written_anew_meanwhile_stays(remove_it: Act, payload: Path, monkeypatch) -> None:
    just_before(monkeypatch, "unlink", "saved_model.pb", lambda: precious(payload))
    assert remove_it(payload).files == 3
    assert len(picture(payload)) > 0


def test_a_file_that_turns_into_a_directory_stays(remove_it: Act, payload: Path, monkeypatch) -> None:
    file = payload.parent / TRASH / "artifact-7" / "saved_model.pb"

    def turn() -> None:
        file.unlink()
        precious(file)

    just_before(monkeypatch, "unlink", "saved_model.pb", turn)
    with pytest.raises(OSError, match="directory"):
        remove_it(payload)
    assert len(picture(file)) > 0


# And all the time: a process that swaps a directory for a link and back as fast as it can.

_SWAP = """
import os, sys
directory, outside, aside = sys.argv[1:]
print("swapping", flush=True)
while True:
    os.rename(directory, aside)
    os.symlink(outside, directory)
    os.unlink(directory)
    os.rename(aside, directory)
"""


@contextlib.contextmanager
def swapping(directory: Path, outside: Path, aside: Path) -> Iterator[None]:
    command = [sys.executable, "-S", "-c", _SWAP, str(directory), str(outside), str(aside)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "swapping\n"
        try:
            yield
        finally:
            process.kill()


def test_for_a_second_without_pause(root: Path, aside: Path, tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(3000)]
    swapped, twin = root / "inception", tmp_path.resolve() / "twin"
    for name in names:
        for top in (swapped, twin):
            (top / "model" / name).mkdir(parents=True)
            (top / "model" / name / "file").touch()
    before = picture(twin)
    removed = refused = 0
    with swapping(swapped, twin, aside):
        until = time.monotonic() + 1
        for name in names:
            try:
                path = str(swapped / "model" / name)
                removed += vanish(path, name, roots=[Place("file", str(root))]).files
            except (RemovalError, OSError):
                refused += 1
            # On a busy machine a second may show only one of the two.
            if time.monotonic() > until and removed and refused:
                break
    assert picture(twin) == before
    assert removed
    assert refused
