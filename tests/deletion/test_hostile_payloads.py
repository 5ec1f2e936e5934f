"""Payloads that hold what no SavedModel holds: it goes as what it is, and nothing around it is touched."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deletion.surroundings import Picture, mounted, picture, precious, unmount_all
from tfx_janitor.deletion import remove
from tfx_janitor.deletion.remove import TRASH, RemovalError, Removed, finish, in_trash, vanish
from tfx_janitor.payload.places import Place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "root"
    (root / "7").mkdir(parents=True)
    return root


@pytest.fixture
def payload(root: Path) -> Path:
    return root / "7"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    return precious(tmp_path.resolve() / "outside")


@pytest.fixture(autouse=True)
def untouched(outside: Path) -> Iterator[None]:
    """Whatever a test does: outside, all is byte for byte the same afterwards."""
    before: Picture = picture(outside)
    yield
    assert picture(outside) == before


def remove_it(payload: Path) -> Removed:
    return vanish(str(payload), "artifact-7", roots=[Place("file", str(payload.parent))])


def finish_it(payload: Path) -> Removed:
    return finish(str(payload), "artifact-7", roots=[Place("file", str(payload.parent))])


def test_links_go_as_links(root: Path, payload: Path, outside: Path) -> None:
    links = {
        "to a directory": outside,
        "to a file": outside / "saved_model.pb",
        "up": "..",
        "to the root": root,
        "to everything": "/",
        "dangling": root / "nowhere",
        "to itself": "to itself",
    }
    (payload / "below").mkdir()
    for name, target in links.items():
        (payload / "below" / name).symlink_to(target)
    (root / "8").mkdir()
    assert remove_it(payload).files == len(links)
    assert os.listdir(root) == ["8"]


def test_a_payload_that_is_a_link_goes_as_one(payload: Path, outside: Path) -> None:
    payload.rmdir()
    payload.symlink_to(outside)
    assert remove_it(payload) == Removed(len(str(outside)), 1)
    assert not os.path.lexists(payload)


def test_a_hard_link_goes_and_the_file_keeps_its_other_name(payload: Path, outside: Path) -> None:
    (payload / "graph").hardlink_to(outside / "saved_model.pb")
    assert remove_it(payload) == Removed(len(b"precious graph"), 1)
    assert (outside / "saved_model.pb").stat().st_nlink == 1


def test_sockets_and_fifos_go_and_nobody_waits_for_them(payload: Path, monkeypatch) -> None:
    os.mkfifo(payload / "fifo")
    monkeypatch.chdir(payload)  # a socket's path has 107 bytes at most
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        listening.listen()
        assert remove_it(payload) == Removed(0, 2)
    assert not payload.exists()


def test_devices_go_and_are_not_opened(payload: Path) -> None:
    with contextlib.suppress(PermissionError):
        os.mknod(payload / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(payload / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 0))
    if not os.listdir(payload):
        pytest.skip("only root makes device nodes")
    assert remove_it(payload) == Removed(0, 2)


@pytest.mark.parametrize("kind", ["fifo", "file"])
def test_a_payload_that_is_no_directory_goes(payload: Path, kind: str) -> None:
    payload.rmdir()
    os.mkfifo(payload) if kind == "fifo" else payload.write_bytes(b"12345")
    assert remove_it(payload).files == 1
    assert os.listdir(payload.parent) == []


# Mounts. A bind mount of the same file system is the worst: it has the device of what is around it.


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_what_is_mounted_inside_a_payload_is_not_entered(
    kind: str, root: Path, payload: Path, outside: Path, tmp_path: Path
) -> None:
    point = payload / "deep" / "mounted"
    point.mkdir(parents=True)
    (payload / "file").write_bytes(b"1")
    how = ("--bind", str(outside)) if kind == "bind" else ("-t", "tmpfs", "tmpfs")
    with mounted(*how, target=point, below=tmp_path.resolve()):
        if kind == "tmpfs":
            precious(point / "in memory")
        with pytest.raises(RemovalError, match=rf"{TRASH}/artifact-7/deep/mounted is a mount point"):
            remove_it(payload)
        left = root / TRASH / "artifact-7" / "deep" / "mounted"
        kept = left / "in memory" if kind == "tmpfs" else left
        assert (kept / "saved_model.pb").read_bytes() == b"precious graph"
        unmount_all(tmp_path.resolve())
        finish_it(payload)
    assert os.listdir(root) == []


def test_where_no_proc_tells_mounts_the_device_does(payload: Path, tmp_path: Path, monkeypatch) -> None:
    (payload / "mounted").mkdir()
    monkeypatch.setattr(remove, "_DESCRIPTORS", "/nowhere")
    with mounted("-t", "tmpfs", "tmpfs", target=payload / "mounted", below=tmp_path.resolve()):
        precious(payload / "mounted" / "model")
        with pytest.raises(RemovalError, match="is a mount point"):
            remove_it(payload)


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_a_payload_that_is_a_mount_point_stays_where_it_is(
    kind: str, payload: Path, outside: Path, tmp_path: Path
) -> None:
    how = ("--bind", str(outside)) if kind == "bind" else ("-t", "tmpfs", "tmpfs")
    with mounted(*how, target=payload, below=tmp_path.resolve()):
        with pytest.raises(RemovalError, match="7 is a mount point; unmount it first"):
            remove_it(payload)
        assert os.listdir(payload.parent) == ["7"]  # and no empty trash beside it


def test_a_file_that_is_mounted_upon_stays(payload: Path, outside: Path, tmp_path: Path) -> None:
    (payload / "file").touch()
    bind = ("--bind", str(outside / "saved_model.pb"))
    with (
        mounted(*bind, target=payload / "file", below=tmp_path.resolve()),
        pytest.raises(OSError, match="busy"),
    ):
        remove_it(payload)
    finish_it(payload)
    assert os.listdir(payload.parent) == []


# Permissions. Root is asked by no mode, so these run without the capabilities that make it so.

_UNPRIVILEGED = """
import sys
from tfx_janitor.deletion.remove import finish, vanish
from tfx_janitor.payload.places import Place
try:
    print({call}(sys.argv[1], "artifact-7", roots=[Place("file", sys.argv[2])]))
except OSError as error:
    print(error.strerror)
"""


def unprivileged(call: str, payload: Path) -> str:
    """What `vanish` or `finish` of a payload says to somebody who is asked by modes."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    code = _UNPRIVILEGED.replace("{call}", call)
    command = [*drop, sys.executable, "-c", code, str(payload), str(payload.parent)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("root needs setpriv to give up its privileges")
    assert not done.stderr, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_directory_that_may_not_be_emptied_fails_and_is_finished_later(payload: Path, mode: int) -> None:
    (payload / "locked").mkdir()
    (payload / "locked" / "file").write_bytes(b"12345")
    (payload / "locked").chmod(mode)
    assert unprivileged("vanish", payload) == "Permission denied"
    assert not payload.exists()  # half a payload is never seen
    assert in_trash(str(payload), "artifact-7")

    (payload.parent / TRASH / "artifact-7" / "locked").chmod(0o755)
    assert unprivileged("finish", payload) == "Removed(bytes=5, files=1)"
    assert os.listdir(payload.parent) == []


def test_in_a_directory_that_may_not_be_changed_a_payload_stays_whole(payload: Path) -> None:
    (payload / "file").touch()
    payload.parent.chmod(0o555)
    assert unprivileged("vanish", payload) == "Permission denied"
    assert os.listdir(payload.parent) == ["7"]
    assert os.listdir(payload) == ["file"]


def test_parents_that_may_be_entered_but_not_listed_are_no_hindrance(tmp_path: Path) -> None:
    home = tmp_path.resolve() / "home"
    payload = home / "models" / "7"
    payload.mkdir(parents=True)
    home.chmod(0o711 & ~0o444)
    assert unprivileged("vanish", payload) == "Removed(bytes=0, files=0)"
    home.chmod(0o755)
    assert os.listdir(payload.parent) == []


def test_an_immutable_directory_stops_even_root(payload: Path) -> None:
    locked = payload / "locked"
    locked.mkdir()
    (locked / "file").touch()
    if subprocess.run(["chattr", "+i", str(locked)], capture_output=True, check=False).returncode:
        pytest.skip("needs root and a file system that knows chattr +i")
    moved = payload.parent / TRASH / "artifact-7" / "locked"
    try:
        with pytest.raises(PermissionError):
            remove_it(payload)
    finally:
        subprocess.run(["chattr", "-i", str(moved if moved.exists() else locked)], check=True)
    assert finish_it(payload) == Removed(0, 1)


# Sizes and names.


@contextlib.contextmanager
def few_descriptors() -> Iterator[None]:
    """No more open files than a few beside those that are open already."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("name", ["d", "d" * 255])
def test_no_depth_is_too_deep(payload: Path, name: str) -> None:
    """More levels than Python recurses and a process may open; with long names, than a path may have."""
    here = os.open(payload, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=below))
        os.close(here)
        here = below
    os.close(here)
    with few_descriptors():
        assert remove_it(payload) == Removed(0, 1500)
    assert os.listdir(payload.parent) == []


def test_five_thousand_files(payload: Path) -> None:
    for number in range(50):
        (payload / str(number)).mkdir()
        for shard in range(100):
            (payload / str(number) / f"{shard}").write_bytes(b"1")
    assert remove_it(payload) == Removed(5000, 5000)


NAMES = [
    b"two\nlines",
    b"\x1b[31mred",
    b"bell\x07",
    b"'single' \"double\"",
    b"$(touch touched)",
    b"`touch touched`",
    b"; rm -rf *",
    b"*",
    b"?",
    b"[a-z]",
    b"{a,b}",
    b"-rf",
    b"--",
    b"~",
    b" ",
    b"...",
    b"..x",
    b"\\",
    b"%2e%2e",
    b"n" * 255,
    b"\xff\xfe not UTF-8",
    "\u202eright to left".encode(),
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_a_name(payload: Path, name: bytes) -> None:
    """As the payload's own, as a directory's in it, and as a file's in that."""
    sibling = payload.parent / "n"
    sibling.mkdir()
    hostile = payload.parent / os.fsdecode(name)
    inside = hostile / os.fsdecode(name)
    inside.mkdir(parents=True)
    (inside / os.fsdecode(name)).write_bytes(b"12345")
    assert remove_it(hostile) == Removed(5, 1)
    assert sorted(os.listdir(payload.parent)) == ["7", "n"]


def test_a_name_longer_than_names_can_be_is_an_error(payload: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        remove_it(payload.parent / ("n" * 300))
    assert os.listdir(payload.parent) == ["7"]


def test_the_trash_itself_is_no_payload(payload: Path) -> None:
    left = payload.parent / TRASH / "artifact-8"
    left.mkdir(parents=True)
    with pytest.raises(OSError, match="Invalid argument"):
        remove_it(payload.parent / TRASH)
    assert left.exists()


@pytest.mark.parametrize("kind", ["file", "link", "fifo"])
def test_a_trash_that_is_no_directory_is_left_alone(payload: Path, outside: Path, kind: str) -> None:
    trash = payload.parent / TRASH
    {
        "file": trash.touch,
        "link": lambda: trash.symlink_to(outside),
        "fifo": lambda: os.mkfifo(trash),
    }[kind]()
    with pytest.raises(OSError, match="Not a directory"):
        remove_it(payload)
    assert not in_trash(str(payload), "artifact-7")
    assert sorted(os.listdir(payload.parent)) == [TRASH, "7"]


def test_the_trash_is_found_through_a_link_on_the_way(payload: Path, tmp_path: Path) -> None:
    (payload.parent / TRASH / "artifact-7").mkdir(parents=True)
    (tmp_path / "link").symlink_to(payload.parent)
    assert in_trash(str(tmp_path / "link" / "7"), "artifact-7")
    assert not in_trash(str(tmp_path / "nowhere" / "7"), "artifact-7")


def test_a_label_is_one_name(payload: Path) -> None:
    for label in ("../out", "a/b", "", ".", ".."):
        with pytest.raises(RemovalError, match="plain name as trash label"):
            vanish(str(payload), label, roots=[Place("file", str(payload.parent))])
    assert payload.exists()


def test_a_path_with_a_nul_is_refused(payload: Path) -> None:
    with pytest.raises(RemovalError, match="expected an absolute path"):
        remove_it(payload / "nul\0" / "7")


def test_a_relative_path_is_refused_wherever_one_stands(payload: Path, monkeypatch) -> None:
    monkeypatch.chdir(payload.parent)
    with pytest.raises(RemovalError, match="expected an absolute path"):
        vanish("7", "artifact-7", roots=[Place("file", str(payload.parent))])
    assert payload.exists()


@pytest.mark.parametrize("end", [".", "..", "8/..", "8/."])
def test_a_path_that_does_not_end_in_a_name_is_refused(payload: Path, end: str) -> None:
    (payload / "8").mkdir()
    with pytest.raises(RemovalError, match="expected a path that ends in a name"):
        vanish(f"{payload}/{end}", "artifact-7", roots=[Place("file", str(payload.parent))])
    assert (payload / "8").exists()
